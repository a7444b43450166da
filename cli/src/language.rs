//! The person's language: by locale, unless `--lang` says otherwise.
//! Texts stand where they are used, in both languages beside each other: `say` for plain ones, `tell!` for filled ones.

use std::ffi::OsString;
use std::sync::OnceLock;

pub(crate) use pli_core::Language;

static CHOSEN: OnceLock<Language> = OnceLock::new();

/// The language of this code, as `--lang` takes it.
pub(crate) fn of_code(code: &str) -> Result<Language, &'static str> {
    Language::ALL
        .into_iter()
        .find(|language| language.code().eq_ignore_ascii_case(code))
        .ok_or("it is en or fr")
}

/// Chooses the language for this process; it has to be known before the command line is parsed, for its help texts.
pub(crate) fn choose(arguments: impl IntoIterator<Item = OsString>) -> Language {
    let asked = asked_for(arguments);
    *CHOSEN.get_or_init(|| asked.unwrap_or_else(of_system))
}

fn of_system() -> Language {
    sys_locale::get_locale().map_or(Language::English, |locale| Language::of_locale(&locale))
}

/// The language of this process.
pub(crate) fn chosen() -> Language {
    CHOSEN.get().copied().unwrap_or(Language::English)
}

/// One of two texts.
pub(crate) fn say<T>(english: T, french: T) -> T {
    match chosen() {
        Language::English => english,
        Language::French => french,
    }
}

/// One of two format strings, filled in.
macro_rules! tell {
    ($english:literal, $french:literal $(, $name:ident = $value:expr)* $(,)?) => {
        match $crate::language::chosen() {
            $crate::language::Language::English => format!($english $(, $name = $value)*),
            $crate::language::Language::French => format!($french $(, $name = $value)*),
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
        if let Some(Ok(language)) = value.as_deref().map(of_code) {
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
        assert_eq!(asked("pli mail list --lang fr --json"), Some(Language::French));
        assert_eq!(asked("pli --lang=EN mail list"), Some(Language::English));
        assert_eq!(asked("pli mail list"), None);
        assert_eq!(asked("pli mail list --lang de"), None);
        assert_eq!(asked("pli mail send -- --lang fr"), None);
    }
}
