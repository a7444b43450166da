//! `pli device …` on the command line.

use clap::{Args, Subcommand};
use protocol::DeviceName;
use protocol::address::Address;

use super::{Phone, RelayName, examples};
use crate::language::say;

/// `pli device`.
#[derive(Args)]
pub(crate) struct Device {
    #[command(subcommand)]
    pub(crate) command: DeviceCommand,
}

/// `pli device …`.
#[derive(Subcommand)]
pub(crate) enum DeviceCommand {
    #[command(about = say(
        "On a new device: show a code for the main one to read, and take the mail so far from it",
        "Sur un nouvel appareil : afficher un code que lit l'appareil principal, et reprendre de lui le courrier jusqu'ici"
    ), after_help = examples(&[
        "pli device link jean.martin@medical28.apicrypt.org --name Tablette --server https://relay.example",
        "pli device link jean.martin@medical28.apicrypt.org --name Box --server https://127.0.0.1:8443 --ca relay/ca.pem --home box",
    ]))]
    Link {
        #[arg(value_name = "ADDRESS", help = say("Your address", "Votre adresse"))]
        address: Address,
        #[arg(long, value_name = "NAME", help = say("What you call this device", "Comment vous appelez cet appareil"))]
        name: DeviceName,
        #[command(flatten)]
        relay: RelayName,
        #[command(flatten)]
        phone: Phone,
        #[arg(long, hide = true)]
        until_stdin_closes: bool,
    },
    #[command(about = say(
        "Make this device the main one: show a code for the present one to read",
        "Faire de cet appareil le principal : afficher un code que lit le principal actuel"
    ), after_help = examples(&["pli device main", "pli device main --home tablet"]))]
    Main(Phone),
    #[command(about = say(
        "On the main device: read the code that another one shows, and confirm what it asks for",
        "Sur l'appareil principal : lire le code que montre un autre, et confirmer ce qu'il demande"
    ), after_help = examples(&["pli device accept", "pli device accept --yes < code.txt"]))]
    Accept {
        #[arg(value_name = "CODE", help = say(
            "The code that the other device shows [default: asked for, or read from standard input]",
            "Le code que montre l'autre appareil [par défaut : demandé, ou lu sur l'entrée standard]"
        ))]
        code: Option<String>,
        #[arg(long, help = say("Confirm it unasked", "Le confirmer sans demander"))]
        yes: bool,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say("List the devices of your address", "Lister les appareils de votre adresse"),
        after_help = examples(&["pli device list", "pli device list --json"]))]
    List(Phone),
    #[command(about = say(
        "Call a device something else, on all of your devices",
        "Appeler un appareil autrement, sur tous vos appareils"
    ), after_help = examples(&["pli device rename Tablette \"Tablette du cabinet\"", "pli device rename 3f9c Accueil"]))]
    Rename {
        #[arg(value_name = "DEVICE", help = which_device())]
        which: String,
        #[arg(value_name = "NAME", help = say("Its new name", "Son nouveau nom"))]
        name: DeviceName,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say(
        "Shut another device out at once, from any of them; it locks, and erases nothing",
        "Exclure aussitôt un autre appareil, depuis n'importe lequel ; il se verrouille et n'efface rien"
    ), after_help = examples(&["pli device suspend Tablette"]))]
    Suspend {
        #[arg(value_name = "DEVICE", help = which_device())]
        which: String,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say(
        "On the main device: let a suspended one in again; it catches up",
        "Sur l'appareil principal : rétablir un appareil suspendu ; il rattrape son retard"
    ), after_help = examples(&["pli device resume Tablette"]))]
    Resume {
        #[arg(value_name = "DEVICE", help = which_device())]
        which: String,
        #[command(flatten)]
        phone: Phone,
    },
    #[command(about = say(
        "On the main device: take another one off your address; it erases itself",
        "Sur l'appareil principal : en retirer un autre de votre adresse ; il s'efface"
    ), after_help = examples(&["pli device remove Tablette", "pli device remove 3f9c --yes"]))]
    Remove {
        #[arg(value_name = "DEVICE", help = which_device())]
        which: String,
        #[arg(long, help = say("Do it unasked", "Le faire sans demander"))]
        yes: bool,
        #[command(flatten)]
        phone: Phone,
    },
}

fn which_device() -> &'static str {
    say(
        "Its name, or its id or how that begins, as `pli device list` shows them",
        "Son nom, ou son identifiant ou le début, selon `pli device list`",
    )
}
