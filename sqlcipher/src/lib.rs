//! The cryptography `SQLCipher` asks of its host, on `RustCrypto`: AES-256-CBC, HMAC and PBKDF2 with SHA-2, random bytes.
//! The file format, page sizes and key handling are `SQLCipher`'s own (version 4) and not here; the only unsafe code of Pli is.
//! `.cargo/config.toml` names [`pli_sqlcipher_setup`] to the C build; next: `core/src/store/`.

mod primitives;

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::{ptr, slice};

use rusqlite::{Connection, ffi};

use primitives::{AES_BLOCK, AES_KEY, Hash, decrypt, encrypt, hmac, pbkdf2};

/// Keeps the provider in the binary that calls it.
///
/// The C code finds [`pli_sqlcipher_setup`] by its name alone, which no linker can see from Rust: whatever
/// opens a database calls this once, at no cost.
pub fn link() {
    std::hint::black_box::<unsafe extern "C" fn(*mut Provider) -> c_int>(pli_sqlcipher_setup);
}

/// Keys a connection that has read nothing yet, as `PRAGMA key` does, but without the key passing through SQL text
/// and `SQLite`'s unwiped memory. `key` is a passphrase, or a raw key as `x'…'` in hexadecimal.
///
/// # Errors
///
/// What `SQLite` answers. A wrong key shows only when the first page is read.
pub fn set_key(connection: &Connection, key: &[u8]) -> rusqlite::Result<()> {
    link();
    let Ok(length) = c_int::try_from(key.len()) else {
        return Err(failure(ffi::SQLITE_TOOBIG));
    };
    // SAFETY: the handle is open for as long as `connection` is borrowed and used by this thread alone, for `Connection` is
    // not `Sync`; `key` is readable over `length` bytes, and SQLCipher copies it before it returns.
    let code = unsafe { ffi::sqlite3_key(connection.handle(), key.as_ptr().cast(), length) };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(failure(code))
    }
}

fn failure(code: c_int) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// `struct sqlcipher_provider` of `sqlcipher.h`, field for field.
#[repr(C)]
pub struct Provider {
    init: Option<unsafe extern "C" fn() -> c_int>,
    shutdown: Option<unsafe extern "C" fn()>,
    name: Option<unsafe extern "C" fn(*mut c_void) -> *const c_char>,
    add_random: Option<unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int>,
    random: Option<unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int>,
    hmac: Option<HmacFunction>,
    kdf: Option<KdfFunction>,
    cipher: Option<CipherFunction>,
    cipher_name: Option<unsafe extern "C" fn(*mut c_void) -> *const c_char>,
    key_size: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    iv_size: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    block_size: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    hmac_size: Option<unsafe extern "C" fn(*mut c_void, c_int) -> c_int>,
    context_init: Option<unsafe extern "C" fn(*mut *mut c_void) -> c_int>,
    context_free: Option<unsafe extern "C" fn(*mut *mut c_void) -> c_int>,
    fips_status: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    version: Option<unsafe extern "C" fn(*mut c_void) -> *const c_char>,
    next: *mut Provider,
}

/// Fills in the provider that `SQLCipher` has just allocated; called by its C code once per process.
///
/// # Safety
///
/// `provider` is null, or points to a writable `struct sqlcipher_provider`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pli_sqlcipher_setup(provider: *mut Provider) -> c_int {
    if provider.is_null() {
        return SQLITE_ERROR;
    }
    let ours = Provider {
        init: None,
        shutdown: None,
        name: Some(provider_name),
        add_random: Some(add_random),
        random: Some(random),
        hmac: Some(page_hmac),
        kdf: Some(kdf),
        cipher: Some(cipher),
        cipher_name: Some(cipher_name),
        key_size: Some(key_size),
        iv_size: Some(block_size),
        block_size: Some(block_size),
        hmac_size: Some(hmac_size),
        context_init: Some(context_unused),
        context_free: Some(context_unused),
        fips_status: Some(fips_status),
        version: Some(provider_version),
        // SQLCipher links the provider into its list after this call.
        next: ptr::null_mut(),
    };
    // SAFETY: not null, and writable by the caller's promise; nothing is read or dropped there.
    unsafe { provider.write(ours) };
    SQLITE_OK
}

type HmacFunction = unsafe extern "C" fn(
    *mut c_void,
    c_int,
    *const c_uchar,
    c_int,
    *const c_uchar,
    c_int,
    *const c_uchar,
    c_int,
    *mut c_uchar,
) -> c_int;

