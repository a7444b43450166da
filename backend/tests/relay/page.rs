//! `docs/protocol/api.md` against the code: paths, codes and limits.

use std::fs;
use std::path::Path;

use backend::limits::{Failing, Limits};
use protocol::{Code, limits};

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

#[test]
fn it_names_every_path_and_code() {
    let page = read("docs/protocol/api.md");
    let source = read("protocol/src/api.rs");
    let paths: Vec<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const ")?.split_once("&str = \"/"))
        .map(|(_, path)| format!("/{}", path.trim_end_matches("\";")))
        .collect();
    assert_eq!(paths.len(), 20, "{paths:?}");
    for path in paths {
        let is_named = page.contains(&format!(" {path}` | ")) || page.contains(&format!(" {path}/{{"));
        assert!(is_named, "{path}");
    }
    for code in Code::ALL {
        assert!(page.contains(&format!("`{}`", code.as_str())), "{}", code.as_str());
    }
}

#[test]
fn its_limits_are_those_of_the_code() {
    let page = read("docs/protocol/api.md");
    let Limits {
        activation,
        guesses,
        enrolments,
        identities,
        archives,
        knocks,
        challenges,
        tokens,
        keys,
        deposits,
        rewraps,
        uploads,
        directory,
        connections,
        network_connections,
        connection_requests,
        head_seconds,
        idle_seconds,
        body_silence_seconds,
        body_seconds,
        stranger_body_seconds,
        device_bodies,
        stranger_bodies,
    } = Limits::default();
    for limit in [
        activation, guesses, enrolments, identities, archives, knocks, challenges, tokens, keys, deposits, rewraps,
        uploads, directory,
    ] {
        let failing = match limit.failing {
            Failing::Closed => "closed",
            Failing::Open => "open",
        };
        let row = format!(
            "| {} | {} | {} in {} s | {failing} |",
            limit.name, limit.bucket, limit.refill, limit.refill_seconds
        );
        assert!(page.contains(&row), "{row}");
    }
    let plain = page.replace(',', "");
    for (what, size) in [
        ("connections at once", connections),
        ("connections at once from one network address", network_connections),
        (
            "requests at once on one connection of HTTP/2",
            usize::try_from(connection_requests).unwrap(),
        ),
        ("bodies of one device on their way", device_bodies.share_bytes),
        ("bodies of all devices on their way", device_bodies.bytes),
        (
            "bodies without a token on their way from one network address",
            stranger_bodies.share_bytes,
        ),
        ("bodies without a token on their way", stranger_bodies.bytes),
        ("a mail's content", limits::MAIL_BYTES),
        ("a payload", limits::PAYLOAD_BYTES),
        ("a deposit", limits::DEPOSIT_BYTES),
        ("a sealed part of an archive", limits::ARCHIVE_PART_BYTES),
        ("a sealed hello or answer", limits::LINK_BYTES),
        ("wraps of a deposit", limits::WRAPS),
        ("recipients of a mail", limits::RECIPIENTS),
        ("devices of an account", limits::DEVICES),
        ("predecessors of an identity", limits::PREDECESSORS),
        ("prekeys of a batch", limits::PREKEYS),
        ("entries of a page", limits::PAGE_ENTRIES),
        (
            "entries of a search that are passed over",
            usize::try_from(limits::SEARCH_SKIP).unwrap(),
        ),
        ("entries of a search", usize::try_from(limits::SEARCH_ENTRIES).unwrap()),
    ] {
        assert!(plain.contains(&format!("| {what} | {size}")), "{what}: {size}");
    }
    assert!(plain.contains(&format!("payloads reach {} bytes", limits::PAGE_BYTES)));
    assert!(plain.contains(&format!("at most {} bytes a request", limits::JSON_BYTES)));
    assert!(plain.contains(&format!("good for {} s and for this relay", limits::TOKEN_SECONDS)));
    assert!(plain.contains(&format!("at most {} s and is then", limits::POLL_SECONDS)));
    assert!(plain.contains(&format!("within {head_seconds} s")));
    assert!(plain.contains(&format!("without a request for {idle_seconds} s")));
    assert!(plain.contains(&format!("stood still for {body_silence_seconds} s")));
    let took = format!("took longer than {body_seconds} s without a token {stranger_body_seconds} s");
    assert!(plain.contains(&took));
    let waits = format!(
        "Mail waits {} days from its `accepted_at`. What nobody has retrieved after {} days",
        limits::MAIL_DAYS,
        limits::WAITING_DAYS
    );
    assert!(plain.contains(&waits));
    assert!(plain.contains(&format!("not been given a token for {} days", limits::SILENT_DAYS)));
    let tuning = backend::Tuning::default();
    let silence = format!(
        "pings every {} s; a stream on which nothing came for {} s",
        tuning.ping_seconds, tuning.silence_seconds
    );
    assert!(plain.contains(&silence));
}
