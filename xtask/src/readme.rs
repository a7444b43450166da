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
    let path = checkout.path(README);
    let blocks = Block::value_variants();
    let asked: Vec<_> = blocks
        .iter()
        .filter(|block| only.is_empty() || only.contains(block))
        .collect();
    for block in &asked {
        // A missing block is not found out after minutes of tests only.
        block.shown(&fs::read_to_string(&path)?)?;
    }
    for block in asked {
        let before = block.prepare(&path)?;
        match block.produce(checkout) {
            Ok(text) => block.show(&path, &text)?,
            Err(error) => {
                block.show(&path, &before)?;
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Runs the demo and compares what it prints with what the README shows.
pub(crate) fn check_demo(checkout: &Checkout) -> Tally {
    let compared = Block::Demo.produce(checkout).and_then(|text| {
        let readme = fs::read_to_string(checkout.path(README))?;
        Ok(difference(Block::Demo.shown(&readme)?, &text))
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

    /// What it shows now. The tests compare the stages it names with those there are: where they
    /// differ, they are put right before the tests run.
    fn prepare(self, path: &Path) -> io::Result<String> {
        let readme = fs::read_to_string(path)?;
        let shown = self.shown(&readme)?;
        if self == Self::Tests && !stages_shown(shown).eq(stages::plan(false, &[]).iter().map(|stage| stage.name)) {
            self.show(path, &format!("{}\n", stages::not_run()))?;
        }
        Ok(shown.to_owned())
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

    /// Writes the text where it tells something else than what is there. The file is read again:
    /// what somebody wrote into it during the run stays.
    fn show(self, path: &Path, text: &str) -> io::Result<()> {
        let mut readme = fs::read_to_string(path)?;
        if difference(self.shown(&readme)?, text).is_some() {
            let place = self.find(&readme)?;
            readme.replace_range(place, text);
            fs::write(path, readme)?;
        }
        Ok(())
    }

    fn shown(self, readme: &str) -> io::Result<&str> {
        Ok(readme.get(self.find(readme)?).unwrap_or_default())
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

/// The stages that the tests' block names: all lines but the last.
fn stages_shown(shown: &str) -> impl Iterator<Item = &str> {
    let lines = shown.lines().count().saturating_sub(1);
    shown
        .lines()
        .take(lines)
        .filter_map(|line| line.split_whitespace().next())
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

    /// Minutes and counts are those of the run that was shown; the stages are those of the table.
    #[test]
    fn the_readme_shows_every_stage_of_a_plain_run() {
        let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("the README");
        let shown = Block::Tests.shown(&readme).expect("the block");
        let names: Vec<_> = stages::plan(false, &[]).iter().map(|stage| stage.name).collect();
        let shown_stages: Vec<_> = stages_shown(shown).collect();
        assert_eq!(shown_stages, names, "run `cargo xtask docs --only tests`");
        let lines: Vec<Vec<_>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        let (last, stages) = lines.split_last().expect("a last line");
        for line in stages {
            assert!(
                matches!(line[..], [_, _, "min", _, "passed", "0", "failed"]),
                "{line:?}"
            );
        }
        assert!(matches!(last[..], [_, "passed,", "0", "failed"]), "{last:?}");
    }

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(difference("a\nb 10 ms\n", "a\nb 1.2 s\n"), None);
        let difference = difference("a\nb\nc\n", "a\nx\ny\nc\n");
        assert_eq!(difference.as_deref(), Some("- b\n+ x\n+ y"));
    }
}
