//! Wrong input at every door: a code, advice, and the right status.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::scene::{GP, NURSE, Running, Scene, answer, pli, with_input};

pub(crate) fn refused(command: &mut Command, status: i32, code: &str) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}\n{said}");
    assert!(said.contains(&format!("pli: [{code}] ")), "{command:?} said {said:?}");
}

#[test]
fn a_command_line_that_cannot_be_understood_has_status_2() {
    for words in [
        "mail send",
        "mail send --to jean.martin",
        "mail send --to jean.martin@example.org --subject x",
        "mail show x",
        "mail show",
        "mail list --folder trash",
        "mail export 1 --output x",
        "mail export 1 --eml --attachments --output x",
        "mail export 1 --hprim --output x",
        "directory show ../../etc/passwd",
        "serve --data x",
        "serve --data x --plain --dev-tls",
        "serve --data x --cert y",
        "enrol jean.martin@medical28.apicrypt.org",
        "enrol jean.martin@medical28.apicrypt.org --server https://x --backup --no-backup",
        "recovery backup --on --off",
        "recovery backup --phrase-file x",
        "recovery restore jean.martin@medical28.apicrypt.org",
        "recovery restore jean.martin@medical28.apicrypt.org --server https://x --phrase abaisser",
        "fly",
        "sync --lang de",
    ] {
        refused(pli().args(words.split(' ')), 2, "usage");
        let mut french = pli();
        french.args(words.split(' ')).args(["--lang", "fr"]);
        if !words.contains("--lang") {
            refused(&mut french, 2, "usage");
        }
    }
}

