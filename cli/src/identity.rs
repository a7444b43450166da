//! `pli directory verify` and `accept`: the number of two identities, compared by two people.

use pli_core::{Error, IdentityView};
use protocol::address::Address;
use serde::Serialize;

use crate::arguments::Compared;
use crate::failure::Failure;
use crate::home::Home;
use crate::language::{say, tell};
use crate::screen::{self, Screen};

#[derive(Serialize)]
struct Shown<'a> {
    address: &'a str,
    /// The number of the identity that was asked about.
    number: &'a str,
    /// Whether it was compared with the correspondent.
    verified: bool,
    /// Whether it is the one that this phone seals for.
    accepted: bool,
}

/// Keeps that the number was the same on both sides.
pub(crate) async fn verify(asked: Compared, screen: Screen) -> Result<(), Failure> {
    let session = Home::find(asked.phone.home.as_deref())?.session()?;
    let address = asked.address.as_str();
    let identity = session.identity(&asked.address).await?;
    if identity.changed.is_some() {
        return Err(Failure::IdentityChanged {
            address: address.to_owned(),
        });
    }
    let IdentityView {
        number, verified_at, ..
    } = identity;
    let question = say(
        "Is it the same on both sides? (y/n)",
        "Est-il le même des deux côtés ? (o/n)",
    );
    let shown = Shown {
        address,
        number: &number,
        verified: true,
        accepted: true,
    };
    if !is_same(asked.number.as_deref(), &asked.address, &number, question)? {
        let shown = Shown {
            verified: verified_at.is_some(),
            ..shown
        };
        return screen.answer(&shown, |shown| {
            let standing = if shown.verified {
                say("It was compared already.", "Il a déjà été comparé.")
            } else {
                say("It was not compared yet.", "Il n'a pas encore été comparé.")
            };
            let text = number_text(address, &number);
            tell!(
                "{text}\n{standing} If it is the same there: `pli directory verify {address} --number \"{number}\"`.",
                "{text}\n{standing} S'il est le même là-bas : `pli directory verify {address} --number \"{number}\"`."
            )
        });
    }
    session.mark_verified(&asked.address, &number)?;
    screen.answer(&shown, |_| {
        tell!("{address} is verified.", "{address} : identité vérifiée.")
    })
}

/// Accepts the identity that the relay names now.
pub(crate) async fn accept(asked: Compared, screen: Screen) -> Result<(), Failure> {
    let session = Home::find(asked.phone.home.as_deref())?.session()?;
    let address = asked.address.as_str();
    let number = session
        .identity(&asked.address)
        .await?
        .changed
        .ok_or_else(|| Failure::NothingToAccept {
            address: address.to_owned(),
        })?;
    let question = say(
        "Is it the same on both sides, and accepted? (y/n)",
        "Est-il le même des deux côtés, et accepté ? (o/n)",
    );
    let shown = Shown {
        address,
        number: &number,
        verified: true,
        accepted: true,
    };
    if !is_same(asked.number.as_deref(), &asked.address, &number, question)? {
        let shown = Shown {
            verified: false,
            accepted: false,
            ..shown
        };
        return screen.answer(&shown, |_| {
            let text = number_text(address, &number);
            tell!(
                "{text}\nNothing is accepted yet. If it is the same there: `pli directory accept {address} --number \"{number}\"`.",
                "{text}\nRien n'est encore accepté. S'il est le même là-bas : `pli directory accept {address} --number \"{number}\"`."
            )
        });
    }
    session.accept_identity(&asked.address, &number)?;
    session.mark_verified(&asked.address, &number)?;
    screen.answer(&shown, |_| {
        tell!(
            "The new identity of {address} is accepted and verified. What waits goes with the next `pli sync`.",
            "La nouvelle identité de {address} est acceptée et vérifiée. Ce qui attend part au prochain `pli sync`."
        )
    })
}

/// Whether the correspondent sees this number; not known where nobody can be asked.
fn is_same(given: Option<&str>, address: &Address, number: &str, question: &str) -> Result<bool, Failure> {
    if let Some(given) = given {
        let digits = |text: &str| text.split_whitespace().collect::<String>();
        return if digits(given) == digits(number) {
            Ok(true)
        } else {
            Err(Error::NumberDiffers.into())
        };
    }
    if !screen::is_asked() {
        return Ok(false);
    }
    screen::aside(&number_text(address.as_str(), number));
    if screen::confirmed(question)? {
        Ok(true)
    } else {
        Err(Failure::NumberNotSame)
    }
}

fn number_text(address: &str, number: &str) -> String {
    tell!(
        "The number of {address} and you:\n\n    {number}\n\n\
         Compare it face to face or by telephone with what `pli directory verify` shows there for your address.",
        "Le numéro entre {address} et vous :\n\n    {number}\n\n\
         Comparez-le de vive voix avec celui que `pli directory verify` affiche là-bas pour votre adresse."
    )
}
