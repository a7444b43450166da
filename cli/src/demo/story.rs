//! The story: what happens, step by step, and what must be true after each. Anything else ends it as failed.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;
use crate::language::{say, tell};

use super::cast::{self, CARDIOLOGIST, DERMATOLOGIST, GP, Letter, NURSE, Person, role};
use super::disk;
use super::lost;
use super::stage::{Service, Stage};
use super::tablet::{self, TABLET};

/// How long the watcher of a folder is waited for.
const DROP_PATIENCE: Duration = Duration::from_mins(1);

/// The relay that goes on after the story.
pub(super) struct Relay {
    pub(super) process: Service,
    pub(super) url: String,
    pub(super) ca: PathBuf,
}

/// Plays it all; the relay is left running.
pub(super) async fn play(stage: &mut Stage) -> Result<Relay, Failure> {
    let relay = open(stage).await?;
    let phrase = enrol(stage, &relay, NURSE, true).await?;
    for person in [GP, CARDIOLOGIST] {
        enrol(stage, &relay, person, false).await?;
    }
    look_up(stage).await?;
    let (nurse_sent, gp_number) = finding(stage).await?;
    question_and_answer(stage, gp_number).await?;
    states(stage, nurse_sent).await?;
    tablet::link(stage, &relay).await?;
    result(stage).await?;
    tablet::go_on(stage).await?;
    let relay = bad_line(stage, relay).await?;
    lost::play(stage, &relay, &phrase).await?;
    Ok(relay)
}

async fn open(stage: &mut Stage) -> Result<Relay, Failure> {
    let relay = start_relay(stage, "127.0.0.1:0").await?;
    let url = &relay.url;
    stage.tell(&tell!(
        "A relay serves at {url}, over TLS with an authority of its own.",
        "Un relais répond à {url}, en TLS avec une autorité propre."
    ))?;
    let directory = stage.put("directory.csv", cast::directory().as_bytes())?;
    let (directory, data) = (directory.to_string_lossy(), stage.path("relay"));
    let imported = stage
        .run(&["admin", "import", &directory, "--data", &data.to_string_lossy()], "")
        .await?;
    let entries = number(&imported, "/added")?;
    stage.tell(&tell!(
        "The operator imports a directory of {entries} people, all of them invented.",
        "L'opérateur importe un annuaire de {entries} personnes, toutes inventées."
    ))?;
    Ok(relay)
}

async fn start_relay(stage: &Stage, listen: &str) -> Result<Relay, Failure> {
    let data = stage.path("relay").to_string_lossy().into_owned();
    let (process, said) = stage
        .start("relay", &["serve", "--data", &data, "--listen", listen, "--dev-tls"])
        .await?;
    Ok(Relay {
        process,
        url: text(&said, "/url")?.to_owned(),
        ca: PathBuf::from(text(&said, "/ca")?),
    })
}

/// The recovery phrase.
async fn enrol(stage: &mut Stage, relay: &Relay, person: Person, has_backup: bool) -> Result<String, Failure> {
    let data = stage.path("relay").to_string_lossy().into_owned();
    let code = stage
        .run(&["admin", "code", person.address, "--data", &data], "")
        .await?;
    let ca = relay.ca.to_string_lossy();
    let backup = if has_backup { "--backup" } else { "--no-backup" };
    let words = ["enrol", person.address, "--server", &relay.url, "--ca", &ca, backup];
    let enrolled = stage.on_phone(person, &words, text(&code, "/code")?).await?;
    let phrase = text(&enrolled, "/recovery_phrase")?;
    let count = phrase.split_whitespace().count();
    let (name, role) = (person.name(), role(person));
    let backup = if has_backup {
        say(
            "\nShe writes them on paper, and has a sealed backup kept at the relay: the two together open everything.",
            "\nElle les écrit sur papier, et fait garder une sauvegarde scellée au relais : les deux ensemble ouvrent tout.",
        )
    } else {
        ""
    };
    stage.tell(&tell!(
        "{name}, {role}, enrols with an activation code: keys made on the phone, an encrypted store, {count} words of recovery phrase.{backup}",
        "{name}, {role}, s'inscrit avec un code d'activation : clés faites sur le téléphone, base chiffrée, {count} mots de secours.{backup}"
    ))?;
    Ok(phrase.to_owned())
}

