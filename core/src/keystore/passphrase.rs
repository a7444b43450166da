//! A key in a file, sealed by AES-256-GCM under what Argon2id (RFC 9106) makes of a passphrase.
//! The file: version, memory in KiB, passes and lanes (four bytes each, big-endian), 16 bytes of salt; then nonce, key and tag.

use std::fmt;
use std::path::Path;

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::{Zeroize as _, Zeroizing};

use super::read_private;
use crate::files::write_new;
use crate::store::{StoreError, StoreKey};

/// A passphrase, wiped when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The passphrase with this text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

const VERSION: u32 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;
const HEAD: usize = 4 * 4 + SALT;
const LENGTH: usize = HEAD + NONCE + StoreKey::LEN + TAG;

/// What is read at most: more than there is, so that a longer file is seen as one.
const LONGEST: u64 = 256;

/// RFC 9106 §4, second recommended option, with one lane: 64 MiB, 3 passes.
const COST: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 1,
};

/// The most that a file may ask for, lest a forged one exhausts the device.
const MOST: Cost = Cost {
    memory_kib: 256 * 1024,
    passes: 16,
    lanes: 8,
};

#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

pub(super) fn load(path: &Path, passphrase: &Passphrase) -> Result<Option<StoreKey>, StoreError> {
    let Some(bytes) = read_private(path, LONGEST)? else {
        return Ok(None);
    };
    open(&bytes, passphrase).map(Some)
}

pub(super) fn save(path: &Path, passphrase: &Passphrase, key: &StoreKey) -> Result<(), StoreError> {
    write_new(path, &seal(passphrase, key, COST)?)
}

fn seal(passphrase: &Passphrase, key: &StoreKey, cost: Cost) -> Result<Vec<u8>, StoreError> {
    let mut salt = [0; SALT];
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut salt).map_err(|_| StoreError::Random)?;
    getrandom::fill(&mut nonce).map_err(|_| StoreError::Random)?;
    let mut file = Vec::with_capacity(LENGTH);
    for number in [VERSION, cost.memory_kib, cost.passes, cost.lanes] {
        file.extend_from_slice(&number.to_be_bytes());
    }
    file.extend_from_slice(&salt);
    let mut sealed = Zeroizing::new(*key.as_bytes());
    let tag = aead(passphrase, &salt, cost)?
        .encrypt_inout_detached(&nonce.into(), &file, sealed.as_mut_slice().into())
        .map_err(|_| StoreError::Fault)?;
    file.extend_from_slice(&nonce);
    file.extend_from_slice(sealed.as_slice());
    file.extend_from_slice(&tag);
    Ok(file)
}

fn open(file: &[u8], passphrase: &Passphrase) -> Result<StoreKey, StoreError> {
    let file = <&[u8; LENGTH]>::try_from(file).map_err(|_| StoreError::KeyDamaged)?;
    let (head, rest) = file.split_first_chunk::<HEAD>().ok_or(StoreError::KeyDamaged)?;
    let (numbers, salt) = head.split_last_chunk::<SALT>().ok_or(StoreError::KeyDamaged)?;
    let (numbers, _) = numbers.as_chunks::<4>();
    let [version, memory_kib, passes, lanes] = numbers else {
        return Err(StoreError::KeyDamaged);
    };
    let cost = Cost {
        memory_kib: u32::from_be_bytes(*memory_kib),
        passes: u32::from_be_bytes(*passes),
        lanes: u32::from_be_bytes(*lanes),
    };
    if u32::from_be_bytes(*version) != VERSION
        || cost.memory_kib > MOST.memory_kib
        || cost.passes > MOST.passes
        || cost.lanes > MOST.lanes
    {
        return Err(StoreError::KeyDamaged);
    }
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(StoreError::KeyDamaged)?;
    let (sealed, tag) = sealed.split_last_chunk::<TAG>().ok_or(StoreError::KeyDamaged)?;
    let mut key = Zeroizing::new([0; StoreKey::LEN]);
    key.copy_from_slice(sealed);
    aead(passphrase, salt, cost)?
        .decrypt_inout_detached(&(*nonce).into(), head, key.as_mut_slice().into(), &(*tag).into())
        .map_err(|_| StoreError::PassphraseRefused)?;
    Ok(StoreKey::from_bytes(*key))
}

fn aead(passphrase: &Passphrase, salt: &[u8; SALT], cost: Cost) -> Result<Aes256Gcm, StoreError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| StoreError::KeyDamaged)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.0.as_bytes(), salt, key.as_mut_slice())
        .map_err(|_| StoreError::KeyDamaged)?;
    let mut array = (*key).into();
    let aead = Aes256Gcm::new(&array);
    array.as_mut_slice().zeroize();
    Ok(aead)
}
