//! Pli.

pub mod hprim;
pub mod keystore;
pub mod store;
