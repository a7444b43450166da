//! The story's second part: a phone is lost, and the account goes on on another. What went before is in `story`.

use std::fs;

use crate::failure::Failure;
use crate::language::{say, tell};

use super::cast::{self, CARDIOLOGIST, NURSE, Person};
use super::disk;
use super::stage::Stage;
use super::story::{Relay, ensure, everything, number, receive, text, write};

/// The lost phone, in other hands.
const FOUND: Person = Person { key: "found", ..NURSE };

/// The nurse's phone is lost; she goes on with her phrase.
pub(super) async fn play(stage: &mut Stage, relay: &Relay, phrase: &str) -> Result<(), Failure> {
    let letters = cast::letters();
    let (nurse, cardiologist) = (NURSE.name(), CARDIOLOGIST.name());
    stage.on_phone(NURSE, &["sync"], "").await?;
    let before = everything(stage, NURSE).await?;
    lose(stage).await?;
    write(stage, CARDIOLOGIST, &[NURSE], letters.meanwhile).await?;
    stage.tell(&tell!(
        "{nurse} loses her phone: its process is gone, and so is its folder. {cardiologist} writes to her meanwhile, sealed for the lost phone.",
        "{nurse} perd son téléphone : son processus n'est plus, son dossier non plus. {cardiologist} lui écrit entre-temps, sous pli pour le téléphone perdu."
    ))?;
    let ca = relay.ca.to_string_lossy();
    let words = [
        "recovery",
        "restore",
        NURSE.address,
        "--server",
        &relay.url,
        "--ca",
        &ca,
    ];
    let restored = stage.on_phone(NURSE, &words, phrase).await?;
    let count = number(&restored, "/restored")?;
    ensure(
        everything(stage, NURSE).await? == before,
        say(
            "all mail is back, with its states",
            "tout le courrier revient, avec ses états",
        ),
    )?;
    stage.tell(&tell!(
        "On a new phone, in a process and a folder of its own, she types the words from the paper: {count} mails are back, with what became of each.",
        "Sur un nouveau téléphone, processus et dossier à part, elle tape les mots du papier : {count} courriers reviennent, avec ce qu'il en est advenu."
    ))?;
    stage.on_phone(CARDIOLOGIST, &["sync"], "").await?;
    receive(stage, NURSE, letters.meanwhile).await?;
    stage.tell(&tell!(
        "What {cardiologist} wrote meanwhile comes too, once: the new phone asked hers for it, which sealed its key anew, and nobody did anything.",
        "Ce que {cardiologist} a écrit entre-temps vient aussi, une fois : le nouveau téléphone l'a redemandé au sien, qui a scellé la clé de nouveau, sans que personne n'agisse."
    ))?;
    write(stage, NURSE, &[CARDIOLOGIST], letters.thanks).await?;
    receive(stage, CARDIOLOGIST, letters.thanks).await?;
    let entry = stage
        .on_phone(CARDIOLOGIST, &["directory", "show", NURSE.address], "")
        .await?;
    ensure(
        text(&entry, "/identity")? != "changed",
        say("nobody has to accept anything", "personne n'a rien à accepter"),
    )?;
    stage.tell(&tell!(
        "{nurse} writes back. {cardiologist} is shown no warning: the phrase has signed that the new identity follows the one she knew.",
        "{nurse} lui répond. {cardiologist} ne voit aucun avertissement : la phrase a signé que la nouvelle identité suit celle qu'elle connaissait."
    ))?;
    let code = stage.refused(FOUND, &["sync"], "").await?;
    let home = stage.home(FOUND);
    ensure(
        code == "device-removed" && !home.join("store.db").exists() && !home.join("store.key").exists(),
        say("the lost phone erases itself", "le téléphone perdu s'efface"),
    )?;
    stage.tell(&tell!(
        "The lost phone is found and started again: it learns that it was replaced, and erases its key and its store ({code}).",
        "Le téléphone perdu est retrouvé et rallumé : il apprend qu'il a été remplacé, et efface sa clé et sa base ({code})."
    ))?;
    search(stage, phrase)
}

/// The phone is in touch until that moment; its folder is kept under another name, for whoever finds it.
async fn lose(stage: &Stage) -> Result<(), Failure> {
    let home = stage.home(NURSE);
    let words = ["watch", "--home", &home.to_string_lossy()];
    let (phone, _) = stage.start(NURSE.key, &words).await?;
    phone.kill().await?;
    fs::rename(&home, stage.home(FOUND)).map_err(Failure::System)
}

fn search(stage: &mut Stage, phrase: &str) -> Result<(), Failure> {
    let mut secrets = cast::secrets();
    secrets.push(phrase);
    let found = disk::readable(&stage.path("relay"), &secrets).map_err(Failure::System)?;
    ensure(
        found.is_empty(),
        say(
            "neither backup nor phrase is readable at the relay",
            "ni sauvegarde ni phrase n'est lisible au relais",
        ),
    )?;
    stage.tell(say(
        "The relay's disk is searched again, with the backup on it: neither a letter nor the phrase is found.",
        "Le disque du relais est fouillé de nouveau, sauvegarde comprise : ni lettre ni phrase n'y est trouvée.",
    ))
}
