//! `pli sync` and `pli watch`: in touch with the relay, once or for as long as it runs.

use std::path::Path;
use std::time::Duration;

use pli_core::{Error, Folder, Session, SyncReport};
use protocol::problem::Code;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::arguments::{Phone, Watch};
use crate::drop_folder::{Documents, DropFolder, Waiting, file_name};
use crate::failure::Failure;
use crate::home::Home;
use crate::language::{say, tell};
use crate::mail::MailLine;
use crate::screen::{self, Screen};
use crate::stop::Ending;

/// How many arrivals of one moment are told by name.
const ARRIVALS: u32 = 200;
/// How often the store is looked at without news of the relay: another process may have taken something in, and a folder
/// that was gone may be back.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Synced {
    sent: u32,
    received: u32,
    notices: u32,
    refused: u32,
    unopened: u32,
    restored: u32,
    damaged: u32,
    waiting: u32,
    /// Whether the relay was put back to an earlier copy, and was given again what it may have lost.
    relay_put_back: bool,
    /// Correspondents with another identity than the pinned one, to be accepted or not.
    identities_changed: Vec<String>,
}

/// Sends and takes in, once.
pub(crate) async fn sync(phone: &Phone, screen: Screen) -> Result<(), Failure> {
    let session = Home::find(phone.home.as_deref())?.session()?;
    match session.hurry() {
        // The sync asks whether it is let in again.
        Ok(()) | Err(Error::Relay(Code::DeviceSuspended)) => {}
        Err(error) => return Err(error.into()),
    }
    let report = session.sync().await?;
    let synced = Synced {
        sent: report.sent,
        received: report.received,
        notices: report.notices,
        refused: report.refused,
        unopened: report.unopened,
        restored: report.restored,
        damaged: report.damaged,
        waiting: report.waiting,
        relay_put_back: report.relay_put_back,
        identities_changed: session
            .correspondents()?
            .into_iter()
            .filter(|known| known.is_changed)
            .map(|known| known.address.to_string())
            .collect(),
    };
    screen.answer(&synced, |synced| {
        let (sent, received, notices) = (synced.sent, synced.received, synced.notices);
        let mut text = tell!(
            "Sent {sent}, received {received}, news of sent mail {notices}.",
            "Envoyés {sent}, reçus {received}, nouvelles des envois {notices}."
        );
        for (count, what) in [
            (
                synced.refused,
                say(
                    "refused: see `pli mail list --folder sent`",
                    "refusés : voir `pli mail list --folder sent`",
                ),
            ),
            (
                synced.unopened,
                say(
                    "could not be opened: see `pli mail unopened`",
                    "n'ont pu être ouverts : voir `pli mail unopened`",
                ),
            ),
            (
                synced.restored,
                say("came from the backup or the history", "viennent de la sauvegarde ou de l'historique"),
            ),
            (
                synced.damaged,
                say(
                    "parts of it were gone or damaged at the relay",
                    "parties en manquaient ou étaient abîmées au relais",
                ),
            ),
            (synced.waiting, say("still wait here", "attendent encore ici")),
        ] {
            if count > 0 {
                text.extend([format!("\n{count} {what}")]);
            }
        }
        if synced.relay_put_back {
            text.extend([say(
                "\nThe relay was put back to an earlier state [relay-put-back]: this phone gives it again what it may have lost. You need do nothing.",
                "\nLe relais a été remis à un état antérieur [relay-put-back] : ce téléphone lui redonne ce qu'il a pu perdre. Vous n'avez rien à faire.",
            )]);
        }
        for address in &synced.identities_changed {
            text.extend([tell!(
                "\n{address} has another identity now, and mail between you waits: see `pli directory accept {address}`",
                "\n{address} a désormais une autre identité, et le courrier entre vous attend : voir `pli directory accept {address}`"
            )]);
        }
        text
    })
}

