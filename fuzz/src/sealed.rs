//! What stands behind seals and signatures: bytes are sealed or signed by keys that are known here, so that they reach what looks
//! at them afterwards.

use std::sync::LazyLock;

use minicbor::Encoder;
use protocol::archive::{self, ArchiveKey};
use protocol::cbor::{self, Format};
use protocol::chunked::{self, ContentKey};
use protocol::envelope::{self, Header, Kind, Wrap};
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Signed, SignedFormat, VerifiedAccount};
use protocol::prekey::{BatchRoot, HandedPrekey, PrekeyId, VerifiedPrekey};
use protocol::seal::PrekeySecret;
use protocol::sign::{Purpose, Seed, SigningKey};
use protocol::statement::Statement;
use protocol::{ArchiveId, Digest, Timestamp, padding};

use crate::{cut, seeds};

/// An identity and a list that are signed as they stand: what is taken says the same of itself as they do.
pub(crate) fn account(mut bytes: &[u8]) {
    let (identity, mut list) = (cut::take(&mut bytes), cut::take(&mut bytes).to_vec());
    let certificate = cut::take(&mut bytes);
    let identity = sign::<Identity>(identity, &LEA.identity);
    if cut::byte(&mut bytes) & 1 == 1
        && let Ok(mut stated) = cbor::decode::<DeviceList>(&list)
    {
        stated.identity = identity.digest();
        stated.devices = vec![sign::<DeviceCertificate>(certificate, &LEA.identity)];
        list = cbor::encode(&stated);
    }
    let list = sign::<DeviceList>(&list, &LEA.identity);
    let Ok(account) = VerifiedAccount::verify(&identity, &list) else {
        return;
    };
    let stated = list.verify(&LEA.identity.verifying_key()).unwrap();
    assert_eq!(account.address(), &stated.address);
    assert_eq!(account.list_version(), stated.version);
    assert_eq!(account.devices().len(), stated.devices.len());
    assert!(!account.devices().is_empty());
}

pub(crate) fn account_seeds() -> Vec<Vec<u8>> {
    let list = cbor::encode(&LEA.list.verify(&LEA.identity.verifying_key()).unwrap());
    let stated = cbor::encode(&LEA.stated.verify(&LEA.identity.verifying_key()).unwrap());
    [0, 1]
        .map(|mended| [cut::join(&[&stated, &list, &LEA.certificate]), vec![mended]].concat())
        .to_vec()
}

/// An edited part of an archive does not open.
pub(crate) fn archive(mut bytes: &[u8]) {
    static SEALED: LazyLock<(ArchiveKey, Vec<u8>)> = LazyLock::new(|| {
        let key = ArchiveKey::of_phrase(&[1; 64]);
        let part = cbor::decode(&seeds::taken("archive-part")).unwrap();
        let sealed = archive::seal(&key, ARCHIVE, 3, &part).unwrap();
        (key, sealed)
    });
    let (key, sealed) = &*SEALED;
    let number = 3 ^ u64::from(cut::byte(&mut bytes));
    let mut edited = sealed.clone();
    cut::edit(&mut edited, bytes);
    let opened = archive::open(key, ARCHIVE, number, &edited);
    assert_eq!(opened.is_ok(), number == 3 && edited == *sealed);
}

pub(crate) fn archive_seeds() -> Vec<Vec<u8>> {
    vec![vec![], vec![1], vec![0, 0, 4, 0, 1]]
}

/// Chunks open as they were sealed, and not otherwise.
pub(crate) fn chunks(mut bytes: &[u8]) {
    let key = ContentKey::from_bytes(&[5; 32]);
    let (context, edits) = (cut::take(&mut bytes), cut::take(&mut bytes));
    // As long as several chunks: the bytes again and again.
    let times = usize::from(cut::byte(&mut bytes)) + 1;
    let plain = bytes.repeat(times).into_iter().take(100_000).collect::<Vec<_>>();
    let sealed = chunked::encrypt(&key, context, &plain).unwrap();
    assert_eq!(chunked::decrypt(&key, context, &sealed).unwrap().as_slice(), plain);
    let mut edited = sealed.clone();
    cut::edit(&mut edited, edits);
    if edited != sealed {
        assert!(
            chunked::decrypt(&key, context, &edited).is_err(),
            "opened what was changed"
        );
    }
    assert!(chunked::decrypt(&key, &[context, b"x"].concat(), &sealed).is_err());
    drop(chunked::decrypt(&key, context, bytes));
}

pub(crate) fn chunk_seeds() -> Vec<Vec<u8>> {
    let one = [cut::join(&[b"context", &[]]), vec![0], b"content".to_vec()].concat();
    let many = [cut::join(&[b"", &[0, 9, 0, 1]]), vec![255], vec![7; 300]].concat();
    vec![one, many]
}

