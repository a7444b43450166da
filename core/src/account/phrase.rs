//! The recovery phrase: what is made from its words, and that this phone keeps it until a person has seen it, and no longer.

use bip39::{Language, Mnemonic};
use protocol::archive::ArchiveKey;
use protocol::sign::{Seed, SigningKey};
use rusqlite::{Connection, Transaction};
use zeroize::Zeroizing;

use super::Account;
use crate::error::Error;
use crate::session::{Session, set_setting, setting};
use crate::store::StoreError;
use crate::store::search::fold;

/// Words of a phrase.
const WORDS: usize = 12;

/// The phrase, from the making of the keys until a person has seen it.
const PENDING_PHRASE: &str = "pending-phrase";

/// Twelve words from which the recovery key is made: 128 random bits. Whoever has them can take the account over.
pub struct RecoveryPhrase(Zeroizing<String>);

impl RecoveryPhrase {
    /// The words, to be written on paper.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.0
    }

    /// The phrase that a person typed, in either language, with or without its accents.
    ///
    /// # Errors
    ///
    /// [`Error::PhraseInvalid`] for a word that is not on the list, or a mistake that the checksum shows.
    pub fn parse(words: &str) -> Result<Self, Error> {
        let typed: Vec<_> = words
            .split_whitespace()
            .map(|word| Zeroizing::new(fold(word)))
            .collect();
        for language in [Language::French, Language::English] {
            let list = language.word_list();
            let listed = typed
                .iter()
                .map(|word| list.iter().copied().find(|listed| fold(listed) == word.as_str()));
            let Some(listed) = listed.collect::<Option<Vec<_>>>() else {
                continue;
            };
            let words = Zeroizing::new(listed.join(" "));
            if listed.len() == WORDS && Mnemonic::parse_in_normalized(language, &words).is_ok() {
                return Ok(Self(words));
            }
        }
        Err(Error::PhraseInvalid)
    }

    pub(super) fn make() -> Result<Self, Error> {
        let mut entropy = Zeroizing::new([0; 16]);
        getrandom::fill(entropy.as_mut_slice())?;
        let words = Mnemonic::from_entropy_in(Language::French, entropy.as_slice()).map_err(|_| Error::Random)?;
        Ok(Self(Zeroizing::new(words.to_string())))
    }

    pub(crate) fn recovery_key(&self) -> Result<SigningKey, Error> {
        Ok(SigningKey::derive(&Seed::from_bytes(&*self.seed()?)))
    }

    /// What the account's backups are sealed with.
    pub(crate) fn backup_key(&self) -> Result<ArchiveKey, Error> {
        Ok(ArchiveKey::of_phrase(&*self.seed()?))
    }

    /// BIP 39's seed, without a passphrase.
    fn seed(&self) -> Result<Zeroizing<[u8; 64]>, Error> {
        let words = Mnemonic::parse_normalized(&self.0).map_err(|_| StoreError::Corrupt)?;
        Ok(Zeroizing::new(words.to_seed_normalized("")))
    }
}

impl std::fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryPhrase")
    }
}

impl Session {
    /// The recovery phrase, as long as it was not shown.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`], [`Error::Locked`], [`Error::Store`].
    pub fn unshown_phrase(&self) -> Result<Option<RecoveryPhrase>, Error> {
        self.read(|connection| {
            Account::load(connection)?;
            pending(connection)
        })
    }

    /// The recovery phrase was shown: it is erased from this phone.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn phrase_shown(&self) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("DELETE FROM setting WHERE name = ?1", [PENDING_PHRASE])?;
            Ok(())
        })?;
        self.empty_log()
    }
}

/// Keeps the phrase until it was shown.
pub(super) fn keep(tx: &Transaction<'_>, phrase: &RecoveryPhrase) -> Result<(), Error> {
    set_setting(tx, PENDING_PHRASE, phrase.words())
}

/// The phrase, if it was not shown yet.
pub(super) fn pending(connection: &Connection) -> Result<Option<RecoveryPhrase>, Error> {
    Ok(setting(connection, PENDING_PHRASE)?.map(|words| RecoveryPhrase(Zeroizing::new(words))))
}
