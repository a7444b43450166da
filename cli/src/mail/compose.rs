//! Mail that goes out: content from files or standard input, warnings shown, reach looked up, then the core's outbox.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use pli_core::mime::Attachment;
use pli_core::{DeliveryState, Draft, SendWarning, Session};
use protocol::address::Address;
use protocol::limits;
use serde::Serialize;

use crate::arguments::{Content, Send};
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::language::{chosen, say, tell};
use crate::patient;
use crate::screen::{self, Screen};

/// How long the directory is waited for before the mail is queued without having asked it.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(5);
/// How long the relay is given to take the mail at once; afterwards it waits for the next sync.
const SEND_PATIENCE: Duration = Duration::from_secs(20);

#[derive(Serialize)]
struct Queued {
    number: i64,
    /// Whether the relay has it already.
    sent: bool,
    /// How far it has come, for the recipient with whom it came least far.
    state: &'static str,
    warnings: Vec<WarningLine>,
}

#[derive(Serialize)]
struct WarningLine {
    code: &'static str,
    message: String,
}

/// Sends a new mail, or keeps it as a draft.
pub(crate) async fn send(asked: Send, screen: Screen) -> Result<(), Failure> {
    let session = Home::find(asked.phone.home.as_deref())?.session()?;
    let patient = asked.patient.as_deref().map(patient::read).transpose()?;
    let hprim = asked
        .hprim
        .as_deref()
        .map(|path| files::read(path, limits::MAIL_BYTES))
        .transpose()?;
    let subject = match asked.subject {
        Some(subject) => subject,
        None if hprim.is_some() => say("HPRIM document", "Document HPRIM").to_owned(),
        None if io::stdin().is_terminal() => screen::ask(say("Subject:", "Objet :"), say("the subject", "l'objet"))?,
        None => String::new(),
    };
    let text = match (&asked.content.letter, &hprim) {
        (Some(path), _) => letter(path)?,
        (None, Some(_)) => String::new(),
        (None, None) => letter(Path::new("-"))?,
    };
    let draft = Draft {
        to: asked.to,
        subject,
        text,
        patient,
        hprim,
        attachments: attachments(&asked.content)?,
        ..Draft::default()
    };
    if asked.draft {
        let number = session.save_draft(&draft)?;
        return screen.answer(&serde_json::json!({ "number": number }), |_| {
            tell!("Kept as draft {number}.", "Gardé comme brouillon {number}.")
        });
    }
    post(&session, &draft, asked.content.yes, screen).await
}

/// Sends a draft that was kept.
pub(crate) async fn send_draft(session: &Session, number: i64, yes: bool, screen: Screen) -> Result<(), Failure> {
    let draft = session.draft(number)?;
    post(session, &draft, yes, screen).await
}

/// Answers a mail.
pub(crate) async fn answer(session: &Session, number: i64, content: &Content, screen: Screen) -> Result<(), Failure> {
    let mut draft = session.answer(number)?;
    draft.text = letter(content.letter.as_deref().unwrap_or(Path::new("-")))?;
    draft.attachments.extend(attachments(content)?);
    post(session, &draft, content.yes, screen).await
}

/// Forwards a mail, with a note of one's own above it if one is given.
pub(crate) async fn forward(
    session: &Session,
    number: i64,
    to: Vec<Address>,
    content: &Content,
    screen: Screen,
) -> Result<(), Failure> {
    let mut draft = Draft {
        to,
        ..session.forward(number)?
    };
    if let Some(path) = &content.letter {
        let note = letter(path)?;
        draft.text = if draft.text.is_empty() {
            note
        } else {
            format!("{}\n\n{}", note.trim_end(), draft.text)
        };
    }
    draft.attachments.extend(attachments(content)?);
    post(session, &draft, content.yes, screen).await
}

async fn post(session: &Session, draft: &Draft, yes: bool, screen: Screen) -> Result<(), Failure> {
    let warnings = session.check(draft)?;
    let lines: Vec<WarningLine> = warnings
        .iter()
        .map(|warning| WarningLine {
            code: warning.code(),
            message: warning_text(*warning),
        })
        .collect();
    for line in &lines {
        screen::aside(&format!("[{}] {}", line.code, line.message));
    }
    if !lines.is_empty()
        && !yes
        && !screen::confirmed(say("Send it all the same? (y/n)", "L'envoyer tout de même ? (o/n)"))?
    {
        return Err(Failure::ConfirmationNeeded);
    }
    let online = all_reachable(session, &draft.to).await?;
    let number = session.send(draft)?;
    if online {
        // Whatever comes of it is in the mail's state: what did not go waits for the next sync.
        let _ = tokio::time::timeout(SEND_PATIENCE, session.sync()).await;
    }
    let state = session.message(number)?.summary.state.unwrap_or(DeliveryState::Queued);
    let queued = Queued {
        number,
        sent: (DeliveryState::Sent..=DeliveryState::Handled).contains(&state),
        state: state.as_str(),
        warnings: lines,
    };
    screen.answer(&queued, |queued| {
        if queued.sent {
            tell!("Sent: mail {number}.", "Envoyé : courrier {number}.")
        } else if state == DeliveryState::Queued {
            tell!(
                "Mail {number} waits on this phone; it goes with the next `pli sync` or `pli watch`.",
                "Le courrier {number} attend sur ce téléphone ; il part au prochain `pli sync` ou `pli watch`."
            )
        } else {
            let state = state.text(chosen());
            tell!(
                "Mail {number}: {state}. `pli mail show {number}` says for whom; `pli mail retry {number}` tries again.",
                "Courrier {number} : {state}. `pli mail show {number}` dit pour qui ; `pli mail retry {number}` réessaie."
            )
        }
    })
}

/// Asks the directory whether each recipient has a device; whether it answered at all.
async fn all_reachable(session: &Session, to: &[Address]) -> Result<bool, Failure> {
    for address in to {
        match tokio::time::timeout(LOOK_UP_PATIENCE, session.entry(address)).await {
            Ok(Ok(entry)) if !entry.reachable => {
                return Err(Failure::NotReachable {
                    address: address.to_string(),
                });
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.code() == "not-found" => return Err(error.into()),
            Ok(Err(_)) | Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

fn letter(path: &Path) -> Result<String, Failure> {
    if files::is_dash(path) && io::stdin().is_terminal() {
        screen::aside(say(
            "The text; Ctrl-D on a line of its own ends it:",
            "Le texte ; Ctrl-D seul sur une ligne le termine :",
        ));
    }
    files::read_text(path, limits::MAIL_BYTES)
}

fn attachments(content: &Content) -> Result<Vec<Attachment>, Failure> {
    let attach = |path: &std::path::PathBuf| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let bytes = files::read(path, limits::MAIL_BYTES)?;
        Ok(Attachment {
            media_type: media_type(&name).to_owned(),
            name,
            bytes,
        })
    };
    content.attach.iter().map(attach).collect()
}

fn media_type(name: &str) -> &'static str {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default();
    match extension.as_str() {
        "csv" => "text/csv",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "hpr" | "hprim" | "txt" => "text/plain",
        "jpeg" | "jpg" => "image/jpeg",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

fn warning_text(warning: SendWarning) -> String {
    let text = warning.text(chosen());
    match warning {
        SendWarning::PatientMissing => format!("{text} {}", say("Name one by --patient.", "Nommez-le par --patient.")),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_says_what_it_is() {
        assert_eq!(media_type("wound.JPG"), "image/jpeg");
        assert_eq!(media_type("result.hpr"), "text/plain");
        assert_eq!(media_type("archive"), "application/octet-stream");
    }
}