async fn look_up(stage: &mut Stage) -> Result<(), Failure> {
    let found = stage
        .on_phone(NURSE, &["directory", "find", DERMATOLOGIST.surname], "")
        .await?;
    ensure(
        found.pointer("/entries/0/reachable") == Some(&Value::Bool(false)),
        say(
            "the directory says who has no device",
            "l'annuaire dit qui n'a pas d'appareil",
        ),
    )?;
    let patient = stage.put("patient.txt", cast::PATIENT.as_bytes())?;
    let patient = patient.to_string_lossy().into_owned();
    let subject = cast::letters().finding.subject;
    let words = [
        "mail",
        "send",
        "--to",
        DERMATOLOGIST.address,
        "--subject",
        subject,
        "--patient",
        &patient,
        "--letter",
        "-",
        "--yes",
    ];
    let code = stage.refused(NURSE, &words, cast::letters().finding.text).await?;
    ensure(
        code == "not-reachable",
        say("sending there is refused", "l'envoi y est refusé"),
    )?;
    let (nurse, other, town) = (NURSE.name(), DERMATOLOGIST.name(), text(&found, "/entries/0/town")?);
    let specialty = text(&found, "/entries/0/specialty")?;
    stage.tell(&tell!(
        "{nurse} finds {other} ({specialty}, {town}) in the directory: not reachable yet, so writing to him is refused with advice.",
        "{nurse} trouve {other} ({specialty}, {town}) dans l'annuaire : pas encore joignable, lui écrire est donc refusé avec un conseil."
    ))
}

async fn finding(stage: &mut Stage) -> Result<(i64, i64), Failure> {
    let letter = cast::letters().finding;
    let sent = write(stage, NURSE, &[GP, CARDIOLOGIST], letter).await?;
    let (nurse, gp, cardiologist) = (NURSE.name(), GP.name(), CARDIOLOGIST.name());
    stage.tell(&tell!(
        "{nurse} writes to {gp} and {cardiologist}, with an HPRIM header for the patient: sealed to each of their devices, and signed.",
        "{nurse} écrit à {gp} et {cardiologist}, avec un en-tête HPRIM pour la patiente : scellé pour chacun de leurs appareils, et signé."
    ))?;
    let received = receive(stage, GP, letter).await?;
    let mail = stage.on_phone(GP, &["mail", "show", &received.to_string()], "").await?;
    ensure(
        text(&mail, "/patient")? == cast::PATIENT_SHOWN,
        say("the patient arrives", "la patiente arrive"),
    )?;
    let text = letter.text;
    ensure(
        text.lines()
            .all(|line| self::text(&mail, "/text").is_ok_and(|shown| shown.contains(line))),
        say("the letter arrives", "la lettre arrive"),
    )?;
    let (subject, patient) = (letter.subject, cast::PATIENT_SHOWN);
    stage.tell(&tell!(
        "{gp} reads it:\n{subject} · {patient}\n{text}",
        "{gp} le lit :\n{subject} · {patient}\n{text}"
    ))?;
    Ok((sent, received))
}

