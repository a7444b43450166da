//! The people and papers of the demonstration; all of them are invented.

use crate::language::{Language, chosen, say};

/// Somebody in the directory.
#[derive(Clone, Copy)]
pub(super) struct Person {
    /// Name of the folder of this person's phone.
    pub(super) key: &'static str,
    pub(super) address: &'static str,
    pub(super) given: &'static str,
    pub(super) surname: &'static str,
    pub(super) profession: &'static str,
    pub(super) specialty: &'static str,
}

impl Person {
    /// First name and surname.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.given, self.surname)
    }
}

pub(super) const NURSE: Person = Person {
    key: "nurse",
    address: "ines.caradec@medical28.apicrypt.org",
    given: "Inès",
    surname: "Caradec",
    profession: "Infirmière",
    specialty: "",
};

pub(super) const GP: Person = Person {
    key: "gp",
    address: "mathieu.delorme@medical28.apicrypt.org",
    given: "Mathieu",
    surname: "Delorme",
    profession: "Médecin",
    specialty: "Médecine générale",
};

pub(super) const CARDIOLOGIST: Person = Person {
    key: "cardiologist",
    address: "helene.vasseur@medical28.apicrypt.org",
    given: "Hélène",
    surname: "Vasseur",
    profession: "Médecin",
    specialty: "Cardiologie",
};

/// In the directory, without a device.
pub(super) const DERMATOLOGIST: Person = Person {
    key: "dermatologist",
    address: "paul.rivoire@medical28.apicrypt.org",
    given: "Paul",
    surname: "Rivoire",
    profession: "Médecin",
    specialty: "Dermatologie",
};

/// Who joins from another terminal.
pub(super) const PHARMACIST: Person = Person {
    key: "joining",
    address: "loetitia.aubry@medical28.apicrypt.org",
    given: "Lœtitia",
    surname: "Aubry",
    profession: "Pharmacien",
    specialty: "",
};

/// The directory as a relay imports it.
pub(super) fn directory() -> String {
    let mut lines = vec!["given,surname,departement,profession,specialty,postcode,town".to_owned()];
    lines.extend([NURSE, GP, CARDIOLOGIST, DERMATOLOGIST, PHARMACIST].map(|person| {
        let Person {
            given,
            surname,
            profession,
            specialty,
            ..
        } = person;
        format!("{given},{surname},28,{profession},{specialty},28000,Chartres")
    }));
    lines.join("\n")
}

/// The patient, in three lines.
pub(super) const PATIENT: &str = "Lanvaux\nOdette\n12/03/1948\n";
/// How the patient is named in lists.
pub(super) const PATIENT_SHOWN: &str = "LANVAUX Odette 12/03/1948";

/// A letter: subject and text.
#[derive(Clone, Copy)]
pub(super) struct Letter {
    pub(super) subject: &'static str,
    pub(super) text: &'static str,
}

/// What people write in the story.
pub(super) struct Letters {
    /// Nurse to GP and cardiologist.
    pub(super) finding: Letter,
    /// GP to cardiologist.
    pub(super) question: Letter,
    /// Her answer; its subject is the question's.
    pub(super) advice: &'static str,
    /// Cardiologist to nurse, while the nurse's phone is off.
    pub(super) order: Letter,
    /// Nurse to cardiologist, while the relay is down.
    pub(super) weight: Letter,
    /// Cardiologist to nurse, after her phone is lost.
    pub(super) meanwhile: Letter,
    /// Nurse to cardiologist, from her new phone.
    pub(super) thanks: Letter,
    /// Subject of the laboratory's result.
    pub(super) result_subject: &'static str,
    /// GP to whoever joins.
    pub(super) welcome: &'static str,
}

