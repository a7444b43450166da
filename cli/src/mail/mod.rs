//! `pli mail`: the commands on mail. What is written is in `compose`, how it is shown in `view`; the work is the core's.

mod compose;
mod view;

use std::path::Path;

use pli_core::{Folder, Session, mime};
use serde_json::json;

use crate::arguments::{FolderName, MailCommand, Phone, Switch, Which};
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::language::{chosen, say};
use crate::screen::{self, Screen};

pub(crate) use view::{MailLine, local_time};

/// Longest search that is read from standard input.
const SEARCH_LIMIT_BYTES: usize = 4 * 1024;

/// Does one command on mail.
pub(crate) async fn mail(command: MailCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        MailCommand::Answer { which, content } => {
            let session = of(&which)?;
            compose::answer(&session, which.number, &content, screen).await
        }
        MailCommand::Archive(which) => mark(&which, Session::archive, say("Archived.", "Archivé."), screen),
        MailCommand::Delete(which) => {
            let text = say("Deleted from this phone.", "Supprimé de ce téléphone.");
            mark(&which, Session::delete, text, screen)
        }
        MailCommand::Export {
            which,
            attachments,
            eml: _,
            output,
        } => {
            let session = of(&which)?;
            if attachments {
                return save_attachments(&session, which.number, &output, screen);
            }
            files::write(&output, &session.export_eml(which.number)?)
        }
        MailCommand::Forward { which, to, content } => {
            let session = of(&which)?;
            compose::forward(&session, which.number, to, &content, screen).await
        }
        MailCommand::Handled(which) => {
            let text = say(
                "Handled. Its sender is told, sealed, with the next `pli sync`.",
                "Traité. L'expéditeur l'apprend, sous pli, au prochain `pli sync`.",
            );
            mark(&which, Session::mark_handled, text, screen)
        }
        MailCommand::List {
            folder,
            search,
            limit,
            phone,
        } => list(folder, search.as_deref(), limit, &phone, screen),
        MailCommand::Receipts { switch, phone } => receipts(switch == Switch::On, &phone, screen),
        MailCommand::Retry(which) => {
            let text = say(
                "It goes again with the next `pli sync`.",
                "Il repart au prochain `pli sync`.",
            );
            mark(&which, Session::retry, text, screen)
        }
        MailCommand::Send(asked) => compose::send(asked, screen).await,
        MailCommand::SendDraft { which, yes } => {
            let session = of(&which)?;
            compose::send_draft(&session, which.number, yes, screen).await
        }
        MailCommand::Show { which, peek } => {
            let session = of(&which)?;
            if !peek {
                session.mark_read(which.number)?;
            }
            let shown = view::MailShown::of(&session, which.number)?;
            screen.answer(&shown, view::MailShown::text)
        }
        MailCommand::Unopened(phone) => unopened(&phone, screen),
        MailCommand::Withdraw(which) => {
            let text = say(
                "Asked for with the next `pli sync`; `pli mail show` then says for whom it came in time.",
                "Demandé au prochain `pli sync` ; `pli mail show` dit ensuite pour qui c'était à temps.",
            );
            mark(&which, Session::withdraw, text, screen)
        }
    }
}

fn mark(
    which: &Which,
    mark: impl FnOnce(&Session, i64) -> Result<(), pli_core::Error>,
    text: &str,
    screen: Screen,
) -> Result<(), Failure> {
    mark(&of(which)?, which.number)?;
    screen.answer(&json!({ "number": which.number }), |_| text.to_owned())
}

fn of(which: &Which) -> Result<Session, Failure> {
    Home::find(which.phone.home.as_deref())?.session()
}

/// Their names are safe as a letter gives them; nothing that stands in the folder is replaced.
fn save_attachments(session: &Session, number: i64, folder: &Path, screen: Screen) -> Result<(), Failure> {
    let letter = mime::parse(&session.export_eml(number)?).map_err(pli_core::Error::from)?;
    let mut saved = Vec::new();
    for attachment in &letter.attachments {
        saved.push(files::write_new(folder, &attachment.name, &attachment.bytes)?);
    }
    screen.answer(&json!({ "files": saved }), |_| {
        if saved.is_empty() {
            say("It has no attachments.", "Il n'a pas de pièce jointe.").to_owned()
        } else {
            saved
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join("\n")
        }
    })
}

fn receipts(on: bool, phone: &Phone, screen: Screen) -> Result<(), Failure> {
    Home::find(phone.home.as_deref())?.session()?.set_read_receipts(on)?;
    screen.answer(&json!({ "read_receipts": on }), |_| {
        let text = if on {
            say(
                "Senders learn when you read their mail.",
                "Les expéditeurs apprennent quand vous lisez leur courrier.",
            )
        } else {
            say(
                "Senders do not learn when you read.",
                "Les expéditeurs n'apprennent pas quand vous lisez.",
            )
        };
        text.to_owned()
    })
}

fn list(folder: FolderName, search: Option<&str>, limit: u32, phone: &Phone, screen: Screen) -> Result<(), Failure> {
    let session = Home::find(phone.home.as_deref())?.session()?;
    let words = match search {
        Some("-") => Some(files::read_text(Path::new("-"), SEARCH_LIMIT_BYTES)?),
        other => other.map(str::to_owned),
    };
    let folder = match folder {
        FolderName::Archive => Folder::Archive,
        FolderName::Drafts => Folder::Drafts,
        FolderName::Inbox => Folder::Inbox,
        FolderName::Sent => Folder::Sent,
    };
    let lines: Vec<MailLine> = session
        .list(folder, words.as_deref(), limit)?
        .iter()
        .map(MailLine::of)
        .collect();
    screen.answer(&json!({ "mails": lines }), |_| {
        view::listed(&lines, matches!(folder, Folder::Inbox))
    })
}

fn unopened(phone: &Phone, screen: Screen) -> Result<(), Failure> {
    let kept = Home::find(phone.home.as_deref())?.session()?.unopened()?;
    let rows: Vec<serde_json::Value> = kept
        .iter()
        .map(|one| {
            json!({
                "sender": one.sender,
                "reason": one.reason.code(),
                "message": one.reason.text(chosen()),
                "received_at": one.received_at.to_string(),
            })
        })
        .collect();
    screen.answer(&json!({ "unopened": rows }), |_| {
        if kept.is_empty() {
            return say(
                "Everything that arrived was opened.",
                "Tout ce qui est arrivé a été ouvert.",
            )
            .to_owned();
        }
        let rows: Vec<Vec<String>> = kept
            .iter()
            .map(|one| {
                vec![
                    view::local_time(one.received_at),
                    one.sender.clone(),
                    one.reason.text(chosen()).to_owned(),
                ]
            })
            .collect();
        screen::table(
            &say(["Received", "Sender", "Reason"], ["Reçu", "Expéditeur", "Raison"]),
            &rows,
        )
    })
}
