//! What a file or a document did otherwise than the strict format, each by a stable name and code.

/// The most warnings one reading or writing lists; [`Deviation::WarningsCut`] then closes the list.
pub const MAX_WARNINGS: usize = 1_000;

/// A deviation and where it stands. It never holds what the file said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Warning {
    /// What differs.
    pub deviation: Deviation,
    /// Line of the file, from 1; 0 when the whole file is meant.
    pub line: usize,
}

/// Declares the deviations once: variant, code, French, English.
macro_rules! deviations {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $french:literal, $english:literal;)+) => {
        /// How a file differs from the strict format. Codes are stable.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Deviation {
            $($(#[$doc])* $name,)+
        }

        impl Deviation {
            /// Every deviation, in the order of its name.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// The sentence shown to a French-speaking user.
            #[must_use]
            pub const fn in_french(self) -> &'static str {
                match self {
                    $(Self::$name => $french,)+
                }
            }

            /// The sentence shown to an English-speaking user.
            #[must_use]
            pub const fn in_english(self) -> &'static str {
                match self {
                    $(Self::$name => $english,)+
                }
            }
        }
    };
}

deviations! {
    /// UTF-8 that was read as another charset and saved again; it was put right.
    AccentsMended = "hprim-accents-mended",
        "Les accents d'une ligne avaient été abîmés par un changement de jeu de caractères ; ils sont rétablis.",
        "The accents of a line had been mangled by a change of charset; they were put right.";
    /// `#BINASCII1#` inside a document.
    ArmouredPart = "hprim-armoured-part",
        "Une partie est chiffrée à l'ancien format #BINASCII1# ; elle reste illisible.",
        "One part is sealed in the old #BINASCII1# format; it stays unreadable.";
    /// The patient would be born after the document was written.
    BirthAfterDocument = "hprim-birth-after-document",
        "La date de naissance est postérieure à la date du document.",
        "The birth date is later than the date of the document.";
    /// Line 7 is blank.
    BirthDateMissing = "hprim-birth-date-missing",
        "La date de naissance du patient manque (ligne 7).",
        "The patient's birth date is missing (line 7).";
    /// A blank line between results.
    BlankLineInResults = "hprim-blank-line-in-results",
        "Une ligne vide sépare des résultats.",
        "A blank line stands between results.";
    /// UTF-8 byte order mark.
    ByteOrderMark = "hprim-byte-order-mark",
        "Une marque d'ordre des octets (BOM) précède la ligne.",
        "A byte order mark (BOM) stands before the line.";
    /// UTF-16 without byte order mark.
    ByteOrderMarkMissing = "hprim-byte-order-mark-missing",
        "La marque d'ordre des octets (BOM) manque ; l'ordre est déduit.",
        "The byte order mark (BOM) is missing; the order was deduced.";
    /// The writer replaced characters the charset lacks.
    CharacterSpelled = "hprim-character-spelled",
        "Un caractère absent du jeu de caractères a été écrit autrement (œ en oe, € en EUR).",
        "A character the charset lacks was spelled out (oe, EUR).";
    /// What was written reads as another charset too.
    CharsetAmbiguous = "hprim-charset-ambiguous",
        "Ces caractères, une fois écrits, peuvent être lus dans un autre jeu de caractères.",
        "These characters, once written, can be read in another charset.";
    /// Code page 850 makes the better French.
    CharsetCp850 = "hprim-charset-cp850",
        "Le fichier paraît être en CP850 (MS-DOS) et non en ISO-8859-1 : vérifiez les accents.",
        "The file seems to be in CP850 (MS-DOS), not ISO-8859-1: check the accents.";
    /// No charset makes good French, or two do.
    CharsetDoubtful = "hprim-charset-doubtful",
        "Le jeu de caractères est douteux : des accents peuvent être faux.",
        "The charset is doubtful: accents may be wrong.";
    /// `MacRoman` makes the better French.
    CharsetMacRoman = "hprim-charset-macroman",
        "Le fichier paraît être en MacRoman (Macintosh) et non en ISO-8859-1 : vérifiez les accents.",
        "The file seems to be in MacRoman (Macintosh), not ISO-8859-1: check the accents.";
    /// UTF-8 in a file of another charset, or the reverse.
    CharsetMixed = "hprim-charset-mixed",
        "Une ligne n'est pas dans le jeu de caractères du fichier ; elle est lue dans le sien.",
        "A line is not in the charset of the file; it was read in its own.";
    /// UTF-16 where ISO-8859-1 is usual.
    CharsetUtf16 = "hprim-charset-utf16",
        "Le fichier est en UTF-16 et non en ISO-8859-1.",
        "The file is in UTF-16, not ISO-8859-1.";
    /// UTF-8 where ISO-8859-1 is usual.
    CharsetUtf8 = "hprim-charset-utf8",
        "Le fichier est en UTF-8 et non en ISO-8859-1.",
        "The file is in UTF-8, not ISO-8859-1.";
    /// Windows-1252 where ISO-8859-1 is usual.
    CharsetWindows1252 = "hprim-charset-windows-1252",
        "Le fichier est en Windows-1252 et non en ISO-8859-1.",
        "The file is in Windows-1252, not ISO-8859-1.";
    /// A control character, taken as a space.
    ControlCharacter = "hprim-control-character",
        "Un caractère de commande a été remplacé par une espace.",
        "A control character was replaced by a space.";
    /// A date in another form than dd/mm/yyyy.
    DateFormat = "hprim-date-format",
        "Une date n'est pas écrite jj/mm/aaaa.",
        "A date is not written dd/mm/yyyy.";
    /// A date line that holds no date.
    DateUnreadable = "hprim-date-unreadable",
        "Une date est illisible.",
        "A date cannot be read.";
    /// A numeric value with a comma.
    DecimalComma = "hprim-decimal-comma",
        "Un résultat numérique utilise la virgule décimale.",
        "A numeric result uses a decimal comma.";
    /// A second file appended to the first.
    DocumentAfterEnd = "hprim-document-after-end",
        "Un autre document suit la fin du fichier : vérifiez qu'il s'agit du bon patient.",
        "Another document follows the end of the file: check which patient it is about.";
    /// No `****FIN****`.
    DocumentEndMissing = "hprim-document-end-missing",
        "La fin du document (****FIN****) manque.",
        "The end of the document (****FIN****) is missing.";
    /// Lines that are too few to be a document.
    DocumentTruncated = "hprim-document-truncated",
        "Un document a moins de douze lignes ; il est gardé comme texte.",
        "A document has fewer than twelve lines; it is kept as text.";
    /// A final 0x1A.
    EndOfFileByte = "hprim-end-of-file-byte",
        "Le fichier finit par l'octet 1A.",
        "The file ends with the byte 1A.";
    /// The writer put a space into what reads as an HTML entity.
    EntityInText = "hprim-entity-in-text",
        "Le texte contenait ce qui se lit comme une entité HTML ; une espace a été ajoutée.",
        "The text held what reads as an HTML entity; a space was added.";
    /// Wider than the table of widths.
    FieldTooLong = "hprim-field-too-long",
        "Une ligne d'en-tête est plus longue que prévu ; certains logiciels la couperont.",
        "A header line is longer than foreseen; some software will cut it.";
    /// No `****FINFICHIER****`.
    FileEndMissing = "hprim-file-end-missing",
        "La fin du fichier (****FINFICHIER****) manque.",
        "The end of the file (****FINFICHIER****) is missing.";
    /// Line 3 is blank.
    GivenNameMissing = "hprim-given-name-missing",
        "Le prénom du patient manque (ligne 3).",
        "The patient's first name is missing (line 3).";
    /// Blank lines before the header.
    HeaderShifted = "hprim-header-shifted",
        "Des lignes vides précèdent l'en-tête.",
        "Blank lines come before the header.";
    /// `&eacute;`
    HtmlEntity = "hprim-html-entity",
        "Des caractères sont écrits en entités HTML ; ils sont rétablis.",
        "Characters are written as HTML entities; they were put right.";
    /// UTF-16 with half characters.
    InvalidUtf16 = "hprim-invalid-utf16",
        "Le fichier est en UTF-16 mais des caractères sont coupés.",
        "The file is in UTF-16, but characters are cut in half.";
    /// `RES|` or `TEX|` in small letters, or behind a space.
    LabPrefixInexact = "hprim-lab-prefix-inexact",
        "Une ligne RES ou TEX n'est pas écrite exactement.",
        "A RES or TEX line is not written exactly.";
    /// LF, CR or LF-CR.
    LineEndNotCrlf = "hprim-line-end-not-crlf",
        "Les fins de ligne ne sont pas CR LF.",
        "The line ends are not CR LF.";
    /// Several line ends in one file.
    LineEndsMixed = "hprim-line-ends-mixed",
        "Plusieurs fins de ligne différentes se mêlent.",
        "Different line ends are mixed.";
    /// The writer changed text that looked like the format's own lines.
    MarkerInText = "hprim-marker-in-text",
        "Le texte contenait une ligne réservée au format ; elle a été modifiée.",
        "The text held a line reserved by the format; it was changed.";
    /// Spaces around a marker, or lower case.
    MarkerInexact = "hprim-marker-inexact",
        "Une ligne ****LAB****, ****FIN**** ou ****FINFICHIER**** n'est pas écrite exactement.",
        "A ****LAB****, ****FIN**** or ****FINFICHIER**** line is not written exactly.";
    /// The same marker twice.
    MarkerRepeated = "hprim-marker-repeated",
        "Une ligne ****LAB****, ****FIN**** ou ****FINFICHIER**** est répétée.",
        "A ****LAB****, ****FIN**** or ****FINFICHIER**** line is repeated.";
    /// A social security number with other separators than the space before the key.
    NirInexact = "hprim-nir-inexact",
        "Le numéro de sécurité sociale n'est pas écrit en 13 caractères, une espace et la clé.",
        "The social security number is not written as 13 characters, a space and the key.";
    /// The two-digit key does not fit.
    NirKeyWrong = "hprim-nir-key-wrong",
        "La clé du numéro de sécurité sociale est fausse.",
        "The key of the social security number is wrong.";
    /// Not 13 characters, with or without a two-digit key.
    NirMalformed = "hprim-nir-malformed",
        "Le numéro de sécurité sociale n'a pas la forme attendue.",
        "The social security number does not have the expected form.";
    /// A first result without label.
    OrphanContinuation = "hprim-orphan-continuation",
        "Un résultat sans libellé n'a pas de résultat au-dessus de lui.",
        "A result without a label has no result above it.";
    /// Lines 11 or 12 hold one word only.
    PartyAmbiguous = "hprim-party-ambiguous",
        "La ligne de l'expéditeur ou du destinataire ne dit pas ce qui est code ou nom.",
        "The line of the sender or addressee does not tell code from name.";
    /// `%PDF-` inside a document.
    PdfPart = "hprim-pdf-part",
        "Une partie est un PDF ; elle n'est pas lisible ici.",
        "One part is a PDF; it cannot be read here.";
    /// Line 6 is not postcode, space, town.
    PostcodeInexact = "hprim-postcode-inexact",
        "La ligne 6 n'est pas écrite code postal, espace, commune ; ils sont déduits.",
        "Line 6 is not written postcode, space, town; they were deduced.";
    /// No space between postcode and town.
    PostcodeJoined = "hprim-postcode-joined",
        "Le code postal et la ville se touchent.",
        "Postcode and town are not separated.";
    /// Fewer than 4 or more than 15 fields.
    ResultFieldCount = "hprim-result-field-count",
        "Une ligne RES a trop ou trop peu de champs.",
        "A RES line has too many or too few fields.";
    /// A flag other than L, H, LL, HH, N.
    ResultFlagUnknown = "hprim-result-flag-unknown",
        "L'indicateur d'un résultat n'est pas L, H, LL, HH ou N.",
        "The flag of a result is not L, H, LL, HH or N.";
    /// A type other than N, A, C.
    ResultKindUnknown = "hprim-result-kind-unknown",
        "Le type d'un résultat n'est pas N, A ou C.",
        "The type of a result is not N, A or C.";
    /// Type N, but the value is not a number.
    ResultNotNumeric = "hprim-result-not-numeric",
        "Un résultat numérique n'est pas un nombre.",
        "A numeric result is not a number.";
    /// `RES|` or `TEX|` before `****LAB****`.
    ResultOutsideLab = "hprim-result-outside-lab",
        "Des résultats commencent sans ligne ****LAB****.",
        "Results start without a ****LAB**** line.";
    /// A status other than F, R, C.
    ResultStatusUnknown = "hprim-result-status-unknown",
        "L'état d'un résultat n'est pas F, R ou C.",
        "The status of a result is not F, R or C.";
    /// The writer replaced a `|`.
    SeparatorReplaced = "hprim-separator-replaced",
        "Une barre verticale a été remplacée : elle sépare les champs.",
        "A vertical bar was replaced: it separates fields.";
    /// `{\rtf` inside a document.
    RtfPart = "hprim-rtf-part",
        "Une partie est en RTF ; ses codes sont montrés tels quels.",
        "One part is in RTF; its codes are shown as they are.";
    /// Line 2 is blank.
    SurnameMissing = "hprim-surname-missing",
        "Le nom du patient manque (ligne 2).",
        "The patient's surname is missing (line 2).";
    /// Text after `****FINFICHIER****`.
    TextAfterEnd = "hprim-text-after-end",
        "Du texte suit la fin du fichier.",
        "Text follows the end of the file.";
    /// A blank line between header and text.
    ThirteenthLine = "hprim-thirteenth-line",
        "Une ligne vide suit l'en-tête.",
        "A blank line follows the header.";
    /// A RES line that ends with a separator.
    TrailingSeparator = "hprim-trailing-separator",
        "Une ligne RES finit par une barre verticale.",
        "A RES line ends with a vertical bar.";
    /// A year of two digits; the century was deduced.
    TwoDigitYear = "hprim-two-digit-year",
        "Une année n'a que deux chiffres ; le siècle est déduit.",
        "A year has two digits only; the century was deduced.";
    /// A line of the laboratory block without `TEX|` or `RES|`.
    UnmarkedLabLine = "hprim-unmarked-lab-line",
        "Une ligne du bloc de laboratoire ne commence ni par TEX ni par RES.",
        "A line of the laboratory block starts with neither TEX nor RES.";
    /// More deviations than are listed.
    WarningsCut = "hprim-warnings-cut",
        "La liste des anomalies est coupée.",
        "The list of deviations was cut.";
}

