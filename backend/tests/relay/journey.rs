//! One mail from enrolment to the notice that it was retrieved, over TLS.

use backend::{Tls, Tuning, admin};
use protocol::api::{DepositAnswer, DirectoryEntry, PrekeyStock, ServerInfo, path};
use protocol::sequence::{Cursor, Step};
use reqwest::{Method, StatusCode};

use super::support::{LEA, PAUL, TestRelay, after, notice_of};

#[tokio::test]
async fn a_mail_goes_from_one_phone_to_the_other_and_the_sender_hears_of_it() {
    let data = tempfile::tempdir().unwrap();
    let csv = "given,surname,departement\nLéa,Petit,28\nPaul,Noël,28\n";
    let report = admin::import_csv(data.path(), csv.as_bytes()).unwrap();
    assert_eq!(report.addresses, [LEA.parse().unwrap(), PAUL.parse().unwrap()]);
    let relay = TestRelay::start_in(data, Tls::Dev, Tuning::default()).await;

    let server: ServerInfo = relay
        .request(Method::GET, path::SERVER)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(server.name, "relay.test");
    let lea = relay.enrol(LEA).await;
    let paul = relay.enrol(PAUL).await;

    let entry: DirectoryEntry = relay
        .request(Method::GET, &format!("{}/{PAUL}", path::ENTRIES))
        .bearer_auth(&lea.token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!((entry.surname.as_str(), entry.reachable), ("Noël", true));

    let sealed = relay.seal(&lea, &[PAUL], b"Bonjour").await;
    let answer: DepositAnswer = relay.deposit(&lea, &sealed).await.json().await.unwrap();
    assert_eq!(answer.outcomes[0].step, Step::Available);

    let entries = relay.page(&paul, Cursor::START).await;
    assert_eq!(paul.open(&entries[0], &lea), b"Bonjour");
    let cursor = after(Cursor::START, &entries);
    assert_eq!(relay.acknowledge(&paul, cursor).await.status(), StatusCode::NO_CONTENT);
    assert!(relay.page(&paul, cursor).await.is_empty());

    let told = relay.page(&lea, Cursor::START).await;
    let notice = notice_of(&told[0]);
    assert_eq!((notice.step, notice.recipient.as_str()), (Step::Retrieved, PAUL));

    let stock: PrekeyStock = relay
        .request(Method::GET, path::PREKEYS)
        .bearer_auth(&paul.token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!((stock.left, stock.newest_batch), (3, 1));
    relay.running.stop().await.unwrap();
}
