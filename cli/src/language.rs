//! The person's language: by locale, unless `--lang` says otherwise.
//! Texts stand where they are used, in both languages beside each other: `say` for plain ones, `tell!` for filled ones.

use std::ffi::OsString;
use std::sync::OnceLock;

use clap::ValueEnum;

static CHOSEN: OnceLock<Language> = OnceLock::new();

/// A language that this program speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Language {
    /// English.
    En,
    /// French.
    Fr,
}

impl Language {
    /// Its code, as `--lang` takes it.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    fn from_locale(locale: Option<&str>) -> Self {
        match locale {
            Some(locale) if locale.to_ascii_lowercase().starts_with("fr") => Self::Fr,
            _ => Self::En,
        }
    }
}

/// Chooses the language for this process; it has to be known before the command line is parsed, for its help texts.
pub(crate) fn choose(arguments: impl IntoIterator<Item = OsString>) -> Language {
    let asked = asked_for(arguments);
    *CHOSEN.get_or_init(|| asked.unwrap_or_else(|| Language::from_locale(sys_locale::get_locale().as_deref())))
}

/// The language of this process.
pub(crate) fn chosen() -> Language {
    CHOSEN.get().copied().unwrap_or(Language::En)
}

/// One of two texts.
pub(crate) fn say<T>(english: T, french: T) -> T {
    match chosen() {
        Language::En => english,
        Language::Fr => french,
    }
}

/// One of two format strings, filled in.
macro_rules! tell {
    ($english:literal, $french:literal $(, $name:ident = $value:expr)* $(,)?) => {
        match $crate::language::chosen() {
            $crate::language::Language::En => format!($english $(, $name = $value)*),
            $crate::language::Language::Fr => format!($french $(, $name = $value)*),
        }
    };
}
pub(crate) use tell;

fn asked_for(arguments: impl IntoIterator<Item = OsString>) -> Option<Language> {
    let mut arguments = arguments
        .into_iter()
        .map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--lang") {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None if argument == "--" => return None,
            None => continue,
        };
        if let Some(language) = value.and_then(|value| Language::from_str(&value, true).ok()) {
            return Some(language);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Option<Language> {
        asked_for(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_option_is_found_wherever_it_stands() {
        assert_eq!(asked("pli mail list --lang fr --json"), Some(Language::Fr));
        assert_eq!(asked("pli --lang=EN mail list"), Some(Language::En));
        assert_eq!(asked("pli mail list"), None);
        assert_eq!(asked("pli mail list --lang de"), None);
        assert_eq!(asked("pli mail send -- --lang fr"), None);
    }

    #[test]
    fn the_locale_decides_otherwise() {
        assert_eq!(Language::from_locale(Some("fr-FR")), Language::Fr);
        assert_eq!(Language::from_locale(Some("de-DE")), Language::En);
        assert_eq!(Language::from_locale(None), Language::En);
    }
}
