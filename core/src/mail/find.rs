//! The newest mails that hold some words. The index of words knows nothing of dates, and a word may be in most mails: so the newest
//! mails of the folder are looked through first, then more, and only what is rare is gathered from the index. What is found is the
//! same either way.

use rusqlite::{Connection, params};

use super::list::{COLUMNS, Folder, Summary, summary};
use crate::error::Error;

/// How many of the newest mails are looked through first.
const FIRST: u32 = 1_024;
/// By how much that grows.
const GROWTH: u32 = 8;
/// Up to so many mails are gathered from the index and put in order.
const FEW: u32 = 256;

/// The newest mails of a folder that match an expression of the index.
pub(super) fn newest(
    connection: &Connection,
    folder: Folder,
    matching: &str,
    limit: u32,
) -> Result<Vec<Summary>, Error> {
    newest_from(connection, folder, matching, limit, FIRST)
}

fn newest_from(
    connection: &Connection,
    folder: Folder,
    matching: &str,
    limit: u32,
    first: u32,
) -> Result<Vec<Summary>, Error> {
    let mut reach = first;
    while let Some(part) = Part::newest(connection, folder, reach)? {
        let found = within(connection, folder, matching, limit, &part)?;
        if u32::try_from(found.len()).is_ok_and(|found| found >= limit) || part.is_all {
            return Ok(found);
        }
        if reach == first && is_rare(connection, matching)? {
            return gathered(connection, folder, matching, limit);
        }
        reach = reach.saturating_mul(GROWTH);
    }
    Ok(Vec::new())
}

/// The newest mails of a folder: all after a date, and between which numbers they are.
struct Part {
    after: i64,
    lowest: i64,
    highest: i64,
    is_all: bool,
}

impl Part {
    /// So many of them, but for the date of the oldest; none when there is no mail.
    fn newest(connection: &Connection, folder: Folder, count: u32) -> Result<Option<Self>, Error> {
        let sql = format!(
            "SELECT count(*), min(dated_at), min(rowid), max(rowid)
             FROM (SELECT m.dated_at, m.rowid FROM message m WHERE {} ORDER BY m.dated_at DESC LIMIT ?1)",
            folder.condition()
        );
        let part = connection.prepare_cached(&sql)?.query_row([count], |row| {
            let counted: u32 = row.get(0)?;
            if counted == 0 {
                return Ok(None);
            }
            let (oldest, is_all): (i64, _) = (row.get(1)?, counted < count);
            Ok(Some(Self {
                // Of the oldest one's date there may be more.
                after: if is_all { oldest.saturating_sub(1) } else { oldest },
                lowest: row.get(2)?,
                highest: row.get(3)?,
                is_all,
            }))
        })?;
        Ok(part)
    }
}

fn within(
    connection: &Connection,
    folder: Folder,
    matching: &str,
    limit: u32,
    part: &Part,
) -> Result<Vec<Summary>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM message m WHERE {} AND m.dated_at > ?3 AND m.rowid IN
         (SELECT rowid FROM message_search WHERE message_search MATCH ?2 AND rowid BETWEEN ?4 AND ?5)
         ORDER BY m.dated_at DESC, m.rowid DESC LIMIT ?1",
        folder.condition()
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![limit, matching, part.after, part.lowest, part.highest], summary)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn is_rare(connection: &Connection, matching: &str) -> Result<bool, Error> {
    let mut select = connection.prepare_cached(
        "SELECT count(*) <= ?2 FROM (SELECT 1 FROM message_search WHERE message_search MATCH ?1 LIMIT ?2 + 1)",
    )?;
    Ok(select.query_row(params![matching, FEW], |row| row.get(0))?)
}

/// The index goes first, and its mails are put in order.
fn gathered(connection: &Connection, folder: Folder, matching: &str, limit: u32) -> Result<Vec<Summary>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM message_search CROSS JOIN message m ON m.rowid = message_search.rowid
         WHERE message_search MATCH ?2 AND {} ORDER BY m.dated_at DESC, m.rowid DESC LIMIT ?1",
        folder.condition()
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params![limit, matching], summary)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreError, StoreKey, search};

    /// Mails whose numbers and dates go different ways, many of one date.
    #[expect(clippy::arithmetic_side_effects, reason = "small numbers")]
    fn filled(folder: &std::path::Path) -> Store {
        let store = Store::create(&folder.join("store.db"), StoreKey::make().unwrap()).unwrap();
        store
            .write::<_, StoreError>(|tx| {
                let mut insert = tx.prepare(
                    "INSERT INTO message (id, sender, direction, body, content, archived_at, dated_at)
                     VALUES (?1, 'a@b.example', ?2, ?3, x'', ?4, ?5)",
                )?;
                for number in 0..2_000_i64 {
                    let id = [number.to_be_bytes(), [0; 8]].concat();
                    let mut body = "bonjour".to_owned();
                    for (word, every) in [("tiers", 3), ("dizaine", 10), ("centaine", 97), ("rare", 700)] {
                        if number % every == 0 {
                            body.push(' ');
                            body.push_str(word);
                        }
                    }
                    // Only in what is oldest.
                    let dated_at = number * 7_919 % 401;
                    if dated_at < 200 {
                        body.push_str(" ancien");
                    }
                    insert.execute(params![id, number % 5 / 4, body, i64::from(number % 11 == 0), dated_at])?;
                }
                Ok(())
            })
            .unwrap();
        store
    }

    #[test]
    fn the_newest_are_found_however_far_the_search_has_to_reach() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        for folder in [Folder::Inbox, Folder::Sent, Folder::Archive, Folder::Drafts] {
            for words in [
                "bonjour",
                "bo",
                "tiers",
                "dizaine",
                "centaine",
                "rare",
                "ancien",
                "tiers ancien",
                "rien",
            ] {
                let matching = search::expression(words).unwrap();
                for (limit, first) in [(1, 1), (50, 1), (50, 64), (50, FIRST), (1_000, 64)] {
                    let (found, all) = store
                        .read::<_, Error>(|connection| {
                            let found = newest_from(connection, folder, &matching, limit, first)?;
                            Ok((numbers(&found), every(connection, folder, &matching)))
                        })
                        .unwrap();
                    let newest: Vec<i64> = all.into_iter().take(limit as usize).collect();
                    assert_eq!(found, newest, "{folder:?} {words} {limit} {first}");
                }
            }
        }
    }

    fn numbers(found: &[Summary]) -> Vec<i64> {
        found.iter().map(|mail| mail.number).collect()
    }

    /// All that match, by the plainest query.
    fn every(connection: &Connection, folder: Folder, matching: &str) -> Vec<i64> {
        let sql = format!(
            "SELECT m.rowid FROM message m WHERE {} AND m.rowid IN
             (SELECT rowid FROM message_search WHERE message_search MATCH ?1) ORDER BY m.dated_at DESC, m.rowid DESC",
            folder.condition()
        );
        let mut select = connection.prepare(&sql).unwrap();
        let rows = select.query_map([matching], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}
