//! Full-text search over subject, text, correspondents and patient.
//! Text and query go through the same [`fold`], so that accents, case and ligatures make no difference.
//! The index and the triggers that keep it are in `schema/`.

use deunicode::deunicode;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::StoreError;

/// Most words of one query; what follows is left out.
const WORDS: usize = 16;

/// The FTS5 expression for a query as a person types it, to be bound after `MATCH`; none when it holds no word.
#[must_use]
pub fn expression(query: &str) -> Option<String> {
    let folded = fold(query);
    let mut words = folded
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .peekable();
    words.peek()?;
    let mut expression = String::new();
    while let Some(word) = words.next() {
        // Quoted, a word is never an operator; it holds no quote itself.
        expression.push('"');
        expression.push_str(word);
        expression.push('"');
        if words.peek().is_some() {
            expression.push(' ');
        } else if folded.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            expression.push('*');
        }
    }
    Some(expression)
}

/// Text as it is indexed and looked for: lower-case ASCII, `œ` as `oe`. A change here needs a migration that fills the index anew.
#[must_use]
pub fn fold(text: &str) -> String {
    deunicode(text).to_ascii_lowercase()
}

/// Gives a connection what the schema's triggers call.
pub(super) fn add_functions(connection: &Connection) -> Result<(), StoreError> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("fold", 1, flags, |context| Ok(fold(context.get_raw(0).as_str()?)))?;
    Ok(())
}
