//! What can go wrong, as a shell sees it: a stable code, whether trying again helps, and what the person can do.
//! The causes within a kind are in `cause`, the store's in `store`.

mod cause;

use protocol::link::LinkError;
use protocol::problem::Code;
use protocol::{DeviceNameError, FormatError, address::AddressError, envelope::EnvelopeError, seal::SealError};
use thiserror::Error;

use crate::hprim::HprimError;
use crate::mime::MimeError;
use crate::store::StoreError;
use crate::text::Language;

pub use cause::{DraftError, KeysError, NetworkError, ServerError};

/// Any failure of the core. What is inside is for logs of a developer's machine; show [`Error::message`] to people.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not an address.
    #[error("address: {0}")]
    Address(#[from] AddressError),
    /// This phone is enrolled already.
    #[error("this phone is enrolled already")]
    AlreadyEnrolled,
    /// This device is the main one.
    #[error("this device is the main one")]
    AlreadyMain,
    /// A change of the device list is under way: this device hands over its role, or has not published it yet.
    #[error("the devices are changing")]
    DevicesChanging,
    /// The text is no name of a device.
    #[error("name of a device: {0}")]
    DeviceName(#[from] DeviceNameError),
    /// The relay knows of more than this phone has: its store was put back to an earlier copy.
    #[error("this phone was put back to an earlier copy")]
    DevicePutBack,
    /// This device was removed from its account, and has erased itself.
    #[error("this device was removed from its account")]
    DeviceRemoved,
    /// The draft cannot be sent as it is.
    #[error("draft: {0}")]
    Draft(#[from] DraftError),
    /// An envelope cannot be made.
    #[error("envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The relay sent something that does not verify.
    #[error("relay: {0}")]
    Format(#[from] FormatError),
    /// The HPRIM document cannot be read.
    #[error("HPRIM: {0}")]
    Hprim(#[from] HprimError),
    /// What the relay says of a correspondent does not hold, or is of a later version.
    #[error("keys: {0}")]
    Keys(#[from] KeysError),
    /// The code shown on a new device cannot be used.
    #[error("link: {0}")]
    Link(LinkError),
    /// Somebody of another account has read the code.
    #[error("linked to another account")]
    LinkedElsewhere,
    /// The session is locked.
    #[error("the session is locked")]
    Locked,
    /// The letter cannot be read.
    #[error("letter: {0}")]
    Mime(#[from] MimeError),
    /// The relay cannot be reached.
    #[error("network: {0}")]
    Network(#[from] NetworkError),
    /// There is no message with this number.
    #[error("no such message")]
    NoSuchMessage,
    /// The message did not arrive as HPRIM and has no patient.
    #[error("not an HPRIM document")]
    NotHprim,
    /// This phone is not enrolled.
    #[error("this phone is not enrolled")]
    NotEnrolled,
    /// There is no such device, or it is this one.
    #[error("no such device")]
    NoSuchDevice,
    /// Only the main device can do this.
    #[error("not the main device")]
    NotMain,
    /// The number compared is not that of the identity: it changed meanwhile.
    #[error("the number is of another identity")]
    NumberDiffers,
    /// It is the account's own address, which it does not compare or accept.
    #[error("the account's own address")]
    OwnAddress,
    /// The words are no recovery phrase.
    #[error("not a recovery phrase")]
    PhraseInvalid,
    /// The recovery phrase is another account's, or an earlier one of this account.
    #[error("the recovery phrase of another identity")]
    PhraseOfAnother,
    /// The system's random source failed.
    #[error("no random bytes to be had")]
    Random,
    /// The relay refused.
    #[error("the relay refused: {}", .0.as_str())]
    Relay(Code),
    /// The address of the relay or its certificate authority cannot be used.
    #[error("server: {0}")]
    Server(#[from] ServerError),
    /// The mail is on its way out.
    #[error("still on its way out")]
    StillLeaving,
    /// The store failed.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// The account has as many devices as it may have.
    #[error("too many devices")]
    TooManyDevices,
    /// The mail is not one that can be withdrawn.
    #[error("cannot be withdrawn")]
    TooLateToWithdraw,
}

impl Error {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "address-invalid",
            Self::AlreadyEnrolled => "already-enrolled-here",
            Self::AlreadyMain => "already-main",
            Self::DevicesChanging => "devices-changing",
            Self::DeviceName(_) => "device-name-invalid",
            Self::DevicePutBack => "device-put-back",
            Self::DeviceRemoved => "device-removed",
            Self::Draft(reason) => reason.code(),
            Self::Envelope(_) => "envelope-invalid",
            Self::Format(_) => "relay-answer-invalid",
            Self::Hprim(error) => error.code(),
            Self::Keys(reason) => reason.code(),
            Self::Link(_) => "link-code-refused",
            Self::LinkedElsewhere => "linked-elsewhere",
            Self::Locked => "locked",
            Self::Mime(error) => error.code(),
            Self::Network(reason) => reason.code(),
            Self::NoSuchMessage => "no-such-message",
            Self::NotEnrolled => "not-enrolled",
            Self::NotHprim => "not-hprim",
            Self::NoSuchDevice => "no-such-device",
            Self::NotMain => "not-main",
            Self::NumberDiffers => "number-differs",
            Self::OwnAddress => "own-address",
            Self::PhraseInvalid => "phrase-invalid",
            Self::PhraseOfAnother => "phrase-of-another",
            Self::Random => "no-randomness",
            Self::Relay(code) => code.as_str(),
            Self::Server(reason) => reason.code(),
            Self::StillLeaving => "still-leaving",
            Self::Store(error) => error.code(),
            Self::TooManyDevices => "too-many-devices",
            Self::TooLateToWithdraw => "too-late-to-withdraw",
        }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Keys(_)
            | Self::Network(_)
            | Self::Relay(
                Code::TemporarilyUnavailable | Code::Throttled | Code::TokenRefused | Code::ChallengeRefused,
            ) => true,
            Self::Store(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether it may lie in one thing that was being taken in, and not in the store, the line or this phone: what else came
    /// with it is taken in all the same.
    pub(crate) const fn is_of_one_entry(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Corrupt | StoreError::Fault),
            Self::DevicePutBack
            | Self::DeviceRemoved
            | Self::Locked
            | Self::Network(_)
            | Self::NotEnrolled
            | Self::Random
            | Self::Relay(_)
            | Self::Server(_) => false,
            _ => true,
        }
    }

    /// What to tell a person: what happened and what can be done.
    #[must_use]
    pub fn message(&self, language: Language) -> String {
        let (french, english) = self.texts();
        match language {
            Language::English => english.to_owned(),
            Language::French => french.to_owned(),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one text for each failure")]
    const fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Address(_) => (
                "Ce n'est pas une adresse : écrivez prenom.nom@medicalNN.apicrypt.org.",
                "This is not an address: write prenom.nom@medicalNN.apicrypt.org.",
            ),
            Self::AlreadyEnrolled => (
                "Ce téléphone est déjà inscrit : utilisez un autre dossier pour un autre compte.",
                "This phone is enrolled already: use another folder for another account.",
            ),
            Self::AlreadyMain => (
                "Cet appareil est déjà l'appareil principal : il n'y a rien à faire.",
                "This device is the main one already: there is nothing to do.",
            ),
            Self::DevicesChanging => (
                "Un changement d'appareils est en cours : synchronisez les deux appareils, puis réessayez. Retirer l'appareil qui devait devenir le principal annule.",
                "A change of devices is under way: sync both devices, then try again. To remove the one that was to be the main one calls it off.",
            ),
            Self::DeviceName(_) => (
                "Ce nom ne convient pas à un appareil : une ligne de 64 octets au plus, par exemple « Tablette du cabinet ».",
                "This cannot be a device's name: one line of at most 64 bytes, such as \"Tablet at the practice\".",
            ),
            Self::DevicePutBack => (
                "Ce téléphone a été remis à un état antérieur : il lui manque ce qui est venu depuis ; rien n'est effacé, rien n'est envoyé. Reprenez le compte ici avec la phrase de secours, ou reliez-le de nouveau depuis l'appareil principal.",
                "This phone was put back to an earlier state and lacks what came since; nothing is erased, nothing is sent. Take the account over here with the recovery phrase, or link it again from the main device.",
            ),
            Self::DeviceRemoved => (
                "Le compte est désormais sur un autre appareil ; celui-ci s'est effacé. Si ce n'est pas vous, prévenez l'opérateur.",
                "The account is on another device now; this one has erased itself. If that was not you, tell the operator.",
            ),
            Self::Draft(reason) => reason.texts(),
            Self::Envelope(_) => (
                "Ce message ne peut pas être mis sous pli : réduisez-le ou vérifiez les destinataires.",
                "This message cannot be sealed: make it smaller or check the recipients.",
            ),
            Self::Format(_) => (
                "La réponse du relais n'est pas vérifiable ; rien n'a été accepté. Prévenez l'opérateur.",
                "The relay's answer does not verify and nothing was taken from it. Tell the operator.",
            ),
            Self::Hprim(_) => (
                "Ce fichier n'est pas un document HPRIM lisible : vérifiez le fichier exporté par votre logiciel.",
                "This file is not a readable HPRIM document: check what your software exported.",
            ),
            Self::Keys(reason) => reason.texts(),
            Self::Link(_) => (
                "Ce code n'est pas celui que montre le nouvel appareil : relisez-le, ou faites-en afficher un autre.",
                "This is not the code that the new device shows: read it again, or have it show another one.",
            ),
            Self::LinkedElsewhere => (
                "Un autre compte a répondu à ce code ; rien n'a été repris. Recommencez, sans montrer le code à d'autres.",
                "Another account has answered this code and nothing was taken from it. Begin again, and show the code to nobody else.",
            ),
            Self::Locked => (
                "La session est verrouillée : déverrouillez-la.",
                "The session is locked: unlock it.",
            ),
            Self::Mime(_) => (
                "Cette lettre n'est pas lisible ; elle est gardée telle quelle.",
                "This letter cannot be read; it is kept as it is.",
            ),
            Self::Network(reason) => reason.texts(),
            Self::NoSuchMessage => (
                "Aucun message ne porte ce numéro : affichez la liste pour le retrouver.",
                "No message has this number: list the messages to find it.",
            ),
            Self::NotEnrolled => (
                "Ce téléphone n'est pas inscrit : commencez par l'inscription avec votre code d'activation.",
                "This phone is not enrolled: begin by enrolling with your activation code.",
            ),
            Self::NotHprim => (
                "Ce message n'est pas un document HPRIM : exportez-le en .eml.",
                "This message is not an HPRIM document: export it as .eml.",
            ),
            Self::NoSuchDevice => (
                "Aucun autre appareil du compte ne porte cet identifiant : affichez la liste.",
                "No other device of the account has this identifier: list the devices.",
            ),
            Self::NotMain => (
                "Seul l'appareil principal peut ajouter ou retirer des appareils : faites-le sur celui-là.",
                "Only the main device can add or remove devices: do it there.",
            ),
            Self::NumberDiffers => (
                "Ce numéro n'est pas (ou plus) celui de cette identité : affichez-le de nouveau et comparez-le.",
                "This number is not, or no longer, that of this identity: show it again and compare it.",
            ),
            Self::OwnAddress => (
                "C'est votre propre adresse : indiquez celle d'un correspondant.",
                "This is your own address: name a correspondent's.",
            ),
            Self::PhraseInvalid => (
                "Ce ne sont pas les douze mots d'une phrase de secours : vérifiez l'orthographe et l'ordre.",
                "These are not the twelve words of a recovery phrase: check spelling and order.",
            ),
            Self::PhraseOfAnother => (
                "Cette phrase de secours n'est pas celle de cette adresse : vérifiez l'adresse, ou demandez un nouveau code à l'opérateur.",
                "This recovery phrase is not that of this address: check the address, or ask the operator for a new code.",
            ),
            Self::Random => (
                "Le système ne fournit pas d'aléa : redémarrez l'appareil.",
                "The system gives no random bytes: restart the device.",
            ),
            Self::Relay(code) => relay_texts(*code),
            Self::Server(_) => (
                "L'adresse du relais ou son autorité de certification est inutilisable : vérifiez l'adresse https et le fichier.",
                "The relay's address or certificate authority cannot be used: check the https address and the file.",
            ),
            Self::StillLeaving => (
                "Ce message n'est pas encore parti : reprenez-le d'abord, ou attendez qu'il soit envoyé.",
                "This message has not left yet: take it back first, or wait until it is sent.",
            ),
            Self::Store(error) => error.texts(),
            Self::TooManyDevices => (
                "Le compte a déjà seize appareils : retirez-en un d'abord.",
                "The account has sixteen devices already: remove one first.",
            ),
            Self::TooLateToWithdraw => (
                "Ce message ne peut plus être repris : il a été relevé, ou il n'est pas de vous.",
                "This message cannot be taken back: it was retrieved, or is not yours.",
            ),
        }
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        if error == SealError::Random {
            Self::Random
        } else {
            Self::Envelope(error.into())
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<getrandom::Error> for Error {
    fn from(_: getrandom::Error) -> Self {
        Self::Random
    }
}

const fn relay_texts(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::ActivationRefused => (
            "Code d'activation faux, déjà utilisé ou expiré : demandez-en un nouveau à l'opérateur.",
            "The activation code is wrong, used or expired: ask the operator for a new one.",
        ),
        Code::AlreadyEnrolled => (
            "Cette adresse est déjà inscrite sur un autre appareil : demandez à l'opérateur.",
            "This address is enrolled on another device: ask the operator.",
        ),
        Code::NotFound => (
            "L'annuaire ne connaît pas cette adresse : cherchez la personne par son nom.",
            "The directory does not know this address: search for the person by name.",
        ),
        Code::TemporarilyUnavailable => (
            "Le relais est momentanément indisponible : réessayez plus tard.",
            "The relay cannot do this now: try again later.",
        ),
        Code::Throttled => (
            "Trop de demandes : attendez quelques minutes.",
            "Too many requests: wait a few minutes.",
        ),
        Code::TooLarge => (
            "Trop volumineux pour être envoyé : raccourcissez-le, ou retirez une pièce jointe.",
            "Too large to be sent: shorten it, or remove an attachment.",
        ),
        Code::Unreachable => (
            "Aucun destinataire n'a encore d'appareil inscrit : joignez-le autrement.",
            "No recipient has an enrolled device yet: reach them by other means.",
        ),
        Code::Withdrawn => (
            "Ce message a été repris avant d'arriver au relais : il ne part plus.",
            "This message was taken back before it reached the relay: it does not leave any more.",
        ),
        Code::DeviceUnknown => (
            "Le relais ne connaît plus cet appareil ; rien n'est effacé. Demandez à l'opérateur : s'il a restauré une copie plus ancienne que votre inscription, inscrivez-vous de nouveau ici avec le code qu'il vous donne.",
            "The relay does not know this device any more; nothing is erased. Ask the operator: if a copy older than your enrolment was restored, enrol here once more with the code that they give you.",
        ),
        Code::DeviceSuspended => (
            "Cet appareil est suspendu ; rien n'est effacé. Rétablissez-le depuis l'appareil principal, puis synchronisez. Si c'est lui l'appareil principal, reprenez le compte ici même avec la phrase de secours.",
            "This device is suspended; nothing is erased. Let it in again on the main device, then sync. If it is the main one itself, restore the account right here with the recovery phrase.",
        ),
        Code::NotMain => (
            "Seul l'appareil principal peut le faire : faites-le sur celui-là.",
            "Only the main device can do this: do it there.",
        ),
        Code::CursorMismatch => (
            "Le relais et cet appareil ne s'accordent pas sur ce qui a été remis ; rien n'est perdu ici. Prévenez l'opérateur.",
            "The relay and this device do not agree on what was delivered; nothing is lost here. Tell the operator.",
        ),
        _ => (
            "Le relais a refusé ; rien n'est perdu. Prévenez l'opérateur si cela dure.",
            "The relay refused; nothing is lost. Tell the operator if it lasts.",
        ),
    }
}
