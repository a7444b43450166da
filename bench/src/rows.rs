//! Every row of the budgets that exists, in their order.

use std::time::Instant;

use crate::figure::Figure;
use crate::{relay, sealing, sockets, store};

/// A row: its name on the command line, and what takes its figures.
type Row = (&'static str, fn() -> Vec<Figure>);

const ROWS: [Row; 10] = [
    ("open", store::open),
    ("list", store::list),
    ("search", store::search),
    ("seal", sealing::envelope),
    ("payload", sealing::payload),
    ("delivery", relay::delivery),
    ("delivery-tls", relay::delivery_tls),
    ("deposits", relay::deposits),
    ("sockets", sockets::idle),
    ("crowd", sockets::crowd),
];

/// Rows of the design that nothing is measured of, for what they measure is not there yet.
pub(crate) const MISSING: [&str; 4] = [
    "directory search on the phone",
    "chat message encrypted and stored",
    "six JPEGs to 2048 px",
    "phone library",
];

/// What `--only` takes.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, _)| *name)
}

/// Takes the figures of these rows, of all of them where none is named.
pub(crate) fn take(only: &[String]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, measure) in ROWS {
        if only.is_empty() || only.iter().any(|asked| asked == name) {
            eprintln!("bench: {name} …");
            let begun = Instant::now();
            let taken = measure();
            for figure in &taken {
                eprintln!("bench:   {figure}");
            }
            eprintln!("bench: {name} took {:.1} s", begun.elapsed().as_secs_f64());
            figures.extend(taken);
        }
    }
    figures
}
