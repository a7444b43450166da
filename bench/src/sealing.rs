//! Sealing and opening as the phone does it, beside the primitives that it stands on, in turns on the same bytes.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use ed25519_dalek::Signer as _;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS};
use ml_dsa::signature::Keypair as _;
use ml_dsa::{EncodedVerifyingKey, MlDsa65};
use protocol::chunked::{self, ContentKey};
use protocol::envelope::{self, Kind, Sender, Wrap};
use protocol::identity::{DeviceCertificate, DeviceList, Identity, Signed, VerifiedAccount};
use protocol::prekey::{PrekeyId, VerifiedPrekey};
use protocol::seal::PrekeySecret;
use protocol::sign::{Purpose, SigningKey};
use protocol::statement::StatedRecipient;
use protocol::{Address, DeviceId, Digest, MessageId, Timestamp};
use sha2::Digest as _;

use crate::corpus::Corpus;
use crate::figure::Figure;

const CONTENT_BYTES: usize = 4_096;
const ROUNDS: usize = 300;
const CHUNK: usize = 16 * 1024;
const CHUNKS: usize = 64;

/// Seal and sign 4 KB for two devices; open and verify.
pub(crate) fn envelope() -> Vec<Figure> {
    let scene = Scene::set();
    let content = Corpus::new().bytes(CONTENT_BYTES);
    let (mut sealing, mut sealing_parts) = (Times::default(), Times::default());
    let (mut opening, mut opening_parts) = (Times::default(), Times::default());
    for _ in 0..ROUNDS {
        let (sealed, wraps) = sealing.take(|| scene.seal(&content));
        let payload_bytes = sealed.payload.len();
        let parts = sealing_parts.take(|| scene.seal_parts(&content, &sealed.statement, payload_bytes));
        opening.take(|| {
            let opened = envelope::open(&sealed.header, &wraps[0], &sealed.payload, &scene.secrets[0]).unwrap();
            opened
                .verify(&scene.sender, &scene.reader, &[scene.reader_identity])
                .unwrap()
        });
        opening_parts.take(|| scene.open_parts(parts, &content, &sealed.statement));
    }
    let figures = [
        ("seal and sign 4 KB for 2 devices", sealing, sealing_parts, 3.0),
        ("open and verify 4 KB", opening, opening_parts, 2.0),
    ];
    let figures = figures.into_iter().flat_map(|(what, whole, parts, budget)| {
        let (whole, parts) = (whole.median_ms(), parts.median_ms());
        [
            Figure::new(what, whole, "ms")
                .at_most(budget)
                .beside(format!("its primitives {parts:.3} ms")),
            Figure::new(format!("{what}, beside its primitives"), whole / parts, "×").at_most(1.3),
        ]
    });
    figures.collect()
}

/// A payload in chunks of 16 KiB, beside the cipher alone on the same blocks.
pub(crate) fn payload() -> Vec<Figure> {
    let mut corpus = Corpus::new();
    let plaintext = corpus.bytes(CHUNK * CHUNKS);
    let key = ContentKey::make().unwrap();
    let aead = Aes256Gcm::new(key.as_bytes().into());
    let (mut ours, mut bare) = (Times::default(), Times::default());
    for _ in 0..ROUNDS {
        ours.take(|| chunked::encrypt(&key, b"bench", black_box(&plaintext)).unwrap());
        // The same blocks, into bytes of their own as well.
        bare.take(|| {
            let mut out = Vec::with_capacity(plaintext.len() + CHUNKS * 16);
            for (number, chunk) in (0_u64..).zip(black_box(&plaintext).chunks(CHUNK)) {
                let start = out.len();
                out.extend_from_slice(chunk);
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&number.to_be_bytes());
                let tag = aead
                    .encrypt_inout_detached(&nonce.into(), b"", (&mut out[start..]).into())
                    .unwrap();
                out.extend_from_slice(&tag);
            }
            out
        });
    }
    let rate = |times: &Times| (CHUNK * CHUNKS) as f64 / times.median_ms() / 1e6;
    let (ours, bare) = (rate(&ours), rate(&bare));
    let openssl = openssl().map_or_else(
        || "openssl is not here".to_owned(),
        |rate| format!("openssl {rate:.2} GB/s"),
    );
    vec![
        Figure::new("payload encryption, 1 MiB in chunks of 16 KiB", ours, "GB/s")
            .beside(format!("bare aes-gcm crate {bare:.2} GB/s, {openssl}")),
        Figure::new("payload encryption beside the bare crate", ours / bare, "×").at_least(0.9),
    ]
}

