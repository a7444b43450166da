//! `pli enrol`: this phone becomes the first device of an address.

use serde::Serialize;

use crate::arguments::Enrol;
use crate::failure::Failure;
use crate::files;
use crate::home::Home;
use crate::language::{say, tell};
use crate::screen::{self, Screen};

/// An activation code is a line; a file that is larger holds something else.
const CODE_LIMIT_BYTES: usize = 1024;

#[derive(Serialize)]
struct Enrolled<'a> {
    address: &'a str,
    recovery_phrase: &'a str,
}

/// Enrols this phone and shows the recovery phrase, once.
pub(crate) async fn enrol(asked: Enrol, screen: Screen) -> Result<(), Failure> {
    let home = Home::find(asked.phone.home.as_deref())?;
    let session = home.set_up(&asked.server, asked.ca.as_deref())?;
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
    let phrase = session.enrol(&asked.address, code).await?;
    let enrolled = Enrolled {
        address: asked.address.as_str(),
        recovery_phrase: phrase.words(),
    };
    let printed = screen.answer(&enrolled, |enrolled| {
        let (address, words) = (enrolled.address, enrolled.recovery_phrase);
        tell!(
            "{address} is enrolled on this phone.\n\n\
             Recovery phrase, shown this once:\n\n    {words}\n\n\
             Write it on paper and keep it away from this phone: it alone makes the key that can vouch for you\n\
             when this phone is lost. Without it the operator has to activate you again.\n\
             Whoever has it can take your place: show it to nobody.",
            "{address} est inscrite sur ce téléphone.\n\n\
             Phrase de récupération, montrée cette seule fois :\n\n    {words}\n\n\
             Écrivez-la sur papier et gardez-la loin de ce téléphone : elle seule donne la clé qui peut répondre de vous\n\
             si ce téléphone est perdu. Sans elle, l'opérateur devra vous réactiver.\n\
             Qui l'a peut prendre votre place : ne la montrez à personne."
        )
    });
    printed?;
    session.phrase_shown()?;
    session.close();
    Ok(())
}
