//! Full-text search: what finds what, in which order, and that no query is ever an error.

use pli_core::store::search::{expression, fold};
use pli_core::store::{Store, StoreError};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::store::{add_message, key};

fn filled(folder: &std::path::Path) -> Store {
    let store = Store::create(&folder.join("store.db"), key()).unwrap();
    store
        .write::<_, StoreError>(|tx| {
            add_message(
                tx,
                1,
                "Échographie cardiaque",
                "Fraction d'éjection préservée, pas d'œdème.",
                30,
            );
            add_message(tx, 2, "Bilan", "Glycémie à jeun : 1,02 g/L. Créatinine normale.", 10);
            add_message(
                tx,
                3,
                "RE: Échographie",
                "Merci, je revois le patient à Œuf-en-Ternois.",
                20,
            );
            Ok(())
        })
        .unwrap();
    store
}

/// The numbers of what a list would show for `query`, newest first.
pub(crate) fn find(connection: &Connection, query: &str, limit: u32) -> Result<Vec<i64>, StoreError> {
    let Some(expression) = expression(query) else {
        return Ok(Vec::new());
    };
    let mut select = connection.prepare(
        "SELECT rowid FROM message WHERE rowid IN (SELECT rowid FROM message_search WHERE message_search MATCH ?1)
         ORDER BY dated_at DESC, rowid DESC LIMIT ?2",
    )?;
    let found = select.query_map((expression, limit), |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn found(store: &Store, query: &str) -> Vec<i64> {
    store.read(|c| find(c, query, 50)).unwrap()
}

#[test]
fn accents_case_and_ligatures_make_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    for query in [
        "œdème",
        "oedeme",
        "OEDEME",
        "ŒDÈME",
        "Œdeme",
        "oe\u{300}de\u{301}me",
        "ejection preservee",
    ] {
        assert_eq!(found(&store, query), [1], "{query}");
    }
    assert_eq!(found(&store, "oeuf en ternois"), [3]);
    assert_eq!(found(&store, "GLYCEMIE créatinine"), [2]);
    assert_eq!(found(&store, "creatinine glycemie"), [2], "in any order");
    assert_eq!(found(&store, "glycemie oedeme"), Vec::<i64>::new(), "every word");
}

#[test]
fn the_last_word_may_be_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    for length in 1.."echographie".len() {
        assert!(found(&store, &"echographie"[..length]).contains(&1), "{length} letters");
    }
    assert_eq!(found(&store, "éch"), [1, 3]);
    assert_eq!(found(&store, "echo cardiaque"), Vec::<i64>::new(), "only the last word");
    assert_eq!(found(&store, "echo "), Vec::<i64>::new(), "a space ends it");
}

#[test]
fn the_newest_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    assert_eq!(found(&store, "claire petit"), [1, 3, 2]);
    assert_eq!(store.read(|c| find(c, "claire petit", 2)).unwrap(), [1, 3]);
}

#[test]
fn what_is_gone_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    store
        .write::<_, StoreError>(|tx| Ok(tx.execute("DELETE FROM message WHERE rowid = 1", [])?))
        .unwrap();
    assert_eq!(found(&store, "oedeme"), Vec::<i64>::new());
    store
        .write::<_, StoreError>(|tx| Ok(tx.execute("UPDATE message SET body = 'Œdème' WHERE rowid = 2", [])?))
        .unwrap();
    assert_eq!(found(&store, "oedeme"), [2]);
    assert_eq!(found(&store, "creatinine"), Vec::<i64>::new());
}

#[test]
fn a_query_has_no_operators() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    for query in [
        "",
        " ",
        "\"",
        "*",
        "(",
        "body:",
        "^",
        "-",
        "+ {",
        "'); DROP TABLE message; --",
        "\0",
        "💉",
        "…",
    ] {
        let _ = found(&store, query);
    }
    assert_eq!(found(&store, "\"glycemie\" (creatinine*)"), [2]);
    // Words, and in no message.
    for query in [
        "glycemie OR oedeme",
        "glycemie NOT oedeme",
        "NEAR(glycemie jeun)",
        "subject:bilan",
    ] {
        assert_eq!(found(&store, query), Vec::<i64>::new(), "{query}");
    }
    assert_eq!(expression("a \"b\" c"), Some("\"a\" \"b\" \"c\"*".to_owned()));
    assert_eq!(expression("  ,;"), None);
}

#[test]
fn folding_reaches_every_letter_of_french() {
    assert_eq!(fold("ÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸ"), "aaaceeeeiioouuuy");
    assert_eq!(fold("Œuvre æther ﬁn Straße L’Haÿ"), "oeuvre aether fin strasse l'hay");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_query_is_an_error(queries in prop::collection::vec(any::<String>(), 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        for query in queries {
            prop_assert!(store.read(|c| find(c, &query, 50)).is_ok());
        }
    }
}
