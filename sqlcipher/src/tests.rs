//! Published vectors through the very functions that C calls, then a database of `SQLCipher`'s on top of them.

use std::ffi::{CStr, c_int};
use std::path::Path;
use std::{fs, ptr};

use data_encoding::HEXLOWER;
use rusqlite::ErrorCode;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER
        .decode(text.replace(char::is_whitespace, "").as_bytes())
        .unwrap()
}

fn provider() -> Provider {
    let mut filled = std::mem::MaybeUninit::<Provider>::zeroed();
    // SAFETY: points to writable room for one provider.
    assert_eq!(unsafe { pli_sqlcipher_setup(filled.as_mut_ptr()) }, SQLITE_OK);
    // SAFETY: every field was written by the call above.
    unsafe { filled.assume_init() }
}

fn hmac_of(algorithm: c_int, key: &[u8], first: &[u8], second: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size];
    // SAFETY: every pointer comes with the length of its own slice; `out` has the hash's size.
    let code = unsafe {
        provider().hmac.unwrap()(
            ptr::null_mut(),
            algorithm,
            key.as_ptr(),
            c_int::try_from(key.len()).unwrap(),
            first.as_ptr(),
            c_int::try_from(first.len()).unwrap(),
            second.as_ptr(),
            c_int::try_from(second.len()).unwrap(),
            out.as_mut_ptr(),
        )
    };
    (code == SQLITE_OK).then_some(out)
}

fn kdf_of(algorithm: c_int, passphrase: &[u8], salt: &[u8], rounds: c_int, size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size];
    // SAFETY: every pointer comes with the length of its own slice.
    let code = unsafe {
        provider().kdf.unwrap()(
            ptr::null_mut(),
            algorithm,
            passphrase.as_ptr(),
            c_int::try_from(passphrase.len()).unwrap(),
            salt.as_ptr(),
            c_int::try_from(salt.len()).unwrap(),
            rounds,
            c_int::try_from(size).unwrap(),
            out.as_mut_ptr(),
        )
    };
    (code == SQLITE_OK).then_some(out)
}

fn cipher_of(mode: c_int, key: &[u8], iv: &[u8; 16], source: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0; source.len()];
    // SAFETY: every pointer comes with the length of its own slice; `out` is as long as `source`.
    let code = unsafe {
        provider().cipher.unwrap()(
            ptr::null_mut(),
            mode,
            key.as_ptr(),
            c_int::try_from(key.len()).unwrap(),
            iv.as_ptr(),
            source.as_ptr(),
            c_int::try_from(source.len()).unwrap(),
            out.as_mut_ptr(),
        )
    };
    (code == SQLITE_OK).then_some(out)
}

/// RFC 4231 §4.3, and §4.7 for a key longer than the block; the text comes in two parts.
#[test]
fn hmac_gives_the_published_tags() {
    let (first, second) = (b"what do ya want ".as_slice(), b"for nothing?".as_slice());
    assert_eq!(
        hmac_of(SHA_256, b"Jefe", first, second, 32).unwrap(),
        hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    );
    assert_eq!(
        hmac_of(SHA_512, b"Jefe", first, second, 64).unwrap(),
        hex("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737")
    );
    assert_eq!(
        hmac_of(
            SHA_256,
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            b"",
            32
        )
        .unwrap(),
        hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    );
    assert!(hmac_of(SHA_1, b"Jefe", first, second, 20).is_none());
}

