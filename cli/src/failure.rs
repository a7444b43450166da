//! What goes wrong in this program itself, each with a stable code and what to do about it.
//! Errors of the phone's core and of the relay keep their own codes.

use std::io;
use std::path::PathBuf;

use serde_json::json;

use crate::language::{chosen, say, tell};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The person said no, or could not be asked.
    ConfirmationNeeded,
    /// The phone's core refused.
    Core(pli_core::Error),
    /// A process of the demonstration ended badly.
    DemoProcess { what: String, said: String },
    /// The demonstration did not show what it claims.
    DemoUnlike { what: String },
    /// The relay did not take the list with the new device.
    DeviceNotAdded,
    /// The person did not confirm a change of devices, or could not be asked.
    DeviceNotConfirmed,
    /// Several devices begin so.
    DeviceUnclear,
    /// Another process drops documents for this phone.
    ExportRunning,
    /// A file cannot be read.
    FileUnreadable { path: PathBuf, error: io::Error },
    /// A file cannot be written.
    FileUnwritable { path: PathBuf, error: io::Error },
    /// No folder for the phone's data is known.
    HomeUnknown,
    /// The file is no HPRIM document.
    Hprim(pli_core::hprim::HprimError),
    /// Of several files, some cannot be filed.
    HprimFilesUnusable { count: usize },
    /// The document lacks what it is filed by.
    HprimUnusable,
    /// The relay names another identity than the pinned one.
    IdentityChanged { address: String },
    /// Ctrl-C, or the system's wish to end.
    Interrupted,
    /// The letter is not UTF-8.
    LetterNotText { path: PathBuf },
    /// A line of input is missing.
    InputMissing { what: &'static str },
    /// No new device shows the code.
    LinkNotShown,
    /// A recipient has no device.
    NotReachable { address: String },
    /// The phone was not enrolled yet.
    NotSetUp,
    /// The identity is the pinned one.
    NothingToAccept { address: String },
    /// Two people compared a number, and it was not the same.
    NumberNotSame,
    /// Standard output went away.
    OutputClosed,
    /// The patient's lines are not three.
    PatientUnclear,
    /// The recovery phrase was shown and is not here any more.
    PhraseNotKept,
    /// The relay refused.
    Relay(backend::RelayError),
    /// The phone's folder belongs to another relay.
    ServerDiffers { known: String },
    /// Rows of a directory file were not taken.
    RowsRefused,
    /// The address of a relay is no https address.
    ServerUnclear,
    /// The system refused something this program stands on.
    System(io::Error),
    /// A file is larger than a mail may be.
    TooLarge { path: PathBuf, limit_bytes: usize },
}

