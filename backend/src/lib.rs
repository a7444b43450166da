//! Pli's relay and directory: it takes sealed envelopes and holds them for their devices, without being able to read them.
//! What travels is `pli-protocol`'s; the command line that starts it is `pli serve`.
//! Read next: [`Relay`], then `storage/deposits.rs`, where a deposit is accepted, and `docs/protocol/api.md`.

pub mod admin;
pub mod backup;
mod blobs;
mod bodies;
mod bus;
mod clock;
mod crash;
mod folder;
mod http;
mod idle;
pub mod limits;
mod metrics;
mod relay;
mod sockets;
mod storage;
mod tls;
mod tokens;

pub use http::document as openapi;
pub use relay::{Relay, RelayConfig, RelayError, Running, Tuning};
pub use tls::Tls;
