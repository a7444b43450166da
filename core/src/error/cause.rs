//! Why a call failed, within one kind of failure: each cause with its stable code, and what a person can do.
//! The kinds are [`super::Error`]'s; HPRIM, letters and the store have theirs in their own modules.

use protocol::RecipientsError;
use thiserror::Error;

use crate::code::coded;

/// Why a draft cannot be sent as it is.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{}", self.code())]
#[non_exhaustive]
pub enum DraftError {
    /// What was kept of it was sent or deleted meanwhile, by another process or on another device.
    Gone,
    /// It has no recipient.
    NoRecipient,
    /// A recipient is there twice, or is the sender.
    RecipientTwice,
    /// It is larger than a mail may be.
    TooLarge,
    /// It has more recipients than a mail may have.
    TooManyRecipients,
}

coded! {
    DraftError {
        Gone = "draft-gone",
        NoRecipient = "no-recipient",
        RecipientTwice = "recipient-twice",
        TooLarge = "too-large",
        TooManyRecipients = "too-many-recipients",
    }
}

impl DraftError {
    pub(super) const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Gone => (
                "Ce brouillon a été envoyé ou supprimé entre-temps : regardez les courriers envoyés avant d'en écrire un autre.",
                "This draft was sent or deleted meanwhile: look among the sent mail before you write another.",
            ),
            Self::NoRecipient => ("Indiquez au moins un destinataire.", "Name at least one recipient."),
            Self::RecipientTwice => (
                "Un destinataire figure deux fois, ou c'est vous-même.",
                "A recipient is there twice, or is yourself.",
            ),
            Self::TooLarge => (
                "Message trop volumineux (900 Ko au plus) : retirez une pièce jointe.",
                "The message is too large (900 KB at most): remove an attachment.",
            ),
            Self::TooManyRecipients => (
                "Trop de destinataires : seize au plus, tous concernés par le patient.",
                "Too many recipients: sixteen at most, all of whom care for the patient.",
            ),
        }
    }
}

impl From<RecipientsError> for DraftError {
    fn from(error: RecipientsError) -> Self {
        match error {
            RecipientsError::None => Self::NoRecipient,
            RecipientsError::TooMany => Self::TooManyRecipients,
            RecipientsError::Twice => Self::RecipientTwice,
        }
    }
}

/// Why a correspondent's keys are not used.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{}", self.code())]
#[non_exhaustive]
pub enum KeysError {
    /// A device takes only envelopes of versions that this phone does not write.
    CorrespondentTooNew,
    /// A recipient's identity is another than the pinned one, and the recovery key did not sign it.
    IdentityChanged,
    /// A prekey does not verify.
    PrekeysUnverified,
    /// The relay gives an older device list than it gave before.
    RelayBehind,
    /// The relay gives another device list under the same version.
    RelayForked,
    /// Identity or device list does not verify.
    Unverified,
}

coded! {
    KeysError {
        CorrespondentTooNew = "correspondent-too-new",
        IdentityChanged = "identity-changed",
        PrekeysUnverified = "prekeys-unverified",
        RelayBehind = "relay-behind",
        RelayForked = "relay-forked",
        Unverified = "keys-unverified",
    }
}

impl KeysError {
    pub(super) const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::CorrespondentTooNew => (
                "L'application d'un destinataire est plus récente que la vôtre : mettez la vôtre à jour.",
                "A recipient's application is newer than yours: update yours.",
            ),
            Self::IdentityChanged => (
                "L'identité d'un destinataire a changé ; son courrier attend. Comparez le nouveau numéro avec lui, puis acceptez-le.",
                "A recipient's identity changed; their mail waits. Compare the new number with them, then accept it.",
            ),
            Self::PrekeysUnverified | Self::RelayBehind | Self::RelayForked | Self::Unverified => (
                "Les clés d'un destinataire ne sont pas vérifiables ; son courrier attend, rien n'est perdu. Prévenez l'opérateur si cela dure.",
                "A recipient's keys do not verify; their mail waits and nothing is lost. Tell the operator if it lasts.",
            ),
        }
    }
}

