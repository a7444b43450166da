//! The binary formats: what is taken encodes to the same bytes, and what it leads to is verified without harm.

use std::sync::LazyLock;

use protocol::api::{Enrolment, KeysAnswer, ListUpload};
use protocol::archive::Part;
use protocol::cbor::{self, Format};
use protocol::chunked::ContentKey;
use protocol::envelope::{Deposit, Header, Wrap};
use protocol::handover::{Claim, Handover};
use protocol::identity::{Predecessor, Signed, SignedFormat, VerifiedAccount, VerifiedDevice};
use protocol::link::{Hello, LinkCode};
use protocol::prekey::{self, BatchUpload};
use protocol::removal::Removal;
use protocol::seal::{self, PrekeySecret};
use protocol::sequence::{Cursor, SequencePage};
use protocol::sign::{Seed, SigningKey, VerifyingKey};
use protocol::{DeviceId, Timestamp, archive};

use crate::seeds;

/// One encoding, and it is these bytes.
pub(crate) fn same<T: Format>(bytes: &[u8]) {
    read::<T>(bytes);
}

pub(crate) fn signed<T: SignedFormat>(bytes: &[u8]) {
    if let Some(signed) = read::<Signed<T>>(bytes) {
        assert!(signed.verify(&STRANGER).is_err(), "a stranger's key verifies");
    }
}

pub(crate) fn header(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        assert_eq!(cbor::encode(&header), bytes);
        assert!(!header.to.as_slice().is_empty());
    }
}

/// A part that is taken is sealed, or refused for what it holds, and opens as it was.
pub(crate) fn part(bytes: &[u8]) {
    let Some(part) = read::<Part>(bytes) else { return };
    let (key, id) = (
        archive::ArchiveKey::of_phrase(&[1; 64]),
        protocol::ArchiveId::from_bytes([7; 16]),
    );
    let length: usize = part.records.iter().map(archive::Record::encoded_len).sum();
    assert!(length < bytes.len());
    if let Ok(sealed) = archive::seal(&key, id, 3, &part) {
        assert!(archive::open(&key, id, 3, &sealed).unwrap() == part);
    }
}

pub(crate) fn deposit(bytes: &[u8]) {
    if let Some(deposit) = read::<Deposit>(bytes) {
        header(&deposit.header);
    }
}

pub(crate) fn enrolment(bytes: &[u8]) {
    let Some(enrolment) = read::<Enrolment>(bytes) else {
        return;
    };
    if let Ok(account) = VerifiedAccount::verify(&enrolment.identity, &enrolment.list) {
        verify_batch(&enrolment.batch, &account);
        let _line = account.line(&enrolment.predecessors);
    }
}

pub(crate) fn handover(bytes: &[u8]) {
    static CLAIM: LazyLock<Signed<Claim>> = LazyLock::new(|| cbor::decode(&seeds::taken("signed-claim")).unwrap());
    let Some(handover) = read::<Handover>(bytes) else {
        return;
    };
    let secret = PrekeySecret::from_bytes(&[0x71; 32]);
    drop(handover.open(&secret, &CLAIM));
}

/// What is taken goes through the channel of a code that is made for it, and of no other.
pub(crate) fn hello(bytes: &[u8]) {
    let Some(hello) = read::<Hello>(bytes) else { return };
    let code = LinkCode::make(&hello).unwrap();
    let sealed = code.seal(&hello).unwrap();
    if let Ok(opened) = code.open_hello::<Hello>(&sealed) {
        assert_eq!(opened, hello);
    }
    let device = VerifiedDevice {
        id: protocol::identity::device_id(&hello.key),
        key: hello.key.clone(),
        added_at: Timestamp::from_millis(0),
    };
    drop(
        hello
            .batch
            .verify_new(&"lea.petit@medical28.apicrypt.org".parse().unwrap(), &device),
    );
}

