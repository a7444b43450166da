//! The laboratory block: `TEX|` and `RES|` lines.

use std::fmt;

/// Fields a `RES` line is written with, `RES` itself included.
pub(super) const FIELDS: usize = 14;

/// The lines after `****LAB****`, in their order.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Lab {
    /// Text and results.
    pub lines: Vec<LabLine>,
}

impl Lab {
    /// The results alone, each with its label: a result without one continues the result above it.
    pub fn results(&self) -> impl Iterator<Item = (&str, &LabResult)> {
        let mut label = "";
        self.lines.iter().filter_map(move |line| match line {
            LabLine::Result(result) => {
                if !result.continues() {
                    label = &result.label;
                }
                Some((label, &**result))
            }
            LabLine::Text(_) => None,
        })
    }
}

impl fmt::Debug for Lab {
    /// Says nothing of the results.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lab { .. }")
    }
}

/// One line of the block.
#[derive(Clone, Eq, PartialEq)]
pub enum LabLine {
    /// `RES|…`
    Result(Box<LabResult>),
    /// `TEX|…`, without the prefix.
    Text(String),
}

impl LabLine {
    /// The line as a person reads it.
    #[must_use]
    pub fn plain_text(&self) -> String {
        match self {
            Self::Result(result) => result.plain_text(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl fmt::Debug for LabLine {
    /// Says nothing of the results.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Result(_) => "Result(..)",
            Self::Text(_) => "Text(..)",
        })
    }
}

/// One result. Fields are as written, spaces included; a field the line lacked is empty.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct LabResult {
    /// Name of the analysis; empty when the line continues the result above.
    pub label: String,
    /// Code of the analysis at the laboratory.
    pub code: String,
    /// How to take the value.
    pub kind: ResultKind,
    /// Value in the first unit.
    pub value: String,
    /// First unit.
    pub unit: String,
    /// Lower normal bound.
    pub low: String,
    /// Upper normal bound.
    pub high: String,
    /// Where the value stands to the bounds.
    pub flag: Flag,
    /// How far the laboratory vouches for it.
    pub status: ResultStatus,
    /// Value in the second unit.
    pub value2: String,
    /// Second unit.
    pub unit2: String,
    /// Lower normal bound in the second unit.
    pub low2: String,
    /// Upper normal bound in the second unit.
    pub high2: String,
    /// What follows the fourteen fields, separators included.
    pub extra: String,
}

impl LabResult {
    /// Whether the line continues the result above it.
    #[must_use]
    pub fn continues(&self) -> bool {
        self.label.trim().is_empty()
    }

    /// The value of a numeric result; a comma counts as the decimal point.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        if self.kind != ResultKind::Numeric {
            return None;
        }
        self.value
            .trim()
            .replace(',', ".")
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// The result in `fields`, `RES` first, and after the fourteenth all the rest.
    pub(super) fn read(fields: &[String]) -> Self {
        let field = |place: usize| fields.get(place).map(String::as_str).unwrap_or_default();
        Self {
            label: field(1).to_owned(),
            code: field(2).to_owned(),
            kind: ResultKind::read(field(3)),
            value: field(4).to_owned(),
            unit: field(5).to_owned(),
            low: field(6).to_owned(),
            high: field(7).to_owned(),
            flag: Flag::read(field(8)),
            status: ResultStatus::read(field(9)),
            value2: field(10).to_owned(),
            unit2: field(11).to_owned(),
            low2: field(12).to_owned(),
            high2: field(13).to_owned(),
            extra: match field(FIELDS) {
                rest if rest.chars().all(|c| c == '|' || c.is_whitespace()) => String::new(),
                rest => rest.to_owned(),
            },
        }
    }

    /// The fields of the line, `RES` first; one more when something follows them.
    pub(super) fn fields(&self) -> Vec<&str> {
        let fields: [&str; FIELDS] = [
            "RES",
            &self.label,
            &self.code,
            self.kind.letter(),
            &self.value,
            &self.unit,
            &self.low,
            &self.high,
            self.flag.letter(),
            self.status.letter(),
            &self.value2,
            &self.unit2,
            &self.low2,
            &self.high2,
        ];
        let extra = Some(self.extra.as_str()).filter(|extra| !extra.is_empty());
        fields.into_iter().chain(extra).collect()
    }

    fn plain_text(&self) -> String {
        let mut line = String::new();
        if !self.continues() {
            line.push_str(self.label.trim());
            line.push_str(" : ");
        }
        line.push_str(self.value.trim());
        let mut add = |word: &str| {
            if !word.is_empty() {
                line.push(' ');
                line.push_str(word);
            }
        };
        add(self.unit.trim());
        let (low, high) = (self.low.trim(), self.high.trim());
        if !(low.is_empty() && high.is_empty()) {
            add(&format!("({low} - {high})"));
        }
        if self.flag != Flag::Normal {
            add(self.flag.letter());
        }
        if !self.value2.trim().is_empty() {
            add(&format!("[{} {}]", self.value2.trim(), self.unit2.trim()));
        }
        match self.status {
            ResultStatus::Corrected => add("(corrigé)"),
            ResultStatus::NotValidated => add("(non validé)"),
            ResultStatus::Other(_) | ResultStatus::Unset | ResultStatus::Validated => {}
        }
        add(self.extra.trim());
        line.trim_end().to_owned()
    }
}

impl fmt::Debug for LabResult {
    /// Says nothing of the result.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LabResult { .. }")
    }
}

/// Declares a field of one or two letters: its variants, their letters, and what is neither.
macro_rules! letter_field {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $letter:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// Something else, as written.
            Other(String),
            /// Empty.
            #[default]
            Unset,
        }

        impl $name {
            /// What `field` says.
            #[must_use]
            pub fn read(field: &str) -> Self {
                match field.trim() {
                    "" => Self::Unset,
                    $($letter => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The field as it is written.
            #[must_use]
            pub fn letter(&self) -> &str {
                match self {
                    $(Self::$variant => $letter,)+
                    Self::Other(other) => other,
                    Self::Unset => "",
                }
            }
        }
    };
}

letter_field! {
    /// How to take a value.
    ResultKind {
        /// C: a code.
        Coded = "C",
        /// N: a number.
        Numeric = "N",
        /// A: text.
        Text = "A",
    }
}

letter_field! {
    /// Where a value stands to its bounds.
    Flag {
        /// H: above.
        High = "H",
        /// L: below.
        Low = "L",
        /// N: between.
        Normal = "N",
        /// HH: far above.
        VeryHigh = "HH",
        /// LL: far below.
        VeryLow = "LL",
    }
}

letter_field! {
    /// How far the laboratory vouches for a result.
    ResultStatus {
        /// C: corrects what was sent before.
        Corrected = "C",
        /// R: not validated.
        NotValidated = "R",
        /// F: validated.
        Validated = "F",
    }
}

/// The two prefixes of the block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Prefix {
    Res,
    Tex,
}

/// The prefix of `line`, and the line from there (`RES`) or from behind it (`TEX`); white space before it and case aside.
pub(super) fn marked(line: &str) -> Option<(Prefix, &str)> {
    let line = line.trim_start();
    let (prefix, rest) = line.split_at_checked(4)?;
    if prefix.eq_ignore_ascii_case("TEX|") {
        Some((Prefix::Tex, rest))
    } else {
        prefix.eq_ignore_ascii_case("RES|").then_some((Prefix::Res, line))
    }
}

/// Whether the prefix of `line` is written exactly.
pub(super) fn is_exactly_marked(line: &str) -> bool {
    line.starts_with("TEX|") || line.starts_with("RES|")
}
