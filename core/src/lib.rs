//! Pli.

pub mod hprim;
