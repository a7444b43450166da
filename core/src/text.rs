//! What a person reads of states, warnings and reasons, in each language, for every shell alike.
//! The texts of failures stand with [`Error`](crate::Error), those of HPRIM with `hprim`.

use crate::mail::compose::SendWarning;
use crate::mail::delivery::DeliveryState;
use crate::sync::unopened::Reason;

/// The language of what a person reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// English.
    English,
    /// French.
    French,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// Its ISO 639-1 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// That of a locale, as `fr-FR` or `fr_FR.UTF-8`; English where Pli does not speak it.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let spoken = locale.split(['-', '_', '.', '@']).next().unwrap_or_default();
        if spoken.eq_ignore_ascii_case("fr") {
            Self::French
        } else {
            Self::English
        }
    }

    const fn one_of(self, english: &'static str, french: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::French => french,
        }
    }
}

impl DeliveryState {
    /// In a word or two, for a list.
    #[must_use]
    pub const fn text(self, language: Language) -> &'static str {
        match self {
            Self::Queued => language.one_of("waiting here", "en attente ici"),
            Self::Sent => language.one_of("sent", "envoyé"),
            Self::Available => language.one_of("available", "à disposition"),
            Self::NotRetrieved => language.one_of(
                "available, but nobody has retrieved it for 3 days: reach them by other means",
                "à disposition, mais personne ne l'a relevé depuis 3 jours : joignez-le autrement",
            ),
            Self::Retrieved => language.one_of("retrieved", "relevé"),
            Self::Read => language.one_of("read", "lu"),
            Self::Handled => language.one_of("handled", "traité"),
            Self::Unreachable => language.one_of("not reachable", "non joignable"),
            Self::Withdrawn => language.one_of("withdrawn", "repris"),
            Self::Expired => language.one_of(
                "expired: nobody retrieved it in 90 days, and the relay has erased it",
                "expiré : personne ne l'a relevé en 90 jours, et le relais l'a effacé",
            ),
            Self::Refused => language.one_of("refused", "refusé"),
            Self::IdentityChanged => language.one_of(
                "left out, their identity changed: compare the number, then send it again",
                "laissé de côté, son identité a changé : comparez le numéro, puis renvoyez-le",
            ),
            Self::KeysRefused => language.one_of(
                "left out, their keys cannot be used: reach them by other means",
                "laissé de côté, ses clés sont inutilisables : joignez-le autrement",
            ),
            Self::TooNew => language.one_of(
                "left out, their application is newer: update yours, then send it again",
                "laissé de côté, son application est plus récente : mettez la vôtre à jour, puis renvoyez-le",
            ),
            Self::Unknown => language.one_of("not known: ask them", "sort inconnu : demandez-lui"),
            Self::Lost => language.one_of("lost by the relay: send it again", "perdu par le relais : renvoyez-le"),
        }
    }
}

impl SendWarning {
    /// What the person should look at, in a sentence.
    #[must_use]
    pub const fn text(self, language: Language) -> &'static str {
        match self {
            Self::AttachmentInsteadOfText => language.one_of(
                "A text is attached as a file: in the body it would reach the patient's record.",
                "Un texte est joint en fichier : dans le corps, il irait au dossier du patient.",
            ),
            Self::BirthDateMissing => language.one_of(
                "The patient's birth date is missing or lies in the future: the mail cannot be filed.",
                "La date de naissance du patient manque ou est dans le futur : le courrier ne pourra pas être classé.",
            ),
            Self::PatientMissing => language.one_of(
                "No patient is named: the correspondent's software cannot file the mail.",
                "Aucun patient n'est nommé : le logiciel du correspondant ne pourra pas classer le courrier.",
            ),
            Self::PatientNameMissing => language.one_of(
                "The patient's surname or first name is missing: the mail cannot be filed.",
                "Le nom ou le prénom du patient manque : le courrier ne pourra pas être classé.",
            ),
            Self::SeveralRecipients => language.one_of(
                "It goes to several people: each must care for this patient.",
                "Il part vers plusieurs personnes : chacune doit prendre en charge ce patient.",
            ),
            Self::SubjectMissing => language.one_of("It has no subject.", "Il n'a pas d'objet."),
            Self::TooLarge => language.one_of(
                "It is larger than 900 KB and will be refused: send less.",
                "Il dépasse 900 Ko et sera refusé : envoyez moins.",
            ),
            Self::Written(deviation) => language.one_of(deviation.in_english(), deviation.in_french()),
        }
    }
}

