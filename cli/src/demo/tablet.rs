//! The GP's second device: added by a code, with the mail so far, and from then on the same as the first.

use serde_json::Value;

use crate::failure::Failure;
use crate::language::{say, tell};

use super::cast::{self, GP, NURSE, Person};
use super::stage::Stage;
use super::story::{Relay, ensure, everything, mails, number, text, unlike};

/// The GP's tablet.
pub(super) const TABLET: Person = Person { key: "tablet", ..GP };

/// The GP adds a tablet.
pub(super) async fn link(stage: &mut Stage, relay: &Relay) -> Result<(), Failure> {
    let (home, ca) = (stage.home(TABLET), relay.ca.to_string_lossy());
    let words = [
        "device",
        "link",
        GP.address,
        "--name",
        say("tablet", "tablette"),
        "--server",
        &relay.url,
        "--ca",
        &ca,
        "--home",
        &home.to_string_lossy(),
    ];
    let (mut tablet, said) = stage.start(TABLET.key, &words).await?;
    let code = text(&said, "/code")?;
    stage.on_phone(GP, &["device", "accept", "--yes"], code).await?;
    let count = loop {
        let said = tablet.next().await?.ok_or_else(|| unlike("device link"))?;
        if said.pointer("/event").and_then(Value::as_str) == Some("complete") {
            break number(&said, "/mails")?;
        }
    };
    tablet.stop().await?;
    ensure(
        everything(stage, TABLET).await? == everything(stage, GP).await?,
        say(
            "both devices show the same",
            "les deux appareils montrent la même chose",
        ),
    )?;
    let gp = GP.name();
    stage.tell(&tell!(
        "{gp} adds a tablet: it shows a code, he reads it into his phone and confirms. All {count} mails are on it, with what became of each.",
        "{gp} ajoute une tablette : elle affiche un code, il le lit sur son téléphone et confirme. Les {count} courriers y sont, avec ce qu'il en est advenu."
    ))
}

/// The nurse's result came to both of the GP's devices; what he does on one shows on the other.
pub(super) async fn go_on(stage: &mut Stage) -> Result<(), Failure> {
    stage.on_phone(TABLET, &["sync"], "").await?;
    let listed = stage.on_phone(TABLET, &["mail", "list"], "").await?;
    let subject = cast::letters().result_subject;
    let received = mails(&listed)?
        .iter()
        .find(|mail| mail.pointer("/subject").and_then(Value::as_str) == Some(subject))
        .ok_or_else(|| unlike(say("the tablet has the result", "la tablette a le résultat")))?;
    let received = number(received, "/number")?.to_string();
    stage.on_phone(TABLET, &["mail", "handled", &received], "").await?;
    for device in [TABLET, GP] {
        stage.on_phone(device, &["sync"], "").await?;
    }
    let phone = everything(stage, GP).await?;
    ensure(
        phone == everything(stage, TABLET).await? && phone.iter().any(|line| line.contains(subject)),
        say(
            "both devices show the same",
            "les deux appareils montrent la même chose",
        ),
    )?;
    let (gp, nurse) = (GP.name(), NURSE.name());
    stage.tell(&tell!(
        "The result of {nurse} is on his tablet, too, sealed to it as to the phone. {gp} marks it handled there: his phone shows it so.",
        "Le résultat de {nurse} est aussi sur sa tablette, scellé pour elle comme pour le téléphone. {gp} l'y marque traité : son téléphone le montre."
    ))
}