impl Failure {
    /// Its code, stable over releases.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::ConfirmationNeeded => "confirmation-needed",
            Self::Core(error) => error.code(),
            Self::DemoProcess { .. } => "demo-process",
            Self::DemoUnlike { .. } => "demo-unlike",
            Self::DeviceNotAdded => "device-not-added",
            Self::DeviceNotConfirmed => "device-not-confirmed",
            Self::DeviceUnclear => "device-unclear",
            Self::ExportRunning => "export-running",
            Self::FileUnreadable { .. } => "file-unreadable",
            Self::FileUnwritable { .. } => "file-unwritable",
            Self::HomeUnknown => "home-unknown",
            Self::Hprim(error) => error.code(),
            Self::HprimFilesUnusable { .. } => "hprim-files-unusable",
            Self::HprimUnusable => "hprim-unusable",
            Self::IdentityChanged { .. } => "identity-changed",
            Self::InputMissing { .. } => "input-missing",
            Self::Interrupted => "interrupted",
            Self::LetterNotText { .. } => "letter-not-text",
            Self::LinkNotShown => "link-not-shown",
            Self::NotReachable { .. } => "not-reachable",
            Self::NotSetUp => "not-set-up",
            Self::NothingToAccept { .. } => "nothing-to-accept",
            Self::NumberNotSame => "number-not-same",
            Self::OutputClosed => "output-closed",
            Self::PatientUnclear => "patient-unclear",
            Self::PhraseNotKept => "phrase-not-kept",
            Self::Relay(error) => error.code(),
            Self::RowsRefused => "rows-refused",
            Self::ServerDiffers { .. } => "server-differs",
            Self::ServerUnclear => "server-unclear",
            Self::System(_) => "system",
            Self::TooLarge { .. } => "too-large",
        }
    }

    /// What happened and what to do, in the chosen language.
    #[expect(clippy::too_many_lines, reason = "one text for each failure")]
    pub(crate) fn message(&self) -> String {
        match self {
            Self::ConfirmationNeeded => say(
                "Not sent because of the warnings above. Correct the mail, or repeat the command with --yes.",
                "Non envoyé en raison des avertissements ci-dessus. Corrigez le courrier, ou répétez la commande avec --yes.",
            )
            .to_owned(),
            Self::Core(error) => error.message(chosen()),
            Self::DemoProcess { what, said } => tell!(
                "The process `{what}` of the demonstration failed. It said: {said}",
                "Le processus `{what}` de la démonstration a échoué. Il a dit : {said}"
            ),
            Self::DemoUnlike { what } => tell!(
                "The demonstration did not show what it should: {what}.",
                "La démonstration n'a pas montré ce qu'elle devait : {what}."
            ),
            Self::DeviceNotAdded => say(
                "The relay did not take the new device: its code may be too old. End `pli device link` there, begin it again, and read the new code.",
                "Le relais n'a pas pris le nouvel appareil : son code est peut-être trop ancien. Arrêtez-y `pli device link`, recommencez, et lisez le nouveau code.",
            )
            .to_owned(),
            Self::DeviceNotConfirmed => say(
                "Nothing has changed. Say yes where it asks, or repeat the command with --yes.",
                "Rien n'a changé. Répondez oui à la question, ou répétez la commande avec --yes.",
            )
            .to_owned(),
            Self::DeviceUnclear => say(
                "Several devices begin so: give more of the id that `pli device list` shows.",
                "Plusieurs appareils commencent ainsi : donnez plus de l'identifiant qu'affiche `pli device list`.",
            )
            .to_owned(),
            Self::ExportRunning => say(
                "Another `pli watch --export` runs for this phone. End it first: each document is dropped by one process.",
                "Un autre `pli watch --export` tourne pour ce téléphone. Arrêtez-le d'abord : un seul processus dépose les documents.",
            )
            .to_owned(),
            Self::FileUnreadable { path, error } => {
                let path = path.display();
                tell!(
                    "{path} cannot be read ({error}). Check its name and your rights.",
                    "{path} ne peut être lu ({error}). Vérifiez son nom et vos droits."
                )
            }
            Self::FileUnwritable { path, error } => {
                let path = path.display();
                tell!(
                    "{path} cannot be written ({error}). Check that its folder exists, your rights and the free space.",
                    "{path} ne peut être écrit ({error}). Vérifiez que son dossier existe, vos droits et la place libre."
                )
            }
            Self::HomeUnknown => say(
                "No folder for this phone's data is known. Give one by --home or in PLI_HOME.",
                "Aucun dossier n'est connu pour les données de ce téléphone. Donnez-en un par --home ou dans PLI_HOME.",
            )
            .to_owned(),
            Self::Hprim(error) => crate::hprim::refusal(*error),
            Self::HprimFilesUnusable { count } => tell!(
                "Files that no patient record could take: {count}. What each of them lacks stands above.",
                "Fichiers qu'aucun dossier patient ne pourrait prendre : {count}. Ce qui manque à chacun est dit ci-dessus."
            ),
            Self::HprimUnusable => say(
                "No patient record could file this: it needs surname, first name and birth date in lines 2, 3 and 7. Ask its sender for a correct document.",
                "Aucun dossier patient ne pourrait classer ceci : il faut nom, prénom et date de naissance aux lignes 2, 3 et 7. Demandez à l'expéditeur un document correct.",
            )
            .to_owned(),
            Self::IdentityChanged { address } => tell!(
                "{address} has another identity than the one this phone knows; mail between you waits. See and compare it: `pli directory accept {address}`.",
                "{address} a une autre identité que celle que ce téléphone connaît ; le courrier entre vous attend. Affichez-la et comparez : `pli directory accept {address}`."
            ),
            Self::InputMissing { what } => {
                tell!("Nothing was given for: {what}.", "Rien n'a été donné pour : {what}.")
            }
            Self::Interrupted => say("Stopped before the end.", "Arrêté avant la fin.").to_owned(),
            Self::LetterNotText { path } => {
                let path = path.display();
                tell!(
                    "{path} is not text in UTF-8. Save it as UTF-8, or send it by --attach.",
                    "{path} n'est pas du texte en UTF-8. Enregistrez-le en UTF-8, ou envoyez-le par --attach."
                )
            }
            Self::LinkNotShown => say(
                "No new device shows this code now. Read it again, and see that `pli device link` runs there.",
                "Aucun nouvel appareil ne montre ce code en ce moment. Relisez-le, et vérifiez que `pli device link` y tourne.",
            )
            .to_owned(),
            Self::NotReachable { address } => tell!(
                "{address} has no enrolled device yet, so nothing was sent. Reach them by other means, or ask them to enrol.",
                "{address} n'a pas encore d'appareil inscrit, rien n'a donc été envoyé. Joignez cette personne autrement, ou demandez-lui de s'inscrire."
            ),
            Self::NotSetUp => say(
                "This phone is not enrolled. Enrol it first: `pli enrol ADDRESS --server URL`.",
                "Ce téléphone n'est pas inscrit. Inscrivez-le d'abord : `pli enrol ADRESSE --server URL`.",
            )
            .to_owned(),
            Self::NothingToAccept { address } => tell!(
                "{address} has the identity that this phone knows: there is nothing to accept. `pli directory verify {address}` shows its number.",
                "{address} a l'identité que ce téléphone connaît : il n'y a rien à accepter. `pli directory verify {address}` affiche son numéro."
            ),
            Self::NumberNotSame => say(
                "Not marked. Make sure that both of you read all thirty digits; if they differ, write nothing of patients there and tell the operator: somebody may stand between you.",
                "Rien n'est retenu. Assurez-vous d'avoir lu tous deux les trente chiffres ; s'ils diffèrent, n'y écrivez rien sur des patients et prévenez l'opérateur : quelqu'un est peut-être entre vous.",
            )
            .to_owned(),
            Self::OutputClosed => say("Standard output was closed.", "La sortie standard a été fermée.").to_owned(),
            Self::PatientUnclear => say(
                "The patient needs three lines: surname, first name, birth date as dd/mm/yyyy.",
                "Le patient demande trois lignes : nom, prénom, date de naissance en jj/mm/aaaa.",
            )
            .to_owned(),
            Self::PhraseNotKept => say(
                "The recovery phrase was shown when this phone was enrolled, and is not kept here. Look for the paper. If it is lost, this phone goes on as before; once the phone is lost too, the operator has to activate you again.",
                "La phrase de secours a été montrée à l'inscription de ce téléphone, et n'y est pas gardée. Cherchez le papier. S'il est perdu, ce téléphone continue comme avant ; si le téléphone se perd aussi, l'opérateur devra vous réactiver.",
            )
            .to_owned(),
            Self::Relay(error) => relay_message(error),
            Self::RowsRefused => say(
                "Some rows were not taken; the others were. Correct them and import the file again.",
                "Certaines lignes n'ont pas été prises ; les autres l'ont été. Corrigez-les et réimportez le fichier.",
            )
            .to_owned(),
            Self::ServerDiffers { known } => tell!(
                "This phone's folder belongs to {known}. Name that relay, or take another folder by --home.",
                "Le dossier de ce téléphone appartient à {known}. Nommez ce relais, ou prenez un autre dossier par --home."
            ),
            Self::ServerUnclear => say(
                "The relay's address must be like https://relay.example or https://127.0.0.1:8443.",
                "L'adresse du relais doit ressembler à https://relay.example ou https://127.0.0.1:8443.",
            )
            .to_owned(),
            Self::System(error) => tell!("The system refused: {error}.", "Le système a refusé : {error}."),
            Self::TooLarge { path, limit_bytes } => {
                let path = path.display();
                let limit = limit_bytes.div_euclid(1024);
                tell!(
                    "{path} is larger than {limit} KB, the most that one mail may carry. Send less.",
                    "{path} dépasse {limit} Ko, le maximum pour un courrier. Envoyez moins."
                )
            }
        }
    }

    /// What goes to standard error.
    pub(crate) fn report(&self, as_json: bool) -> String {
        if as_json {
            json!({"error": {"code": self.code(), "message": self.message()}}).to_string()
        } else {
            format!("pli: [{}] {}", self.code(), self.message())
        }
    }
}