impl Reason {
    /// Why it was not opened and what can be done, in a sentence or two.
    #[must_use]
    pub const fn text(self, language: Language) -> &'static str {
        match self {
            Self::CannotOpen => language.one_of(
                "Its key does not open it: it was damaged, or sealed for another. Ask the sender to send it again.",
                "Sa clé ne l'ouvre pas : il a été abîmé, ou scellé pour un autre. Demandez à l'expéditeur de le renvoyer.",
            ),
            Self::CannotStore => language.one_of(
                "It opens, but the store does not take it. Pli tries again for 30 days; update Pli, or ask the sender to send it again.",
                "Il s'ouvre, mais le coffre ne le prend pas. Pli réessaie pendant 30 jours ; mettez Pli à jour, ou demandez à l'expéditeur de le renvoyer.",
            ),
            Self::Emptied => language.one_of(
                "Its sender took it back, it expired, or the relay dropped it: the relay does not say whose it was.",
                "Son expéditeur l'a repris, il a expiré, ou le relais l'a abandonné : le relais ne dit pas de qui il venait.",
            ),
            Self::IdentityChanged => language.one_of(
                "The sender's keys are no longer those known here: a new enrolment, or somebody else. Ask by telephone.",
                "Les clés de l'expéditeur ne sont plus celles connues ici : nouvelle inscription, ou imposture. Demandez-lui par téléphone.",
            ),
            Self::KeysUnverified => language.one_of(
                "What the relay says of the sender's keys does not hold. Pli tries again for 30 days.",
                "Ce que le relais dit des clés de l'expéditeur ne tient pas. Pli réessaie pendant 30 jours.",
            ),
            Self::Malformed => language.one_of(
                "It has no form that this version of Pli reads: it may be that of a later one. Update Pli.",
                "Cette version de Pli n'en lit pas la forme : peut-être celle d'une version suivante. Mettez Pli à jour.",
            ),
            Self::NoPrekey => language.one_of(
                "The key it was sealed for is not on this phone any more. Ask the sender to send it again.",
                "La clé pour laquelle il fut scellé n'est plus sur ce téléphone. Demandez à l'expéditeur de le renvoyer.",
            ),
            Self::OtherRecipient => language.one_of(
                "Its sender sealed it for somebody else, and it was passed on as if it were yours.",
                "Son expéditeur l'a scellé pour quelqu'un d'autre, et il fut transmis comme s'il était pour vous.",
            ),
            Self::PayloadLost => language.one_of(
                "The relay lost it, and tells its sender so. Ask the sender to send it again.",
                "Le relais l'a perdu et le dit à son expéditeur. Demandez-lui de le renvoyer.",
            ),
            Self::SenderUnknown => language.one_of(
                "The relay knows no such sender any more. Pli tries again for 30 days.",
                "Le relais ne connaît plus cet expéditeur. Pli réessaie pendant 30 jours.",
            ),
            Self::WrongSignature => language.one_of(
                "No device of the sender signed it: it may be forged.",
                "Aucun appareil de l'expéditeur ne l'a signé : c'est peut-être un faux.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_gives_its_language_whole() {
        for (locale, language) in [
            ("fr", Language::French),
            ("FR-CA", Language::French),
            ("fr_FR.UTF-8", Language::French),
            ("fr@euro", Language::French),
            ("frp-FR", Language::English),
            ("de-DE", Language::English),
            ("C", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }
}
