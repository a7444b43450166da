//! `pli directory`: who can be written to.

use protocol::api::DirectoryEntry;

use crate::arguments::DirectoryCommand;
use crate::failure::Failure;
use crate::home::Home;
use crate::language::say;
use crate::screen::{Screen, table};

/// Looks people up at the relay.
pub(crate) async fn directory(command: DirectoryCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        DirectoryCommand::Find { words, town, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            let entries = session.find_entries(&words.join(" "), town.as_deref()).await?;
            let found = serde_json::json!({ "entries": entries });
            screen.answer(&found, |_| listed(&entries))
        }
        DirectoryCommand::Show { address, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            let entry = session.entry(&address).await?;
            screen.answer(&entry, |entry| listed(std::slice::from_ref(entry)))
        }
    }
}

fn listed(entries: &[DirectoryEntry]) -> String {
    if entries.is_empty() {
        return say(
            "Nobody found. Try fewer or shorter words.",
            "Personne trouvé. Essayez avec moins de mots, ou plus courts.",
        )
        .to_owned();
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
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
                entry.address.to_string(),
            ]
        })
        .collect();
    let head = say(
        ["Name", "Specialty", "Town", "Reach", "Address"],
        ["Nom", "Spécialité", "Ville", "Joignable", "Adresse"],
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