#[test]
fn a_phone_that_is_not_enrolled_says_so() {
    let home = tempfile::tempdir().unwrap();
    for words in [
        "sync",
        "watch",
        "mail list",
        "directory find x",
        "directory verify jean.martin@medical28.apicrypt.org",
        "directory accept jean.martin@medical28.apicrypt.org",
        "recovery backup",
        "recovery backup --off",
        "recovery phrase",
        "hprim export 1 --output x",
        "mail show 1",
    ] {
        refused(
            pli().args(words.split(' ')).arg("--home").arg(home.path()),
            1,
            "not-set-up",
        );
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn enrolment_refuses_what_does_not_fit() {
    let scene = Scene::open();
    let home = scene.path("phone");
    let enrol = |server: &str, ca: &str| {
        let mut command = pli();
        command.args(["enrol", GP, "--server", server, "--home"]).arg(&home);
        if !ca.is_empty() {
            command.arg("--ca").arg(scene.path(ca));
        }
        command
    };
    refused(&mut enrol("http://127.0.0.1:1", "relay/ca.pem"), 1, "server-unclear");
    refused(&mut enrol("https://a b", "relay/ca.pem"), 1, "server-unclear");
    // A relay named by mistake does not bind the phone.
    let mistaken = scene.file("code.txt", b"0000\n");
    refused(
        enrol("https://127.0.0.1:1", "relay/ca.pem").args(["--code-file", &mistaken]),
        1,
        "unreachable-relay",
    );
    refused(&mut enrol(&scene.url, "relay/none.pem"), 1, "file-unreadable");
    refused(&mut enrol(&scene.url, "relay/ca.pem"), 1, "input-missing");
    let wrong = scene.file("code.txt", b"0000-0000-0000-0000\n");
    refused(
        enrol(&scene.url, "relay/ca.pem").args(["--code-file", &wrong]),
        1,
        "activation-refused",
    );
    // A relay whose certificate stands on another authority is not spoken to.
    let other = tempfile::tempdir().unwrap();
    let mut untrusting = pli();
    untrusting
        .args(["enrol", GP, "--server", &scene.url, "--code-file", &wrong, "--home"])
        .arg(other.path());
    let output = untrusting.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("activation-refused"));

    let output = with_input(&mut enrol(&scene.url, "relay/ca.pem"), &format!("{}\n", scene.code(GP)));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Recovery phrase"), "{said}");
    let code = scene.file("code.txt", scene.code(NURSE).as_bytes());
    refused(
        enrol(&scene.url, "relay/ca.pem").args(["--code-file", &code]),
        1,
        "already-enrolled-here",
    );
    // Nor does it forget the authority it was enrolled with.
    refused(
        enrol(&scene.url, "").args(["--code-file", &code]),
        1,
        "already-enrolled-here",
    );
    let mut sync = pli();
    assert!(
        sync.args(["sync", "--home"])
            .arg(&home)
            .output()
            .unwrap()
            .status
            .success()
    );
    refused(
        enrol("https://127.0.0.1:1", "").args(["--code-file", &code]),
        1,
        "server-differs",
    );
}

#[test]
fn mail_refuses_what_does_not_fit() {
    let scene = Scene::enrolled();
    let send = |more: &[&str]| {
        let mut command = scene.on(NURSE, &["mail", "send", "--to", GP, "--subject", "x"]);
        command.args(more);
        command
    };
    let text = scene.file("letter.txt", b"Bonjour");
    let bad = scene.file("latin1.txt", b"Bonjour \xe9");
    let large = scene.file("large.txt", &vec![b'x'; 1_000_000]);
    let two = scene.file("patient.txt", b"Lanvaux\nOdette\n");
    let date = scene.file("date.txt", b"Lanvaux\nOdette\n31/02/1948\n");
    let nothing = scene.file("empty.hpr", b"");
    let sante = scene.file("sante.hpr", b"H|~^\\&|x\rP|1\r");
    let folder = scene.folder.path().to_str().unwrap();
    refused(&mut send(&["--letter", &bad, "--yes"]), 1, "letter-not-text");
    refused(&mut send(&["--letter", &large, "--yes"]), 1, "too-large");
    refused(&mut send(&["--letter", "/none/letter.txt"]), 1, "file-unreadable");
    refused(
        &mut send(&["--letter", &text, "--attach", folder]),
        1,
        "file-unreadable",
    );
    refused(
        &mut send(&["--letter", &text, "--attach", &large, "--yes"]),
        1,
        "too-large",
    );
    refused(&mut send(&["--letter", &text, "--patient", &two]), 1, "patient-unclear");
    refused(
        &mut send(&["--letter", &text, "--patient", &date]),
        1,
        "patient-unclear",
    );
    refused(&mut send(&["--hprim", &nothing]), 1, "hprim-empty");
    refused(&mut send(&["--hprim", &sante]), 1, "hprim-sante");
    refused(
        &mut send(&["--letter", &text, "--yes", "--to", NURSE]),
        1,
        "recipient-twice",
    );
    let unknown = "nobody.there@medical28.apicrypt.org";
    refused(
        &mut scene.on(NURSE, &["mail", "send", "--to", unknown, "--letter", &text, "--yes"]),
        1,
        "not-found",
    );
    for words in [
        "mail show 99",
        "mail handled 99",
        "mail answer 99 --letter -",
        "hprim export 99 --output x",
        "mail delete 99",
    ] {
        refused(
            &mut scene.on(NURSE, &words.split(' ').collect::<Vec<_>>()),
            1,
            "no-such-message",
        );
    }
    let listed = answer(&mut scene.on(NURSE, &["mail", "list", "--folder", "sent"]));
    assert!(listed["mails"].as_array().unwrap().is_empty(), "{listed}");
    refused(
        &mut scene.on(GP, &["watch", "--export", "/none/folder"]),
        1,
        "file-unwritable",
    );
}

#[test]
fn hprim_check_tells_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let good = file("good.hpr", &crate::scene::result(1));
    let checked = answer(pli().args(["hprim", "check"]).arg(&good));
    assert_eq!(checked["documents"][0]["surname"], "LANVAUX");
    assert_eq!(checked["documents"][0]["results"], 1);
    assert_eq!(checked["warnings"], Value::Array(Vec::new()), "{checked}");
    let unnamed: Vec<u8> = String::from_utf8_lossy(&crate::scene::result(1))
        .replace("LANVAUX", "")
        .into_bytes();
    refused(
        pli().args(["hprim", "check"]).arg(file("unnamed.hpr", &unnamed)),
        1,
        "hprim-unusable",
    );
    for (name, bytes, code) in [
        ("empty.hpr", b"".as_slice(), "hprim-empty"),
        ("binary.hpr", b"\0\0\0\0", "hprim-not-text"),
        ("short.hpr", b"a\nb\n", "hprim-no-header"),
        ("sante.hpr", b"H|~^\\&|x\rP|1\r", "hprim-sante"),
        ("old.hpr", b"#BINASCII1#abc#ENDBINASCII1#", "hprim-armoured"),
    ] {
        refused(pli().args(["hprim", "check"]).arg(file(name, bytes)), 1, code);
    }
    refused(pli().args(["hprim", "check", "/none/file.hpr"]), 1, "file-unreadable");
    refused(pli().args(["hprim", "check"]), 2, "usage");
}

