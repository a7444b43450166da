//! What crosses Pli's network and what is sealed inside: formats and their checks, without I/O.
//! Sockets, storage and screens are elsewhere: `pli-backend` and `pli-core` both stand on this crate.
//! Read next: [`envelope`], then `docs/protocol/`, one page a format.

pub mod address;
pub mod api;
pub mod archive;
mod bytes;
pub mod cbor;
pub mod chunked;
mod device_name;
pub mod envelope;
pub mod handover;
pub mod identity;
pub mod ids;
pub mod limits;
pub mod link;
pub mod merkle;
pub mod padding;
pub mod prekey;
pub mod problem;
pub mod receipt;
mod recipients;
pub mod removal;
pub mod rewrap;
#[cfg(feature = "schema")]
mod schema;
pub mod seal;
pub mod sequence;
pub mod sign;
pub mod state;
pub mod statement;
pub mod time;

pub use address::Address;
pub use cbor::FormatError;
pub use device_name::{DeviceName, DeviceNameError};
pub use ids::{ArchiveId, DeviceId, Digest, MessageId};
pub use problem::{Code, Problem};
pub use recipients::{Recipients, RecipientsError};
pub use time::Timestamp;
