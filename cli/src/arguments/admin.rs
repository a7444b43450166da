//! `pli admin …` on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use protocol::address::Address;

use super::examples;
use crate::language::say;

/// `pli admin`.
#[derive(Args)]
pub(crate) struct Admin {
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

/// `pli admin …`.
#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    #[command(about = say("Import directory entries from a CSV file", "Importer des fiches d'annuaire depuis un fichier CSV"),
        after_help = examples(&["pli admin import directory.csv --data relay", "pli admin import directory.csv --data relay --json"]))]
    Import {
        #[arg(value_name = "FILE", help = say("CSV with a header line; - reads standard input", "CSV avec une ligne d'en-tête ; - lit l'entrée standard"))]
        file: PathBuf,
        #[arg(long, value_name = "DIR", help = say("Folder of the relay", "Dossier du relais"))]
        data: PathBuf,
    },
    #[command(about = say("Print a new activation code for an address", "Afficher un nouveau code d'activation pour une adresse"),
        after_help = examples(&["pli admin code jean.martin@medical28.apicrypt.org --data relay"]))]
    Code {
        #[arg(value_name = "ADDRESS", help = say("The entry's address", "Adresse de la fiche"))]
        address: Address,
        #[arg(long, value_name = "DIR", help = say("Folder of the relay", "Dossier du relais"))]
        data: PathBuf,
    },
    #[command(about = say(
        "Print a code that activates an address anew, for somebody without phone and phrase",
        "Afficher un code qui réactive une adresse, pour qui n'a plus ni téléphone ni phrase"
    ), long_about = say(
        "Print a code that activates an address anew, for somebody without phone and phrase. Once it is used, the phones of before are refused, and correspondents are warned and have to accept: make sure who asks.",
        "Afficher un code qui réactive une adresse, pour qui n'a plus ni téléphone ni phrase. Une fois utilisé, les téléphones d'avant sont refusés, et les correspondants sont avertis et doivent accepter : assurez-vous de qui le demande."
    ), after_help = examples(&["pli admin reissue jean.martin@medical28.apicrypt.org --data relay"]))]
    Reissue {
        #[arg(value_name = "ADDRESS", help = say("The address that is enrolled", "Adresse déjà inscrite"))]
        address: Address,
        #[arg(long, value_name = "DIR", help = say("Folder of the relay", "Dossier du relais"))]
        data: PathBuf,
    },
    #[command(about = say("Find entries, and see where their addresses stand", "Chercher des fiches, et voir où en sont leurs adresses"),
        after_help = examples(&[
            "pli admin find martin --data relay",
            "pli admin find --town Chartres --data relay --json",
            "pli admin find jean.martin@medical28.apicrypt.org --data relay",
        ]))]
    Find {
        #[arg(value_name = "WORDS", required_unless_present = "town", help = say("Beginnings of names, or an address", "Débuts de noms, ou une adresse"))]
        words: Vec<String>,
        #[arg(long, value_name = "TOWN", default_value = "", hide_default_value = true, help = say("Beginning of the town", "Début de la ville"))]
        town: String,
        #[arg(long, value_name = "DIR", help = say("Folder of the relay", "Dossier du relais"))]
        data: PathBuf,
    },
    #[command(about = say(
        "Count users by profession and département, and mails by day",
        "Compter les utilisateurs par profession et département, et les courriers par jour"
    ), after_help = examples(&["pli admin figures --data relay", "pli admin figures --data relay --days 7 --json"]))]
    Figures {
        #[arg(long, value_name = "DIR", help = say("Folder of the relay", "Dossier du relais"))]
        data: PathBuf,
        #[arg(long, value_name = "N", default_value_t = 30, hide_default_value = true, value_parser = clap::value_parser!(u32).range(1..=90), help = say(
            "Days of mails, 90 at most [default: 30]",
            "Jours de courriers, 90 au plus [par défaut : 30]"
        ))]
        days: u32,
    },
    #[command(about = say("Copy a relay's folder, also while the relay runs", "Copier le dossier d'un relais, même pendant qu'il tourne"),
        long_about = say(
            "Copy a relay's folder, also while the relay runs. The copy is as of one moment; it holds ciphertext, the directory and, with --dev-tls, the authority's key: keep it as you keep the relay.",
            "Copier le dossier d'un relais, même pendant qu'il tourne. La copie est celle d'un seul instant ; elle contient des données chiffrées, l'annuaire et, avec --dev-tls, la clé de l'autorité : protégez-la comme le relais."
        ), after_help = examples(&["pli admin backup /srv/backups/monday --data relay", "pli admin backup /srv/backups/monday --data relay --json"]))]
    Backup {
        #[arg(value_name = "BACKUP", help = say("Folder to make; there must be none", "Dossier à créer ; il ne doit pas exister"))]
        backup: PathBuf,
        #[arg(long, value_name = "DIR", help = say("Folder of the relay", "Dossier du relais"))]
        data: PathBuf,
    },
    #[command(about = say("Look at every byte of a backup: is it whole?", "Examiner chaque octet d'une sauvegarde : est-elle entière ?"),
        after_help = examples(&["pli admin check /srv/backups/monday", "pli admin check /srv/backups/monday --json"]))]
    Check {
        #[arg(value_name = "BACKUP", help = say("The backup", "La sauvegarde"))]
        backup: PathBuf,
    },
    #[command(about = say("Make a relay's folder of a backup", "Refaire le dossier d'un relais depuis une sauvegarde"),
        long_about = say(
            "Make a relay's folder of a backup, after looking at every byte of it. Phones notice a relay that was put back, and give it again what came after the backup.",
            "Refaire le dossier d'un relais depuis une sauvegarde, après en avoir examiné chaque octet. Les téléphones remarquent un relais remis en arrière, et lui redonnent ce qui est venu après la sauvegarde."
        ), after_help = examples(&["pli admin restore /srv/backups/monday --data relay"]))]
    Restore {
        #[arg(value_name = "BACKUP", help = say("The backup", "La sauvegarde"))]
        backup: PathBuf,
        #[arg(long, value_name = "DIR", help = say("Folder to make; there must be none, or an empty one", "Dossier à créer ; il ne doit pas exister, ou être vide"))]
        data: PathBuf,
    },
}