/// The letters, in the chosen language.
pub(super) fn letters() -> Letters {
    match chosen() {
        Language::English => Letters {
            finding: Letter {
                subject: "Swollen legs since Sunday",
                text: "Both ankles are swollen and she is breathless at night.\nWeight up 3 kg in a week; blood pressure 158/92, pulse 104, irregular.",
            },
            question: Letter {
                subject: "Anticoagulation before you see her?",
                text: "Her pulse is irregular today, so I suspect atrial fibrillation.\nWould you start before the echocardiogram?",
            },
            advice: "Yes, start this evening if her creatinine allows it.\nI see her on Thursday at nine, with the echocardiogram.",
            order: Letter {
                subject: "Daily weight, please",
                text: "Please weigh her each morning before breakfast.\nCall me if she gains more than two kilos.",
            },
            weight: Letter {
                subject: "Weight this morning",
                text: "71.4 kg this morning, one kilo less than yesterday.\nShe slept lying flat.",
            },
            meanwhile: Letter {
                subject: "Diuretic doubled from tonight",
                text: "Please give two tablets from this evening.\nI see her again on Monday.",
            },
            thanks: Letter {
                subject: "Two tablets given",
                text: "Given at seven this evening.\nHer ankles are thinner already.",
            },
            result_subject: "Laboratory result of this morning",
            welcome: "Well received, and filed in the record. Thank you.",
        },
        Language::French => Letters {
            finding: Letter {
                subject: "Jambes gonflées depuis dimanche",
                text: "Les deux chevilles sont gonflées, elle est essoufflée la nuit.\nTrois kilos de plus en une semaine ; tension 158/92, pouls 104, irrégulier.",
            },
            question: Letter {
                subject: "Anticoagulation avant votre consultation ?",
                text: "Son pouls est irrégulier aujourd'hui, je pense à une fibrillation atriale.\nCommenceriez-vous avant l'échographie ?",
            },
            advice: "Oui, dès ce soir si sa créatinine le permet.\nJe la vois jeudi à neuf heures, avec l'échographie.",
            order: Letter {
                subject: "Pesée quotidienne, s'il vous plaît",
                text: "Merci de la peser chaque matin avant le petit déjeuner.\nAppelez-moi si elle prend plus de deux kilos.",
            },
            weight: Letter {
                subject: "Poids de ce matin",
                text: "71,4 kg ce matin, un kilo de moins qu'hier.\nElle a dormi allongée.",
            },
            meanwhile: Letter {
                subject: "Diurétique doublé dès ce soir",
                text: "Merci de donner deux comprimés dès ce soir.\nJe la revois lundi.",
            },
            thanks: Letter {
                subject: "Deux comprimés donnés",
                text: "Donnés à dix-neuf heures.\nLes chevilles ont déjà dégonflé.",
            },
            result_subject: "Résultat du laboratoire de ce matin",
            welcome: "Bien reçu, et classé au dossier. Merci.",
        },
    }
}

/// A laboratory's result as its software writes it: HPRIM text, ISO-8859-1, CR LF.
pub(super) fn result() -> Vec<u8> {
    let lines = [
        "LAN0312",
        "LANVAUX",
        "ODETTE",
        "7 allée des Tilleuls",
        "",
        "28000 Chartres",
        "12/03/1948",
        "",
        "2611270042",
        "27/11/2026",
        "LABO28     Laboratoire des Trois Rivières",
        "DELORME    mathieu.delorme",
        "Prélèvement à domicile, patiente à jeun.",
        "****LAB****",
        "TEX|BIOCHIMIE",
        "RES|Créatinine|CREA|N|94|µmol/L|49|90|H|F||||",
        "RES|Potassium|K|N|4.1|mmol/L|3.5|5.0|N|F||||",
        "RES|NT-proBNP|BNP|N|1840|ng/L||450|HH|F||||",
        "TEX|Clairance estimée à 52 mL/min.",
        "****FIN****",
        "****FINFICHIER****",
        "",
    ];
    // All of these characters have the same number in ISO-8859-1 as in Unicode.
    lines
        .join("\r\n")
        .chars()
        .filter_map(|c| u8::try_from(u32::from(c)).ok())
        .collect()
}

/// Texts that must not be readable on the relay's disk.
pub(super) fn secrets() -> Vec<&'static str> {
    let letters = letters();
    let mut secrets = vec![
        "Lanvaux",
        "LANVAUX",
        "Odette",
        "ODETTE",
        "12/03/1948",
        "NT-proBNP",
        "Créatinine",
        "allée des Tilleuls",
    ];
    for letter in [
        letters.finding,
        letters.question,
        letters.order,
        letters.weight,
        letters.meanwhile,
        letters.thanks,
    ] {
        secrets.push(letter.subject);
        secrets.extend(letter.text.lines());
    }
    secrets.extend(letters.advice.lines());
    secrets.push(letters.result_subject);
    secrets
}

/// What somebody does, in the chosen language.
pub(super) fn role(person: Person) -> &'static str {
    match person.key {
        "nurse" => say("nurse", "infirmière"),
        "gp" => say("GP", "généraliste"),
        "cardiologist" => say("cardiologist", "cardiologue"),
        "dermatologist" => say("dermatologist", "dermatologue"),
        _ => say("pharmacist", "pharmacienne"),
    }
}