pub(crate) fn keys(bytes: &[u8]) {
    let Some(answer) = read::<KeysAnswer>(bytes) else {
        return;
    };
    for keys in answer.accounts {
        let Ok(account) = VerifiedAccount::verify(&keys.identity, &keys.list) else {
            continue;
        };
        let _line = account.line(&keys.predecessors);
        for handed in &keys.prekeys {
            if let Ok(prekey) = handed.verify(&account, 0, Timestamp::from_millis(0)) {
                assert_eq!(prekey.address, *account.address());
            }
        }
    }
}

pub(crate) fn list_upload(bytes: &[u8]) {
    let Some(upload) = read::<ListUpload>(bytes) else {
        return;
    };
    assert!(upload.list.verify(&STRANGER).is_err(), "a stranger's key verifies");
    if let Some(batch) = &upload.batch {
        let _holder = batch.holder();
    }
}

pub(crate) fn predecessor(bytes: &[u8]) {
    let Some(predecessor) = read::<Predecessor>(bytes) else {
        return;
    };
    let _successor = predecessor.successor();
    drop(VerifiedAccount::verify(&predecessor.identity, &predecessor.list));
}

pub(crate) fn removal(bytes: &[u8]) {
    let Some(removal) = read::<Removal>(bytes) else { return };
    for device in [DeviceId::from_bytes([0; 16]), *REMOVED] {
        if let Ok(removed) = removal.verify(&device) {
            assert!(removed.before.device(&device).is_some());
        }
    }
}

pub(crate) fn page(bytes: &[u8]) {
    let Some(page) = read::<SequencePage>(bytes) else {
        return;
    };
    let mut cursor = Cursor::START;
    for entry in &page.entries {
        drop(entry.open());
        cursor = cursor.after(&entry.digest);
    }
}

/// Every prekey of a batch that verifies is handed out and verifies, too.
pub(crate) fn upload(bytes: &[u8]) {
    static ACCOUNT: LazyLock<VerifiedAccount> = LazyLock::new(|| {
        let page = seeds::page("prekey");
        let account = &page["derived"]["account"];
        let identity = cbor::decode(&seeds::bytes(&account["identity"])).unwrap();
        let list = cbor::decode(&seeds::bytes(&account["list"])).unwrap();
        VerifiedAccount::verify(&identity, &list).unwrap()
    });
    if let Some(upload) = read::<BatchUpload>(bytes) {
        verify_batch(&upload, &ACCOUNT);
    }
}

pub(crate) fn wrap(bytes: &[u8]) {
    let Some(wrap) = read::<Wrap>(bytes) else { return };
    let opened = seal::open_key(&wrap.sealed, &PrekeySecret::from_bytes(&[0x40; 32]), b"another info");
    assert!(opened.is_err(), "opened under another info");
    let key = ContentKey::from_bytes(&[9; 32]);
    assert_eq!(key.as_bytes(), &[9; 32]);
}

fn verify_batch(upload: &BatchUpload, account: &VerifiedAccount) {
    for device in account.devices() {
        let Ok(root) = upload.verify(account, &device.id) else {
            continue;
        };
        for index in 0..root.leaf_count {
            let handed = prekey::hand_out(upload, device.id, index).expect("a leaf for each number");
            handed.verify(account, 0, root.not_after).expect("a leaf of the batch");
        }
        assert!(prekey::hand_out(upload, device.id, root.leaf_count).is_none());
    }
}

fn read<T: Format>(bytes: &[u8]) -> Option<T> {
    let value = cbor::decode::<T>(bytes).ok()?;
    assert_eq!(cbor::encode(&value), bytes, "{} has another encoding", T::NAME);
    Some(value)
}

/// The key of nobody.
static STRANGER: LazyLock<VerifyingKey> =
    LazyLock::new(|| SigningKey::derive(&Seed::from_bytes(&[0xEE; 64])).verifying_key());

/// The device that the vector of a removal takes off.
static REMOVED: LazyLock<DeviceId> = LazyLock::new(|| {
    let page = seeds::page("removal");
    let device = seeds::bytes(&page["derived"]["removals"][0]["device"]);
    DeviceId::try_from(device.as_slice()).unwrap()
});