type KdfFunction = unsafe extern "C" fn(
    *mut c_void,
    c_int,
    *const c_uchar,
    c_int,
    *const c_uchar,
    c_int,
    c_int,
    c_int,
    *mut c_uchar,
) -> c_int;

type CipherFunction = unsafe extern "C" fn(
    *mut c_void,
    c_int,
    *const c_uchar,
    c_int,
    *const c_uchar,
    *const c_uchar,
    c_int,
    *mut c_uchar,
) -> c_int;

const SQLITE_OK: c_int = 0;
const SQLITE_ERROR: c_int = 1;

/// Modes of `cipher`.
const DECRYPT: c_int = 0;
const ENCRYPT: c_int = 1;

/// Algorithms of `hmac` and `kdf`. SHA-1 served files older than `SQLCipher` 4 and is refused.
const SHA_1: c_int = 0;
const SHA_256: c_int = 1;
const SHA_512: c_int = 2;

/// HMAC of `first` and then, unless it is null, `second`.
///
/// # Safety
///
/// `key`, `first` and `second` are null or readable over their sizes; `out` is writable over the hash's output.
unsafe extern "C" fn page_hmac(
    _context: *mut c_void,
    algorithm: c_int,
    key: *const c_uchar,
    key_size: c_int,
    first: *const c_uchar,
    first_size: c_int,
    second: *const c_uchar,
    second_size: c_int,
    out: *mut c_uchar,
) -> c_int {
    if first.is_null() || out.is_null() {
        return SQLITE_ERROR;
    }
    let Some(hash) = hash(algorithm) else {
        return SQLITE_ERROR;
    };
    // SAFETY: the caller's promise for the three inputs.
    let (key, first, second) = unsafe {
        (
            input(key, key_size),
            input(first, first_size),
            input(second, second_size),
        )
    };
    let (Some(key), Some(first), Some(second)) = (key, first, second) else {
        return SQLITE_ERROR;
    };
    let mut tag = [0; Hash::LONGEST];
    let Some(tag) = hmac(hash, key, &[first, second], &mut tag) else {
        return SQLITE_ERROR;
    };
    // SAFETY: `out` holds the hash's output by the caller's promise, and `tag` is a local of just that length.
    unsafe { ptr::copy_nonoverlapping(tag.as_ptr(), out, tag.len()) };
    SQLITE_OK
}

/// PBKDF2 (RFC 8018 §5.2).
///
/// # Safety
///
/// `passphrase` and `salt` are null or readable over their sizes; `key` is writable over `key_size` bytes and overlaps neither.
unsafe extern "C" fn kdf(
    _context: *mut c_void,
    algorithm: c_int,
    passphrase: *const c_uchar,
    passphrase_size: c_int,
    salt: *const c_uchar,
    salt_size: c_int,
    rounds: c_int,
    key_size: c_int,
    key: *mut c_uchar,
) -> c_int {
    let Some(hash) = hash(algorithm) else {
        return SQLITE_ERROR;
    };
    let Ok(rounds @ 1..) = u32::try_from(rounds) else {
        return SQLITE_ERROR;
    };
    // SAFETY: the caller's promise for both inputs and for the output, which overlaps neither.
    let (passphrase, salt, key) = unsafe {
        (
            input(passphrase, passphrase_size),
            input(salt, salt_size),
            output(key, key_size),
        )
    };
    let (Some(passphrase), Some(salt), Some(key)) = (passphrase, salt, key) else {
        return SQLITE_ERROR;
    };
    pbkdf2(hash, passphrase, salt, rounds, key);
    SQLITE_OK
}

