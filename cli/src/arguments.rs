//! The command line: what can be asked for, with help and examples in both languages.
//! What the commands do is in the module of each.

mod admin;
mod device;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use protocol::address::Address;

use crate::language::{self, Language, chosen, say};

pub(crate) use admin::{Admin, AdminCommand};
pub(crate) use device::{Device, DeviceCommand};

/// Everything that stands on the command line.
#[derive(Parser)]
#[command(
    name = "pli",
    version,
    about = say(
        "Pli: sealed mail between health professionals. Relay, demonstration and terminal client.",
        "Pli : courrier sous pli entre professionnels de santé. Relais, démonstration et client de terminal."
    ),
    after_help = examples(&["pli demo", "pli enrol --help", "pli mail list --lang fr"]),
    disable_help_subcommand = true,
    propagate_version = false
)]
pub(crate) struct Arguments {
    #[arg(long, global = true, value_parser = language::of_code, value_name = "LANG", help = say(
        "Language of all texts: en or fr [default: the locale's]",
        "Langue de tous les textes : en ou fr [par défaut : celle du système]"
    ))]
    pub(crate) lang: Option<Language>,
    #[arg(long, global = true, help = say(
        "Answer in JSON, errors included",
        "Répondre en JSON, erreurs comprises"
    ))]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(about = say(
        "Watch a nurse, a GP and a cardiologist exchange sealed mail through a real relay",
        "Voir une infirmière, un généraliste et une cardiologue échanger du courrier scellé par un vrai relais"
    ), after_help = examples(&["pli demo", "pli demo --once", "pli demo --once --lang fr"]))]
    Demo(Demo),
    #[command(about = say("Run a relay with its directory", "Faire tourner un relais et son annuaire"), after_help = examples(&[
        "pli serve --data relay --dev-tls",
        "pli serve --data /var/lib/pli --listen 0.0.0.0:8443 --cert chain.pem --key key.pem --name relay.example",
        "pli serve --data relay --listen 127.0.0.1:8080 --plain",
        "pli serve --data relay --dev-tls --metrics 127.0.0.1:9464",
    ]))]
    Serve(Serve),
    #[command(about = say("Operate a relay: its directory, its backups", "Gérer un relais : son annuaire, ses sauvegardes"), after_help = examples(&[
        "pli admin import directory.csv --data relay",
        "pli admin code jean.martin@medical28.apicrypt.org --data relay",
        "pli admin backup /srv/backups/monday --data relay",
    ]))]
    Admin(Admin),
    #[command(about = say("Enrol this phone for an address", "Inscrire ce téléphone pour une adresse"), after_help = examples(&[
        "pli enrol jean.martin@medical28.apicrypt.org --server https://127.0.0.1:8443 --ca relay/ca.pem --home jean",
        "pli enrol jean.martin@medical28.apicrypt.org --server https://relay.example --code-file code.txt --backup",
    ]))]
    Enrol(Enrol),
    #[command(about = say(
        "Keep a backup, or go on on a new phone with the recovery phrase",
        "Garder une sauvegarde, ou reprendre sur un nouveau téléphone avec la phrase de secours"
    ), after_help = examples(&[
        "pli recovery backup",
        "pli recovery restore jean.martin@medical28.apicrypt.org --server https://relay.example",
    ]))]
    Recovery(Recovery),
    #[command(about = say(
        "Add, list, name, suspend and remove the devices of your address",
        "Ajouter, lister, nommer, suspendre et retirer les appareils de votre adresse"
    ), after_help = examples(&[
        "pli device link jean.martin@medical28.apicrypt.org --name Tablette --server https://relay.example",
        "pli device accept",
        "pli device list",
    ]))]
    Device(Device),
    #[command(about = say("Write, read and file mail", "Écrire, lire et classer le courrier"), after_help = examples(&[
        "pli mail list",
        "pli mail show 3",
        "pli mail send --to jean.martin@medical28.apicrypt.org --subject \"Pansement\" --letter letter.txt --patient patient.txt",
    ]))]
    Mail(Mail),
    #[command(about = say("Look people up", "Chercher des correspondants"), after_help = examples(&[
        "pli directory find martin",
        "pli directory find \"le goff\" --town Chartres --json",
        "pli directory show jean.martin@medical28.apicrypt.org",
        "pli directory verify jean.martin@medical28.apicrypt.org",
    ]))]
    Directory(Directory),
    #[command(about = say(
        "Send what waits here and take in what waits at the relay",
        "Envoyer ce qui attend ici et relever ce qui attend au relais"
    ), after_help = examples(&["pli sync", "pli sync --home jean --json"]))]
    Sync(Phone),
    #[command(about = say(
        "Stay connected, print what arrives, and drop HPRIM documents into a folder",
        "Rester connecté, afficher ce qui arrive et déposer les documents HPRIM dans un dossier"
    ), after_help = examples(&["pli watch", "pli watch --export /srv/practice/hprim", "pli watch --json"]))]
    Watch(Watch),
    #[command(about = say("Check and export HPRIM documents", "Contrôler et exporter des documents HPRIM"), after_help = examples(&[
        "pli hprim check result.hpr",
        "pli hprim export 3 --output result.hpr",
    ]))]
    Hprim(Hprim),
}

