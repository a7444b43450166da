//! What `/openapi.json` says, tried by Schemathesis (PyPI), which is to be on the `PATH`; as long as `PLI_SCHEMATHESIS_SECONDS` says:
//! `cargo test --release -p pli-backend --features schemathesis-stage --test relay schemathesis`.

use backend::Tuning;
use reqwest::{Method, StatusCode};

use super::support::{LEA, PAUL, TestRelay};

#[tokio::test(flavor = "multi_thread")]
async fn finds_nothing() {
    let seconds = std::env::var("PLI_SCHEMATHESIS_SECONDS").unwrap_or_else(|_| "60".to_owned());
    let mut tuning = Tuning {
        token_seconds: 24 * 60 * 60,
        ..Tuning::default()
    };
    let limits = &mut tuning.limits;
    for limit in [
        &mut limits.enrolments,
        &mut limits.identities,
        &mut limits.archives,
        &mut limits.knocks,
        &mut limits.challenges,
        &mut limits.tokens,
        &mut limits.keys,
        &mut limits.deposits,
        &mut limits.rewraps,
        &mut limits.uploads,
        &mut limits.directory,
    ] {
        limit.bucket = u32::MAX;
    }
    let relay = TestRelay::start_tuned(tuning).await;
    let (lea, _paul) = (relay.enrol(LEA).await, relay.enrol(PAUL).await);
    relay.send(&lea, &[PAUL], b"un").await;
    let run = tokio::process::Command::new("schemathesis")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis"))
        .args([
            "run",
            &format!("{}/openapi.json", relay.base),
            "--checks",
            "all",
            "--workers",
            "2",
        ])
        .args([
            "--max-time",
            &seconds,
            "--request-timeout",
            "40",
            "--max-response-time",
            "40",
            "--no-color",
        ])
        .args(["--header", &format!("Authorization: Bearer {}", lea.token)])
        .output();
    let output = run.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    println!("{said}");
    assert_eq!(
        relay.request(Method::GET, "/readyz").send().await.unwrap().status(),
        StatusCode::OK
    );
}