/// AES-256-CBC without padding; `size` is a multiple of the block.
///
/// # Safety
///
/// `key` is readable over `key_size` bytes, `iv` over a block, `source` over `size`; `out` is writable over `size` bytes and
/// overlaps neither `key` nor `iv`. `source` and `out` may be the same memory.
unsafe extern "C" fn cipher(
    _context: *mut c_void,
    mode: c_int,
    key: *const c_uchar,
    key_size: c_int,
    iv: *const c_uchar,
    source: *const c_uchar,
    size: c_int,
    out: *mut c_uchar,
) -> c_int {
    if source.is_null() || out.is_null() || iv.is_null() {
        return SQLITE_ERROR;
    }
    let Ok(length) = usize::try_from(size) else {
        return SQLITE_ERROR;
    };
    // SAFETY: both are valid over `length` bytes by the caller's promise; `copy` allows them to overlap. Working
    // in place afterwards means that no shared and exclusive reference to the same page ever exist together.
    unsafe { ptr::copy(source, out, length) };
    // SAFETY: the caller's promise; `out` overlaps neither key nor vector.
    let (key, iv, page) = unsafe {
        (
            input(key, key_size),
            slice::from_raw_parts(iv, AES_BLOCK),
            output(out, size),
        )
    };
    let (Some(key), Some(page)) = (key, page) else {
        return SQLITE_ERROR;
    };
    let done = match mode {
        DECRYPT => decrypt(key, iv, page),
        ENCRYPT => encrypt(key, iv, page),
        _ => None,
    };
    if done.is_some() { SQLITE_OK } else { SQLITE_ERROR }
}

/// # Safety
///
/// `buffer` is null or writable over `size` bytes.
unsafe extern "C" fn random(_context: *mut c_void, buffer: *mut c_void, size: c_int) -> c_int {
    // The operating system fills the bytes, so that they need not be set before.
    let (false, Ok(length)) = (buffer.is_null(), usize::try_from(size)) else {
        return SQLITE_ERROR;
    };
    // SAFETY: writable over `length` bytes by the caller's promise; `MaybeUninit<u8>` needs no initial value.
    let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast::<std::mem::MaybeUninit<u8>>(), length) };
    if getrandom::fill_uninit(buffer).is_ok() {
        SQLITE_OK
    } else {
        SQLITE_ERROR
    }
}

/// The operating system's generator takes no help.
extern "C" fn add_random(_context: *mut c_void, _buffer: *const c_void, _size: c_int) -> c_int {
    SQLITE_OK
}

extern "C" fn provider_name(_context: *mut c_void) -> *const c_char {
    c"rustcrypto".as_ptr()
}

extern "C" fn provider_version(_context: *mut c_void) -> *const c_char {
    c"1".as_ptr()
}

extern "C" fn cipher_name(_context: *mut c_void) -> *const c_char {
    c"AES-256-CBC".as_ptr()
}

extern "C" fn key_size(_context: *mut c_void) -> c_int {
    const { size_of_c(AES_KEY) }
}

extern "C" fn block_size(_context: *mut c_void) -> c_int {
    const { size_of_c(AES_BLOCK) }
}

extern "C" fn hmac_size(_context: *mut c_void, algorithm: c_int) -> c_int {
    match algorithm {
        // Its true size, so that the page layout is computed right before the algorithm is refused.
        SHA_1 => 20,
        SHA_256 => 32,
        SHA_512 => 64,
        _ => 0,
    }
}

/// There is nothing to keep between calls.
extern "C" fn context_unused(_context: *mut *mut c_void) -> c_int {
    SQLITE_OK
}

extern "C" fn fips_status(_context: *mut c_void) -> c_int {
    0
}

fn hash(algorithm: c_int) -> Option<Hash> {
    match algorithm {
        SHA_256 => Some(Hash::Sha256),
        SHA_512 => Some(Hash::Sha512),
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "evaluated for 16 and 32 alone, when compiled"
)]
const fn size_of_c(bytes: usize) -> c_int {
    bytes as c_int
}

/// The bytes at `start`; none when it is null, and no slice when the size is negative.
///
/// # Safety
///
/// `start` is null or readable over `size` bytes, which nobody writes for as long as `'a`.
unsafe fn input<'a>(start: *const c_uchar, size: c_int) -> Option<&'a [u8]> {
    let length = usize::try_from(size).ok()?;
    if start.is_null() || length == 0 {
        return Some(&[]);
    }
    // SAFETY: not null, and readable over `length` bytes by the caller's promise.
    Some(unsafe { slice::from_raw_parts(start, length) })
}

/// The bytes to be written at `start`; no slice when it is null or the size negative.
///
/// # Safety
///
/// `start` is null or writable and initialised over `size` bytes, which nobody else touches for as long as `'a`.
unsafe fn output<'a>(start: *mut c_uchar, size: c_int) -> Option<&'a mut [u8]> {
    let length = usize::try_from(size).ok()?;
    if start.is_null() {
        return None;
    }
    // SAFETY: not null, and writable over `length` bytes by the caller's promise.
    Some(unsafe { slice::from_raw_parts_mut(start, length) })
}

#[cfg(test)]
mod tests;