/// `pli demo`.
#[derive(Args)]
pub(crate) struct Demo {
    #[arg(long, help = say(
        "End after the story: status 0, or 1 if anything failed",
        "S'arrêter après l'histoire : statut 0, ou 1 si quoi que ce soit a échoué"
    ))]
    pub(crate) once: bool,
}

/// `pli serve`.
#[derive(Args)]
#[command(group = ArgGroup::new("transport").required(true).args(["dev_tls", "cert", "plain"]))]
pub(crate) struct Serve {
    #[arg(long, value_name = "DIR", help = say("Folder of the relay, made if missing", "Dossier du relais, créé s'il manque"))]
    pub(crate) data: PathBuf,
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443", hide_default_value = true, help = say(
        "Where to listen; port 0 takes a free one [default: 127.0.0.1:8443]",
        "Où écouter ; le port 0 en prend un libre [par défaut : 127.0.0.1:8443]"
    ))]
    pub(crate) listen: SocketAddr,
    #[arg(long, help = say(
        "TLS with an authority of its own, kept in DIR; clients take DIR/ca.pem by --ca",
        "TLS avec une autorité propre, gardée dans DIR ; les clients prennent DIR/ca.pem par --ca"
    ))]
    pub(crate) dev_tls: bool,
    #[arg(long, value_name = "FILE", requires = "key", help = say("TLS with this certificate chain (PEM)", "TLS avec cette chaîne de certificats (PEM)"))]
    pub(crate) cert: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "cert", help = say("Key of --cert (PEM)", "Clé de --cert (PEM)"))]
    pub(crate) key: Option<PathBuf>,
    #[arg(long, help = say("No TLS: behind a proxy that has it", "Sans TLS : derrière un mandataire qui s'en charge"))]
    pub(crate) plain: bool,
    #[arg(long, value_name = "NAME", default_value = "pli", hide_default_value = true, help = say(
        "The relay's name, part of every challenge [default: pli]",
        "Nom du relais, repris dans chaque défi [par défaut : pli]"
    ))]
    pub(crate) name: String,
    #[arg(long, value_name = "ADDRESS:PORT", help = say(
        "Where Prometheus reads counts, without TLS or token; whoever reaches it may read them [default: nowhere]",
        "Où Prometheus lit les compteurs, sans TLS ni jeton ; qui y accède peut les lire [par défaut : nulle part]"
    ))]
    pub(crate) metrics: Option<SocketAddr>,
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
}

/// Whose phone it is.
#[derive(Args, Clone)]
pub(crate) struct Phone {
    #[arg(long, value_name = "DIR", help = say(
        "Folder of this phone [default: PLI_HOME, else the platform's data folder]",
        "Dossier de ce téléphone [par défaut : PLI_HOME, sinon le dossier de données du système]"
    ))]
    pub(crate) home: Option<PathBuf>,
}

