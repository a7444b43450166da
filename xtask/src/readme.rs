//! The README's marked blocks: what the demo and the tests print, taken from real runs.
//! What may differ between two runs is decided in `normal`.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::checkout::Checkout;
use crate::normal::normal;
use crate::stages;
use crate::tally::Tally;

/// The lines below the options of `cargo xtask docs --help`.
pub(crate) const HELP: &str = "Examples:\n  \
    cargo xtask docs              run the demo and the tests, rewrite both blocks\n  \
    cargo xtask docs --only demo  the demo's block alone";

const README: &str = "README.md";

/// A part of the README between `<!-- name -->` and `<!-- /name -->`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Block {
    /// What `pli demo --once` prints.
    Demo,
    /// What `cargo xtask test` ends with.
    Tests,
}

/// Writes the blocks, all of them where none is named. The order matters: the tests compare the
/// demo's block. A block is left alone when only times, ports and the like would change in it.
pub(crate) fn rewrite(checkout: &Checkout, only: &[Block]) -> io::Result<()> {
    for block in Block::value_variants() {
        if !only.is_empty() && !only.contains(block) {
            continue;
        }
        let text = block.produce(checkout)?;
        let path = checkout.path(README);
        let readme = fs::read_to_string(&path)?;
        let place = block.find(&readme)?;
        let shown = readme.get(place.clone()).unwrap_or_default();
        if difference(shown, &text).is_some() {
            let mut changed = readme.clone();
            changed.replace_range(place, &text);
            fs::write(&path, changed)?;
        }
    }
    Ok(())
}

/// Runs the demo and compares what it prints with what the README shows.
pub(crate) fn check_demo(checkout: &Checkout) -> Tally {
    let compared = Block::Demo.produce(checkout).and_then(|text| {
        let readme = fs::read_to_string(checkout.path(README))?;
        let place = Block::Demo.find(&readme)?;
        Ok(difference(readme.get(place).unwrap_or_default(), &text))
    });
    match compared {
        Ok(None) => Tally::pass(),
        Ok(Some(difference)) => {
            println!("README.md (-) is not what the demo printed (+):\n{difference}");
            Tally::fail("README.md shows another demo: `cargo xtask docs --only demo`, then read the difference")
        }
        Err(error) => Tally::fail(error.to_string()),
    }
}

impl Block {
    const fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Tests => "tests",
        }
    }

    /// A real run, which has to succeed.
    fn produce(self, checkout: &Checkout) -> io::Result<String> {
        match self {
            Self::Demo => {
                // The README is in English, whatever the language of who runs this.
                let english = ["LC_ALL", "LANG"].map(|name| (name, PathBuf::from("en_GB.UTF-8")));
                let arguments = ["run", "--release", "--quiet", "--", "demo", "--once"];
                let ran = checkout.run(Path::new("cargo"), &arguments, &english)?;
                if !ran.status.success() {
                    return Err(io::Error::other(format!("the demo ended with {}", ran.status)));
                }
                Ok(ran.output)
            }
            Self::Tests => {
                let summary = stages::run(checkout, &stages::plan(false, &[]));
                println!("\n{summary}");
                if summary.failed() > 0 {
                    return Err(io::Error::other("the tests failed"));
                }
                Ok(format!("{summary}\n"))
            }
        }
    }

    /// Where the block's text stands in the README: inside the fence between its marks.
    fn find(self, readme: &str) -> io::Result<Range<usize>> {
        let name = self.name();
        let (open, close) = (format!("<!-- {name} -->\n```text\n"), format!("```\n<!-- /{name} -->"));
        readme
            .split_once(&open)
            .and_then(|(before, rest)| {
                let start = before.len().checked_add(open.len())?;
                Some(start..start.checked_add(rest.find(&close)?)?)
            })
            .ok_or_else(|| io::Error::other(format!("{README} has no block `{name}`")))
    }
}

/// The lines that differ, or nothing: what is the same before and after them is left out.
fn difference(shown: &str, printed: &str) -> Option<String> {
    let (shown, printed) = (normal(shown), normal(printed));
    if shown == printed {
        return None;
    }
    let (shown, printed): (Vec<_>, Vec<_>) = (shown.lines().collect(), printed.lines().collect());
    let before = shown.iter().zip(&printed).take_while(|(a, b)| a == b).count();
    let (shown, printed) = (shown.get(before..)?, printed.get(before..)?);
    let after = shown
        .iter()
        .rev()
        .zip(printed.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let side = |sign, lines: &[&str]| -> Vec<String> {
        let differing = lines.iter().take(lines.len().saturating_sub(after));
        differing.map(|line| format!("{sign} {line}")).collect()
    };
    Some([side('-', shown), side('+', printed)].concat().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_inside_its_fence() {
        let readme = "a\n<!-- demo -->\n```text\nx\ny\n```\n<!-- /demo -->\nb\n";
        let place = Block::Demo.find(readme).expect("the block");
        assert_eq!(&readme[place], "x\ny\n");
        assert!(Block::Tests.find(readme).is_err());
    }

    #[test]
    fn an_empty_block_is_found() {
        let readme = "<!-- tests -->\n```text\n```\n<!-- /tests -->";
        assert!(Block::Tests.find(readme).expect("the block").is_empty());
    }

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(difference("a\nb 10 ms\n", "a\nb 1.2 s\n"), None);
        let difference = difference("a\nb\nc\n", "a\nx\ny\nc\n");
        assert_eq!(difference.as_deref(), Some("- b\n+ x\n+ y"));
    }
}