/// An envelope of these header, statement, kind and content, sealed and signed as they are: what is taken is what was put in, and
/// all of one message.
pub(crate) fn envelope(mut bytes: &[u8]) {
    let (mut header, mut statement) = (cut::take(&mut bytes).to_vec(), cut::take(&mut bytes).to_vec());
    let (kind, mended) = (cut::byte(&mut bytes), cut::byte(&mut bytes));
    let content = bytes;
    let kind = [Kind::Mail, Kind::Receipts, Kind::Rewrap, Kind::State, Kind::History][usize::from(kind % 5)];
    if mended & 1 == 1
        && let Ok(mut stated) = cbor::decode::<Statement>(&statement)
    {
        stated.content_length = content.len() as u64;
        stated.content_digest = Digest::of(&[content]);
        statement = cbor::encode(&stated);
    }
    if mended & 2 == 2
        && let Ok(mut parsed) = Header::parse(&header)
    {
        parsed.statement = Digest::of(&[&statement]);
        parsed.class = kind.class();
        header = cbor::encode(&parsed);
    }
    let signature = LEA.device.sign(Purpose::Statement, &statement);
    let key = ContentKey::from_bytes(&[5; 32]);
    let Ok(payload) = envelope::seal_again(&header, &key, kind, (&statement, signature), content) else {
        return;
    };
    let wrap = Wrap::make(&key, &header, &JEAN).unwrap();
    let Ok(opened) = envelope::open(&header, &wrap, &payload, &SECRET) else {
        return;
    };
    let reader = JEAN.address.clone();
    let Ok(message) = opened.verify(&LEA.account, &reader, &[IDENTITY]) else {
        return;
    };
    assert_eq!(message.content, content);
    assert_eq!(message.kind, kind);
    assert_eq!(cbor::encode(&message.header), header);
    assert_eq!(message.statement_bytes, statement);
    assert_eq!(message.header.from, *LEA.account.address());
    let is_named = message.statement.recipients.iter().any(|to| to.address == reader);
    assert!(is_named || reader == message.header.from, "sealed for somebody else");
}

pub(crate) fn envelope_seeds() -> Vec<Vec<u8>> {
    let mut made = Vec::new();
    for (class, kind) in [(0, 0), (1, 1), (1, 2)] {
        let (header, statement) = mail(class, b"bonjour");
        let seed = |mended| {
            [
                cut::join(&[&header, &statement]),
                vec![kind, mended],
                b"bonjour".to_vec(),
            ]
            .concat()
        };
        made.extend([seed(0), seed(3)]);
    }
    made
}

/// Any bytes at all stand sealed in a payload.
pub(crate) fn payload(bytes: &[u8]) {
    static MAIL: LazyLock<(Vec<u8>, Wrap)> = LazyLock::new(|| {
        let (header, _) = mail(0, b"bonjour");
        let wrap = Wrap::make(&ContentKey::from_bytes(&[5; 32]), &header, &JEAN).unwrap();
        (header, wrap)
    });
    let (header, wrap) = &*MAIL;
    let padded = padding::pad(bytes).unwrap();
    let context = Digest::of(&[header]);
    let payload = chunked::encrypt(&ContentKey::from_bytes(&[5; 32]), context.as_bytes(), &padded).unwrap();
    if let Ok(opened) = envelope::open(header, wrap, &payload, &SECRET) {
        drop(opened.verify(&LEA.account, &JEAN.address, &[IDENTITY]));
    }
}

pub(crate) fn payload_seeds() -> Vec<Vec<u8>> {
    let (_, statement) = mail(0, b"bonjour");
    let signature = LEA.device.sign(Purpose::Statement, &statement);
    let mut bytes = vec![1];
    let mut encoder = Encoder::new(&mut bytes);
    encoder.map(4).unwrap();
    encoder.u8(0).unwrap().u8(0).unwrap();
    encoder.u8(1).unwrap().bytes(&statement).unwrap();
    encoder.u8(2).unwrap().bytes(signature.as_bytes()).unwrap();
    encoder.u8(3).unwrap().bytes(b"bonjour").unwrap();
    vec![bytes]
}

/// What is unpadded is what was padded.
pub(crate) fn padding(bytes: &[u8]) {
    if let Some(content) = padding::unpad(bytes) {
        assert_eq!(padding::pad(content).unwrap().as_slice(), bytes);
    }
    let padded = padding::pad(bytes).unwrap();
    assert_eq!(padding::unpad(&padded), Some(bytes));
}

pub(crate) fn padding_seeds() -> Vec<Vec<u8>> {
    let page = seeds::page("payload");
    let padded = page["derived"]["padded"].as_array().unwrap().iter();
    padded.map(|vector| seeds::bytes(&vector["padded"])).collect()
}