/// A sender with one device, and a reader with two.
struct Scene {
    address: Address,
    device: DeviceId,
    key: SigningKey,
    sender: VerifiedAccount,
    reader: Address,
    reader_identity: Digest,
    prekeys: Vec<VerifiedPrekey>,
    secrets: Vec<PrekeySecret>,
    parts: Parts,
}

/// The primitives' own keys: those that sign are held by a phone, the others it has as bytes.
struct Parts {
    ed25519: ed25519_dalek::SigningKey,
    ml_dsa: ml_dsa::SigningKey<MlDsa65>,
    ed25519_public: [u8; 32],
    ml_dsa_public: EncodedVerifyingKey<MlDsa65>,
    aead: Aes256Gcm,
}

/// What the primitives made, to be opened by them.
struct PartsMade {
    ed25519: ed25519_dalek::Signature,
    ml_dsa: ml_dsa::Signature<MlDsa65>,
    encapsulated: <XWing as Kem>::EncappedKey,
    wrapped: Vec<u8>,
    payload: Vec<u8>,
    tag: aes_gcm::Tag,
}

impl Scene {
    fn set() -> Self {
        let address: Address = "ines.caradec@medical28.apicrypt.org".parse().unwrap();
        let reader: Address = "mathieu.delorme@medical28.apicrypt.org".parse().unwrap();
        let (identity_key, key) = (SigningKey::make().unwrap(), SigningKey::make().unwrap());
        let now = Timestamp::now();
        let identity = Identity {
            address: address.clone(),
            key: identity_key.verifying_key(),
            recovery: identity_key.verifying_key(),
            created_at: now,
            follows: None,
        };
        let identity = Signed::make(&identity, &identity_key);
        let certificate = DeviceCertificate {
            address: address.clone(),
            identity: identity.digest(),
            key: key.verifying_key(),
            created_at: now,
        };
        let device = certificate.device();
        let list = DeviceList {
            address: address.clone(),
            identity: identity.digest(),
            version: 1,
            devices: vec![Signed::make(&certificate, &identity_key)],
            issued_at: now,
        };
        let sender = VerifiedAccount::verify(&identity, &Signed::make(&list, &identity_key)).unwrap();
        let secrets: Vec<_> = (0..2).map(|_| PrekeySecret::make().unwrap()).collect();
        let prekeys = secrets.iter().zip(1..).map(|(secret, number)| VerifiedPrekey {
            address: reader.clone(),
            device: DeviceId::from_bytes([number; DeviceId::LEN]),
            id: PrekeyId {
                batch: 1,
                leaf: Some(0),
            },
            key: secret.public().unwrap(),
            opens: vec![envelope::VERSION],
        });
        let (ed25519, ml_dsa) = key.seed().as_bytes().split_at(32);
        let ed25519 = ed25519_dalek::SigningKey::from_bytes(ed25519.try_into().unwrap());
        let ml_dsa = ml_dsa::SigningKey::<MlDsa65>::from_seed(&ml_dsa.try_into().unwrap());
        let parts = Parts {
            ed25519_public: ed25519.verifying_key().to_bytes(),
            ml_dsa_public: ml_dsa.verifying_key().encode(),
            ed25519,
            ml_dsa,
            aead: Aes256Gcm::new(&[7; 32].into()),
        };
        Self {
            prekeys: prekeys.collect(),
            reader_identity: Digest::of(&[b"reader"]),
            address,
            device,
            key,
            sender,
            reader,
            secrets,
            parts,
        }
    }

