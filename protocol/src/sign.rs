//! Hybrid signatures: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204), both of which must verify.
//! Each use has a context of its own, so that a signature made for one is worth nothing for another.
//! See `docs/protocol/signature.md`.

use std::fmt;

use ed25519_dalek::Signer as _;
use ml_dsa::signature::Keypair as _;
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa65};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::bytes::{public_bytes, secret_bytes};

const ED25519_KEY: usize = 32;
const ED25519_SIGNATURE: usize = 64;
const ML_DSA_KEY: usize = 1_952;
const ML_DSA_SIGNATURE: usize = 3_309;

/// What a signature is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Purpose {
    /// A device asks the relay for a token.
    Challenge,
    /// A device is to be the main one.
    Claim,
    /// An identity vouches for a device.
    DeviceCertificate,
    /// An identity publishes its devices.
    DeviceList,
    /// An identity states itself.
    Identity,
    /// A device publishes prekeys.
    PrekeyBatch,
    /// A device vouches for what it sends.
    Statement,
    /// A recovery key names the identity that follows.
    Succession,
}

impl Purpose {
    /// The context string, part of all that is signed.
    #[must_use]
    pub const fn context(self) -> &'static [u8] {
        match self {
            Self::Challenge => b"pli/1 challenge",
            Self::Claim => b"pli/1 claim",
            Self::DeviceCertificate => b"pli/1 device certificate",
            Self::DeviceList => b"pli/1 device list",
            Self::Identity => b"pli/1 identity",
            Self::PrekeyBatch => b"pli/1 prekey batch",
            Self::Statement => b"pli/1 statement",
            Self::Succession => b"pli/1 succession",
        }
    }
}

/// A signing key: two seeds of 32 bytes.
pub struct SigningKey {
    seed: Seed,
    ed25519: ed25519_dalek::SigningKey,
    ml_dsa: ml_dsa::SigningKey<MlDsa65>,
}

secret_bytes! {
    /// The secret that a signing key is stored as: Ed25519's seed, then ML-DSA's.
    Seed, 64
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    ///
    /// Fails when the system's random source does.
    pub fn make() -> Result<Self, getrandom::Error> {
        Ok(Self::derive(&Seed::make()?))
    }

    /// The key of a seed.
    #[must_use]
    pub fn derive(seed: &Seed) -> Self {
        let mut ed25519 = Zeroizing::new([0; 32]);
        let mut ml_dsa = Zeroizing::new(ml_dsa::Seed::default());
        let (first, second) = seed.as_bytes().split_at(32);
        ed25519.copy_from_slice(first);
        ml_dsa.copy_from_slice(second);
        Self {
            seed: seed.clone(),
            ed25519: ed25519_dalek::SigningKey::from_bytes(&ed25519),
            ml_dsa: ml_dsa::SigningKey::from_seed(&ml_dsa),
        }
    }

    /// What it is stored as.
    #[must_use]
    pub const fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Signs `message` for one purpose.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the contexts are constants, all of them short")]
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
        let context = purpose.context();
        let mut bytes = Vec::with_capacity(Signature::LEN);
        bytes.extend_from_slice(&self.ed25519.sign(&framed(context, message)).to_bytes());
        #[expect(
            clippy::expect_used,
            reason = "only a context longer than 255 bytes is refused (FIPS 204, algorithm 2)"
        )]
        let ml_dsa = self
            .ml_dsa
            .expanded_key()
            .sign_deterministic(message, context)
            .expect("contexts are short");
        bytes.extend_from_slice(&ml_dsa.encode());
        Signature(bytes)
    }

    /// The key that verifies its signatures.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = Vec::with_capacity(VerifyingKey::LEN);
        bytes.extend_from_slice(self.ed25519.verifying_key().as_bytes());
        bytes.extend_from_slice(&self.ml_dsa.verifying_key().encode());
        VerifyingKey(bytes)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

public_bytes! {
    /// A verifying key: Ed25519's 32 bytes, then ML-DSA-65's 1,952.
    VerifyingKey, ED25519_KEY + ML_DSA_KEY, SignatureError => SignatureError
}

impl VerifyingKey {
    /// Checks that both halves of `signature` were made for `purpose` over `message`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] when either was not.
    pub fn verify(&self, purpose: Purpose, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let context = purpose.context();
        let (ed25519_key, ml_dsa_key) = self.0.split_at(ED25519_KEY);
        let (ed25519, ml_dsa) = signature.0.split_at(ED25519_SIGNATURE);

        let key = ed25519_key.try_into().map_err(|_| SignatureError)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| SignatureError)?;
        let half = ed25519_dalek::Signature::from_slice(ed25519).map_err(|_| SignatureError)?;
        key.verify_strict(&framed(context, message), &half)
            .map_err(|_| SignatureError)?;

        let key = EncodedVerifyingKey::<MlDsa65>::try_from(ml_dsa_key).map_err(|_| SignatureError)?;
        let key = ml_dsa::VerifyingKey::<MlDsa65>::decode(&key);
        let half = EncodedSignature::<MlDsa65>::try_from(ml_dsa).map_err(|_| SignatureError)?;
        let half = ml_dsa::Signature::<MlDsa65>::decode(&half).ok_or(SignatureError)?;
        if key.verify_with_context(message, context, &half) {
            Ok(())
        } else {
            Err(SignatureError)
        }
    }
}

public_bytes! {
    /// A signature: Ed25519's 64 bytes, then ML-DSA-65's 3,309.
    Signature, ED25519_SIGNATURE + ML_DSA_SIGNATURE, SignatureError => SignatureError
}

/// A key or signature that is malformed, or a signature that does not verify.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the signature does not verify")]
pub struct SignatureError;

/// What Ed25519 signs: the context's length in one byte, the context, the message.
fn framed(context: &[u8], message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(context.len()).unwrap_or(u8::MAX);
    [&[length], context, message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_must_verify() {
        let key = SigningKey::derive(&Seed::from_bytes(&[7; 64]));
        let public = key.verifying_key();
        let signature = key.sign(Purpose::Statement, b"bonjour");
        assert_eq!(public.verify(Purpose::Statement, b"bonjour", &signature), Ok(()));
        assert!(public.verify(Purpose::Challenge, b"bonjour", &signature).is_err());
        assert!(public.verify(Purpose::Statement, b"bonsoir", &signature).is_err());
        for at in [0, 63, 64, Signature::LEN - 1] {
            let mut bytes = signature.as_bytes().to_vec();
            bytes[at] ^= 1;
            let changed = Signature::try_from(bytes.as_slice()).unwrap();
            assert!(
                public.verify(Purpose::Statement, b"bonjour", &changed).is_err(),
                "byte {at}"
            );
        }
    }

    #[test]
    fn one_half_of_another_key_is_not_enough() {
        let (one, two) = (
            SigningKey::derive(&Seed::from_bytes(&[1; 64])),
            SigningKey::derive(&Seed::from_bytes(&[2; 64])),
        );
        let (a, b) = (one.sign(Purpose::Statement, b"x"), two.sign(Purpose::Statement, b"x"));
        let mixed = [&a.as_bytes()[..64], &b.as_bytes()[64..]].concat();
        let mixed = Signature::try_from(mixed.as_slice()).unwrap();
        assert!(one.verifying_key().verify(Purpose::Statement, b"x", &mixed).is_err());
        assert!(two.verifying_key().verify(Purpose::Statement, b"x", &mixed).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SigningKey::derive(&Seed::from_bytes(&[7; 64]));
        assert_eq!(format!("{key:?} {:?}", key.seed()), "SigningKey Seed");
    }
}
