//! A key in a file of its own, as text: 96 hexadecimal digits and a line end.

use std::path::Path;

use zeroize::Zeroizing;

use super::read_private;
use crate::files::write_new;
use crate::store::{StoreError, StoreKey};

/// Longest key file, in bytes.
const LONGEST: u64 = 128;

pub(super) fn load(path: &Path) -> Result<Option<StoreKey>, StoreError> {
    let Some(bytes) = read_private(path, LONGEST)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| StoreError::KeyDamaged)?;
    StoreKey::from_hex(text.trim_end())
        .map(Some)
        .ok_or(StoreError::KeyDamaged)
}

pub(super) fn save(path: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let hex = key.to_hex();
    let mut text = Zeroizing::new(Vec::with_capacity(hex.len().saturating_add(1)));
    text.extend_from_slice(hex.as_bytes());
    text.push(b'\n');
    write_new(path, &text)
}
