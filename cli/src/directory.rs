//! `pli directory`: who can be written to, and who was compared. The comparing is in `identity`.

use pli_core::{CorrespondentView, Session};
use protocol::api::DirectoryEntry;
use serde::Serialize;

use crate::arguments::DirectoryCommand;
use crate::failure::Failure;
use crate::home::Home;
use crate::identity;
use crate::language::say;
use crate::screen::{Screen, table};

/// Looks people up at the relay, or compares identities.
pub(crate) async fn directory(command: DirectoryCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        DirectoryCommand::Accept(asked) => identity::accept(asked, screen).await,
        DirectoryCommand::Find { words, town, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            let entries = session.find_entries(&words.join(" "), town.as_deref()).await?;
            let lines = lines(&session, entries)?;
            screen.answer(&serde_json::json!({ "entries": lines }), |_| listed(&lines))
        }
        DirectoryCommand::Show { address, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            let lines = lines(&session, vec![session.entry(&address).await?])?;
            match lines.first() {
                Some(line) => screen.answer(line, |_| listed(&lines)),
                None => Ok(()),
            }
        }
        DirectoryCommand::Verify(asked) => identity::verify(asked, screen).await,
    }
}

/// An entry as the relay gives it, and what this phone itself knows of the identity behind it.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    entry: DirectoryEntry,
    identity: Standing,
}

/// What is known of an identity.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    /// It is another than the pinned one.
    Changed,
    /// Nobody compared it.
    Unverified,
    /// Two people compared it.
    Verified,
}

impl Standing {
    fn of(known: Option<&CorrespondentView>) -> Self {
        match known {
            Some(known) if known.is_changed => Self::Changed,
            Some(known) if known.verified_at.is_some() => Self::Verified,
            _ => Self::Unverified,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Changed => say("identity changed", "identité changée"),
            Self::Unverified => "",
            Self::Verified => say("verified", "vérifié"),
        }
    }
}

fn lines(session: &Session, entries: Vec<DirectoryEntry>) -> Result<Vec<Line>, Failure> {
    let known = session.correspondents()?;
    let of = |entry: &DirectoryEntry| known.iter().find(|known| known.address == entry.address);
    Ok(entries
        .into_iter()
        .map(|entry| Line {
            identity: Standing::of(of(&entry)),
            entry,
        })
        .collect())
}

fn listed(lines: &[Line]) -> String {
    if lines.is_empty() {
        return say(
            "Nobody found. Try fewer or shorter words.",
            "Personne trouvé. Essayez avec moins de mots, ou plus courts.",
        )
        .to_owned();
    }
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|Line { entry, identity }| {
            let work = if entry.specialty.is_empty() {
                &entry.profession
            } else {
                &entry.specialty
            };
            vec![
                format!("{} {}", entry.given, entry.surname),
                work.clone(),
                format!("{} {}", entry.postcode, entry.town).trim().to_owned(),
                reach(entry.reachable).to_owned(),
                identity.text().to_owned(),
                entry.address.to_string(),
            ]
        })
        .collect();
    let head = say(
        ["Name", "Specialty", "Town", "Reach", "Identity", "Address"],
        ["Nom", "Spécialité", "Ville", "Joignable", "Identité", "Adresse"],
    );
    table(&head, &rows)
}

fn reach(reachable: bool) -> &'static str {
    if reachable {
        say("reachable", "joignable")
    } else {
        say("not reachable", "non joignable")
    }
}
