//! What holds of every HPRIM file at all, for random bytes here and for those that fuzzing finds.

use pli_core::hprim::{Deviation, HprimError, WriteOptions, read, text_of, write};

/// Documents where they stand in it, or a kind and its text; and a strict form that stays.
pub(crate) fn hold_together(bytes: &[u8]) {
    let text = text_of(bytes);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    let reading = match read(bytes) {
        Ok(reading) => reading,
        Err(error) => {
            let has_none = matches!(error, HprimError::Empty | HprimError::NotText | HprimError::Pdf);
            // What is too large is not looked at.
            assert!(
                has_none || !text.trim().is_empty() || bytes.len() > 1_000_000,
                "{error:?}"
            );
            return;
        }
    };
    assert!(!reading.documents.is_empty());
    assert_eq!(reading.documents.len(), reading.ranges.len());
    let mut end = 0;
    for range in &reading.ranges {
        assert!(end <= range.start && range.start < range.end, "{:?}", reading.ranges);
        assert!(range.end <= bytes.len());
        end = range.end;
    }
    let count = text.split('\n').count();
    for warning in &reading.warnings {
        assert!(warning.line <= count, "{warning:?} of {count} lines");
    }
    let strict = write(&reading.documents, &WriteOptions::default());
    let is_changed = strict.warnings.iter().any(|warning| {
        matches!(
            warning.deviation,
            Deviation::CharacterSpelled
                | Deviation::CharsetAmbiguous
                | Deviation::EntityInText
                | Deviation::MarkerInText
        )
    });
    let again = read(&strict.bytes).expect("the strict form is read");
    if !is_changed {
        let again = write(&again.documents, &WriteOptions::default());
        assert_eq!(
            String::from_utf8_lossy(&again.bytes),
            String::from_utf8_lossy(&strict.bytes)
        );
    }
}
