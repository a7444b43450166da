//! Properties over drawn values: addresses, envelopes, and the readers of every format.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use protocol::address::{Departement, fold_name};
use protocol::archive::{self, ArchiveKey, Part, Record};
use protocol::envelope::{self, EnvelopeError, Kind, Message, SealedEnvelope, Sender, Wrap};
use protocol::seal::PrekeySecret;
use protocol::statement::StatedRecipient;
use protocol::{Address, ArchiveId, MessageId, Timestamp, cbor};

use crate::archive::records;
use crate::pages::samples;
use crate::people::{Person, prekey_secret};
use crate::seeds::cases;
use crate::vectors::{FORMATS, read};

static SENDER: LazyLock<Person> = LazyLock::new(Person::lea);
static RECIPIENTS: LazyLock<Vec<Person>> = LazyLock::new(|| {
    ["jean.martin", "anne.roux", "paul.de-la-tour", "marie.noel7"]
        .iter()
        .zip([0x20, 0x30, 0x40, 0x50])
        .map(|(name, number)| Person::new(&format!("{name}@medical2b.apicrypt.org"), number))
        .collect()
});
static RECORDS: LazyLock<Vec<Record>> = LazyLock::new(records);
static SAMPLES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(samples);

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn any_text_is_an_address_or_none(text in any::<String>()) {
        stays_the_same(&text)?;
    }

    #[test]
    fn nearly_addresses_are_addresses_or_none(text in "[a-zA-Zé.-]{0,12}[.@]?[a-z-]{0,8}[0-9]{0,6}@(medical|Medical)[0-9ab]{0,4}\\.apicrypt\\.org\\PC{0,1}") {
        stays_the_same(&text)?;
    }

    #[test]
    fn addresses_of_the_scheme_are_taken(
        given in "[a-z]{1,9}(-[a-z]{1,9}){0,2}",
        surname in "[a-z]{1,9}(-[a-z]{1,9}){0,2}",
        number in prop_oneof![Just(None), (2_u16..).prop_map(Some)],
        departement in prop_oneof!["0[1-9]", "1[0-9]", "2[1-9]", "2[ab]", "[3-8][0-9]", "9[0-5]", "97[1-6]"],
    ) {
        let number = number.map_or(String::new(), |number| number.to_string());
        let text = format!("{given}.{surname}{number}@medical{departement}.apicrypt.org");
        let address: Address = text.parse().unwrap();
        prop_assert_eq!(address.as_str(), &text);
        prop_assert_eq!(text.to_uppercase().replace("MEDICAL", "medical").parse::<Address>().unwrap(), address);
    }

    #[test]
    fn names_fold_to_nothing_or_to_what_an_address_holds(name in any::<String>()) {
        folds(&name)?;
    }

    #[test]
    fn french_names_fold_to_what_an_address_holds(name in "[A-Za-zÀ-ÿŒœ’' –-]{1,30}") {
        folds(&name)?;
    }

    #[test]
    fn people_have_an_address_or_none(given in any::<String>(), surname in "\\PC{0,40}", homonym in any::<u16>()) {
        let departement: Departement = "971".parse().unwrap();
        if let Ok(address) = Address::for_person(&given, &surname, &departement, homonym) {
            prop_assert_eq!(address.to_string().parse(), Ok(address.clone()));
            prop_assert_eq!(address.departement(), "971");
        }
    }

    #[test]
    fn what_a_reader_takes_encodes_to_the_same_bytes(
        format in any::<Index>(),
        first in prop_oneof![Just(1_u8), any::<u8>()],
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let (format, _) = FORMATS[format.index(FORMATS.len())];
        let bytes = [&[first], rest.as_slice()].concat();
        if let Ok(again) = read(format, &bytes) {
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn edited_encodings_are_refused_or_encode_to_the_same_bytes(
        sample in any::<Index>(),
        as_format in prop_oneof![4 => Just(None), 1 => any::<Index>().prop_map(Some)],
        edits in proptest::collection::vec((any::<Index>(), 0_u8..4, any::<u8>()), 1..4),
    ) {
        let (own, bytes) = &SAMPLES[sample.index(SAMPLES.len())];
        let format = as_format.map_or(own.as_str(), |at| FORMATS[at.index(FORMATS.len())].0);
        let mut bytes = bytes.clone();
        for (at, kind, byte) in edits {
            edit(&mut bytes, at, kind, byte);
        }
        if let Ok(again) = read(format, &bytes) {
            prop_assert_eq!(again, bytes);
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_sealed_opens_for_each_recipient_and_verifies(
        content in proptest::collection::vec(any::<u8>(), 0..40_000),
        count in 1_usize..=4,
        kind in prop_oneof![Just(Kind::Mail), Just(Kind::Receipts), Just(Kind::Rewrap)],
        leaf in any::<Option<u32>>(),
        sent_at in any::<i64>(),
    ) {
        let sealed = seal(&content, count, kind, sent_at);
        for (place, recipient) in RECIPIENTS[..count].iter().enumerate() {
            let (wrap, secret) = wrap(&sealed, recipient, place, leaf);
            let message = open(&sealed.header, &cbor::encode(&wrap), &sealed.payload, &secret).unwrap();
            prop_assert_eq!(&message.content, &content);
            prop_assert_eq!(message.kind, kind);
            prop_assert_eq!(message.statement.recipients.len(), count);
            prop_assert_eq!(message.statement.sent_at.as_millis(), sent_at);
            prop_assert_eq!(&message.header.to.as_slice()[place], &recipient.address);
            // Another recipient's prekey does not open it.
            let other = prekey_secret(0xEE);
            prop_assert!(open(&sealed.header, &cbor::encode(&wrap), &sealed.payload, &other).is_err());
        }
    }

    #[test]
    fn one_changed_byte_of_any_part_is_refused(
        content in proptest::collection::vec(any::<u8>(), 0..40_000),
        places in proptest::collection::vec((any::<Index>(), 1_u8..), 12),
    ) {
        let sealed = seal(&content, 2, Kind::Mail, 0);
        let (wrap, secret) = wrap(&sealed, &RECIPIENTS[0], 0, Some(3));
        let parts = [sealed.header.clone(), cbor::encode(&wrap), sealed.payload.clone()];
        prop_assert!(open(&parts[0], &parts[1], &parts[2], &secret).is_ok());
        for (number, (place, change)) in places.into_iter().enumerate() {
            let mut changed = parts.clone();
            let part = &mut changed[number % 3];
            let at = place.index(part.len());
            part[at] ^= change;
            prop_assert!(
                open(&changed[0], &changed[1], &changed[2], &secret).is_err(),
                "part {}, byte {at}, by {change:#04x}", number % 3
            );
        }
    }

    #[test]
    fn parts_of_two_envelopes_are_refused(content in proptest::collection::vec(any::<u8>(), 0..2_000), which in 0_usize..3) {
        let parts = |sealed: &SealedEnvelope| {
            let (wrap, secret) = wrap(sealed, &RECIPIENTS[0], 0, None);
            ([sealed.header.clone(), cbor::encode(&wrap), sealed.payload.clone()], secret)
        };
        let (mut one, secret) = parts(&seal(&content, 1, Kind::Mail, 0));
        let (two, _) = parts(&seal(&content, 1, Kind::Mail, 0));
        one[which].clone_from(&two[which]);
        prop_assert!(open(&one[0], &one[1], &one[2], &secret).is_err());
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn parts_open_in_their_place_alone_and_unchanged(
        picks in proptest::collection::vec(any::<Index>(), 0..6),
        content in proptest::collection::vec(any::<u8>(), 0..40_000),
        (archive, number) in (any::<[u8; 16]>(), any::<u64>()),
        (other_archive, other_number) in (any::<[u8; 16]>(), any::<u64>()),
        (place, change) in (any::<Index>(), 1_u8..),
    ) {
        let key = ArchiveKey::make().unwrap();
        let mut part = Part { records: picks.iter().map(|pick| pick.get(&RECORDS).clone()).collect() };
        for record in &mut part.records {
            if let Record::Message(message) = record {
                message.content = content.clone().into();
            }
        }
        let (archive, other_archive) = (ArchiveId::from_bytes(archive), ArchiveId::from_bytes(other_archive));
        let mut sealed = archive::seal(&key, archive, number, &part).unwrap();
        prop_assert!(archive::open(&key, archive, number, &sealed).unwrap() == part);
        prop_assert!(archive::open(&ArchiveKey::make().unwrap(), archive, number, &sealed).is_err());
        if other_archive != archive {
            prop_assert!(archive::open(&key, other_archive, number, &sealed).is_err());
        }
        if other_number != number {
            prop_assert!(archive::open(&key, archive, other_number, &sealed).is_err());
        }
        let at = place.index(sealed.len());
        sealed[at] ^= change;
        prop_assert!(archive::open(&key, archive, number, &sealed).is_err(), "byte {at}, by {change:#04x}");
    }
}

fn stays_the_same(text: &str) -> Result<(), TestCaseError> {
    if let Ok(address) = text.parse::<Address>() {
        prop_assert_eq!(address.to_string().parse(), Ok(address.clone()));
        prop_assert_eq!(address.as_str(), text.to_ascii_lowercase());
        prop_assert_eq!(cbor_round(&address), Some(address));
    }
    Ok(())
}

fn cbor_round(address: &Address) -> Option<Address> {
    minicbor::decode(&minicbor::to_vec(address).ok()?).ok()
}

fn folds(name: &str) -> Result<(), TestCaseError> {
    let folded = fold_name(name);
    prop_assert_eq!(&fold_name(&folded), &folded);
    let right = folded
        .split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()));
    prop_assert!(folded.is_empty() || right, "{name:?} folds to {folded:?}");
    if !folded.is_empty() && folded.len() < 60 {
        let text = format!("{folded}.x@medical28.apicrypt.org");
        prop_assert!(text.parse::<Address>().is_ok(), "{text}");
    }
    Ok(())
}

/// Changes, inserts, removes one byte, or writes one where a shorter form of an integer may stand.
fn edit(bytes: &mut Vec<u8>, at: Index, kind: u8, byte: u8) {
    let place = at.index(bytes.len() + 1);
    match kind {
        0 if place < bytes.len() => bytes[place] = byte,
        1 => bytes.insert(place, byte),
        2 if place < bytes.len() => {
            bytes.remove(place);
        }
        _ => bytes.insert(place, [0x18, 0x19, 0x58, 0xF6][usize::from(byte % 4)]),
    }
}

fn seal(content: &[u8], count: usize, kind: Kind, sent_at: i64) -> SealedEnvelope {
    let sender = Sender {
        address: &SENDER.address,
        device: SENDER.device(),
        key: &SENDER.device_key,
        list_version: SENDER.account.list_version(),
        list_digest: SENDER.account.list_digest(),
    };
    let recipients = RECIPIENTS[..count]
        .iter()
        .map(|recipient| StatedRecipient {
            address: recipient.address.clone(),
            identity: recipient.account.fingerprint(),
        })
        .collect();
    let id = MessageId::make().unwrap();
    envelope::seal(sender, id, kind, recipients, content, Timestamp::from_millis(sent_at)).unwrap()
}

fn wrap(sealed: &SealedEnvelope, recipient: &Person, place: usize, leaf: Option<u32>) -> (Wrap, PrekeySecret) {
    let secret = prekey_secret(0xA0 + u8::try_from(place).unwrap());
    let wrap = Wrap::make(&sealed.key, &sealed.header, &recipient.prekey(&secret, 9, leaf)).unwrap();
    (wrap, secret)
}

/// Opens as the recipient whose address the wrap bears.
fn open(header: &[u8], wrap: &[u8], payload: &[u8], secret: &PrekeySecret) -> Result<Message, EnvelopeError> {
    let wrap: Wrap = cbor::decode(wrap)?;
    let reader = RECIPIENTS.iter().find(|recipient| recipient.address == wrap.address);
    let reader = reader.map_or(&SENDER.account, |reader| &reader.account);
    envelope::open(header, &wrap, payload, secret)?.verify(&SENDER.account, reader.address(), &[reader.fingerprint()])
}
