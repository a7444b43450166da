//! Whether the relay says that it can work, and who can read what it counts.

use std::path::Path;

use protocol::Code;
use protocol::api::path;
use protocol::sequence::Cursor;
use reqwest::{Method, StatusCode};

use super::support::{LEA, PAUL, TestRelay, problem_of};

impl TestRelay {
    /// What the operator reads.
    async fn figures(&self) -> String {
        let url = format!("http://{}/metrics", self.running.metrics_addr().unwrap());
        let answer = self.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        answer.text().await.unwrap()
    }
}

/// The value of the line that begins so.
fn value(figures: &str, line: &str) -> f64 {
    let rest = figures.lines().find_map(|told| told.strip_prefix(line));
    let rest = rest.unwrap_or_else(|| panic!("no {line} in {figures}"));
    rest.trim().parse().unwrap()
}

#[tokio::test]
async fn it_is_ready_while_it_can_write_and_its_blob_folder_is_there() {
    let relay = TestRelay::start().await;
    let ask = |path: &'static str| async { relay.request(Method::GET, path).send().await.unwrap() };
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = ask(path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.text().await.unwrap(), text);
    }
    let marker = relay.data.path().join("blobs/folder.id");
    let away = relay.data.path().join("away");
    std::fs::rename(&marker, &away).unwrap();
    // What was found a moment ago holds for a second.
    let unready = async {
        loop {
            let answer = ask("/readyz").await;
            if answer.status() != StatusCode::OK {
                break answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let unready = tokio::time::timeout(std::time::Duration::from_secs(20), unready).await;
    assert_eq!(problem_of(unready.unwrap()).await, Code::TemporarilyUnavailable);
    assert_eq!(ask("/healthz").await.status(), StatusCode::OK);
    std::fs::rename(&away, &marker).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(ask("/readyz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn figures_count_a_journey_and_are_not_at_the_relays_own_address() {
    let relay = TestRelay::start().await;
    let (lea, paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], b"un").await;
    let _stream = relay.stream(&paul, Cursor::START).await.unwrap();
    let entry = format!("{}/{LEA}", path::ENTRIES);
    let found = relay.request(Method::GET, &entry).bearer_auth(&lea.token);
    assert_eq!(found.send().await.unwrap().status(), StatusCode::OK);
    let stranger = relay.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(problem_of(stranger).await, Code::NotFound);

    let figures = relay.figures().await;
    for (line, expected) in [
        (
            r#"pli_requests_total{route="/v1/deposits",method="POST",status="200"}"#,
            1.0,
        ),
        (
            r#"pli_requests_total{route="/v1/entries/{address}",method="GET",status="200"}"#,
            1.0,
        ),
        (r#"pli_requests_total{route="none",method="GET",status="404"}"#, 1.0),
        (r#"pli_refusals_total{code="not-found"}"#, 1.0),
        (r#"pli_request_seconds_count{route="/v1/deposits"}"#, 1.0),
        ("pli_directory_entries ", 4.0),
        ("pli_accounts ", 2.0),
        ("pli_devices ", 2.0),
        ("pli_devices_suspended ", 0.0),
        ("pli_deliveries_waiting ", 1.0),
        ("pli_streams ", 1.0),
        ("pli_connections_refused_total ", 0.0),
    ] {
        assert!((value(&figures, line) - expected).abs() < 0.1, "{line}\n{figures}");
    }
    for at_least_one in [
        "pli_connections ",
        "pli_commits_total ",
        "pli_database_bytes ",
        "process_open_fds ",
    ] {
        assert!(value(&figures, at_least_one) >= 1.0, "{at_least_one}\n{figures}");
    }
    for secret in [
        "@",
        "medical28",
        "lea",
        "paul",
        "petit",
        "127.0.0.1",
        &lea.token,
        &lea.device.to_string(),
    ] {
        assert!(!figures.contains(secret), "{secret} in {figures}");
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    for kind in figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = kind.split(' ').next().unwrap();
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not in docs/operations.md"
        );
    }
}
