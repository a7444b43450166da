//! What the letters are made of.

pub(super) const GIVEN: [&str; 24] = [
    "Inès",
    "Mathieu",
    "Hélène",
    "Paul",
    "Odette",
    "Léa",
    "Jean",
    "Amélie",
    "Gaëlle",
    "Théo",
    "Marguerite",
    "Loïc",
    "Françoise",
    "Rémi",
    "Zoé",
    "Anaïs",
    "Étienne",
    "Noël",
    "Cécile",
    "Yannick",
    "Solène",
    "Basile",
    "Clémence",
    "Aurélien",
];

pub(super) const SURNAMES: [&str; 24] = [
    "Caradec",
    "Delorme",
    "Vasseur",
    "Rivoire",
    "Lanvaux",
    "Quéméner",
    "Brochard",
    "Tessier",
    "Maubert",
    "Lefébure",
    "Poncelet",
    "Garrigue",
    "Saint-Yves",
    "Delattre",
    "Roussillon",
    "Kermadec",
    "Aubertin",
    "Villedieu",
    "Fontanges",
    "Belcourt",
    "Charvet",
    "Monteil",
    "Duquesnoy",
    "Landrieux",
];

/// What made-up words are made of.
pub(super) const SYLLABLES: [&str; 64] = [
    "a", "al", "an", "ba", "bé", "bli", "bou", "ca", "cé", "chi", "con", "cou", "cri", "da", "dé", "di", "dou", "é",
    "en", "fa", "fé", "fi", "flo", "ga", "gé", "gra", "i", "in", "ja", "la", "lé", "li", "lou", "ma", "mé", "mi",
    "mon", "na", "né", "ni", "o", "on", "pa", "pé", "pi", "plu", "pro", "ra", "ré", "ri", "ro", "sa", "sé", "si",
    "sou", "ta", "té", "ti", "tra", "u", "va", "vé", "vi", "vo",
];

/// The usual words, the most frequent first.
pub(super) const USUAL: &str = "de la le et à les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec \
    son cette cher confrère je vous remercie adresse votre malade monsieur madame douleur depuis jours semaine examen clinique \
    tension artérielle normale sans fièvre sous au repos effort bilan biologique retrouve une échographie cardiaque scanner montre \
    absence lésion droite gauche genou épaule hanche lombaire antécédents diabète hypertension asthme allergie connue \
    matin soir comprimé mois contrôle revoir consultations demande avis opération suites simples cicatrice propre pansement \
    infirmière domicile glycémie créatinine ferritine plaquettes leucocytes résultats joints compte rendu hospitalisation \
    sortie ordonnance renouvellement surveillance poids taille toux dyspnée œdèmes membres inférieurs auscultation pulmonaire \
    libre abdomen souple indolore appétit sommeil fatigue importante amélioration nette évolution favorable cordialement";
