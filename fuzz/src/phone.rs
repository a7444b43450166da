//! A phone whose relay gives it pages that the bytes make of honest ones: nothing is shown that nobody sent, or twice, the sync ends,
//! and the store opens again.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pli_core::Folder;
use pli_tests::place::{GP, NURSE, Place, draft};
use protocol::sequence::{Entry, EntryBody, Notice, SequencePage, Step};
use protocol::{Digest, MessageId, Timestamp, cbor};

use crate::cut;
use crate::place::{Template, on_a_runtime};

const HONEST: [&str; 3] = ["Un", "Deux", "Trois"];

/// A relay that has three mails for the GP, and the GP's phone before it knows of them. It wrote one itself, so that there are
/// notices, too.
static PLACE: LazyLock<Template> = LazyLock::new(|| {
    on_a_runtime(async {
        let mut place = Place::open().await;
        let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
        gp.send(&draft(&[NURSE], "Zéro")).unwrap();
        gp.sync().await.unwrap();
        for subject in HONEST {
            nurse.send(&draft(&[GP], subject)).unwrap();
        }
        nurse.sync().await.unwrap();
        drop((nurse, gp));
        place.stop_relay().await;
        Template::of(&place)
    })
});

pub(crate) fn run(bytes: &[u8]) {
    let template = &*PLACE;
    on_a_runtime(async {
        let mut place = Place::copied(template.copy(), backend::Tuning::default()).await;
        let by: Arc<[u8]> = bytes.into();
        place.line.edit("/v1/sequence", move |page| spoil(page, &by));
        {
            let gp = place.phone(GP);
            sync(&gp).await;
            shows_what_was_sent(&gp);
        }
        place.line.honest();
        let gp = place.phone(GP);
        sync(&gp).await;
        shows_what_was_sent(&gp);
        drop(gp);
        place.stop_relay().await;
    });
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let edits = |edits: &[&[u8]]| [&[2], edits.concat().as_slice()].concat();
    vec![
        vec![],
        vec![0],
        [&[0], crate::seeds::taken("sequence-page").as_slice()].concat(),
        vec![1, 0, 9, 0, 1],
        edits(&[&[0, 0]]),
        edits(&[&[1, 0]]),
        edits(&[&[2, 0, 1]]),
        edits(&[&[3, 0], &[0, 0, 0, 0, 0, 0, 0, 9]]),
        edits(&[&[4, 0], &cut::join(&[&[0, 40, 0, 1]])]),
        edits(&[&[5, 0], &cut::join(&[&[0, 40, 0, 1]])]),
        edits(&[&[6, 0], &[1; 16], &[1]]),
        edits(&[&[7, 1]]),
        edits(&[&[8, 1]]),
    ]
}

/// What the relay says instead of this page.
fn spoil(page: Vec<u8>, mut by: &[u8]) -> Vec<u8> {
    match cut::byte(&mut by) % 3 {
        0 if !by.is_empty() => by.to_vec(),
        0 => page,
        1 => {
            let mut page = page;
            cut::edit(&mut page, by);
            page
        }
        _ => match cbor::decode::<SequencePage>(&page) {
            Ok(mut parsed) => {
                spoil_entries(&mut parsed.entries, by);
                cbor::encode(&parsed)
            }
            // The relay refused.
            Err(_) => page,
        },
    }
}

/// Edits that leave a page, the digests put right.
fn spoil_entries(entries: &mut Vec<Entry>, mut by: &[u8]) {
    for _ in 0..20 {
        if by.is_empty() || entries.is_empty() {
            return;
        }
        let (how, place) = (cut::byte(&mut by) % 9, usize::from(cut::byte(&mut by)) % entries.len());
        match how {
            0 => drop(entries.remove(place)),
            1 => entries.insert(place, entries[place].clone()),
            2 => {
                let other = usize::from(cut::byte(&mut by)) % entries.len();
                entries.swap(place, other);
            }
            3 => entries[place].number = cut::number(&mut by),
            4 => {
                if let Some(body) = &mut entries[place].body {
                    cut::edit(body, cut::take(&mut by));
                    entries[place].digest = Digest::of(&[body]);
                }
            }
            5 => {
                let Ok(Some(EntryBody::Mail(mut mail))) = entries[place].open() else {
                    continue;
                };
                if let Some(payload) = &mut entries[place].payload {
                    cut::edit(payload, cut::take(&mut by));
                    mail.payload_digest = Digest::of(&[payload]);
                    replace(&mut entries[place], &EntryBody::Mail(mail));
                }
            }
            6 => {
                let id = MessageId::from_bytes(std::array::from_fn(|_| cut::byte(&mut by)));
                let step = Step::ALL[usize::from(cut::byte(&mut by)) % Step::ALL.len()];
                let notice = Notice {
                    id,
                    recipient: NURSE.parse().unwrap(),
                    step,
                    at: Timestamp::from_millis(i64::from_be_bytes(cut::number(&mut by).to_be_bytes())),
                };
                entries[place].payload = None;
                replace(&mut entries[place], &EntryBody::Notice(notice));
            }
            7 => entries[place].payload = None,
            _ => entries[place].body = None,
        }
    }
}

fn replace(entry: &mut Entry, body: &EntryBody) {
    let body = cbor::encode(body);
    entry.digest = Digest::of(&[&body]);
    entry.body = Some(body.into());
}

/// However it ends, it ends.
async fn sync(phone: &pli_core::Session) {
    let ended = tokio::time::timeout(Duration::from_mins(2), phone.sync()).await;
    drop(ended.expect("the sync does not end"));
}

fn shows_what_was_sent(phone: &pli_core::Session) {
    let shown = phone.list(Folder::Inbox, None, 1_000).unwrap();
    let mut seen = BTreeSet::new();
    for mail in shown {
        assert!(
            HONEST.contains(&mail.subject.as_str()),
            "nobody sent {:?}",
            mail.subject
        );
        let number = mail.number;
        assert!(seen.insert(mail.subject), "shown twice");
        drop(phone.message(number).unwrap());
    }
    drop(phone.unopened().unwrap());
}
