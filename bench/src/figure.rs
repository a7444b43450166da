//! A figure: what was measured, beside its budget and whatever it is to be read with.

use std::fmt;

use serde::Serialize;

/// What is measured of one thing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// What it is of.
    pub(crate) what: String,
    /// How much, in `unit`.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// None for a figure that is printed for others to be read with.
    pub(crate) budget: Option<Budget>,
    /// Peers, parts and counts of the same run.
    pub(crate) beside: String,
}

/// What a figure may be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Budget {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            budget: None,
            beside: String::new(),
        }
    }

    pub(crate) fn at_most(self, budget: f64) -> Self {
        Self {
            budget: Some(Budget::AtMost(budget)),
            ..self
        }
    }

    pub(crate) fn at_least(self, budget: f64) -> Self {
        Self {
            budget: Some(Budget::AtLeast(budget)),
            ..self
        }
    }

    pub(crate) fn beside(self, beside: impl Into<String>) -> Self {
        Self {
            beside: beside.into(),
            ..self
        }
    }

    /// Whether it is within its budget; none without one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.budget.map(|budget| match budget {
            Budget::AtLeast(least) => self.value >= least,
            Budget::AtMost(most) => self.value <= most,
        })
    }

    /// The value as it is shown.
    pub(crate) fn shown(&self) -> String {
        quantity(self.value, self.unit)
    }

    /// The budget as it is shown.
    pub(crate) fn budget_shown(&self) -> String {
        match self.budget {
            None => String::new(),
            Some(Budget::AtLeast(least)) => format!("≥ {}", quantity(least, self.unit)),
            Some(Budget::AtMost(most)) => format!("≤ {}", quantity(most, self.unit)),
        }
    }

    /// Met, missed, or nothing.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.is_met() {
            None => "",
            Some(false) => "missed",
            Some(true) => "met",
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, beside, .. } = self;
        let (shown, budget, verdict) = (self.shown(), self.budget_shown(), self.verdict());
        write!(f, "{what}: {shown}  {budget}  {verdict}  {beside}")
    }
}

/// Three digits that count, and the unit.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_held_to_its_budget_from_the_right_side() {
        let figure = |value| Figure::new("x", value, "ms");
        assert_eq!(figure(1.0).is_met(), None);
        assert_eq!(figure(1.0).at_most(1.0).verdict(), "met");
        assert_eq!(figure(1.1).at_most(1.0).verdict(), "missed");
        assert_eq!(figure(0.9).at_least(0.9).verdict(), "met");
        assert_eq!(figure(0.8).at_least(0.9).verdict(), "missed");
    }

    #[test]
    fn three_digits_are_shown() {
        let shown = [0.0, 0.1234, 1.234, 12.34, 1234.5].map(|value| quantity(value, "ms"));
        assert_eq!(shown, ["0 ms", "0.123 ms", "1.23 ms", "12.3 ms", "1234 ms"]);
    }
}