/// A prekey that is handed out with a root signed as it stands: what is taken is of the account and under the root.
pub(crate) fn prekey(mut bytes: &[u8]) {
    let (root, handed) = (cut::take(&mut bytes), cut::take(&mut bytes));
    let Ok(mut handed) = minicbor::decode::<HandedPrekey>(handed) else {
        return;
    };
    handed.root = sign::<BatchRoot>(root, &LEA.device);
    let Ok(prekey) = handed.verify(&LEA.account, 1, Timestamp::from_millis(0)) else {
        return;
    };
    assert_eq!(prekey.address, *LEA.account.address());
    assert!(LEA.account.device(&prekey.device).is_some());
    assert_eq!(prekey.id.leaf, handed.leaf.as_ref().map(|leaf| leaf.index));
    let root = handed.root.verify(&LEA.device.verifying_key()).unwrap();
    assert!(prekey.id.leaf.is_none_or(|leaf| leaf < root.leaf_count));
}

pub(crate) fn prekey_seeds() -> Vec<Vec<u8>> {
    let page = seeds::page("prekey");
    let handed = page["derived"]["handed"].as_array().unwrap().iter();
    handed
        .map(|vector| {
            let bytes = seeds::bytes(&vector["handed"]);
            let parsed: HandedPrekey = minicbor::decode(&bytes).unwrap();
            let root = parsed.root.verify(&LEA.device.verifying_key()).unwrap();
            cut::join(&[&cbor::encode(&root), &bytes])
        })
        .collect()
}

const ARCHIVE: ArchiveId = ArchiveId::from_bytes([7; 16]);
/// The fingerprint by which the reader is known.
const IDENTITY: Digest = Digest::from_bytes([3; 32]);
/// When all of it happens.
const NOW: Timestamp = Timestamp::from_millis(1_772_438_400_000);

/// The private half of the prekey that all is wrapped for.
static SECRET: LazyLock<PrekeySecret> = LazyLock::new(|| PrekeySecret::from_bytes(&[0x42; 32]));

/// That prekey.
static JEAN: LazyLock<VerifiedPrekey> = LazyLock::new(|| VerifiedPrekey {
    address: "jean.martin@medical28.apicrypt.org".parse().unwrap(),
    device: protocol::DeviceId::from_bytes([8; 16]),
    id: PrekeyId { batch: 1, leaf: None },
    key: SECRET.public().unwrap(),
    opens: vec![envelope::VERSION],
});

/// The sender: an account of the vectors, whose keys are of known seeds.
struct Lea {
    identity: SigningKey,
    device: SigningKey,
    stated: Signed<Identity>,
    list: Signed<DeviceList>,
    certificate: Vec<u8>,
    account: VerifiedAccount,
}

static LEA: LazyLock<Lea> = LazyLock::new(|| {
    let (identity, device) = (key(0x10), key(0x11));
    let page = seeds::page("prekey");
    let account = &page["derived"]["account"];
    let stated: Signed<Identity> = cbor::decode(&seeds::bytes(&account["identity"])).unwrap();
    let list: Signed<DeviceList> = cbor::decode(&seeds::bytes(&account["list"])).unwrap();
    let listed = list.verify(&identity.verifying_key()).unwrap();
    let certificate = listed.devices[0].verify(&identity.verifying_key()).unwrap();
    Lea {
        account: VerifiedAccount::verify(&stated, &list).unwrap(),
        certificate: cbor::encode(&certificate),
        identity,
        device,
        stated,
        list,
    }
});

fn key(number: u8) -> SigningKey {
    SigningKey::derive(&Seed::from_bytes(&[number; 64]))
}

/// These bytes, whatever they are, signed as a `T`.
fn sign<T: SignedFormat>(body: &[u8], key: &SigningKey) -> Signed<T> {
    let signature = key.sign(T::PURPOSE, body);
    let mut bytes = vec![<Signed<T> as Format>::VERSION];
    let mut encoder = Encoder::new(&mut bytes);
    encoder.map(2).unwrap();
    encoder.u8(0).unwrap().bytes(body).unwrap();
    encoder.u8(1).unwrap().bytes(signature.as_bytes()).unwrap();
    cbor::decode(&bytes).unwrap_or_else(|_| {
        // Longer than anything signed may be: it stays unsigned.
        sign(&[], key)
    })
}

/// Header and statement of a message from Léa to Jean.
fn mail(class: u8, content: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let vector = |name| seeds::taken(name);
    let mut statement: Statement = cbor::decode(&vector("statement")).unwrap();
    let mut header: Header = cbor::decode(&vector("header")).unwrap();
    statement.id = header.id;
    statement.from = LEA.account.address().clone();
    statement.device = LEA.account.devices()[0].id;
    statement.recipients.truncate(1);
    statement.recipients[0].address = JEAN.address.clone();
    statement.recipients[0].identity = IDENTITY;
    statement.sent_at = NOW;
    statement.content_length = content.len() as u64;
    statement.content_digest = Digest::of(&[content]);
    let statement = cbor::encode(&statement);
    header.from = LEA.account.address().clone();
    header.to = protocol::Recipients::new(vec![JEAN.address.clone()]).unwrap();
    header.class = if class == 0 {
        envelope::Class::Mail
    } else {
        envelope::Class::Quiet
    };
    header.statement = Digest::of(&[&statement]);
    (cbor::encode(&header), statement)
}
