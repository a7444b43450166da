//! The last lines of a run: each stage with its minutes, what failed, and the one line that counts.

use std::fmt;
use std::time::Duration;

use crate::tally::Tally;

/// The stages that were run, in order.
pub(crate) struct Summary {
    stages: Vec<(&'static str, Tally, Duration)>,
}

impl Summary {
    pub(crate) fn new(stages: Vec<(&'static str, Tally, Duration)>) -> Self {
        Self { stages }
    }

    pub(crate) fn passed(&self) -> usize {
        self.stages.iter().map(|(_, tally, _)| tally.passed).sum()
    }

    pub(crate) fn failed(&self) -> usize {
        self.stages.iter().map(|(_, tally, _)| tally.failures.len()).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, tally, took) in &self.stages {
            writeln!(f, "{}", line(name, tally, *took))?;
        }
        for (name, tally, _) in &self.stages {
            for failure in &tally.failures {
                writeln!(f, "failed: {name}: {failure}")?;
            }
        }
        write!(f, "{} passed, {} failed", self.passed(), self.failed())
    }
}

/// One stage in one line.
pub(crate) fn line(name: &str, tally: &Tally, took: Duration) -> String {
    format!(
        "{name:<10} {:>6.1} min  {:>4} passed  {:>4} failed",
        took.as_secs_f64() / 60.0,
        tally.passed,
        tally.failures.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_everything() {
        let summary = Summary::new(vec![
            ("fmt", Tally::pass(), Duration::from_secs(6)),
            ("rust", Tally::fail("a::b"), Duration::from_secs(90)),
        ]);
        assert_eq!(
            summary.to_string(),
            "fmt           0.1 min     1 passed     0 failed\n\
             rust          1.5 min     0 passed     1 failed\n\
             failed: rust: a::b\n\
             1 passed, 1 failed"
        );
    }
}