/// Why the relay was not reached, or what it said not taken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{}", self.code())]
#[non_exhaustive]
pub enum NetworkError {
    /// The answer passes the limit.
    AnswerTooLarge,
    /// The answer is not the relay's.
    AnswerUnexpected,
    /// The answer is not of the form that was asked for.
    AnswerUnreadable,
    /// Who answers has no certificate that is trusted.
    CertificateRefused,
    /// The line broke.
    ConnectionLost,
    /// An open line gives no sign of life.
    LineDead,
    /// A proxy on the way asks for a password.
    ProxyAuthentication,
    /// Entries of the sequence are missing.
    SequenceGap,
    /// The relay hands out again what it was told is known.
    SequenceStuck,
    /// Something on the way takes no upgrade to a stream.
    StreamRefused,
    /// Nothing came in time.
    Timeout,
    /// No connection to the relay can be made.
    Unreachable,
}

coded! {
    NetworkError {
        AnswerTooLarge = "answer-too-large",
        AnswerUnexpected = "answer-unexpected",
        AnswerUnreadable = "answer-unreadable",
        CertificateRefused = "certificate-refused",
        ConnectionLost = "connection-lost",
        LineDead = "line-dead",
        ProxyAuthentication = "proxy-authentication",
        SequenceGap = "sequence-gap",
        SequenceStuck = "sequence-stuck",
        StreamRefused = "stream-refused",
        Timeout = "timeout",
        Unreachable = "unreachable-relay",
    }
}

impl NetworkError {
    /// Whether the relay was not even reached: nothing else will be either.
    pub(crate) const fn is_line_down(self) -> bool {
        matches!(self, Self::CertificateRefused | Self::Unreachable)
    }

    pub(super) const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::AnswerTooLarge | Self::AnswerUnexpected | Self::AnswerUnreadable => (
                "Quelque chose sur le réseau répond à la place du relais (portail, proxy) ; rien n'est perdu. Ouvrez la page de connexion du réseau ou changez-en.",
                "Something on the network answers in the relay's place (a portal, a proxy); nothing is lost. Open the network's sign-in page or use another network.",
            ),
            Self::CertificateRefused => (
                "Ce qui répond n'est pas le relais : son certificat n'est pas de confiance. Vérifiez l'adresse et le fichier de l'autorité, ou changez de réseau.",
                "What answers is not the relay: its certificate is not trusted. Check the address and the authority's file, or use another network.",
            ),
            Self::ConnectionLost | Self::LineDead | Self::StreamRefused | Self::Timeout | Self::Unreachable => (
                "Le relais ne répond pas ; ce qui est à envoyer partira dès qu'il répondra.",
                "The relay does not answer; what is to be sent will go as soon as it does.",
            ),
            Self::ProxyAuthentication => (
                "Le proxy du réseau demande un mot de passe : voyez avec votre service informatique.",
                "The network's proxy asks for a password: ask your network's administrator.",
            ),
            Self::SequenceGap | Self::SequenceStuck => (
                "Le relais ne remet pas le courrier dans l'ordre ; rien n'est pris ni perdu. Prévenez l'opérateur si cela dure.",
                "The relay does not deliver in order; nothing was taken or lost. Tell the operator if it lasts.",
            ),
        }
    }
}

/// Why what this phone was told of its relay cannot be used.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{}", self.code())]
#[non_exhaustive]
pub enum ServerError {
    /// There is no certificate to trust.
    CaEmpty,
    /// The file of certificates cannot be read.
    CaUnreadable,
    /// The address is not `https://…`.
    NotHttps,
    /// The relay bears another name than at the enrolment.
    Renamed,
    /// TLS cannot be set up.
    TlsUnusable,
    /// The address cannot be used.
    Unusable,
}

coded! {
    ServerError {
        CaEmpty = "ca-empty",
        CaUnreadable = "ca-unreadable",
        NotHttps = "server-not-https",
        Renamed = "server-renamed",
        TlsUnusable = "tls-unusable",
        Unusable = "server-unusable",
    }
}
