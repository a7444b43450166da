//! A result from one phone to the other, and what both can say about it.

use std::fs;

use serde_json::Value;

use crate::scene::{GP, NURSE, Running, SILENT, Scene, answer, dropped, result, until, with_input};

#[test]
fn a_result_goes_in_at_one_end_and_comes_out_at_the_other_byte_for_byte() {
    let scene = Scene::enrolled();
    let bytes = result(1);
    let file = scene.file("result.hpr", &bytes);
    let sent = answer(&mut scene.on(NURSE, &["mail", "send", "--to", GP, "--hprim", &file]));
    assert_eq!(sent["sent"], Value::Bool(true));
    assert_eq!(sent["warnings"], Value::Array(Vec::new()));

    answer(&mut scene.on(GP, &["sync"]));
    let inbox = answer(&mut scene.on(GP, &["mail", "list"]));
    let [mail] = inbox["mails"].as_array().unwrap().as_slice() else {
        panic!("{inbox}")
    };
    assert_eq!(mail["sender"], NURSE);
    assert_eq!(mail["patient"], "LANVAUX ODETTE 12/03/1948");
    let number = mail["number"].as_i64().unwrap().to_string();

    let exported = scene.path("exported.hpr");
    let status = scene
        .on(GP, &["hprim", "export", &number, "--output"])
        .arg(&exported)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(fs::read(&exported).unwrap(), bytes);
    let output = scene
        .on(GP, &["hprim", "export", &number, "--output", "-"])
        .output()
        .unwrap();
    assert_eq!(output.stdout, bytes);

    let folder = scene.path("practice");
    fs::create_dir(&folder).unwrap();
    let mut watch = scene.on(GP, &["watch", "--json", "--export"]);
    watch.arg(&folder);
    let watching = Running::start(watch);
    until("the document is dropped", || !dropped(&folder).is_empty());
    // One that arrives while it watches.
    let second = result(2);
    let file = scene.file("second.hpr", &second);
    answer(&mut scene.on(NURSE, &["mail", "send", "--to", GP, "--hprim", &file]));
    until("the second is dropped", || dropped(&folder).len() == 2);
    assert!(watching.end().success());
    let mut found: Vec<Vec<u8>> = dropped(&folder).iter().map(|path| fs::read(path).unwrap()).collect();
    found.sort();
    assert_eq!(found, [bytes, second]);
}

