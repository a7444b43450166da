//! Pli.