/// `pli enrol`.
#[derive(Args)]
pub(crate) struct Enrol {
    #[arg(value_name = "ADDRESS", help = say("Your address", "Votre adresse"))]
    pub(crate) address: Address,
    #[command(flatten)]
    pub(crate) relay: RelayName,
    #[arg(long, value_name = "FILE", help = say(
        "File that holds the activation code [default: asked for, or read from standard input]",
        "Fichier qui contient le code d'activation [par défaut : demandé, ou lu sur l'entrée standard]"
    ))]
    pub(crate) code_file: Option<PathBuf>,
    #[arg(long, conflicts_with = "no_backup", help = say(
        "Keep a sealed backup at the relay; with the phrase it opens everything [default: asked for, else none]",
        "Garder une sauvegarde scellée au relais ; avec la phrase elle ouvre tout [par défaut : demandé, sinon aucune]"
    ))]
    pub(crate) backup: bool,
    #[arg(long, help = say("Keep no backup", "Ne pas garder de sauvegarde"))]
    pub(crate) no_backup: bool,
    #[command(flatten)]
    pub(crate) phone: Phone,
}

/// Which relay, and how it is known.
#[derive(Args)]
pub(crate) struct RelayName {
    #[arg(long, value_name = "URL", help = say("The relay, https://…", "Le relais, https://…"))]
    pub(crate) server: String,
    #[arg(long, value_name = "FILE", help = say(
        "Authority that the relay's certificate must stand on (PEM) [default: the system's]",
        "Autorité dont relève le certificat du relais (PEM) [par défaut : celles du système]"
    ))]
    pub(crate) ca: Option<PathBuf>,
}

/// `pli recovery`.
#[derive(Args)]
pub(crate) struct Recovery {
    #[command(subcommand)]
    pub(crate) command: RecoveryCommand,
}

/// `pli recovery …`.
#[derive(Subcommand)]
pub(crate) enum RecoveryCommand {
    #[command(about = say(
        "Say what the backup holds; begin it, or end it",
        "Dire où en est la sauvegarde ; la commencer, ou l'arrêter"
    ), after_help = examples(&[
        "pli recovery backup",
        "pli recovery backup --on",
        "pli recovery backup --off --json",
    ]))]
    Backup {
        #[arg(long, conflicts_with = "off", help = say(
            "Keep a sealed backup at the relay; asks for the recovery phrase, which opens it",
            "Garder une sauvegarde scellée au relais ; demande la phrase de secours, qui l'ouvre"
        ))]
        on: bool,
        #[arg(long, help = say("End it; the relay drops what it has", "L'arrêter ; le relais supprime ce qu'il en a"))]
        off: bool,
        #[arg(long, value_name = "FILE", requires = "on", help = phrase_file())]
        phrase_file: Option<PathBuf>,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say(
        "Show the recovery phrase, if it was not shown yet",
        "Afficher la phrase de secours, si elle ne l'a pas encore été"
    ), after_help = examples(&["pli recovery phrase"]))]
    Phrase(Phone),
    #[command(about = say(
        "Take your address over on this new phone; the earlier one is no device of it any more",
        "Reprendre votre adresse sur ce nouveau téléphone ; l'ancien n'en est plus un appareil"
    ), after_help = examples(&[
        "pli recovery restore jean.martin@medical28.apicrypt.org --server https://relay.example",
        "pli recovery restore jean.martin@medical28.apicrypt.org --server https://127.0.0.1:8443 --ca relay/ca.pem --home jean",
    ]))]
    Restore {
        #[arg(value_name = "ADDRESS", help = say("Your address", "Votre adresse"))]
        address: Address,
        #[command(flatten)]
        relay: RelayName,
        #[arg(long, value_name = "FILE", help = phrase_file())]
        phrase_file: Option<PathBuf>,
        #[command(flatten)]
        phone: Phone,
    },
}

/// `pli mail`.
#[derive(Args)]
pub(crate) struct Mail {
    #[command(subcommand)]
    pub(crate) command: MailCommand,
}