#[test]
fn what_was_deduced_of_a_document_is_told_beside_its_text() {
    let scene = Scene::enrolled();
    // "Créatinine" and the rest, once by MacRoman: é is 8E there.
    let bytes: Vec<u8> = result(1)
        .into_iter()
        .map(|byte| match byte {
            0xE9 => 0x8E,
            0xE8 => 0x8F,
            0xE0 => 0x88,
            other => other,
        })
        .collect();
    let file = scene.file("mac.hpr", &bytes);
    answer(&mut scene.on(NURSE, &["mail", "send", "--to", GP, "--hprim", &file]));
    answer(&mut scene.on(GP, &["sync"]));
    let mail = answer(&mut scene.on(GP, &["mail", "show", "1"]));
    assert_eq!(mail["warnings"][0]["code"], "hprim-charset-macroman", "{mail}");
    assert!(mail["text"].as_str().unwrap().starts_with("Patiente à jeun."), "{mail}");
    let shown = scene.on(GP, &["mail", "show", "1", "--lang", "fr"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("Remarque  [hprim-charset-macroman] Le fichier paraît être en MacRoman"),
        "{shown}"
    );
    let output = scene
        .on(GP, &["hprim", "export", "1", "--output", "-"])
        .output()
        .unwrap();
    assert_eq!(output.stdout, bytes);
}

#[test]
fn a_letter_is_answered_and_both_see_what_became_of_it() {
    let scene = Scene::enrolled();
    let patient = scene.file("patient.txt", "Lanvaux\nOdette\n12/03/1948\n".as_bytes());
    let letter = scene.file("letter.txt", "Chevilles gonflées.\n".as_bytes());
    let words = [
        "mail",
        "send",
        "--to",
        GP,
        "--subject",
        "Œdème",
        "--patient",
        &patient,
        "--letter",
        &letter,
    ];
    let sent = answer(&mut scene.on(NURSE, &words))["number"].to_string();

    answer(&mut scene.on(GP, &["sync"]));
    let found = answer(&mut scene.on(GP, &["mail", "list", "--search", "oedeme lanv"]));
    let found = if found["mails"].as_array().unwrap().is_empty() {
        answer(&mut scene.on(GP, &["mail", "list", "--search", "gonfl lanv"]))
    } else {
        found
    };
    let number = found["mails"][0]["number"].to_string();
    let shown = scene.on(GP, &["mail", "show", &number]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("Subject   Œdème") && shown.contains("Chevilles gonflées."),
        "{shown}"
    );
    let mut reply = scene.on(GP, &["mail", "answer", &number, "--letter", "-", "--json"]);
    let output = with_input(&mut reply, "Vu, merci.");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    answer(&mut scene.on(GP, &["mail", "handled", &number]));
    answer(&mut scene.on(GP, &["sync"]));

    answer(&mut scene.on(NURSE, &["sync"]));
    let mail = answer(&mut scene.on(NURSE, &["mail", "show", &sent]));
    assert_eq!(mail["deliveries"][0]["state"], "handled", "{mail}");
    let inbox = answer(&mut scene.on(NURSE, &["mail", "list"]));
    assert_eq!(inbox["mails"].as_array().unwrap().len(), 1, "{inbox}");
    let eml = scene.path("mail.eml");
    let number = inbox["mails"][0]["number"].to_string();
    assert!(
        scene
            .on(NURSE, &["mail", "export", &number, "--eml", "--output"])
            .arg(&eml)
            .status()
            .unwrap()
            .success()
    );
    assert!(fs::read(&eml).unwrap().windows(5).any(|bytes| bytes == b"From:"));
}

#[test]
fn a_note_arrives_with_the_document_and_changes_no_byte_of_it() {
    let scene = Scene::enrolled();
    let bytes = result(1);
    let file = scene.file("result.hpr", &bytes);
    let note = scene.file("note.txt", "Contrôle conseillé sous huitaine.\n".as_bytes());
    let words = ["mail", "send", "--to", GP, "--hprim", &file, "--letter", &note];
    answer(&mut scene.on(NURSE, &words));
    answer(&mut scene.on(GP, &["sync"]));
    let received = answer(&mut scene.on(GP, &["mail", "show", "1"]));
    let text = received["text"].as_str().unwrap();
    assert!(
        text.starts_with("Contrôle conseillé sous huitaine.\n\n") && text.contains("Créatinine"),
        "{text}"
    );
    assert!(received["attachments"].as_array().unwrap().is_empty(), "{received}");
    for words in ["huitaine", "creatinine"] {
        let found = answer(&mut scene.on(GP, &["mail", "list", "--search", words]));
        assert_eq!(found["mails"].as_array().unwrap().len(), 1, "{words}");
    }
    let exported = |number: &str| {
        let words = ["hprim", "export", number, "--output", "-"];
        scene.on(GP, &words).output().unwrap().stdout
    };
    assert_eq!(exported("1"), bytes);

    // Forwarded to a colleague with a note of one's own: both notes, the same document.
    scene.enrol(SILENT);
    let own = scene.file("own.txt", b"Qu'en penses-tu ?");
    answer(&mut scene.on(GP, &["mail", "forward", "1", "--to", SILENT, "--letter", &own]));
    answer(&mut scene.on(SILENT, &["sync"]));
    let shown = answer(&mut scene.on(SILENT, &["mail", "show", "1"]));
    let text = shown["text"].as_str().unwrap();
    assert!(
        text.starts_with("Qu'en penses-tu ?\n\nContrôle conseillé sous huitaine.\n\n") && text.contains("Créatinine"),
        "{text}"
    );
    let mut export = scene.on(SILENT, &["hprim", "export", "1", "--output", "-"]);
    assert_eq!(export.output().unwrap().stdout, bytes);

    // Kept as a draft and sent later, the note is still there.
    let mut words = vec![
        "mail", "send", "--to", GP, "--hprim", &file, "--letter", &note, "--draft",
    ];
    let draft = answer(&mut scene.on(NURSE, &words))["number"].to_string();
    words = vec!["mail", "send-draft", &draft];
    answer(&mut scene.on(NURSE, &words));
    answer(&mut scene.on(GP, &["sync"]));
    let again = answer(&mut scene.on(GP, &["mail", "list", "--search", "huitaine"]));
    assert_eq!(again["mails"].as_array().unwrap().len(), 2, "{again}");
}

#[test]
fn an_attachment_arrives_as_it_was() {
    let scene = Scene::enrolled();
    let picture: Vec<u8> = (0..=255).cycle().take(3_000).collect();
    let file = scene.file("plaie cheville.jpg", &picture);
    let letter = scene.file("letter.txt", b"Voir la photo.");
    let patient = scene.file("patient.txt", b"Lanvaux\nOdette\n12/03/1948\n");
    let words = [
        "mail",
        "send",
        "--to",
        GP,
        "--subject",
        "Photo",
        "--patient",
        &patient,
        "--letter",
        &letter,
    ];
    answer(scene.on(NURSE, &words).args(["--attach", &file]));
    answer(&mut scene.on(GP, &["sync"]));
    let shown = answer(&mut scene.on(GP, &["mail", "show", "1"]));
    assert_eq!(shown["attachments"][0]["name"], "plaie cheville.jpg");
    assert_eq!(shown["attachments"][0]["size_bytes"], 3_000);
    let folder = scene.path("photos");
    fs::create_dir(&folder).unwrap();
    for kept in ["plaie cheville.jpg", "plaie cheville (2).jpg"] {
        answer(
            scene
                .on(GP, &["mail", "export", "1", "--attachments", "--output"])
                .arg(&folder),
        );
        assert_eq!(fs::read(folder.join(kept)).unwrap(), picture);
    }
}

#[test]
fn warnings_are_shown_and_wait_for_a_yes() {
    let scene = Scene::enrolled();
    let letter = scene.file("letter.txt", b"Bonjour.");
    let words = ["mail", "send", "--to", GP, "--subject", "Bonjour", "--letter", &letter];
    let output = scene.on(NURSE, &words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("[patient-missing]") && said.contains("pli: [confirmation-needed]"),
        "{said}"
    );
    let sent = answer(&mut scene.on(NURSE, &["mail", "list", "--folder", "sent"]));
    assert!(sent["mails"].as_array().unwrap().is_empty(), "{sent}");
    let answered = answer(scene.on(NURSE, &words).arg("--yes"));
    assert_eq!(answered["warnings"][0]["code"], "patient-missing");
}

#[test]
fn what_the_document_cannot_hold_as_it_was_typed_is_told_before_it_leaves() {
    let scene = Scene::enrolled();
    let patient = scene.file("patient.txt", "Lanvaux\nOdette\n12/03/1948\n".as_bytes());
    let letter = scene.file("letter.txt", "Son cœur va bien.\n****FIN****\n".as_bytes());
    let words = [
        "mail",
        "send",
        "--to",
        GP,
        "--subject",
        "Cœur",
        "--patient",
        &patient,
        "--letter",
        &letter,
    ];
    let output = scene.on(NURSE, &words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("[hprim-character-spelled]") && said.contains("[hprim-marker-in-text]"),
        "{said}"
    );
    let sent = answer(scene.on(NURSE, &words).arg("--yes"));
    assert_eq!(sent["warnings"].as_array().unwrap().len(), 2, "{sent}");
    answer(&mut scene.on(GP, &["sync"]));
    let mail = answer(&mut scene.on(GP, &["mail", "show", "1"]));
    assert_eq!(mail["text"], "Son coeur va bien.\n**** FIN ****");
}

#[test]
fn who_has_no_device_is_shown_so_and_not_written_to() {
    let scene = Scene::enrolled();
    let found = answer(&mut scene.on(NURSE, &["directory", "find", "rivoire", "--town", "Dreux"]));
    assert_eq!(found["entries"][0]["reachable"], Value::Bool(false), "{found}");
    let shown = scene.on(NURSE, &["directory", "show", SILENT]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("not reachable") && shown.contains("Dermatologie") && shown.contains("28100 Dreux"),
        "{shown}"
    );
    let file = scene.file("result.hpr", &result(1));
    let output = scene
        .on(NURSE, &["mail", "send", "--to", SILENT, "--hprim", &file])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("pli: [not-reachable]")
    );
}

