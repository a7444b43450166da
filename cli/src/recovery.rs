//! `pli recovery`: the backup, and a new phone in the place of one that is lost. How the phrase is asked for is in `phrase`.

use std::path::Path;

use pli_core::{BackupView, Session};
use protocol::address::Address;
use serde::Serialize;
use serde_json::json;

use crate::arguments::{Phone, RecoveryCommand, RelayName};
use crate::failure::Failure;
use crate::home::Home;
use crate::language::{say, tell};
use crate::mail::local_time;
use crate::phrase;
use crate::screen::{self, Screen};
use crate::watch::sync_if_possible;

/// Does one command on the backup or the phrase.
pub(crate) async fn recovery(command: RecoveryCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        RecoveryCommand::Backup {
            on,
            off,
            phrase_file,
            phone,
        } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            if on {
                begin(&session, phrase_file.as_deref(), screen).await
            } else if off {
                end(&session, screen).await
            } else {
                show(&session, screen)
            }
        }
        RecoveryCommand::Phrase(phone) => unshown(&phone, screen),
        RecoveryCommand::Restore {
            address,
            relay,
            phrase_file,
            phone,
        } => {
            let home = Home::find(phone.home.as_deref())?;
            restore(&home, &address, &relay, phrase_file.as_deref(), screen).await
        }
    }
}

/// What a backup costs, in one sentence.
pub(crate) fn cost() -> &'static str {
    say(
        "Phrase and backup together open everything: whoever gets both reads all of this phone's mail.",
        "Phrase et sauvegarde ensemble ouvrent tout : qui obtient les deux lit tout le courrier de ce téléphone.",
    )
}

#[derive(Serialize)]
struct Standing {
    on: bool,
    written_at: Option<String>,
    due: u32,
    full: bool,
    #[serde(skip)]
    view: Option<BackupView>,
}

impl Standing {
    fn of(session: &Session) -> Result<Self, Failure> {
        let view = session.backup()?;
        Ok(Self {
            on: view.is_some(),
            written_at: view.and_then(|view| view.written_at).map(|at| at.to_string()),
            due: view.map_or(0, |view| view.due),
            full: view.is_some_and(|view| view.is_full),
            view,
        })
    }

    fn text(&self) -> String {
        let Some(view) = self.view else {
            let cost = cost();
            return tell!(
                "Backup: none. A lost phone takes its mail with it. `pli recovery backup --on` begins one.\n{cost}",
                "Sauvegarde : aucune. Un téléphone perdu emporte son courrier. `pli recovery backup --on` en commence une.\n{cost}"
            );
        };
        let due = view.due;
        let written_at = view.written_at.map(local_time);
        if view.is_full {
            let at = written_at.unwrap_or_else(|| "-".to_owned());
            return tell!(
                "Backup: at the relay up to {at}, which has no room for more: {due} changes are on this phone alone. Delete old mail with attachments; the backup is written anew each month, without what was deleted.",
                "Sauvegarde : au relais jusqu'au {at}, qui n'a plus de place : {due} changements ne sont que sur ce téléphone. Supprimez d'anciens courriers à pièces jointes ; la sauvegarde est réécrite chaque mois, sans ce qui a été supprimé."
            );
        }
        match written_at {
            Some(at) if due == 0 => tell!(
                "Backup: at the relay, complete up to {at}.",
                "Sauvegarde : au relais, complète jusqu'au {at}."
            ),
            Some(at) => tell!(
                "Backup: at the relay up to {at}; {due} changes since go with the next `pli sync`.",
                "Sauvegarde : au relais jusqu'au {at} ; {due} changements depuis partent au prochain `pli sync`."
            ),
            None => say(
                "Backup: on; it goes to the relay with the next `pli sync`.",
                "Sauvegarde : activée ; elle part au relais au prochain `pli sync`.",
            )
            .to_owned(),
        }
    }
}

fn show(session: &Session, screen: Screen) -> Result<(), Failure> {
    screen.answer(&Standing::of(session)?, Standing::text)
}

async fn begin(session: &Session, phrase_file: Option<&Path>, screen: Screen) -> Result<(), Failure> {
    screen::aside(cost());
    session.start_backup(&phrase::read(phrase_file).await?)?;
    sync_if_possible(session, screen).await?;
    show(session, screen)
}