/// `pli mail …`.
#[derive(Subcommand)]
pub(crate) enum MailCommand {
    #[command(about = say("Write a mail; it is kept here until the relay has it", "Écrire un courrier ; il est gardé ici jusqu'à ce que le relais l'ait"),
        after_help = examples(&[
            "pli mail send --to jean.martin@medical28.apicrypt.org --subject \"Pansement\" --letter letter.txt --patient patient.txt",
            "pli mail send --to jean.martin@medical28.apicrypt.org --hprim result.hpr",
            "pli mail send --to jean.martin@medical28.apicrypt.org --subject \"Photo\" --letter - --attach wound.jpg --yes < letter.txt",
        ]))]
    Send(Send),
    #[command(about = say("Send a mail that was kept as a draft", "Envoyer un courrier gardé comme brouillon"),
        after_help = examples(&["pli mail send-draft 3", "pli mail send-draft 3 --yes"]))]
    SendDraft {
        #[command(flatten)]
        which: Which,
        #[arg(long, help = say("Send in spite of warnings, unasked", "Envoyer malgré les avertissements, sans demander"))]
        yes: bool,
    },
    #[command(about = say("List a folder, newest first", "Lister un dossier, du plus récent au plus ancien"),
        after_help = examples(&["pli mail list", "pli mail list --folder sent --json", "pli mail list --search \"cardio lanv\""]))]
    List {
        #[arg(long, value_enum, default_value = "inbox", hide_default_value = true, hide_possible_values = true, value_name = "FOLDER", help = say(
            "inbox, sent, drafts or archive [default: inbox]",
            "inbox (reçus), sent (envoyés), drafts (brouillons) ou archive [par défaut : inbox]"
        ))]
        folder: FolderName,
        #[arg(long, value_name = "WORDS", help = say(
            "Only what holds these words, or words that begin so; - reads them from standard input",
            "Seulement ce qui contient ces mots, ou des mots qui commencent ainsi ; - les lit sur l'entrée standard"
        ))]
        search: Option<String>,
        #[arg(long, value_name = "N", default_value_t = 50, hide_default_value = true, help = say("At most so many [default: 50]", "Au plus ce nombre [par défaut : 50]"))]
        limit: u32,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say("Show a mail and mark it read", "Afficher un courrier et le marquer lu"),
        after_help = examples(&["pli mail show 3", "pli mail show 3 --peek --json"]))]
    Show {
        #[command(flatten)]
        which: Which,
        #[arg(long, help = say("Do not mark it read", "Ne pas le marquer lu"))]
        peek: bool,
    },
    #[command(about = say("Answer a mail", "Répondre à un courrier"),
        after_help = examples(&["pli mail answer 3 --letter answer.txt", "echo \"Bien reçu.\" | pli mail answer 3 --letter - --yes"]))]
    Answer {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        content: Content,
    },
    #[command(about = say("Forward a mail", "Transférer un courrier"),
        after_help = examples(&["pli mail forward 3 --to helene.vasseur@medical28.apicrypt.org --letter note.txt"]))]
    Forward {
        #[command(flatten)]
        which: Which,
        #[arg(long, value_name = "ADDRESS", required = true, action = ArgAction::Append, help = say("To whom; may be repeated", "À qui ; peut être répété"))]
        to: Vec<Address>,
        #[command(flatten)]
        content: Content,
    },
    #[command(about = say("Mark a mail handled; its sender is told, sealed", "Marquer un courrier traité ; l'expéditeur l'apprend, sous pli"),
        after_help = examples(&["pli mail handled 3"]))]
    Handled(Which),
    #[command(about = say("Move a mail to the archive", "Archiver un courrier"), after_help = examples(&["pli mail archive 3"]))]
    Archive(Which),
    #[command(about = say("Delete a mail from this phone for good", "Supprimer définitivement un courrier de ce téléphone"),
        after_help = examples(&["pli mail delete 3"]))]
    Delete(Which),
    #[command(about = say("Take back a mail that nobody has retrieved", "Reprendre un courrier que personne n'a relevé"),
        after_help = examples(&["pli mail withdraw 3"]))]
    Withdraw(Which),
    #[command(about = say("Try again to send a mail that was refused", "Tenter à nouveau d'envoyer un courrier refusé"),
        after_help = examples(&["pli mail retry 3"]))]
    Retry(Which),
    #[command(about = say("Write a mail to a file, for other software", "Écrire un courrier dans un fichier, pour un autre logiciel"),
        after_help = examples(&[
            "pli mail export 3 --eml --output mail.eml",
            "pli mail export 3 --attachments --output photos",
            "pli hprim export 3 --output result.hpr",
        ]))]
    #[command(group = ArgGroup::new("format").required(true).args(["attachments", "eml"]))]
    Export {
        #[command(flatten)]
        which: Which,
        #[arg(long, help = say("Its attachments, into a folder", "Ses pièces jointes, dans un dossier"))]
        attachments: bool,
        #[arg(long, help = say("As an Internet message (RFC 5322)", "Comme message Internet (RFC 5322)"))]
        eml: bool,
        #[arg(long, value_name = "FILE", help = say(
            "File to write, - for standard output; folder for attachments",
            "Fichier à écrire, - pour la sortie standard ; dossier pour les pièces jointes"
        ))]
        output: PathBuf,
    },
    #[command(about = say("List what arrived and could not be opened", "Lister ce qui est arrivé et n'a pas pu être ouvert"),
        after_help = examples(&["pli mail unopened", "pli mail unopened --json"]))]
    Unopened(Phone),
    #[command(about = say("Tell senders when their mail was read, or not", "Dire ou non aux expéditeurs que leur courrier a été lu"),
        after_help = examples(&["pli mail receipts off", "pli mail receipts on"]))]
    Receipts {
        #[arg(value_enum, value_name = "on|off", hide_possible_values = true, help = say("on or off", "on (oui) ou off (non)"))]
        switch: Switch,
        #[command(flatten)]
        phone: Phone,
    },
}

