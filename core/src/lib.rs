//! Pli.

pub mod hprim;
pub mod keystore;
pub mod mime;
pub mod store;