/// Syncs; a line that is down is told beside the answer, and nothing is lost by it.
pub(crate) async fn sync_if_possible(session: &Session, screen: Screen) -> Result<Option<SyncReport>, Failure> {
    match session.sync().await {
        Ok(report) => Ok(Some(report)),
        Err(error) if error.is_retryable() => {
            screen::aside(&Failure::Core(error).report(screen.json));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Stays in touch, tells arrivals, and drops documents, until it should end.
pub(crate) async fn watch(asked: Watch, screen: Screen) -> Result<(), Failure> {
    let home = Home::find(asked.phone.home.as_deref())?;
    let session = home.session()?;
    let account = session.own_address()?.ok_or(Failure::NotSetUp)?;
    let mut dropping = match &asked.export {
        Some(folder) => Some(Dropping::begin(
            folder,
            home.folder(),
            account.as_str(),
            &session,
            screen,
        )?),
        None => None,
    };
    let ending = Ending::listen(asked.until_stdin_closes).map_err(Failure::System)?;
    let mut told = newest(&session)?;
    screen.answer(&json!({ "event": "watching", "address": account }), |_| {
        say(
            "In touch with the relay. Ctrl-C ends it.",
            "En liaison avec le relais. Ctrl-C arrête.",
        )
        .to_owned()
    })?;
    let (news, mut newly) = mpsc::unbounded_channel();
    let watching = session.watch(move |_| {
        // The receiver lives as long as this future.
        let _ = news.send(());
    });
    tokio::pin!(watching);
    let ending = ending.wanted();
    tokio::pin!(ending);
    loop {
        tokio::select! {
            () = &mut ending => return Ok(()),
            ended = &mut watching => return Ok(ended?),
            Some(()) = newly.recv() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        told = tell_arrivals(&session, told, screen)?;
        if let Some(dropping) = &mut dropping {
            dropping.go_on(&session, screen)?;
        }
    }
}

/// Documents on their way into the folder.
struct Dropping {
    folder: DropFolder,
    /// Whether the last attempt failed: it is told once and tried again.
    failed: bool,
}

impl Dropping {
    fn begin(folder: &Path, home: &Path, account: &str, session: &Session, screen: Screen) -> Result<Self, Failure> {
        let folder = DropFolder::open(folder, home, account)?;
        let begun = Self { folder, failed: false };
        // A folder that refuses from the start is the person's to mend; one that fails later is tried again.
        begun.drop_all(session, screen)??;
        Ok(begun)
    }

    fn go_on(&mut self, session: &Session, screen: Screen) -> Result<(), Failure> {
        let outcome = self.drop_all(session, screen)?;
        if let Err(failure) = &outcome
            && !self.failed
        {
            screen::aside(&failure.report(screen.json));
        }
        self.failed = outcome.is_err();
        Ok(())
    }

    /// The inner result: whether the folder took everything. The outer: whether it could be told.
    fn drop_all(&self, session: &Session, screen: Screen) -> Result<Result<(), Failure>, Failure> {
        let mut files = Vec::new();
        let outcome = self.folder.drop_all(session, &mut files);
        for file in &files {
            screen.answer(&json!({ "event": "dropped", "file": file }), |_| {
                tell!("Dropped {file}", "Déposé {file}")
            })?;
        }
        Ok(outcome)
    }
}

impl Documents for Session {
    fn waiting(&self) -> Result<Vec<Waiting>, Failure> {
        let mut waiting = Vec::new();
        for number in self.unexported()? {
            let view = match self.message(number) {
                // Deleted just now.
                Err(Error::NoSuchMessage) => continue,
                view => view?,
            };
            let summary = &view.summary;
            if view.is_hprim {
                let day = summary.dated_at.to_string();
                waiting.push(Waiting {
                    number,
                    id: summary.id,
                    file: file_name(&day, &summary.sender, summary.id.as_bytes()),
                });
            } else {
                // It holds no document and never will.
                self.record_export(number, summary.id, "")?;
            }
        }
        Ok(waiting)
    }

    fn bytes(&self, number: i64) -> Result<Option<Vec<u8>>, Failure> {
        match self.export_hprim(number) {
            Err(Error::NoSuchMessage | Error::NotHprim) => Ok(None),
            bytes => Ok(Some(bytes?)),
        }
    }

    fn record(&self, document: &Waiting) -> Result<bool, Failure> {
        Ok(self.record_export(document.number, document.id, &document.file)?)
    }
}

fn newest(session: &Session) -> Result<i64, Failure> {
    Ok(session
        .list(Folder::Inbox, None, ARRIVALS)?
        .iter()
        .map(|summary| summary.number)
        .max()
        .unwrap_or(0))
}

fn tell_arrivals(session: &Session, told: i64, screen: Screen) -> Result<i64, Failure> {
    let mut arrived: Vec<_> = session.list(Folder::Inbox, None, ARRIVALS)?;
    arrived.retain(|summary| summary.number > told);
    arrived.sort_by_key(|summary| summary.number);
    for summary in &arrived {
        let line = MailLine::of(summary);
        screen.answer(&json!({ "event": "arrived", "mail": line }), |_| line.arrival())?;
    }
    Ok(arrived.last().map_or(told, |summary| summary.number))
}