/// One mail of this phone.
#[derive(Args)]
pub(crate) struct Which {
    #[arg(value_name = "N", help = say("Its number, as `pli mail list` shows it", "Son numéro, tel que `pli mail list` le montre"))]
    pub(crate) number: i64,
    #[command(flatten)]
    pub(crate) phone: Phone,
}

/// `pli mail send`.
#[derive(Args)]
pub(crate) struct Send {
    #[arg(long, value_name = "ADDRESS", required = true, action = ArgAction::Append, help = say("To whom; may be repeated", "À qui ; peut être répété"))]
    pub(crate) to: Vec<Address>,
    #[arg(long, value_name = "TEXT", help = say("Subject [default: asked for]", "Objet [par défaut : demandé]"))]
    pub(crate) subject: Option<String>,
    #[arg(long, value_name = "FILE", help = say(
        "Patient: a file of three lines, surname, first name, birth date; - asks for them",
        "Patient : un fichier de trois lignes, nom, prénom, date de naissance ; - les demande"
    ))]
    pub(crate) patient: Option<PathBuf>,
    #[arg(long, value_name = "FILE", conflicts_with = "patient", help = say(
        "HPRIM document to send, byte for byte; it names its patient itself, and --letter is a note above it",
        "Document HPRIM à envoyer, octet pour octet ; il nomme lui-même son patient, et --letter est une note au-dessus"
    ))]
    pub(crate) hprim: Option<PathBuf>,
    #[arg(long, help = say("Keep it as a draft", "Le garder comme brouillon"))]
    pub(crate) draft: bool,
    #[command(flatten)]
    pub(crate) content: Content,
    #[command(flatten)]
    pub(crate) phone: Phone,
}

/// What a mail says.
#[derive(Args)]
pub(crate) struct Content {
    #[arg(long, value_name = "FILE", help = say(
        "File with the text, in UTF-8; - reads standard input",
        "Fichier du texte, en UTF-8 ; - lit l'entrée standard"
    ))]
    pub(crate) letter: Option<PathBuf>,
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help = say("File to attach; may be repeated", "Fichier à joindre ; peut être répété"))]
    pub(crate) attach: Vec<PathBuf>,
    #[arg(long, help = say("Send in spite of warnings, unasked", "Envoyer malgré les avertissements, sans demander"))]
    pub(crate) yes: bool,
}

/// A folder of mail.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FolderName {
    /// Archived.
    Archive,
    /// Not sent yet.
    Drafts,
    /// Received.
    Inbox,
    /// Sent, or waiting to be.
    Sent,
}

/// On or off.
#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
pub(crate) enum Switch {
    /// No.
    Off,
    /// Yes.
    On,
}

/// `pli directory`.
#[derive(Args)]
pub(crate) struct Directory {
    #[command(subcommand)]
    pub(crate) command: DirectoryCommand,
}

