//! Addresses of the field, `prenom.nom@medicalNN.apicrypt.org`, as a parsed type.
//! The directory decides who has one; here is only what one looks like. See `docs/protocol/address.md`.

use std::fmt;
use std::str::FromStr;

use deunicode::deunicode;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Longest address, in bytes (RFC 5321 §4.5.3.1.3 without the brackets).
const ADDRESS_BYTES: usize = 254;
/// Longest local part, in bytes (RFC 5321 §4.5.3.1.1).
const LOCAL_BYTES: usize = 64;
const HOST_PREFIX: &str = "medical";
const DOMAIN: &str = ".apicrypt.org";

/// An account's address, in lower case: compare and store it as it is.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address(String);

impl Address {
    /// The address of a person or a shared box in a département.
    ///
    /// `homonym` is 1 for the first of that name there, and 2, 3, … for those who come later, whose surname it follows.
    ///
    /// # Errors
    ///
    /// A name that folds to nothing, or an address that would be too long.
    pub fn for_person(
        given: &str,
        surname: &str,
        departement: &Departement,
        homonym: u16,
    ) -> Result<Self, AddressError> {
        let (given, surname) = (fold_name(given), fold_name(surname));
        let number = if homonym > 1 {
            homonym.to_string()
        } else {
            String::new()
        };
        format!("{given}.{surname}{number}@{HOST_PREFIX}{departement}{DOMAIN}").parse()
    }

    /// The département, as its code is written in the address.
    #[must_use]
    pub fn departement(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, host)| {
            host.strip_prefix(HOST_PREFIX)
                .and_then(|rest| rest.strip_suffix(DOMAIN))
                .unwrap_or("")
        })
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES {
            return Err(AddressError::TooLong);
        }
        let lower = text.to_ascii_lowercase();
        let (local, host) = lower.split_once('@').ok_or(AddressError::NoAt)?;
        if local.len() > LOCAL_BYTES {
            return Err(AddressError::TooLong);
        }
        let code = host
            .strip_prefix(HOST_PREFIX)
            .and_then(|rest| rest.strip_suffix(DOMAIN))
            .ok_or(AddressError::Host)?;
        code.parse::<Departement>()?;
        let (given, surname) = local.split_once('.').ok_or(AddressError::Name)?;
        let letters = surname.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = surname.strip_prefix(letters).unwrap_or("");
        if !is_folded_name(given) || !is_folded_name(letters) || !is_homonym_number(number) {
            return Err(AddressError::Name);
        }
        Ok(Self(lower))
    }
}

impl<C> Encode<C> for Address {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Address {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        d.str()?.parse().map_err(DecodeError::custom)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A French département: 01 to 95 with 2A and 2B for Corsica, 971 to 976 overseas; in lower case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Departement(String);

impl fmt::Display for Departement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Departement {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let lower = text.to_ascii_lowercase();
        let known = match lower.as_str() {
            "2a" | "2b" => true,
            "20" => false,
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => match (digits.len(), digits.parse::<u16>()) {
                (2, Ok(number)) => (1..=95).contains(&number),
                (3, Ok(number)) => (971..=976).contains(&number),
                _ => false,
            },
            _ => false,
        };
        if known {
            Ok(Self(lower))
        } else {
            Err(AddressError::Departement)
        }
    }
}

/// A French name as it stands in an address: ASCII letters in lower case and single hyphens.
///
/// Accents are dropped and ligatures spelled out; spaces become hyphens; apostrophes and all else disappear.
#[must_use]
pub fn fold_name(name: &str) -> String {
    let ascii = deunicode(name).to_ascii_lowercase();
    let mut folded = String::with_capacity(ascii.len());
    for c in ascii.chars() {
        if c.is_ascii_lowercase() {
            folded.push(c);
        } else if (c == '-' || c.is_whitespace()) && !folded.is_empty() && !folded.ends_with('-') {
            folded.push('-');
        }
    }
    folded.truncate(folded.trim_end_matches('-').len());
    folded
}

/// A text that is not an address of the field.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AddressError {
    /// The département is not one of 01..95, 2A, 2B, 971..976.
    #[error("the département must be 01 to 95, 2A, 2B or 971 to 976")]
    Departement,
    /// The part after the `@` is not `medicalNN.apicrypt.org`.
    #[error("an address ends with @medicalNN.apicrypt.org")]
    Host,
    /// The part before the `@` is not `prenom.nom`.
    #[error("an address begins with prenom.nom, in letters and hyphens")]
    Name,
    /// There is no `@`.
    #[error("an address has an @")]
    NoAt,
    /// It is longer than mail allows.
    #[error("an address has at most 64 characters before the @ and 254 in all")]
    TooLong,
}

fn is_folded_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
}

fn is_homonym_number(number: &str) -> bool {
    number.is_empty() || (!number.starts_with('0') && number.parse::<u16>().is_ok_and(|n| n > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_to_what_an_address_holds() {
        for (name, folded) in [
            ("Pierre-Marie", "pierre-marie"),
            ("Hélène", "helene"),
            ("Lœtitia", "loetitia"),
            ("D’Artagnan", "dartagnan"),
            ("de la Tour", "de-la-tour"),
            ("  NOËL -- Ançay ", "noel-ancay"),
            ("«»", ""),
        ] {
            assert_eq!(fold_name(name), folded, "{name}");
        }
    }

    #[test]
    fn addresses_compare_without_case() {
        let upper: Address = "Pierre-Marie.DESOMBRE@Medical2A.apicrypt.org".parse().unwrap();
        assert_eq!(upper.as_str(), "pierre-marie.desombre@medical2a.apicrypt.org");
        assert_eq!(upper.departement(), "2a");
    }

    #[test]
    fn homonyms_are_numbered_after_the_surname() {
        let eure_et_loir = "28".parse().unwrap();
        let first = Address::for_person("Jean", "Martin", &eure_et_loir, 1).unwrap();
        let second = Address::for_person("Jean", "Martin", &eure_et_loir, 2).unwrap();
        assert_eq!(first.as_str(), "jean.martin@medical28.apicrypt.org");
        assert_eq!(second.as_str(), "jean.martin2@medical28.apicrypt.org");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, error) in [
            ("", AddressError::NoAt),
            ("jean.martin", AddressError::NoAt),
            ("jean.martin@example.org", AddressError::Host),
            ("jean.martin@medical20.apicrypt.org", AddressError::Departement),
            ("jean.martin@medical96.apicrypt.org", AddressError::Departement),
            ("jean.martin@medical+1.apicrypt.org", AddressError::Departement),
            ("jean.martin@medical977.apicrypt.org", AddressError::Departement),
            ("jean@medical28.apicrypt.org", AddressError::Name),
            ("jean..martin@medical28.apicrypt.org", AddressError::Name),
            ("jean.martin1@medical28.apicrypt.org", AddressError::Name),
            ("jean.martin02@medical28.apicrypt.org", AddressError::Name),
            ("-jean.martin@medical28.apicrypt.org", AddressError::Name),
            ("hélène.martin@medical28.apicrypt.org", AddressError::Name),
            ("../../x.y@medical28.apicrypt.org", AddressError::Name),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }
}
