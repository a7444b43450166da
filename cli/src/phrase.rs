//! The recovery phrase as a person gives it: typed on a terminal that does not show it, or from a file.

use std::io::{self, Stdin, Write as _};
use std::path::Path;

use pli_core::RecoveryPhrase;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files;
use crate::language::say;
use crate::screen;
use crate::stop::Ending;

/// Twelve words are a line; what is larger holds something else.
const LIMIT_BYTES: usize = 1024;

/// Reads the phrase from the file, or else from the terminal or standard input.
pub(crate) async fn read(file: Option<&Path>) -> Result<RecoveryPhrase, Failure> {
    let words = match file {
        Some(path) => Zeroizing::new(files::read(path, LIMIT_BYTES)?),
        None if screen::is_asked() => Zeroizing::new(typed().await?.as_bytes().to_vec()),
        None => Zeroizing::new(screen::ask("", what())?.into_bytes()),
    };
    let words = std::str::from_utf8(&words).map_err(|_| pli_core::Error::PhraseInvalid)?;
    let words = words.trim_start_matches('\u{feff}');
    if words.trim().is_empty() {
        return Err(Failure::InputMissing { what: what() });
    }
    Ok(RecoveryPhrase::parse(words)?)
}

fn what() -> &'static str {
    say("the recovery phrase", "la phrase de secours")
}

/// A line from the terminal, which shows nothing of it. Ctrl-C ends the wait, and the terminal shows again what is typed.
async fn typed() -> Result<Zeroizing<String>, Failure> {
    let ending = Ending::listen(false).map_err(Failure::System)?;
    let hidden = Hidden::begin().map_err(Failure::System)?;
    screen::prompt(say(
        "Recovery phrase, twelve words (not shown as you type):",
        "Phrase de secours, douze mots (rien ne s'affiche à la frappe) :",
    ));
    let (said, heard) = oneshot::channel();
    // A thread of its own: a read of the terminal cannot be cancelled, and must not hold up the runtime's end.
    std::thread::Builder::new()
        .name("phrase".to_owned())
        .spawn(move || {
            let mut line = Zeroizing::new(String::with_capacity(LIMIT_BYTES));
            let read = io::stdin().read_line(&mut line).map(|_| line);
            // Nobody waits for it any more, perhaps.
            let _ = said.send(read);
        })
        .map_err(Failure::System)?;
    let line = tokio::select! {
        line = heard => line,
        () = ending.wanted() => return Err(Failure::Interrupted),
    };
    drop(hidden);
    match line {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(error)) if error.kind() != io::ErrorKind::InvalidData => Err(Failure::System(error)),
        _ => Err(Failure::InputMissing { what: what() }),
    }
}

/// The terminal, not showing what is typed until this goes away.
struct Hidden {
    terminal: Stdin,
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let terminal = io::stdin();
        let before = tcgetattr(&terminal)?;
        let mut hiding = before.clone();
        hiding.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &hiding)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing anyway.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        // The Enter was not shown either.
        let _ = writeln!(io::stderr());
    }
}
