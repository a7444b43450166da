//! The HPRIM document of a letter: by what name it is known among the parts, and what a person reads of it.
//! Its format is `crate::hprim`'s.

use crate::hprim;

/// The name of the text part that marks it as HPRIM.
pub(super) const HPRIM_NAME: &str = "document.hpr";

/// What names of HPRIM files end with.
const HPRIM_ENDS: [&str; 3] = [".hpr", ".hpm", ".hprim"];

/// Whether a part of this name is an HPRIM document.
pub(super) fn is_hprim_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    HPRIM_ENDS.iter().any(|end| name.ends_with(end))
}

/// What a person reads of an HPRIM file; all of it when it is none.
pub(super) fn hprim_text(document: &[u8]) -> String {
    match hprim::read(document) {
        Ok(reading) => reading.plain_text(),
        Err(_) => hprim::text_of(document),
    }
}
