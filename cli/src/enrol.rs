//! `pli enrol`: this phone becomes the first device of an address.

use pli_core::{Error, Session};
use serde::Serialize;
use serde_json::json;

use crate::arguments::Enrol;
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::language::{say, tell};
use crate::recovery;
use crate::screen::{self, Screen};

/// An activation code is a line; a file that is larger holds something else.
const CODE_LIMIT_BYTES: usize = 1024;

#[derive(Serialize)]
struct Enrolled<'a> {
    address: &'a str,
    recovery_phrase: &'a str,
    /// Whether a sealed backup is kept at the relay.
    backup: bool,
}

/// Enrols this phone and shows the recovery phrase, once.
pub(crate) async fn enrol(asked: Enrol, screen: Screen) -> Result<(), Failure> {
    let home = Home::find(asked.phone.home.as_deref())?;
    let session = home.set_up(&asked.relay.server, asked.relay.ca.as_deref())?;
    let code = match &asked.code_file {
        Some(path) => files::read_text(path, CODE_LIMIT_BYTES)?,
        None => screen::ask(
            say("Activation code:", "Code d'activation :"),
            say("the activation code", "le code d'activation"),
        )?,
    };
    let code = code.trim();
    if code.is_empty() {
        return Err(Failure::InputMissing {
            what: say("the activation code", "le code d'activation"),
        });
    }
    if session.own_address()?.as_ref() == Some(&asked.address) && session.unshown_phrase()?.is_none() {
        match session.enrol_once_more(code).await {
            // The address is another identity's by now: this phone may begin anew with what it has.
            Err(Error::AlreadyEnrolled) => {}
            outcome => {
                return outcome
                    .map_err(Failure::from)
                    .and_then(|()| say_enrolled_again(session, &asked, screen));
            }
        }
    }
    let has_backup = is_backup_wanted(&asked)?;
    let phrase = session.enrol(&asked.address, code).await?;
    // Before the phrase is shown: an attempt that ends in between gives it again.
    if has_backup {
        session.start_backup(&phrase)?;
    } else if session.backup()?.is_some() {
        session.stop_backup().await?;
    }
    let enrolled = Enrolled {
        address: asked.address.as_str(),
        recovery_phrase: phrase.words(),
        backup: has_backup,
    };
    let printed = screen.answer(&enrolled, |enrolled| {
        let (address, words) = (enrolled.address, enrolled.recovery_phrase);
        let backup = if enrolled.backup {
            say(
                "A sealed backup goes to the relay with every sync: phrase and backup together open everything.",
                "Une sauvegarde scellée part au relais à chaque relève : phrase et sauvegarde ensemble ouvrent tout.",
            )
        } else {
            say(
                "There is no backup: a lost phone takes its mail with it. `pli recovery backup --on` begins one.",
                "Il n'y a pas de sauvegarde : un téléphone perdu emporte son courrier. `pli recovery backup --on` en commence une.",
            )
        };
        tell!(
            "{address} is enrolled on this phone.\n\n\
             Recovery phrase, shown this once:\n\n    {words}\n\n\
             Write it on paper and keep it away from this phone: it alone makes the key that can vouch for you\n\
             when this phone is lost. Without it the operator has to activate you again.\n\
             Whoever has it can take your place: show it to nobody.\n\n{backup}",
            "{address} est inscrite sur ce téléphone.\n\n\
             Phrase de secours, montrée cette seule fois :\n\n    {words}\n\n\
             Écrivez-la sur papier et gardez-la loin de ce téléphone : elle seule donne la clé qui peut répondre de vous\n\
             si ce téléphone est perdu. Sans elle, l'opérateur devra vous réactiver.\n\
             Qui l'a peut prendre votre place : ne la montrez à personne.\n\n{backup}"
        )
    });
    printed?;
    session.phrase_shown()?;
    session.close();
    Ok(())
}

/// The relay was restored to a copy from before this phone enrolled there.
fn say_enrolled_again(session: Session, asked: &Enrol, screen: Screen) -> Result<(), Failure> {
    screen.answer(&json!({ "address": asked.address.as_str(), "enrolled_again": true }), |_| {
        say(
            "The relay knows this phone again. Phrase and mail are those of before; `pli sync` gives the relay again what it lost.",
            "Le relais connaît de nouveau ce téléphone. La phrase et le courrier restent ceux d'avant ; `pli sync` redonne au relais ce qu'il a perdu.",
        )
        .to_owned()
    })?;
    session.close();
    Ok(())
}

/// As the command line says; else as the person does, for whom Enter is a yes; else none.
fn is_backup_wanted(asked: &Enrol) -> Result<bool, Failure> {
    if asked.backup || asked.no_backup || !screen::is_asked() {
        return Ok(asked.backup);
    }
    screen::aside(recovery::cost());
    let said = screen::answered(say(
        "Keep a sealed backup at the relay, so that a new phone has your mail again? (Y/n)",
        "Garder une sauvegarde scellée au relais, pour qu'un nouveau téléphone retrouve votre courrier ? (O/n)",
    ))?;
    Ok(said.unwrap_or(true))
}