async fn end(session: &Session, screen: Screen) -> Result<(), Failure> {
    session.stop_backup().await?;
    screen.answer(&Standing::of(session)?, |_| {
        say(
            "The backup is ended, and the relay has dropped what it had of it.",
            "La sauvegarde est arrêtée, et le relais a supprimé ce qu'il en avait.",
        )
        .to_owned()
    })
}

fn unshown(phone: &Phone, screen: Screen) -> Result<(), Failure> {
    let session = Home::find(phone.home.as_deref())?.session()?;
    let phrase = session.unshown_phrase()?.ok_or(Failure::PhraseNotKept)?;
    screen.answer(&json!({ "recovery_phrase": phrase.words() }), |_| {
        let words = phrase.words();
        tell!(
            "Recovery phrase, shown this once:\n\n    {words}\n\nWrite it on paper and keep it away from this phone.",
            "Phrase de secours, montrée cette seule fois :\n\n    {words}\n\nÉcrivez-la sur papier et gardez-la loin de ce téléphone."
        )
    })?;
    Ok(session.phrase_shown()?)
}

#[derive(Serialize)]
struct Restored<'a> {
    address: &'a str,
    /// Mails that came back from the backup.
    #[serde(rename = "restored")]
    mails: u32,
    /// Parts of it that were gone or damaged.
    damaged: u32,
    /// Whether there is a backup, which goes on on this phone.
    backup: bool,
    /// Whether the backup was taken in to its end.
    complete: bool,
}

async fn restore(
    home: &Home,
    address: &Address,
    relay: &RelayName,
    phrase_file: Option<&Path>,
    screen: Screen,
) -> Result<(), Failure> {
    let phrase = phrase::read(phrase_file).await?;
    let session = home.set_up(&relay.server, relay.ca.as_deref())?;
    session.recover(address, &phrase).await?;
    // From here on the account is this phone's, whatever the line does.
    let report = sync_if_possible(&session, screen).await?;
    let restored = Restored {
        address: address.as_str(),
        mails: report.map_or(0, |report| report.restored),
        damaged: report.map_or(0, |report| report.damaged),
        backup: session.backup()?.is_some(),
        complete: report.is_some(),
    };
    screen.answer(&restored, |restored| {
        let (address, count) = (restored.address, restored.mails);
        let came = match (restored.complete, restored.backup) {
            (false, _) => say(
                "The backup, if there is one, comes with the next `pli sync`.",
                "La sauvegarde, s'il y en a une, vient au prochain `pli sync`.",
            )
            .to_owned(),
            (true, _) if restored.damaged > 0 => damaged(count, restored.damaged),
            (true, true) => tell!(
                "{count} mails came back from the backup, which goes on.",
                "{count} courriers sont revenus de la sauvegarde, qui continue."
            ),
            (true, false) => say(
                "There was no backup: the mail of the earlier phone is not here. `pli recovery backup --on` begins one.",
                "Il n'y avait pas de sauvegarde : le courrier de l'ancien téléphone n'est pas ici. `pli recovery backup --on` en commence une.",
            )
            .to_owned(),
        };
        tell!(
            "{address} is on this phone now. {came}\n\
             Correspondents need do nothing. What they sent to the earlier phone meanwhile is asked of theirs, and comes by itself.\n\
             The earlier phone erases itself as soon as it hears of this. The recovery phrase stays the same.",
            "{address} est désormais sur ce téléphone. {came}\n\
             Les correspondants n'ont rien à faire. Ce qu'ils ont envoyé entre-temps à l'ancien téléphone est redemandé aux leurs, et vient tout seul.\n\
             L'ancien téléphone s'efface dès qu'il l'apprend. La phrase de secours reste la même."
        )
    })
}

fn damaged(count: u32, parts: u32) -> String {
    tell!(
        "{count} mails came back from the backup, of which {parts} parts were gone or damaged at the relay: ask the operator, and correspondents for what is missing.",
        "{count} courriers sont revenus de la sauvegarde, dont {parts} parties manquaient ou étaient abîmées au relais : demandez à l'opérateur, et aux correspondants ce qui manque."
    )
}
