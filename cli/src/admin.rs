//! `pli admin`: a relay's directory, its codes and its backups. What is done to the folder is `pli-backend`'s.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use backend::admin::{Account, Activation, Figures};
use backend::backup::Contents;
use backend::{admin, backup};
use protocol::address::Address;
use serde::Serialize;

use crate::arguments::AdminCommand;
use crate::failure::Failure;
use crate::files;
use crate::language::{say, tell};
use crate::screen::{Screen, table};

/// Largest directory file that is imported at once.
const DIRECTORY_LIMIT_BYTES: usize = 256 * 1024 * 1024;

#[derive(Serialize)]
struct Imported {
    added: u32,
    updated: u32,
    unchanged: u32,
    addresses: Vec<Address>,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    line: u64,
    reason: String,
}

#[derive(Serialize)]
struct ActivationCode {
    address: String,
    code: String,
}

/// Operates a relay, in its folder.
pub(crate) fn admin(command: AdminCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        AdminCommand::Import { file, data } => {
            let bytes = files::read(&file, DIRECTORY_LIMIT_BYTES)?;
            let report = admin::import_csv(&data, Cursor::new(bytes))?;
            let imported = Imported {
                added: report.added,
                updated: report.updated,
                unchanged: report.unchanged,
                addresses: report.addresses,
                refused: report
                    .refused
                    .into_iter()
                    .map(|row| Refused {
                        line: row.line,
                        reason: row.reason,
                    })
                    .collect(),
            };
            screen.answer(&imported, told)?;
            if imported.refused.is_empty() {
                Ok(())
            } else {
                Err(Failure::RowsRefused)
            }
        }
        AdminCommand::Code { address, data } => {
            let code = admin::make_activation_code(&data, &address)?;
            answer_code(screen, &address, code)
        }
        AdminCommand::Reissue { address, data } => {
            let code = admin::reissue(&data, &address)?;
            answer_code(screen, &address, code)
        }
        AdminCommand::Backup { backup, data } => {
            let contents = backup::make(&data, &backup)?;
            answer_backup(screen, &backup, contents, None)
        }
        AdminCommand::Check { backup } => answer_backup(screen, &backup, backup::check(&backup)?, None),
        AdminCommand::Figures { data, days } => screen.answer(&admin::figures(&data, days)?, counted),
        AdminCommand::Find { words, town, data } => {
            let accounts = admin::find(&data, &words.join(" "), &town)?;
            screen.answer(&serde_json::json!({ "entries": accounts }), |_| listed(&accounts))
        }
        AdminCommand::Restore { backup, data } => {
            let contents = backup::restore(&backup, &data)?;
            let next = say(
                "It was restored. Start the relay on it, at the same address and under the same name: phones give it again what came after the backup.",
                "La restauration est faite. Lancez-y le relais, à la même adresse et sous le même nom : les téléphones lui redonnent ce qui est venu après la sauvegarde.",
            );
            answer_backup(screen, &data, contents, Some(next))
        }
    }
}

#[derive(Serialize)]
struct Backup {
    folder: PathBuf,
    #[serde(flatten)]
    contents: Contents,
}

fn answer_backup(screen: Screen, folder: &Path, contents: Contents, next: Option<&str>) -> Result<(), Failure> {
    let Contents {
        accounts,
        blobs,
        bytes,
        lost,
    } = contents;
    let backup = Backup {
        folder: folder.to_owned(),
        contents,
    };
    screen.answer(&backup, |backup| {
        let folder = backup.folder.display();
        let (accounts, blobs) = (
            counted_of(accounts, say("account", "compte")),
            counted_of(blobs, "blob"),
        );
        let mut text = tell!(
            "{folder} is whole: {accounts}, {blobs}, {bytes} bytes.",
            "{folder} est entier : {accounts}, {blobs}, {bytes} octets."
        );
        if lost > 0 {
            text.push('\n');
            text.push_str(&tell!(
                "{lost} blobs had been lost by the relay before; their senders are told when they are asked for.",
                "{lost} blobs avaient déjà été perdus par le relais ; leurs expéditeurs en sont avertis quand on les demande."
            ));
        }
        if let Some(next) = next {
            text.push('\n');
            text.push_str(next);
        }
        text
    })
}

/// A count with its noun, which both languages end alike.
fn counted_of(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn answer_code(screen: Screen, address: &Address, code: String) -> Result<(), Failure> {
    let code = ActivationCode {
        address: address.to_string(),
        code,
    };
    screen.answer(&code, |code| code.code.clone())
}

fn told(imported: &Imported) -> String {
    let Imported {
        added,
        updated,
        unchanged,
        ..
    } = imported;
    let mut lines = vec![tell!(
        "{added} entries added, {updated} updated, {unchanged} unchanged.",
        "{added} fiches ajoutées, {updated} mises à jour, {unchanged} inchangées."
    )];
    lines.extend(imported.addresses.iter().map(|address| format!("  {address}")));
    for Refused { line, reason } in &imported.refused {
        lines.push(tell!(
            "  line {line} not taken: {reason}",
            "  ligne {line} non prise : {reason}"
        ));
    }
    lines.join("\n")
}

fn listed(accounts: &[Account]) -> String {
    if accounts.is_empty() {
        return say(
            "No entry found. Try fewer or shorter words.",
            "Aucune fiche trouvée. Essayez avec moins de mots, ou plus courts.",
        )
        .to_owned();
    }
    let row = |Account { entry, standing }: &Account| {
        let mut devices = standing.devices.to_string();
        if standing.suspended > 0 {
            let suspended = standing.suspended;
            devices.push_str(&tell!(", {suspended} suspended", ", dont {suspended} suspendus"));
        }
        vec![
            format!("{} {}", entry.given, entry.surname),
            entry.profession.clone(),
            format!("{} {}", entry.postcode, entry.town).trim().to_owned(),
            if standing.enrolled_at.is_some() {
                say("yes", "oui")
            } else {
                say("no", "non")
            }
            .to_owned(),
            devices,
            code_text(standing.code).to_owned(),
            entry.address.to_string(),
        ]
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    let head = say(
        ["Name", "Profession", "Town", "Enrolled", "Devices", "Code", "Address"],
        ["Nom", "Profession", "Ville", "Inscrit", "Appareils", "Code", "Adresse"],
    );
    table(&head, &rows)
}

fn code_text(code: Activation) -> &'static str {
    match code {
        Activation::Expired => say("expired", "expiré"),
        Activation::None => say("none", "aucun"),
        Activation::Reissued => say("waits, reissues", "en attente, réactive"),
        Activation::Used => say("used", "utilisé"),
        Activation::Waiting => say("waits", "en attente"),
    }
}

fn counted(figures: &Figures) -> String {
    let users: Vec<_> = figures
        .users
        .iter()
        .map(|users| {
            vec![
                users.departement.clone(),
                users.entries.to_string(),
                users.enrolled.to_string(),
                users.profession.clone(),
            ]
        })
        .collect();
    let days: Vec<_> = figures
        .days
        .iter()
        .map(|day| {
            vec![
                day.day.clone(),
                day.mails.to_string(),
                day.recipients.to_string(),
                day.retrieved.to_string(),
            ]
        })
        .collect();
    let users_head = say(
        ["Département", "Entries", "Enrolled", "Profession"],
        ["Département", "Fiches", "Inscrits", "Profession"],
    );
    let days_head = say(
        ["Day (UTC)", "Mails", "Recipients", "Retrieved"],
        ["Jour (UTC)", "Courriers", "Destinataires", "Relevés"],
    );
    format!("{}\n\n{}", table(&users_head, &users), table(&days_head, &days))
}