#[test]
fn hprim_check_goes_through_all_files_and_tells_lines() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.hpr");
    fs::write(&good, crate::scene::result(1)).unwrap();
    let loose = folder.path().join("loose.hpr");
    let text = String::from_utf8_lossy(&crate::scene::result(1)).replace("\r\n", "\n");
    fs::write(&loose, text.replacen("LANVAUX", "LANVAUX &eacute;", 1)).unwrap();
    let other = folder.path().join("other.hpr");
    fs::write(&other, b"%PDF-1.4\n").unwrap();

    let check = |options: &[&str], files: &[&std::path::Path]| {
        let output = pli()
            .args(["hprim", "check"])
            .args(options)
            .args(files)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    };
    let (status, said) = check(&["--json"], &[&good, &other, &loose]);
    assert_eq!(status, Some(1));
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["documents"][0]["surname"], "LANVAUX");
    assert_eq!(lines[1]["problem"]["code"], "hprim-pdf");
    assert!(lines[1]["file"].as_str().unwrap().ends_with("other.hpr"));
    let told: Vec<(&str, u64)> = lines[2]["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| (warning["code"].as_str().unwrap(), warning["line"].as_u64().unwrap()))
        .filter(|(code, _)| !code.contains("charset"))
        .collect();
    assert_eq!(told, [("hprim-line-end-not-crlf", 0), ("hprim-html-entity", 2)]);

    refused(
        pli().args(["hprim", "check"]).args([&good, &other]),
        1,
        "hprim-files-unusable",
    );

    let (status, said) = check(&["--lang", "fr"], &[&loose, &good]);
    assert_eq!(status, Some(0));
    assert!(
        said.contains("  ligne 2 : [hprim-html-entity] Des caractères"),
        "{said}"
    );
    assert!(said.contains("good.hpr : documents : 1, en"), "{said}");
    let (_, said) = check(&["--lang", "en"], &[&loose]);
    assert!(said.contains("  line 2: [hprim-html-entity] Characters"), "{said}");
}

#[test]
fn the_operator_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let csv = folder.path().join("directory.csv");
    fs::write(&csv, "name,place\nx,y\n").unwrap();
    let import = || {
        let mut command = pli();
        command.args(["admin", "import"]).arg(&csv).arg("--data").arg(&data);
        command
    };
    refused(&mut import(), 1, "relay-csv");
    fs::write(&csv, "given,surname,departement\nInès,Caradec,28\nNobody,Nowhere,99\n").unwrap();
    refused(&mut import(), 1, "rows-refused");
    refused(
        pli().args(["admin", "code", GP, "--data"]).arg(&data),
        1,
        "relay-no-entry",
    );
    let scene = Scene::open();
    let mut second = pli();
    second
        .args(["serve", "--dev-tls", "--listen", "127.0.0.1:0", "--data"])
        .arg(scene.path("relay"));
    refused(&mut second, 1, "relay-already-running");
}

#[test]
fn errors_come_in_french_and_in_json_too() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pli"));
    command
        .env_remove("LC_MESSAGES")
        .env("LC_ALL", "fr_FR.UTF-8")
        .env("LANG", "fr_FR.UTF-8");
    let output = command.args(["sync", "--home"]).arg(home.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("[not-set-up] Ce téléphone n'est pas inscrit."), "{said}");
    let output = pli()
        .args(["sync", "--json", "--home"])
        .arg(home.path())
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(said["error"]["code"], "not-set-up");
}

#[test]
fn a_relay_ends_in_order_when_the_system_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = pli();
    command
        .args(["serve", "--dev-tls", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path());
    let mut relay = Running::start(command);
    let pid = relay.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = relay.child.wait().unwrap();
    assert!(status.success(), "{status}");
}
