//! Out of Pli, into the practice's software: `.eml` and HPRIM, byte for byte as they arrived.

use protocol::MessageId;
use rusqlite::params;

use super::list::{self, Direction};
use crate::clock;
use crate::error::Error;
use crate::mime;
use crate::session::Session;
use crate::store::column::Column;

impl Session {
    /// The mail as an RFC 5322 message, as it was sealed.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`].
    pub fn export_eml(&self, number: i64) -> Result<Vec<u8>, Error> {
        self.read(|connection| Ok(list::original(connection, number)?.content))
    }

    /// The HPRIM document that the mail holds, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMessage`], [`Error::NotHprim`].
    pub fn export_hprim(&self, number: i64) -> Result<Vec<u8>, Error> {
        let content = self.export_eml(number)?;
        mime::parse(&content)?.hprim.ok_or(Error::NotHprim)
    }

    /// Numbers of the received mails that [`Session::record_export`] was not called for, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Store`].
    pub fn unexported(&self) -> Result<Vec<i64>, Error> {
        self.read(|connection| {
            let mut select = connection
                .prepare_cached(
                    "SELECT rowid FROM message WHERE direction = ?1 AND rowid NOT IN (SELECT message FROM exported) ORDER BY rowid",
                )?;
            let rows = select.query_map([Direction::Received], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Remembers that the mail was dropped into a folder as `file`; empty when it holds no document. Whether it could be: the
    /// mail may have been deleted meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn record_export(&self, number: i64, id: MessageId, file: &str) -> Result<bool, Error> {
        self.write(|tx| {
            let recorded = tx.execute(
                "INSERT INTO exported (message, file, exported_at)
                 SELECT rowid, ?3, ?4 FROM message WHERE rowid = ?1 AND id = ?2
                 ON CONFLICT (message) DO UPDATE SET file = excluded.file, exported_at = excluded.exported_at",
                params![number, Column(&id), file, Column(&clock::now())],
            )?;
            Ok(recorded > 0)
        })
    }
}