/// RFC 7914 §11 for SHA-256; the SHA-512 one is widely published beside RFC 6070's inputs.
#[test]
fn pbkdf2_gives_the_published_keys() {
    assert_eq!(
        kdf_of(SHA_256, b"passwd", b"salt", 1, 64).unwrap(),
        hex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc
             49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783")
    );
    assert_eq!(
        kdf_of(SHA_512, b"password", b"salt", 2, 64).unwrap(),
        hex("e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c
             f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e")
    );
    assert!(kdf_of(SHA_512, b"password", b"salt", 0, 64).is_none());
    assert!(kdf_of(SHA_512, b"password", b"salt", -1, 64).is_none());
    assert!(kdf_of(SHA_1, b"password", b"salt", 1, 20).is_none());
}

/// NIST SP 800-38A, F.2.5 and F.2.6.
#[test]
fn aes_cbc_gives_the_published_blocks() {
    let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    let iv = <[u8; 16]>::try_from(hex("000102030405060708090a0b0c0d0e0f")).unwrap();
    let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    let sealed = hex("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d
                      39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
    assert_eq!(cipher_of(ENCRYPT, &key, &iv, &plain).unwrap(), sealed);
    assert_eq!(cipher_of(DECRYPT, &key, &iv, &sealed).unwrap(), plain);
    assert!(cipher_of(ENCRYPT, &key, &iv, &plain[..15]).is_none());
    assert!(cipher_of(DECRYPT, &key[..31], &iv, &sealed).is_none());
    assert!(cipher_of(7, &key, &iv, &plain).is_none());
}

#[test]
fn one_buffer_may_be_both_source_and_target() {
    let (key, iv) = ([7; 32], [9; 16]);
    let mut page = *b"one page of text, thirty-two byt";
    let expected = cipher_of(ENCRYPT, &key, &iv, &page).unwrap();
    // SAFETY: the function allows source and target to be the same memory.
    let code = unsafe {
        provider().cipher.unwrap()(
            ptr::null_mut(),
            ENCRYPT,
            key.as_ptr(),
            32,
            iv.as_ptr(),
            page.as_ptr(),
            32,
            page.as_mut_ptr(),
        )
    };
    assert_eq!(code, SQLITE_OK);
    assert_eq!(page.as_slice(), expected);
}

#[test]
fn null_and_negative_sizes_are_refused() {
    let provider = provider();
    let mut out = [0; 64];
    // SAFETY: null pointers and negative sizes are what the functions must refuse without touching memory.
    unsafe {
        assert_eq!(pli_sqlcipher_setup(ptr::null_mut()), SQLITE_ERROR);
        let (context, none) = (ptr::null_mut(), ptr::null());
        assert_eq!(provider.random.unwrap()(context, ptr::null_mut(), 4), SQLITE_ERROR);
        assert_eq!(
            provider.random.unwrap()(context, out.as_mut_ptr().cast(), -1),
            SQLITE_ERROR
        );
        let hmac = provider.hmac.unwrap();
        assert_eq!(
            hmac(context, SHA_512, none, 0, none, 0, none, 0, out.as_mut_ptr()),
            SQLITE_ERROR
        );
        assert_eq!(
            hmac(context, SHA_512, none, 0, out.as_ptr(), -1, none, 0, out.as_mut_ptr()),
            SQLITE_ERROR
        );
        let cipher = provider.cipher.unwrap();
        let key = [0; 32];
        assert_eq!(
            cipher(
                context,
                ENCRYPT,
                key.as_ptr(),
                32,
                none,
                key.as_ptr(),
                16,
                out.as_mut_ptr()
            ),
            SQLITE_ERROR
        );
        assert_eq!(
            cipher(
                context,
                ENCRYPT,
                key.as_ptr(),
                32,
                key.as_ptr(),
                key.as_ptr(),
                -16,
                out.as_mut_ptr()
            ),
            SQLITE_ERROR
        );
        let kdf = provider.kdf.unwrap();
        assert_eq!(
            kdf(context, SHA_512, none, 0, none, 0, 2, 32, ptr::null_mut()),
            SQLITE_ERROR
        );
    }
}

#[test]
fn random_bytes_differ() {
    let mut drawn = [[0u8; 32]; 2];
    for bytes in &mut drawn {
        // SAFETY: the pointer comes with the length of its array.
        let code = unsafe { provider().random.unwrap()(ptr::null_mut(), bytes.as_mut_ptr().cast(), 32) };
        assert_eq!(code, SQLITE_OK);
    }
    assert_ne!(drawn[0], drawn[1]);
    assert_ne!(drawn[0], [0; 32]);
}

const KEY: &str = "x'2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f000102030405060708090a0b0c0d0e0f'";

fn open(path: &Path, key: &str) -> Connection {
    link();
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA cipher_log_level = NONE").unwrap();
    set_key(&connection, key.as_bytes()).unwrap();
    connection
}

fn filled(path: &Path, key: &str) {
    let connection = open(path, key);
    connection
        .execute_batch(
            "CREATE TABLE letter (text TEXT NOT NULL) STRICT;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO letter (text) SELECT 'courrier confidentiel ' || i FROM n;",
        )
        .unwrap();
    connection.close().unwrap();
}

fn count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM letter WHERE text LIKE 'courrier%'", [], |row| {
        row.get(0)
    })
}

#[test]
fn the_provider_in_use_is_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let connection = open(&folder.path().join("a.db"), KEY);
    let name: String = connection
        .query_row("PRAGMA cipher_provider", [], |row| row.get(0))
        .unwrap();
    // SAFETY: a static C string.
    let expected = unsafe { CStr::from_ptr(provider_name(ptr::null_mut())) };
    assert_eq!(name, expected.to_str().unwrap());
}

#[test]
fn a_database_opens_again_with_its_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    filled(&path, KEY);
    assert_eq!(count(&open(&path, KEY)).unwrap(), 500);

    let wrong = KEY.replacen('f', "e", 1);
    let refused = count(&open(&path, &wrong)).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::NotADatabase));
    assert!(
        count(&Connection::open(&path).unwrap()).is_err(),
        "opened without any key"
    );

    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"courrier"));
    assert!(!bytes.starts_with(b"SQLite"));
}

#[test]
fn a_passphrase_goes_through_pbkdf2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    filled(&path, "une phrase");
    assert_eq!(count(&open(&path, "une phrase")).unwrap(), 500);
    assert!(count(&open(&path, "une autre")).is_err());
}

#[test]
fn a_tampered_page_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    filled(&path, KEY);
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 3 * 4096);
    // One bit in the middle of the third page, and then of the vector at its end.
    for position in [2 * 4096 + 1000, 3 * 4096 - 80] {
        bytes[position] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(count(&open(&path, KEY)).is_err(), "byte {position}");
        let connection = open(&path, KEY);
        let mut check = connection.prepare("PRAGMA cipher_integrity_check").unwrap();
        let pages = check.query_map([], |_| Ok(())).unwrap().count();
        assert_eq!(pages, 1, "byte {position}");
        bytes[position] ^= 1;
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(count(&open(&path, KEY)).unwrap(), 500);
}

#[test]
fn a_database_without_a_key_is_plain_sqlite() {
    link();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("CREATE TABLE letter (text TEXT NOT NULL) STRICT")
        .unwrap();
    connection.close().unwrap();
    assert!(fs::read(&path).unwrap().starts_with(b"SQLite format 3\0"));
}