impl Deviation {
    /// Whether a person who reads the document should know: something of it was deduced, may be wrong, or cannot be read.
    #[must_use]
    pub const fn concerns_the_reader(self) -> bool {
        matches!(
            self,
            Self::AccentsMended
                | Self::ArmouredPart
                | Self::BirthAfterDocument
                | Self::ByteOrderMarkMissing
                | Self::CharsetCp850
                | Self::CharsetDoubtful
                | Self::CharsetMacRoman
                | Self::CharsetMixed
                | Self::DocumentAfterEnd
                | Self::DocumentTruncated
                | Self::HeaderShifted
                | Self::InvalidUtf16
                | Self::OrphanContinuation
                | Self::PdfPart
                | Self::RtfPart
                | Self::TextAfterEnd
                | Self::TwoDigitYear
        )
    }
}

/// Warnings as they gather, held to [`MAX_WARNINGS`].
#[derive(Default)]
pub(super) struct Warnings(Vec<Warning>);

impl Warnings {
    /// Notes `deviation` at `line`, once if told twice in a row.
    pub(super) fn note(&mut self, deviation: Deviation, line: usize) {
        let warning = Warning { deviation, line };
        if self.0.len() >= MAX_WARNINGS || self.0.last() == Some(&warning) {
            return;
        }
        let is_last_place = self.0.len() == MAX_WARNINGS.saturating_sub(1);
        self.0.push(if is_last_place {
            Warning {
                deviation: Deviation::WarningsCut,
                line: 0,
            }
        } else {
            warning
        });
    }

    /// The list.
    pub(super) fn into_vec(self) -> Vec<Warning> {
        self.0
    }
}
