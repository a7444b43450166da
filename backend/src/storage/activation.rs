//! Activation codes: drawn at random, stored salted and hashed, used once.
//! Wrong tries are throttled in [`crate::limits`]; what an enrolment stores is in [`super::accounts`].

use data_encoding::BASE32_NOPAD;
use protocol::{Address, Code, Digest, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use subtle::ConstantTimeEq as _;

use super::{StorageError, refuse};

/// Random bytes of a code: 80 bits.
const CODE_BYTES: usize = 10;
/// Letters between two hyphens.
const GROUP: usize = 4;
/// Life of a code, in days.
const DAYS: i64 = 30;

/// Draws a code for an address of the directory, in place of any before it. One that `reissues` is for another identity
/// than the one that is enrolled.
pub(crate) fn make(
    connection: &Connection,
    address: &Address,
    reissues: bool,
    now: Timestamp,
) -> Result<String, StorageError> {
    let known = connection
        .prepare_cached("SELECT 1 FROM directory_entry WHERE address = ?1")?
        .exists([address.as_str()])?;
    if !known {
        return refuse(Code::NotFound, "no such entry in the directory");
    }
    let (mut random, mut salt) = ([0; CODE_BYTES], [0; 16]);
    getrandom::fill(&mut random)?;
    getrandom::fill(&mut salt)?;
    let letters = BASE32_NOPAD.encode(&random);
    let hash = hash(&salt, &letters);
    connection
        .prepare_cached(
            "INSERT INTO activation (address, salt, hash, expires_at, used, reissues) VALUES (?1, ?2, ?3, ?4, 0, ?5)
             ON CONFLICT (address) DO UPDATE SET salt = excluded.salt, hash = excluded.hash,
                 expires_at = excluded.expires_at, used = 0, reissues = excluded.reissues",
        )?
        .execute(params![
            address.as_str(),
            salt,
            hash.as_bytes(),
            now.plus_days(DAYS).as_millis(),
            reissues
        ])?;
    let groups: Vec<&str> = letters
        .as_bytes()
        .chunks(GROUP)
        .filter_map(|group| str::from_utf8(group).ok())
        .collect();
    Ok(groups.join("-"))
}

/// What a code is worth.
pub(crate) enum Worth {
    /// It is the address's and may be used.
    Good {
        /// Also in the place of an identity that is enrolled.
        reissues: bool,
    },
    /// It is the address's and was used.
    Used,
    /// It is not the address's, or expired.
    Nothing,
}

/// What `code` is worth for `address`.
pub(crate) fn weigh(
    connection: &Connection,
    address: &Address,
    code: &str,
    now: Timestamp,
) -> Result<Worth, StorageError> {
    let stored = connection
        .prepare_cached("SELECT salt, hash, expires_at, used, reissues FROM activation WHERE address = ?1")?
        .query_row([address.as_str()], |row| {
            let salt: Vec<u8> = row.get(0)?;
            let hash: Vec<u8> = row.get(1)?;
            Ok((salt, hash, row.get::<_, i64>(2)?, row.get::<_, bool>(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((salt, stored_hash, expires_at, used, reissues)) = stored else {
        return Ok(Worth::Nothing);
    };
    let same: bool = hash(&salt, &as_drawn(code)).as_bytes().ct_eq(&stored_hash).into();
    Ok(match (same, used) {
        (true, true) => Worth::Used,
        (true, false) if now.as_millis() <= expires_at => Worth::Good { reissues },
        (true | false, false) | (false, true) => Worth::Nothing,
    })
}

/// Marks the address's code as used.
pub(crate) fn mark_used(connection: &Connection, address: &Address) -> Result<(), StorageError> {
    connection
        .prepare_cached("UPDATE activation SET used = 1 WHERE address = ?1")?
        .execute([address.as_str()])?;
    Ok(())
}

fn hash(salt: &[u8], letters: &str) -> Digest {
    Digest::of(&[salt, letters.as_bytes()])
}

/// The letters as they were drawn: people write them in lower case, with other spaces, and 0 for O.
fn as_drawn(code: &str) -> String {
    code.chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        })
        .collect()
}
