//! The operator's backup, taken while phones write to each other, and put back after the relay's disk is gone.

use std::time::Duration;

use backend::backup;
use pli_tests::place::{GP, NURSE, Place, draft, inbox};

use crate::rollback::settle;

#[tokio::test(flavor = "multi_thread")]
async fn put_back_it_is_a_relay_with_which_no_accepted_mail_is_missing() {
    let mut place = Place::open().await;
    let (nurse, gp) = (place.enrol(NURSE).await, place.enrol(GP).await);
    let (data, to) = (place.home("relay"), place.home("backup"));
    let taking = {
        let (data, to) = (data.clone(), to.clone());
        tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(300));
            backup::make(&data, &to).unwrap()
        })
    };
    let mut expected = Vec::new();
    let mut after_it = 0;
    while after_it < 3 {
        let subject = format!("Courrier {}", expected.len());
        let mut letter = draft(&[GP], &subject);
        // Beyond what stays in a row.
        letter.text = "Texte. ".repeat(4_000);
        nurse.send(&letter).unwrap();
        nurse.sync().await.unwrap();
        if expected.len() % 3 == 0 {
            gp.sync().await.unwrap();
        }
        expected.push(subject);
        after_it += u32::from(taking.is_finished());
    }
    assert_eq!(taking.await.unwrap().lost, 0);

    place.stop_relay().await;
    std::fs::remove_dir_all(&data).unwrap();
    backup::restore(&to, &data).unwrap();
    place.start_relay().await;
    settle(&[&nurse, &gp]).await;
    let mut arrived = inbox(&gp);
    arrived.sort_by_key(|subject| subject.trim_start_matches("Courrier ").parse::<usize>().unwrap());
    assert_eq!(arrived, expected);
}
