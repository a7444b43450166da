//! HPRIM text: the twelve header lines, the letter and the laboratory block that a patient record takes in.
//! Reads tolerantly and names every deviation; writes strictly. Not here: how a mail carries it (`crate::mime`).
//! Read next: [`read`](fn@read), [`write`](fn@write), then `docs/hprim.md`, the format page.

mod charset;
mod date;
mod document;
mod guess;
mod header;
mod lab;
mod lines;
mod marker;
mod place;
mod read;
mod refusal;
mod source;
mod spell;
mod warning;
mod write;

pub use charset::Charset;
pub use document::{Document, Patient};
pub use header::{Fields, Header, HeaderProblem, Nir, Party, header_problems};
pub use lab::{Flag, Lab, LabLine, LabResult, ResultKind, ResultStatus};
pub use lines::LineEnd;
pub use read::{MAX_BYTES, MAX_DOCUMENTS, MAX_LINES, Reading, charset_of, read, text_of};
pub use refusal::HprimError;
pub use warning::{Deviation, MAX_WARNINGS, Warning};
pub use write::{WriteOptions, Written, write};
