//! The phone's engine: account, encrypted store, mail, and the sync with the relay.
//! Screens and commands are elsewhere; what crosses the network is `pli-protocol`'s.
//! Read next: [`Session`], then `sync`.

mod account;
mod archive;
mod clock;
mod code;
mod crash;
mod directory;
mod error;
mod files;
pub mod hprim;
pub mod keystore;
mod mail;
pub mod mime;
mod net;
mod session;
pub mod store;
mod sync;
mod text;

pub use account::identity::{CorrespondentView, IdentityView};
pub use account::link::LinkRequest;
pub use account::list::DeviceView;
pub use account::phrase::RecoveryPhrase;
pub use archive::{BackupView, HistoryProgress, LinkProgress};
pub use error::{DraftError, Error, KeysError, NetworkError, ServerError};
pub use mail::compose::{Draft, SendWarning};
pub use mail::list::{AttachmentView, Delivery, DeliveryState, Folder, HandledBy, MessageView, Summary};
pub use net::Patience;
pub use session::{Config, Session};
pub use sync::SyncReport;
pub use sync::unopened::{Reason as UnopenedReason, Unopened};
pub use text::Language;