    fn seal(&self, content: &[u8]) -> (envelope::SealedEnvelope, Vec<Wrap>) {
        let sender = Sender {
            address: &self.address,
            device: self.device,
            key: &self.key,
            list_version: self.sender.list_version(),
            list_digest: self.sender.list_digest(),
        };
        let recipient = StatedRecipient {
            address: self.reader.clone(),
            identity: self.reader_identity,
        };
        let id = MessageId::make().unwrap();
        let sealed = envelope::seal(sender, id, Kind::Mail, vec![recipient], content, Timestamp::now()).unwrap();
        let wraps = self
            .prekeys
            .iter()
            .map(|prekey| Wrap::make(&sealed.key, &sealed.header, prekey).unwrap());
        let wraps = wraps.collect();
        (sealed, wraps)
    }

    /// The primitives that a seal cannot do without: two signatures, two wraps, one encryption, one digest.
    fn seal_parts(&self, content: &[u8], statement: &[u8], payload_bytes: usize) -> PartsMade {
        let parts = &self.parts;
        black_box(sha2::Sha256::digest(content));
        let ed25519 = parts.ed25519.sign(statement);
        let ml_dsa = parts
            .ml_dsa
            .expanded_key()
            .sign_deterministic(statement, Purpose::Statement.context())
            .unwrap();
        let mut wrapped = self.prekeys.iter().map(|prekey| {
            let public = <XWing as Kem>::PublicKey::from_bytes(prekey.key.as_bytes()).unwrap();
            hpke::single_shot_seal::<AesGcm256, HkdfSha256, XWing>(&OpModeS::Base, &public, b"info", &[7; 32], b"")
                .unwrap()
        });
        let (encapsulated, first) = wrapped.next().unwrap();
        black_box(wrapped.next().unwrap());
        let mut payload = vec![7; payload_bytes];
        let tag = parts
            .aead
            .encrypt_inout_detached(&[0; 12].into(), b"", payload.as_mut_slice().into())
            .unwrap();
        PartsMade {
            ed25519,
            ml_dsa,
            encapsulated,
            wrapped: first,
            payload,
            tag,
        }
    }

    /// Those of opening: one unwrap, one decryption, one digest, two verifications.
    fn open_parts(&self, mut made: PartsMade, content: &[u8], statement: &[u8]) {
        let parts = &self.parts;
        let private = <XWing as Kem>::PrivateKey::from_bytes(self.secrets[0].as_bytes()).unwrap();
        let key = hpke::single_shot_open::<AesGcm256, HkdfSha256, XWing>(
            &OpModeR::Base,
            &private,
            &made.encapsulated,
            b"info",
            &made.wrapped,
            b"",
        );
        black_box(key.unwrap());
        let payload = made.payload.as_mut_slice().into();
        parts
            .aead
            .decrypt_inout_detached(&[0; 12].into(), b"", payload, &made.tag)
            .unwrap();
        black_box(sha2::Sha256::digest(content));
        let key = ed25519_dalek::VerifyingKey::from_bytes(&parts.ed25519_public).unwrap();
        key.verify_strict(statement, &made.ed25519).unwrap();
        let key = ml_dsa::VerifyingKey::<MlDsa65>::decode(&parts.ml_dsa_public);
        assert!(key.verify_with_context(statement, Purpose::Statement.context(), &made.ml_dsa));
    }
}

/// How long something took, each time.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn take<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = black_box(work());
        self.0.push(begun.elapsed().as_secs_f64() * 1e3);
        done
    }

    fn median_ms(&self) -> f64 {
        let mut times = self.0.clone();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }
}

/// What `openssl speed` says of the cipher on blocks of this size, in GB/s; none where it is not there.
fn openssl() -> Option<f64> {
    let words = [
        "speed",
        "-mr",
        "-seconds",
        "1",
        "-bytes",
        "16384",
        "-evp",
        "aes-256-gcm",
    ];
    let output = Command::new("openssl").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let last = text
        .lines()
        .find_map(|line| line.strip_prefix("+F:"))?
        .rsplit(':')
        .next()?
        .to_owned();
    Some(last.parse::<f64>().ok()? / 1e9)
}