fn relay_message(error: &backend::RelayError) -> String {
    use backend::RelayError;
    match error {
        RelayError::AlreadyRunning => say(
            "Another relay runs on this folder. Stop it, or name another folder by --data.",
            "Un autre relais tourne sur ce dossier. Arrêtez-le, ou nommez un autre dossier par --data.",
        )
        .to_owned(),
        RelayError::BackupDamaged(file) => tell!(
            "This backup cannot be used: its {file} is missing, or not as it was copied. Take another one.",
            "Cette sauvegarde est inutilisable : son {file} manque, ou n'est pas tel qu'il a été copié. Prenez-en une autre."
        ),
        RelayError::BlobFolder(id) if id.is_empty() => say(
            "The relay's blobs folder belongs to another database. Bring back the relay.db that it belongs to.",
            "Le dossier blobs du relais appartient à une autre base. Remettez le relay.db qui va avec.",
        )
        .to_owned(),
        RelayError::BlobFolder(id) => tell!(
            "The relay's blobs folder is not the one that it began with. Mount its disk, or restore it, and start again. If it is lost for good, write {id} into blobs/folder.id: the senders of what was there are then told so.",
            "Le dossier blobs du relais n'est pas celui de ses débuts. Montez son disque, ou restaurez-le, puis relancez. S'il est perdu pour de bon, écrivez {id} dans blobs/folder.id : les expéditeurs de ce qui s'y trouvait en seront avertis."
        ),
        RelayError::Csv(error) => tell!(
            "This is no directory file: {error}. It needs columns given, surname and departement.",
            "Ce n'est pas un fichier d'annuaire : {error}. Il lui faut des colonnes given, surname et departement."
        ),
        RelayError::InTheWay(path) => {
            let path = path.display();
            tell!(
                "{path} is there already. Name another folder, or move this one away.",
                "{path} existe déjà. Nommez un autre dossier, ou déplacez celui-ci."
            )
        }
        RelayError::Io(error) => tell!(
            "The relay's folder cannot be used ({error}). Check its name, your rights and the free space.",
            "Le dossier du relais est inutilisable ({error}). Vérifiez son nom, vos droits et la place libre."
        ),
        RelayError::Listen(error) => tell!(
            "The relay cannot listen there ({error}). Choose another address by --listen; port 0 takes a free one.",
            "Le relais ne peut écouter là ({error}). Choisissez une autre adresse par --listen ; le port 0 en prend un libre."
        ),
        RelayError::NoBackup(path) => {
            let path = path.display();
            tell!(
                "There is no backup at {path}. Name the folder that `pli admin backup` made.",
                "Il n'y a pas de sauvegarde dans {path}. Nommez le dossier créé par `pli admin backup`."
            )
        }
        RelayError::NoEntry => say(
            "The directory has no such address. Import it first: `pli admin import`.",
            "L'annuaire ne contient pas cette adresse. Importez-la d'abord : `pli admin import`.",
        )
        .to_owned(),
        RelayError::NoRelay => say(
            "There is no relay in this folder. Name the one that `pli serve` runs on.",
            "Il n'y a pas de relais dans ce dossier. Nommez celui de `pli serve`.",
        )
        .to_owned(),
        RelayError::NotEnrolled => say(
            "Nobody is enrolled under this address: give a first code, `pli admin code`.",
            "Personne n'est inscrit sous cette adresse : donnez un premier code, `pli admin code`.",
        )
        .to_owned(),
        RelayError::Storage(error) => tell!(
            "The relay's database cannot be used: {error}. Nothing was changed.",
            "La base du relais est inutilisable : {error}. Rien n'a été modifié."
        ),
        RelayError::Tls(error) => tell!(
            "The certificate or its key cannot be used: {error}. Check --cert and --key.",
            "Le certificat ou sa clé est inutilisable : {error}. Vérifiez --cert et --key."
        ),
        other => other.to_string(),
    }
}

impl From<backend::RelayError> for Failure {
    fn from(error: backend::RelayError) -> Self {
        Self::Relay(error)
    }
}

impl From<pli_core::Error> for Failure {
    fn from(error: pli_core::Error) -> Self {
        Self::Core(error)
    }
}