#[test]
fn what_is_written_without_a_line_goes_when_it_is_back() {
    let mut scene = Scene::enrolled();
    scene.stop_relay();
    let file = scene.file("result.hpr", &result(1));
    let sent = answer(&mut scene.on(NURSE, &["mail", "send", "--to", GP, "--hprim", &file]));
    assert_eq!(sent["sent"], Value::Bool(false));
    let output = scene.on(NURSE, &["sync"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let listen = scene.url.trim_start_matches("https://").to_owned();
    scene.start_relay(&listen);
    answer(&mut scene.on(NURSE, &["sync"]));
    answer(&mut scene.on(GP, &["sync"]));
    let inbox = answer(&mut scene.on(GP, &["mail", "list"]));
    assert_eq!(inbox["mails"].as_array().unwrap().len(), 1, "{inbox}");
}

#[test]
fn a_draft_is_kept_and_sent_later() {
    let scene = Scene::enrolled();
    let patient = scene.file("patient.txt", b"Lanvaux\nOdette\n12/03/1948\n");
    let letter = scene.file("letter.txt", b"Plus tard.");
    let words = [
        "mail",
        "send",
        "--draft",
        "--to",
        GP,
        "--subject",
        "Brouillon",
        "--patient",
        &patient,
        "--letter",
        &letter,
    ];
    let number = answer(&mut scene.on(NURSE, &words))["number"].to_string();
    let drafts = answer(&mut scene.on(NURSE, &["mail", "list", "--folder", "drafts"]));
    assert_eq!(drafts["mails"].as_array().unwrap().len(), 1);
    answer(&mut scene.on(NURSE, &["mail", "send-draft", &number, "--yes"]));
    let drafts = answer(&mut scene.on(NURSE, &["mail", "list", "--folder", "drafts"]));
    assert!(drafts["mails"].as_array().unwrap().is_empty());
    answer(&mut scene.on(GP, &["sync"]));
    let inbox = answer(&mut scene.on(GP, &["mail", "list"]));
    assert_eq!(inbox["mails"][0]["subject"], "Brouillon");
    assert_eq!(inbox["mails"][0]["patient"], "LANVAUX Odette 12/03/1948");
}