async fn question_and_answer(stage: &mut Stage, finding: i64) -> Result<(), Failure> {
    let letters = cast::letters();
    let question = write(stage, GP, &[CARDIOLOGIST], letters.question).await?;
    let (gp, cardiologist) = (GP.name(), CARDIOLOGIST.name());
    let asked = letters.question.text;
    stage.tell(&tell!(
        "{gp} asks {cardiologist}:\n{asked}",
        "{gp} demande à {cardiologist} :\n{asked}"
    ))?;
    let received = receive(stage, CARDIOLOGIST, letters.question).await?.to_string();
    stage.on_phone(CARDIOLOGIST, &["mail", "show", &received], "").await?;
    let words = ["mail", "answer", &received, "--letter", "-", "--yes"];
    stage.on_phone(CARDIOLOGIST, &words, letters.advice).await?;
    stage
        .on_phone(CARDIOLOGIST, &["mail", "handled", &received], "")
        .await?;
    stage.on_phone(CARDIOLOGIST, &["sync"], "").await?;
    let advice = letters.advice;
    stage.tell(&tell!(
        "{cardiologist} reads it, answers, and marks it handled:\n{advice}",
        "{cardiologist} le lit, répond, et le marque traité :\n{advice}"
    ))?;
    stage.on_phone(GP, &["sync"], "").await?;
    let mail = stage.on_phone(GP, &["mail", "show", &question.to_string()], "").await?;
    ensure(
        mail.pointer("/deliveries/0/state").and_then(Value::as_str) == Some("handled"),
        say(
            "the sender sees that it was handled",
            "l'expéditeur voit que c'est traité",
        ),
    )?;
    let inbox = stage.on_phone(GP, &["mail", "list"], "").await?;
    let answers = mails(&inbox)?
        .iter()
        .filter(|mail| mail.pointer("/sender").and_then(Value::as_str) == Some(CARDIOLOGIST.address));
    ensure(
        answers.count() == 1,
        say("the answer arrives once", "la réponse arrive une seule fois"),
    )?;
    stage
        .on_phone(GP, &["mail", "handled", &finding.to_string()], "")
        .await?;
    stage.on_phone(GP, &["sync"], "").await?;
    stage.tell(&tell!(
        "{gp} has the answer, and sees that {cardiologist} has handled his question. He marks the nurse's mail handled in turn.",
        "{gp} a la réponse, et voit que {cardiologist} a traité sa question. Il marque à son tour traité le courrier de l'infirmière."
    ))
}

async fn states(stage: &mut Stage, sent: i64) -> Result<(), Failure> {
    stage.on_phone(NURSE, &["sync"], "").await?;
    let mail = stage.on_phone(NURSE, &["mail", "show", &sent.to_string()], "").await?;
    let state_for = |person: Person| {
        mail.pointer("/deliveries")
            .and_then(Value::as_array)
            .and_then(|deliveries| {
                let delivery = deliveries
                    .iter()
                    .find(|one| one.pointer("/address").and_then(Value::as_str) == Some(person.address));
                delivery?.pointer("/state")?.as_str()
            })
    };
    ensure(
        state_for(GP) == Some("handled") && state_for(CARDIOLOGIST) == Some("retrieved"),
        say(
            "the states are told apart for each recipient",
            "les états sont distincts pour chaque destinataire",
        ),
    )?;
    let (nurse, gp, cardiologist) = (NURSE.name(), GP.name(), CARDIOLOGIST.name());
    stage.tell(&tell!(
        "{nurse} sees what became of hers: handled by {gp}, retrieved but not yet read by {cardiologist}.",
        "{nurse} voit où en est le sien : traité par {gp}, relevé mais pas encore lu par {cardiologist}."
    ))
}

