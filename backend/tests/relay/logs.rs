//! What the relay writes into its log over a whole journey: that it ran, and nothing of whom it served.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::sequence::Cursor;
use reqwest::Method;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::support::{IDA, LEA, PAUL, Phone, TestRelay, after, problem_of};

/// All that is logged in this process, by whatever test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn they_hold_no_address_no_name_no_token_and_no_code() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(
            "trace,backend=trace,h2=debug,hyper=debug,tungstenite=debug",
        ))
        .with_writer(log.clone())
        .with_ansi(false)
        .init();
    let relay = TestRelay::start().await;
    let code = relay.code(LEA);
    let mut lea = Phone::make(LEA, 4);
    problem_of(relay.send_enrolment(&lea, "FAUX-CODE").await).await;
    relay.send_enrolment(&lea, &code).await;
    lea.token = relay.token(&lea).await;
    let paul = relay.enrol(PAUL).await;
    let mut stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let id = relay.send(&lea, &[PAUL, IDA], &vec![b'x'; 20_000]).await;
    let entries = stream.page().await;
    stream.acknowledge(after(Cursor::START, &entries)).await;
    relay.news(&lea, Cursor::START).await;
    relay.withdraw(&lea, id).await;
    let future = Cursor {
        number: 9,
        ..Cursor::START
    };
    problem_of(relay.acknowledge(&paul, future).await).await;
    for path in [
        "/v1/entries?q=noel&town=dreux",
        "/v1/entries/paul.noel@medical28.apicrypt.org",
        "/nowhere",
    ] {
        let request = relay.request(Method::GET, path).bearer_auth(&lea.token);
        request.send().await.unwrap();
    }
    // A folder that fails under the relay is an error in its log.
    let blobs = relay.data.path().join("blobs");
    std::fs::remove_dir_all(&blobs).unwrap();
    let sealed = relay.seal(&lea, &[PAUL], &vec![b'x'; 20_000]).await;
    problem_of(relay.deposit(&lea, &sealed).await).await;
    std::fs::create_dir(&blobs).unwrap();
    relay.running.stop().await.unwrap();

    let log = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    let log = String::from_utf8_lossy(&log).to_lowercase();
    for told in [
        "the relay listens",
        "an account enrolled",
        "refused",
        "a request failed",
    ] {
        assert!(log.contains(told), "not logged: {told}");
    }
    for secret in [
        "medical28",
        "petit",
        "noël",
        "noel",
        "dreux",
        "faux-code",
        &lea.token,
        &paul.token,
        &code,
    ] {
        let secret = secret.to_lowercase();
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
}
