//! Everything `pli_core` is held to from outside, in one binary so that C code is linked once.

mod hprim;
mod seeds;