async fn result(stage: &mut Stage) -> Result<(), Failure> {
    let bytes = cast::result();
    let file = stage.put("laboratory.hpr", &bytes)?;
    let file = file.to_string_lossy().into_owned();
    let subject = cast::letters().result_subject;
    let words = [
        "mail",
        "send",
        "--to",
        GP.address,
        "--subject",
        subject,
        "--hprim",
        &file,
        "--yes",
    ];
    stage.on_phone(NURSE, &words, "").await?;
    let (nurse, gp, size) = (NURSE.name(), GP.name(), bytes.len());
    stage.tell(&tell!(
        "{nurse} sends {gp} the laboratory's HPRIM file as it is: {size} bytes, ISO-8859-1, with RES lines and accents.",
        "{nurse} envoie à {gp} le fichier HPRIM du laboratoire tel quel : {size} octets, ISO-8859-1, avec lignes RES et accents."
    ))?;
    let received = receive(stage, GP, Letter { subject, text: "" }).await?.to_string();
    let exported = stage.path("exported.hpr");
    stage
        .on_phone(
            GP,
            &["hprim", "export", &received, "--output", &exported.to_string_lossy()],
            "",
        )
        .await?;
    let same = std::fs::read(&exported).is_ok_and(|read| read == bytes);
    ensure(
        same,
        say(
            "hprim export gives the same bytes",
            "hprim export rend les mêmes octets",
        ),
    )?;
    let folder = stage.make_folder("records")?;
    let home = stage.home(GP).to_string_lossy().into_owned();
    let words = ["watch", "--home", &home, "--export", &folder.to_string_lossy()];
    let (mut watching, _) = stage.start(GP.key, &words).await?;
    let dropped = tokio::time::timeout(DROP_PATIENCE, async {
        loop {
            let dropped = std::fs::read_dir(&folder)
                .map_err(Failure::System)?
                .filter_map(Result::ok)
                .any(|entry| std::fs::read(entry.path()).is_ok_and(|read| read == bytes));
            if dropped {
                return Ok::<(), Failure>(());
            }
            tokio::select! {
                said = watching.next() => if said?.is_none() { return Ok(()); },
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
        }
    });
    dropped
        .await
        .map_err(|_| unlike(say("watch --export drops it", "watch --export le dépose")))??;
    watching.stop().await?;
    let copies = std::fs::read_dir(&folder)
        .map_err(Failure::System)?
        .filter_map(Result::ok)
        .filter(|entry| std::fs::read(entry.path()).is_ok_and(|read| read == bytes))
        .count();
    ensure(
        copies == 1,
        say("watch --export drops it once", "watch --export le dépose une fois"),
    )?;
    stage.tell(&tell!(
        "{gp} exports it, and `watch --export` drops it into his practice folder once: byte for byte the same.",
        "{gp} l'exporte, et `watch --export` le dépose une fois dans son dossier : identique octet pour octet."
    ))
}

async fn bad_line(stage: &mut Stage, relay: Relay) -> Result<Relay, Failure> {
    let letters = cast::letters();
    write(stage, CARDIOLOGIST, &[NURSE], letters.order).await?;
    let (nurse, cardiologist) = (NURSE.name(), CARDIOLOGIST.name());
    stage.tell(&tell!(
        "{cardiologist} writes to {nurse}, whose phone is off: the mail waits at the relay.",
        "{cardiologist} écrit à {nurse}, dont le téléphone est éteint : le courrier attend au relais."
    ))?;
    let listen = relay.url.trim_start_matches("https://").to_owned();
    relay.process.stop().await?;
    stage.tell(say("The relay stops.", "Le relais s'arrête."))?;
    search(stage)?;
    let queued = stage
        .on_phone(
            NURSE,
            &mail_words(&[CARDIOLOGIST], letters.weight, &patient(stage)),
            letters.weight.text,
        )
        .await?;
    ensure(
        queued.pointer("/sent") == Some(&Value::Bool(false)),
        say("the mail waits on the phone", "le courrier attend sur le téléphone"),
    )?;
    let code = stage.refused(NURSE, &["sync"], "").await?;
    stage.tell(&tell!(
        "{nurse} writes without a line: the mail is kept on her phone, and `pli sync` says why it waits ({code}).",
        "{nurse} écrit sans réseau : le courrier est gardé sur son téléphone, et `pli sync` dit pourquoi il attend ({code})."
    ))?;
    let relay = start_relay(stage, &listen).await?;
    stage.on_phone(NURSE, &["sync"], "").await?;
    receive(stage, NURSE, letters.order).await?;
    receive(stage, CARDIOLOGIST, letters.weight).await?;
    for person in [NURSE, GP, TABLET, CARDIOLOGIST] {
        let again = stage.on_phone(person, &["sync"], "").await?;
        ensure(
            number(&again, "/received")? == 0,
            say("nothing arrives twice", "rien n'arrive deux fois"),
        )?;
    }
    stage.tell(say(
        "The relay is back: both mails arrive, each once.",
        "Le relais revient : les deux courriers arrivent, une fois chacun.",
    ))?;
    Ok(relay)
}

fn search(stage: &mut Stage) -> Result<(), Failure> {
    let secrets = cast::secrets();
    let (count, forms) = (secrets.len(), disk::FORMS);
    let found = disk::readable(&stage.path("relay"), &secrets).map_err(Failure::System)?;
    ensure(
        found.is_empty(),
        say(
            "the relay's disk holds nothing readable",
            "le disque du relais ne contient rien de lisible",
        ),
    )?;
    let known = disk::readable(&stage.path("relay"), &[NURSE.address]).map_err(Failure::System)?;
    ensure(
        known.len() == 1,
        say("the search finds what is there", "la recherche trouve ce qui y est"),
    )?;
    stage.tell(&tell!(
        "A search of its disk for {count} subjects, lines and patient's details, in {forms}: none is found.\n\
         The addresses are: a relay knows who writes to whom, and when.",
        "Une recherche sur son disque de {count} objets, lignes et données de la patiente, en {forms} : rien n'est trouvé.\n\
         Les adresses le sont : un relais sait qui écrit à qui, et quand."
    ))?;
    for person in [NURSE, GP, TABLET, CARDIOLOGIST] {
        let found = disk::readable(&stage.home(person), &secrets).map_err(Failure::System)?;
        ensure(
            found.is_empty(),
            say(
                "a phone's store holds nothing readable",
                "la base d'un téléphone ne contient rien de lisible",
            ),
        )?;
    }
    stage.tell(say(
        "The same search of the folders of the three phones and the tablet: nothing.",
        "La même recherche dans les dossiers des trois téléphones et de la tablette : rien.",
    ))
}

/// Writes a letter about the patient and sees that the relay has it.
pub(super) async fn write(stage: &Stage, from: Person, to: &[Person], letter: Letter) -> Result<i64, Failure> {
    let sent = stage
        .on_phone(from, &mail_words(to, letter, &patient(stage)), letter.text)
        .await?;
    ensure(
        sent.pointer("/sent") == Some(&Value::Bool(true)),
        say("the relay takes the mail", "le relais prend le courrier"),
    )?;
    number(&sent, "/number")
}

fn patient(stage: &Stage) -> String {
    stage.path("patient.txt").to_string_lossy().into_owned()
}

fn mail_words<'a>(to: &[Person], letter: Letter, patient: &'a str) -> Vec<&'a str> {
    let mut words = vec![
        "mail",
        "send",
        "--subject",
        letter.subject,
        "--patient",
        patient,
        "--letter",
        "-",
        "--yes",
    ];
    for person in to {
        words.extend(["--to", person.address]);
    }
    words
}