/// `pli directory …`.
#[derive(Subcommand)]
pub(crate) enum DirectoryCommand {
    #[command(about = say("Find people by name and town", "Chercher par nom et par ville"),
        after_help = examples(&["pli directory find martin", "pli directory find \"le goff\" --town Chartres --json"]))]
    Find {
        #[arg(value_name = "WORDS", required = true, num_args = 1.., help = say("Words of first name and surname, in any order", "Mots du prénom et du nom, dans n'importe quel ordre"))]
        words: Vec<String>,
        #[arg(long, value_name = "TOWN", help = say("Only in this town", "Seulement dans cette ville"))]
        town: Option<String>,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say("Show one entry", "Afficher une fiche"), after_help = examples(&["pli directory show jean.martin@medical28.apicrypt.org"]))]
    Show {
        #[arg(value_name = "ADDRESS", help = say("The entry's address", "Adresse de la fiche"))]
        address: Address,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say(
        "Compare a number with a correspondent, and keep that it was the same",
        "Comparer un numéro avec un correspondant, et retenir qu'il était le même"
    ), after_help = examples(&[
        "pli directory verify jean.martin@medical28.apicrypt.org",
        "pli directory verify jean.martin@medical28.apicrypt.org --number \"25814 00917 63310 48206 91755 30042\"",
    ]))]
    Verify(Compared),
    #[command(about = say(
        "Accept the new identity of a correspondent, with whom it was compared",
        "Accepter la nouvelle identité d'un correspondant, comparée avec lui"
    ), after_help = examples(&[
        "pli directory accept jean.martin@medical28.apicrypt.org",
        "pli directory accept jean.martin@medical28.apicrypt.org --number \"25814 00917 63310 48206 91755 30042\" --json",
    ]))]
    Accept(Compared),
}

/// Whose number, and the number where it was compared already.
#[derive(Args)]
pub(crate) struct Compared {
    #[arg(value_name = "ADDRESS", help = say("The correspondent's address", "Adresse du correspondant"))]
    pub(crate) address: Address,
    #[arg(long, value_name = "NUMBER", help = say(
        "The number that the correspondent sees [default: shown here, and asked whether it is the same]",
        "Le numéro que voit le correspondant [par défaut : affiché ici, en demandant si c'est le même]"
    ))]
    pub(crate) number: Option<String>,
    #[command(flatten)]
    pub(crate) phone: Phone,
}

/// `pli watch`.
#[derive(Args)]
pub(crate) struct Watch {
    #[arg(long, value_name = "DIR", help = say(
        "Drop each received HPRIM document into this folder, whole and once",
        "Déposer chaque document HPRIM reçu dans ce dossier, entier et une seule fois"
    ))]
    pub(crate) export: Option<PathBuf>,
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
    #[command(flatten)]
    pub(crate) phone: Phone,
}

/// `pli hprim`.
#[derive(Args)]
pub(crate) struct Hprim {
    #[command(subcommand)]
    pub(crate) command: HprimCommand,
}

/// `pli hprim …`.
#[derive(Subcommand)]
pub(crate) enum HprimCommand {
    #[command(about = say("Say what files hold, and what is wrong with them by line", "Dire ce que contiennent des fichiers, et ce qui ne va pas, ligne par ligne"),
        long_about = say(
            "Say what files hold, and what is wrong with them by line.\n\nEach deviation from the strict format has a code, which docs/hprim.md explains. With --json each file is one line. The status is 1 when a file is no HPRIM, or lacks what files it in a record.",
            "Dire ce que contiennent des fichiers, et ce qui ne va pas, ligne par ligne.\n\nChaque écart avec le format strict a un code, que docs/hprim.md explique. Avec --json, chaque fichier est une ligne. Le statut est 1 quand un fichier n'est pas de l'HPRIM, ou qu'il lui manque de quoi être classé dans un dossier."
        ),
        after_help = examples(&[
            "pli hprim check result.hpr",
            "pli hprim check /srv/practice/hprim/*.hpr",
            "pli hprim check result.hpr --json",
            "pli hprim export 3 --output - | pli hprim check -",
        ]))]
    Check {
        #[arg(value_name = "FILE", required = true, help = say("HPRIM files; - reads standard input", "Fichiers HPRIM ; - lit l'entrée standard"))]
        files: Vec<PathBuf>,
    },
    #[command(about = say("Write a mail's HPRIM document to a file, byte for byte as it arrived", "Écrire le document HPRIM d'un courrier dans un fichier, octet pour octet tel qu'il est arrivé"),
        after_help = examples(&["pli hprim export 3 --output result.hpr"]))]
    Export {
        #[command(flatten)]
        which: Which,
        #[arg(long, value_name = "FILE", help = say("File to write; - writes to standard output", "Fichier à écrire ; - écrit sur la sortie standard"))]
        output: PathBuf,
    },
}

