//! Adding a device: the code that it shows, and what it and the main device say to each other over the relay.
//! See `docs/protocol/link.md`.

use data_encoding::BASE32_NOPAD;
use hkdf::Hkdf;
use minicbor::{Decode, Encode};
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::cbor::{self, Format, FormatError};
use crate::chunked::{self, ContentKey};
use crate::device_name::DeviceName;
use crate::envelope::EnvelopeError;
use crate::ids::{Digest, MessageId};
use crate::limits;
use crate::prekey::BatchUpload;
use crate::sign::VerifyingKey;

/// Half of a code's bytes are the channel's secret, half the beginning of the hello's digest.
const HALF: usize = 16;
/// Letters and digits between two hyphens.
const GROUP: usize = 4;

/// What a new device shows and the main one reads: whoever has seen it can listen, but put no other device in its place.
#[derive(Clone, Eq, PartialEq, Zeroize, ZeroizeOnDrop)]
pub struct LinkCode {
    secret: [u8; HALF],
    hello: [u8; HALF],
}

impl LinkCode {
    /// A fresh code for this hello, or claim.
    ///
    /// # Errors
    ///
    /// Fails when the system's random source does.
    pub fn make<T: Spoken>(hello: &T) -> Result<Self, getrandom::Error> {
        let mut secret = [0; HALF];
        getrandom::fill(&mut secret)?;
        Ok(Self {
            secret,
            hello: beginning(hello),
        })
    }

    /// The code that somebody typed or a camera read, hyphens and case aside.
    ///
    /// # Errors
    ///
    /// [`LinkError::Code`].
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let letters: Zeroizing<String> = text
            .chars()
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
            .map(|letter| letter.to_ascii_uppercase())
            .collect::<String>()
            .into();
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(letters.as_bytes()).map_err(|_| LinkError::Code)?);
        let (secret, hello) = bytes.split_first_chunk::<HALF>().ok_or(LinkError::Code)?;
        Ok(Self {
            secret: *secret,
            hello: hello.try_into().map_err(|_| LinkError::Code)?,
        })
    }

    /// The code as it is shown: 52 letters and digits (RFC 4648 §6) in groups of four.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let letters = Zeroizing::new(BASE32_NOPAD.encode(&[self.secret, self.hello].concat()));
        let mut text = Zeroizing::new(String::with_capacity(letters.len().saturating_mul(2)));
        for (place, letter) in letters.chars().enumerate() {
            if place > 0 && place.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// The name of the channel at the relay, which tells nothing of the code.
    #[must_use]
    pub fn channel(&self) -> MessageId {
        MessageId::from_bytes(*self.derive::<HALF>(b"pli/1 link channel"))
    }

    /// Seals what goes through the channel.
    ///
    /// # Errors
    ///
    /// [`crate::seal::SealError::Random`].
    pub fn seal<T: Spoken>(&self, value: &T) -> Result<Vec<u8>, EnvelopeError> {
        Ok(chunked::encrypt(&self.key(), T::NAME.as_bytes(), &cbor::encode(value))?)
    }

    /// Opens what came through the channel.
    ///
    /// # Errors
    ///
    /// [`LinkError`] when it was not sealed with this code.
    fn open<T: Spoken>(&self, sealed: &[u8]) -> Result<T, LinkError> {
        if sealed.len() > limits::LINK_BYTES {
            return Err(LinkError::Sealed);
        }
        let encoded = chunked::decrypt(&self.key(), T::NAME.as_bytes(), sealed).map_err(|_| LinkError::Sealed)?;
        Ok(cbor::decode(&encoded)?)
    }

    /// The hello, or claim, of the device that showed this code, and of no other.
    ///
    /// # Errors
    ///
    /// [`LinkError::OtherDevice`] when it is another one's.
    pub fn open_hello<T: Spoken>(&self, sealed: &[u8]) -> Result<T, LinkError> {
        let hello: T = self.open(sealed)?;
        if beginning(&hello) == self.hello {
            Ok(hello)
        } else {
            Err(LinkError::OtherDevice)
        }
    }

    /// What the device answers that read this code.
    ///
    /// # Errors
    ///
    /// [`LinkError::Sealed`] when it did not read it.
    pub fn open_answer<T: Spoken>(&self, sealed: &[u8]) -> Result<T, LinkError> {
        self.open(sealed)
    }

    fn key(&self) -> ContentKey {
        ContentKey::from_bytes(&self.derive::<32>(b"pli/1 link key"))
    }

    #[expect(clippy::expect_used, reason = "HKDF gives up to 8,160 bytes (RFC 5869)")]
    fn derive<const LEN: usize>(&self, info: &[u8]) -> Zeroizing<[u8; LEN]> {
        let mut key = Zeroizing::new([0; LEN]);
        Hkdf::<Sha256>::new(None, &self.secret)
            .expand(info, key.as_mut_slice())
            .expect("not too many");
        key
    }
}

impl std::fmt::Debug for LinkCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkCode")
    }
}

/// What is said through a channel.
pub trait Spoken: Format {}

/// What a new device says of itself.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Hello {
    /// The key with which it signs.
    #[n(0)]
    pub key: VerifyingKey,
    /// Its first prekeys: mail can be sealed to it as soon as it is on the list.
    #[n(1)]
    pub batch: BatchUpload,
    /// What the person calls it.
    #[n(2)]
    pub name: DeviceName,
}

impl Format for Hello {
    const NAME: &'static str = "hello";
    const LIMIT: usize = limits::LINK_BYTES;
}

impl Spoken for Hello {}

/// What the main device says to the new one.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Answer {
    /// Fingerprint of the account's identity.
    #[n(0)]
    pub identity: Digest,
}

impl Format for Answer {
    const NAME: &'static str = "link answer";
    const LIMIT: usize = 128;
}

impl Spoken for Answer {}

/// Why a device cannot be linked.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LinkError {
    /// It is no code.
    #[error("not a code of a device")]
    Code,
    /// A part is malformed or of an unknown version.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Another device than the one that shows the code answers for it.
    #[error("another device than the one that shows the code")]
    OtherDevice,
    /// It was not sealed with this code.
    #[error("not sealed with this code")]
    Sealed,
}

fn beginning<T: Spoken>(hello: &T) -> [u8; HALF] {
    let digest = Digest::of(&[&cbor::encode(hello)]);
    let mut beginning = [0; HALF];
    for (to, from) in beginning.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    beginning
}