/// Syncs a phone and finds the letter in its inbox, once.
pub(super) async fn receive(stage: &Stage, person: Person, letter: Letter) -> Result<i64, Failure> {
    stage.on_phone(person, &["sync"], "").await?;
    let inbox = stage.on_phone(person, &["mail", "list"], "").await?;
    let found: Vec<i64> = mails(&inbox)?
        .iter()
        .filter(|mail| mail.pointer("/subject").and_then(Value::as_str) == Some(letter.subject))
        .filter_map(|mail| mail.pointer("/number")?.as_i64())
        .collect();
    match found.as_slice() {
        [one] => Ok(*one),
        _ => Err(unlike(say(
            "each mail arrives exactly once",
            "chaque courrier arrive exactement une fois",
        ))),
    }
}

/// Every mail of a device and what became of it, in no particular order.
pub(super) async fn everything(stage: &Stage, device: Person) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for folder in ["inbox", "sent", "archive", "drafts"] {
        let listed = stage
            .on_phone(device, &["mail", "list", "--folder", folder], "")
            .await?;
        for mail in mails(&listed)? {
            // Numbers are the phone's own.
            let fields = [
                "id", "sender", "people", "subject", "patient", "read", "handled", "state",
            ];
            let line = fields.map(|field| mail.get(field).unwrap_or(&Value::Null).to_string());
            all.push(format!("{folder} {}", line.join(" ")));
        }
    }
    all.sort();
    Ok(all)
}

pub(super) fn mails(list: &Value) -> Result<&Vec<Value>, Failure> {
    list.pointer("/mails")
        .and_then(Value::as_array)
        .ok_or_else(|| unlike("mails"))
}

/// A text in an answer.
pub(super) fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, Failure> {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| unlike(pointer))
}

/// A number in an answer.
pub(super) fn number(answer: &Value, pointer: &str) -> Result<i64, Failure> {
    answer
        .pointer(pointer)
        .and_then(Value::as_i64)
        .ok_or_else(|| unlike(pointer))
}

pub(super) fn ensure(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(unlike(what)) }
}

pub(super) fn unlike(what: &str) -> Failure {
    Failure::DemoUnlike { what: what.to_owned() }
}