/// The parser, with its headings in the chosen language.
pub(crate) fn parser() -> clap::Command {
    localised(Arguments::command().styles(Styles::plain()))
}

/// What to tell a person whose command line cannot be understood.
pub(crate) fn usage_problem(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.trim_end().strip_prefix("error: ").unwrap_or(text.trim_end());
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        let missing = say("Name a command.", "Nommez une commande.");
        return format!("pli: [usage] {missing}\n\n{text}");
    }
    if chosen() == Language::English {
        return format!("pli: [usage] {text}");
    }
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    let argument = of(ContextKind::InvalidArg);
    let value = of(ContextKind::InvalidValue);
    let said = match error.kind() {
        ErrorKind::ArgumentConflict => format!("{argument} ne va pas avec une autre option donnée."),
        ErrorKind::InvalidSubcommand => format!("La commande {} n'existe pas.", of(ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue if value.is_empty() => format!("Il manque une valeur à {argument}."),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("La valeur « {value} » ne convient pas pour {argument}.")
        }
        ErrorKind::MissingRequiredArgument => format!("Il manque : {argument}."),
        ErrorKind::UnknownArgument => format!("L'option {argument} n'existe pas."),
        _ => text.to_owned(),
    };
    format!("pli: [usage] {said}\n\n« --help » montre l'usage et des exemples.")
}

fn localised(command: clap::Command) -> clap::Command {
    if chosen() == Language::English {
        return command;
    }
    let template = if command.has_subcommands() {
        "{about}\n\nUtilisation : {usage}\n\nCommandes :\n{subcommands}\n\nOptions :\n{options}{after-help}"
    } else if command.get_positionals().next().is_some() {
        "{about}\n\nUtilisation : {usage}\n\nArguments :\n{positionals}\n\nOptions :\n{options}{after-help}"
    } else {
        "{about}\n\nUtilisation : {usage}\n\nOptions :\n{options}{after-help}"
    };
    let has_version = command.get_version().is_some();
    let mut command = command.help_template(template).disable_help_flag(true).arg(
        clap::Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::Help)
            .help("Afficher cette aide"),
    );
    if has_version {
        command = command.disable_version_flag(true).arg(
            clap::Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("Afficher la version"),
        );
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, localised);
    }
    command
}

/// The phrase never stands on the command line, which others on the machine can read.
fn phrase_file() -> &'static str {
    say(
        "File that holds the recovery phrase [default: asked for, or read from standard input]",
        "Fichier qui contient la phrase de secours [par défaut : demandée, ou lue sur l'entrée standard]",
    )
}

fn examples(lines: &[&str]) -> String {
    let mut text = say("Examples:", "Exemples :").to_owned();
    for line in lines {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(command: &clap::Command, path: &str, check: &mut impl FnMut(&clap::Command, &str)) {
        check(command, path);
        for sub in command.get_subcommands() {
            walk(sub, &format!("{path} {}", sub.get_name()), check);
        }
    }

    #[test]
    fn every_example_parses() {
        parser().debug_assert();
        let mut seen = 0;
        walk(&parser(), "pli", &mut |command, path| {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = help.lines().skip(1).collect();
            assert!(!lines.is_empty(), "{path} has no example");
            for line in lines {
                let line = line.trim().split(" | ").last().unwrap().split(" < ").next().unwrap();
                let mut words = Vec::new();
                for (index, part) in line.split('"').enumerate() {
                    if index % 2 == 1 {
                        words.push(part.to_owned());
                    } else {
                        words.extend(part.split_whitespace().map(str::to_owned));
                    }
                }
                match parser().try_get_matches_from(&words) {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp, "{line}: {error}"),
                }
                seen += 1;
            }
        });
        assert!(seen > 40, "{seen}");
    }

    #[test]
    fn every_option_says_what_it_is() {
        walk(&parser(), "pli", &mut |command, path| {
            assert!(command.get_about().is_some(), "{path}");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{path} {}", argument.get_id());
            }
        });
    }
}
