//! Archives: the backup under the recovery phrase ([`write`]), the history for a new device ([`history`], [`awaited`]), and either on
//! its way in ([`take_in`]). Each is a row of sealed parts at the relay.

mod awaited;
mod history;
mod take_in;
mod write;

use protocol::archive::ArchiveKey;
use protocol::{ArchiveId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

pub use awaited::HistoryProgress;
pub(crate) use awaited::{OVERDUE, await_history, await_history_of_others, is_awaited, note_may_be_lost, take_note};
pub use history::LinkProgress;
pub(crate) use history::{asked_for, drop_histories, write_again};

use crate::account::Account;
use crate::account::phrase::RecoveryPhrase;
use crate::error::Error;
use crate::session::Session;
use crate::store::column::Column;

pub(crate) use write::is_due;

/// What there is of a backup.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackupView {
    /// When the relay last had all of it; none before the first time.
    pub written_at: Option<Timestamp>,
    /// How many changes it lacks.
    pub due: u32,
    /// Whether the relay has no room for more of it.
    pub is_full: bool,
}

impl Session {
    /// From now on what this phone holds is kept sealed at the relay, too. Phrase and backup together open everything:
    /// whoever has both reads all of it.
    ///
    /// # Errors
    ///
    /// [`Error::PhraseOfAnother`], [`Error::NotEnrolled`].
    pub fn start_backup(&self, phrase: &RecoveryPhrase) -> Result<(), Error> {
        let now = self.relay.clock.now();
        self.write(|tx| {
            let account = Account::load(tx)?;
            if *account.verified.recovery() != phrase.recovery_key()?.verifying_key() {
                return Err(Error::PhraseOfAnother);
            }
            begin_backup(tx, &phrase.backup_key()?, now)
        })
    }

    /// Ends the backup; the relay drops what it has of it.
    ///
    /// # Errors
    ///
    /// [`Error::Network`] when the relay was not told: nothing has changed then.
    pub async fn stop_backup(&self) -> Result<(), Error> {
        let _alone = self.syncing.lock().await;
        let account = self.read(Account::load)?;
        for archive in self.relay.archives(&account).await?.archives {
            self.relay.drop_archive(&account, archive.id).await?;
        }
        self.write(end_backup)?;
        self.empty_log()
    }

    /// The backup; none when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn backup(&self) -> Result<Option<BackupView>, Error> {
        self.read(|connection| {
            let view = connection
                .query_row(
                    "SELECT written_at, (SELECT count(*) FROM backup_due), full_at > 0 FROM backup",
                    [],
                    |row| {
                        let Column(written_at) = row.get(0)?;
                        Ok(BackupView {
                            written_at,
                            due: row.get(1)?,
                            is_full: row.get(2)?,
                        })
                    },
                )
                .optional()?;
            Ok(view)
        })
    }
}

/// What this phone's backup is sealed with; none where it keeps none.
pub(crate) fn backup_key(connection: &Connection) -> Result<Option<ArchiveKey>, Error> {
    let key = connection
        .query_row("SELECT key FROM backup", [], |row| row.get(0))
        .optional()?;
    Ok(key.map(|Column(key)| key))
}

/// A backup begins here under this key, unless there is one.
pub(crate) fn begin_backup(tx: &Transaction<'_>, key: &ArchiveKey, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "INSERT OR IGNORE INTO backup (id, key, archive, begun_at) VALUES (1, ?1, ?2, ?3)",
        params![Column(key), Column(&ArchiveId::make()?), Column(&now)],
    )?;
    write::all_is_due(tx)
}

/// This phone keeps no backup any more.
pub(crate) fn end_backup(tx: &Transaction<'_>) -> Result<(), Error> {
    tx.execute_batch(
        "DELETE FROM backup_part WHERE archive = (SELECT archive FROM backup);
         DELETE FROM backup; DELETE FROM backup_due;",
    )?;
    Ok(())
}

/// Asks for what this account's other devices have, and takes in the backup that this phone wrote before it was put back.
pub(crate) fn ask_for_own(tx: &Transaction<'_>, now: Timestamp) -> Result<(), Error> {
    // It goes on in an archive of its own: its parts at the relay are others than this phone's.
    write::begin_backup_anew(tx, now)?;
    tx.execute(
        "INSERT OR REPLACE INTO restoration (id, key) SELECT 1, key FROM backup",
        [],
    )?;
    await_history_of_others(tx, OVERDUE)
}

/// Whatever is kept at the relay is written anew: it may have lost parts of it, and what waited there for other devices alone.
pub(crate) fn begin_anew(tx: &Transaction<'_>, account: &Account, now: Timestamp) -> Result<(), Error> {
    history::begin_all_anew(tx, account, now)?;
    // Until the relay has a batch of this device's again, mail goes to the account's others alone.
    await_history_of_others(tx, OVERDUE)?;
    write::begin_backup_anew(tx, now)
}
