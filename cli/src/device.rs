//! `pli device`: the devices of one account, from the code that a new one shows to the end of one.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use pli_core::{DeviceView, Error, HistoryProgress, LinkProgress, Session, SyncReport};
use protocol::address::Address;
use protocol::api::Suspension;
use protocol::problem::Code;
use protocol::{DeviceId, DeviceName, Timestamp};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::arguments::{DeviceCommand, RelayName};
use crate::failure::Failure;
use crate::home::Home;
use crate::language::{say, tell};
use crate::mail::local_time;
use crate::screen::{self, Screen};
use crate::stop::Ending;
use crate::watch::sync_if_possible;

/// How often the other device is listened for.
const LISTEN_AGAIN: Duration = Duration::from_secs(2);
/// How long the relay is asked for what only it knows.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether the other device has the role.
const HANDOVER_LOOKS: u32 = 15;
/// So much of an id stands for it where people read.
const SHORT_ID: usize = 8;
/// How often progress is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Does one command on the account's devices.
pub(crate) async fn device(command: DeviceCommand, screen: Screen) -> Result<(), Failure> {
    match command {
        DeviceCommand::Link {
            address,
            name,
            relay,
            phone,
            until_stdin_closes,
        } => {
            let home = Home::find(phone.home.as_deref())?;
            let ending = Ending::listen(until_stdin_closes).map_err(Failure::System)?;
            tokio::select! {
                linked = link(&home, &address, &name, &relay, screen) => linked,
                () = ending.wanted() => Err(Failure::Interrupted),
            }
        }
        DeviceCommand::Accept { code, yes, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            accept(&session, code, yes, screen).await
        }
        DeviceCommand::List(phone) => list(&Home::find(phone.home.as_deref())?.session()?, screen).await,
        DeviceCommand::Main(phone) => main(&Home::find(phone.home.as_deref())?.session()?, screen).await,
        DeviceCommand::Rename { which, name, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            rename(&session, &which, &name, screen).await
        }
        DeviceCommand::Suspend { which, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            suspend(&session, &which, screen).await
        }
        DeviceCommand::Resume { which, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            resume(&session, &which, screen).await
        }
        DeviceCommand::Remove { which, yes, phone } => {
            let session = Home::find(phone.home.as_deref())?.session()?;
            remove(&session, &which, yes, screen).await
        }
    }
}

/// Shows the code of this new device, waits until the main one has read it, and takes the history in.
async fn link(
    home: &Home,
    address: &Address,
    name: &DeviceName,
    relay: &RelayName,
    screen: Screen,
) -> Result<(), Failure> {
    let session = home.set_up(&relay.server, relay.ca.as_deref())?;
    // An attempt that ended after the main device had answered goes on where it was.
    let goes_on = session.own_address()?.as_ref() == Some(address) && session.history_progress()?.is_some();
    if !goes_on {
        let code = session.show_link_code(address, name).await?;
        show_code(&code, screen)?;
        wait_until(async || session.finish_link().await).await?;
        screen.answer(&json!({ "event": "linked", "address": address }), |_| {
            tell!(
                "This is a device of {address} now. Its mail so far comes from the main device:",
                "Cet appareil est désormais un appareil de {address}. Le courrier jusqu'ici vient de l'appareil principal :"
            )
        })?;
    }
    let mails = take_history_in(&session, screen).await?;
    screen.answer(
        &json!({ "event": "complete", "address": address, "mails": mails }),
        |_| {
            tell!(
                "{mails} mails are here. What is read, written or handled on one device shows on all of them.",
                "{mails} courriers sont ici. Ce qui est lu, écrit ou traité sur un appareil se voit sur tous."
            )
        },
    )
}

fn show_code(code: &str, screen: Screen) -> Result<(), Failure> {
    screen.answer(&json!({ "event": "code", "code": code }), |_| {
        let picture = if io::stdout().is_terminal() {
            picture(code)
        } else {
            String::new()
        };
        tell!(
            "{picture}Read this code on the main device, for your eyes only:\n\n    {code}\n\n\
             There: `pli device accept`, which asks for it. This waits until it was read. Ctrl-C ends it; the same\n\
             command shows the same code again.",
            "{picture}Lisez ce code sur l'appareil principal, sans le montrer à d'autres :\n\n    {code}\n\n\
             Là-bas : `pli device accept`, qui le demande. Ceci attend qu'il soit lu. Ctrl-C arrête ; la même commande\n\
             affiche de nouveau le même code."
        )
    })
}

/// The code for a camera; nothing where it cannot be drawn.
fn picture(code: &str) -> String {
    QrCode::new(code).map_or_else(
        |_| String::new(),
        // Most terminals are dark: what is light in the picture is what they paint.
        |picture| {
            let mut picture = picture.render::<Dense1x2>();
            let picture = picture.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
            format!("{}\n\n", picture.build())
        },
    )
}

/// Listens until the other device has answered.
async fn wait_until(answered: impl AsyncFn() -> Result<bool, Error>) -> Result<(), Failure> {
    loop {
        match answered().await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
        sleep(LISTEN_AGAIN).await;
    }
}

/// Shows the code by which this device takes the role of the main one over, and waits until it has it.
async fn main(session: &Session, screen: Screen) -> Result<(), Failure> {
    let code = session.show_main_code().await?;
    show_code(&code, screen)?;
    wait_until(async || session.finish_handover().await).await?;
    screen.answer(&json!({ "event": "main" }), |_| {
        say(
            "This is the main device now: it adds and removes the others.",
            "Cet appareil est désormais le principal : il ajoute et retire les autres.",
        )
        .to_owned()
    })
}

/// Syncs until the history is here; how many mails came.
async fn take_history_in(session: &Session, screen: Screen) -> Result<u32, Failure> {
    let mut told = None;
    let mut mails = 0_u32;
    while let Some(progress) = session.history_progress()? {
        tell_once(&mut told, progress, |progress| tell_coming(progress, screen))?;
        let outcome = sync_looking(session, || match session.history_progress()? {
            Some(progress) => tell_once(&mut told, progress, |progress| tell_coming(progress, screen)),
            None => Ok(()),
        });
        match outcome.await? {
            Ok(report) => mails = mails.saturating_add(report.received).saturating_add(report.restored),
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
        if session.history_progress()?.is_some() {
            sleep(LISTEN_AGAIN).await;
        }
    }
    Ok(mails)
}

fn tell_coming(progress: HistoryProgress, screen: Screen) -> Result<(), Failure> {
    let HistoryProgress { taken, parts } = progress;
    let line = json!({ "event": "history", "taken": taken, "parts": parts });
    screen.answer(&line, |_| {
        if parts == 0 {
            say(
                "The main device is writing it. Ctrl-C ends waiting; `pli sync` goes on.",
                "L'appareil principal l'écrit. Ctrl-C arrête l'attente ; `pli sync` reprend.",
            )
            .to_owned()
        } else {
            tell!("Part {taken} of {parts}", "Partie {taken} sur {parts}")
        }
    })
}

#[derive(Serialize)]
struct Accepted<'a> {
    event: &'static str,
    device: String,
    name: &'a str,
    /// Whether the history is at the relay, and the device knows where.
    complete: bool,
}

/// Reads a new device's code, has the person confirm, and writes the history for it.
async fn accept(session: &Session, code: Option<String>, yes: bool, screen: Screen) -> Result<(), Failure> {
    let code = match code {
        Some(code) => code,
        None => screen::ask(
            say(
                "Code that the other device shows:",
                "Code que montre l'autre appareil :",
            ),
            say("the code of the other device", "le code de l'autre appareil"),
        )?,
    };
    let request = match session.link_request(&code).await {
        Err(Error::Relay(Code::NotFound)) => return Err(Failure::LinkNotShown),
        // A device that is there already asks for something else.
        Err(Error::Link(refused)) => match session.handover_request(&code).await {
            Ok(device) => return hand_over(session, &code, &device, yes, screen).await,
            Err(Error::Link(_)) => return Err(Error::Link(refused).into()),
            Err(error) => return Err(error.into()),
        },
        request => request?,
    };
    let name = &request.name;
    if !yes {
        screen::aside(&tell!(
            "“{name}” asks to be a device of yours. It will hold all your mail, and write in your name.",
            "« {name} » demande à devenir l'un de vos appareils. Il aura tout votre courrier et écrira en votre nom."
        ));
        if !screen::confirmed(say(
            "Is it the device in front of you? (y/n)",
            "Est-ce l'appareil devant vous ? (o/n)",
        ))? {
            return Err(Failure::DeviceNotConfirmed);
        }
    }
    session.confirm_link(&code).await?;
    let complete = write_history(session, request.device, screen).await?;
    let accepted = Accepted {
        event: "accepted",
        device: request.device.to_string(),
        name: name.as_str(),
        complete,
    };
    screen.answer(&accepted, |_| {
        if complete {
            tell!(
                "“{name}” is added, and its history waits for it at the relay, sealed.",
                "« {name} » est ajouté, et son historique l'attend au relais, sous pli."
            )
        } else {
            tell!(
                "“{name}” is confirmed; the rest goes with the next `pli sync`.",
                "« {name} » est confirmé ; le reste part au prochain `pli sync`."
            )
        }
    })
}

/// The person confirms that another device is to be the main one.
async fn hand_over(
    session: &Session,
    code: &str,
    device: &DeviceView,
    yes: bool,
    screen: Screen,
) -> Result<(), Failure> {
    let called = called(device);
    if !yes {
        let question = tell!(
            "Make {called} the main device, in the place of this one? (y/n)",
            "Faire de {called} l'appareil principal, à la place de celui-ci ? (o/n)"
        );
        if !screen::confirmed(&question)? {
            return Err(Failure::DeviceNotConfirmed);
        }
    }
    session.hand_over(code).await?;
    let mut done = false;
    for _ in 0..HANDOVER_LOOKS {
        sync_if_possible(session, screen).await?;
        done = session.handing_over_to()?.is_none();
        if done {
            break;
        }
        sleep(LISTEN_AGAIN).await;
    }
    let id = device.id.to_string();
    let answer = json!({ "event": "handed-over", "device": id, "complete": done });
    screen.answer(&answer, |_| {
        if done {
            tell!(
                "{called} is the main device now; the key is erased here.",
                "{called} est désormais l'appareil principal ; la clé est effacée ici."
            )
        } else {
            tell!(
                "{called} is confirmed; the key is erased here with the `pli sync` after {called} has it.",
                "{called} est confirmé ; la clé est effacée ici au `pli sync` qui suit son arrivée là-bas."
            )
        }
    })
}

/// Syncs until the device knows where its history is; whether it came so far.
async fn write_history(session: &Session, device: DeviceId, screen: Screen) -> Result<bool, Failure> {
    let mut told = None;
    loop {
        let outcome = sync_looking(session, || match session.link_progress(device)? {
            Some(progress) => tell_once(&mut told, progress, |progress| tell_leaving(progress, screen)),
            None => Ok(()),
        });
        let outcome = outcome.await?;
        match session.link_progress(device)? {
            Some(progress) if progress.is_told => return Ok(true),
            None if session.devices()?.iter().any(|known| known.id == device) => return Ok(true),
            None => return Err(Failure::DeviceNotAdded),
            Some(_) => {}
        }
        match outcome {
            Ok(_) => {}
            Err(error) if error.is_retryable() => {
                screen::aside(&Failure::Core(error).report(screen.json));
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn tell_leaving(progress: LinkProgress, screen: Screen) -> Result<(), Failure> {
    let left = progress.left;
    if !progress.is_listed || progress.is_told || left == 0 {
        return Ok(());
    }
    screen.answer(&json!({ "event": "history", "left": left }), |_| {
        tell!(
            "History: {left} mails and correspondents to go",
            "Historique : encore {left} courriers et correspondants"
        )
    })
}

/// Syncs, and looks at something meanwhile.
async fn sync_looking(
    session: &Session,
    mut look: impl FnMut() -> Result<(), Failure>,
) -> Result<Result<SyncReport, Error>, Failure> {
    let syncing = session.sync();
    tokio::pin!(syncing);
    loop {
        tokio::select! {
            done = &mut syncing => return Ok(done),
            () = sleep(LOOK_AGAIN) => look()?,
        }
    }
}

fn tell_once<T: Copy + PartialEq>(
    told: &mut Option<T>,
    progress: T,
    tell: impl FnOnce(T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if told.replace(progress) == Some(progress) {
        return Ok(());
    }
    tell(progress)
}

#[derive(Serialize)]
struct DeviceLine {
    id: String,
    name: Option<String>,
    main: bool,
    this: bool,
    added_at: String,
    /// None where the relay could not be asked.
    suspended: Option<bool>,
    /// Whether its history is still on its way.
    history_due: bool,
    #[serde(skip)]
    added: Timestamp,
}

impl DeviceLine {
    fn of(session: &Session, device: &DeviceView, suspended: Option<&[Suspension]>) -> Result<Self, Failure> {
        let history_due = if device.is_this {
            session.history_progress()?.is_some()
        } else {
            session
                .link_progress(device.id)?
                .is_some_and(|progress| !progress.is_told)
        };
        Ok(Self {
            id: device.id.to_string(),
            name: device.name.as_ref().map(ToString::to_string),
            main: device.is_main,
            this: device.is_this,
            added_at: device.added_at.to_string(),
            suspended: suspended.map(|all| all.iter().any(|one| one.device == device.id)),
            history_due,
            added: device.added_at,
        })
    }

    fn row(&self) -> Vec<String> {
        let mut what = Vec::new();
        for (holds, word) in [
            (self.main, say("main", "principal")),
            (self.this, say("this one", "celui-ci")),
            (self.suspended == Some(true), say("suspended", "suspendu")),
            (self.history_due, say("history on its way", "historique en route")),
        ] {
            if holds {
                what.push(word);
            }
        }
        vec![
            short(&self.id),
            self.name.clone().unwrap_or_default(),
            local_time(self.added),
            what.join(", "),
        ]
    }
}

async fn list(session: &Session, screen: Screen) -> Result<(), Failure> {
    let devices = session.devices()?;
    let suspended = match timeout(ANSWER_PATIENCE, session.suspensions()).await {
        Ok(Ok(suspended)) => Some(suspended),
        Ok(Err(error)) if !error.is_retryable() => return Err(error.into()),
        Ok(Err(_)) | Err(_) => {
            screen::aside(say(
                "The relay does not answer: whether a device is suspended is not known here.",
                "Le relais ne répond pas : on ne sait pas ici si un appareil est suspendu.",
            ));
            None
        }
    };
    let lines = devices
        .iter()
        .map(|device| DeviceLine::of(session, device, suspended.as_deref()))
        .collect::<Result<Vec<_>, _>>()?;
    screen.answer(&json!({ "devices": lines }), |_| {
        let rows: Vec<Vec<String>> = lines.iter().map(DeviceLine::row).collect();
        screen::table(
            &["ID", say("NAME", "NOM"), say("ADDED", "AJOUTÉ"), say("STATE", "ÉTAT")],
            &rows,
        )
    })
}

async fn suspend(session: &Session, which: &str, screen: Screen) -> Result<(), Failure> {
    let device = find(session, which)?;
    session.suspend_device(device.id).await?;
    let id = device.id.to_string();
    let called = called(&device);
    // A name may hold spaces; any beginning of an id finds its device.
    let short = short(&id);
    screen.answer(&json!({ "device": id, "suspended": true }), |_| {
        tell!(
            "{called} is suspended: it is shut out at once, locks, and erases nothing. No mail is sealed to it.\n\
             `pli device resume {short}` on the main device lets it in again, `pli device remove {short}` ends it.",
            "{called} est suspendu : exclu aussitôt, il se verrouille et n'efface rien. Aucun courrier n'est scellé pour lui.\n\
             `pli device resume {short}` sur l'appareil principal le rétablit, `pli device remove {short}` y met fin."
        )
    })
}

async fn resume(session: &Session, which: &str, screen: Screen) -> Result<(), Failure> {
    let device = find(session, which)?;
    session.lift_suspension(device.id)?;
    let resumed = sync_if_possible(session, screen).await?.is_some();
    let id = device.id.to_string();
    let called = called(&device);
    screen.answer(&json!({ "device": id, "resumed": resumed }), |_| {
        if resumed {
            tell!(
                "{called} is let in again, and catches up with its next `pli sync`.",
                "{called} est rétabli, et rattrape son retard à son prochain `pli sync`."
            )
        } else {
            tell!(
                "{called} is let in again with the next `pli sync` here.",
                "{called} est rétabli au prochain `pli sync` ici."
            )
        }
    })
}

async fn rename(session: &Session, which: &str, name: &DeviceName, screen: Screen) -> Result<(), Failure> {
    let device = find(session, which)?;
    session.rename_device(device.id, name)?;
    let told = sync_if_possible(session, screen).await?.is_some();
    let id = device.id.to_string();
    screen.answer(&json!({ "device": id, "name": name.as_str(), "told": told }), |_| {
        if told {
            tell!(
                "It is called “{name}” now, on your other devices with their next sync.",
                "Il s'appelle désormais « {name} », sur vos autres appareils à leur prochaine relève."
            )
        } else {
            tell!(
                "It is called “{name}” here; your other devices hear of it after the next `pli sync`.",
                "Il s'appelle « {name} » ici ; vos autres appareils l'apprennent après le prochain `pli sync`."
            )
        }
    })
}

async fn remove(session: &Session, which: &str, yes: bool, screen: Screen) -> Result<(), Failure> {
    let device = find(session, which)?;
    let id = device.id.to_string();
    let called = called(&device);
    if !yes {
        let question = tell!(
            "Remove {called}? It erases itself, and no mail is sealed to it any more. (y/n)",
            "Retirer {called} ? Il s'efface, et aucun courrier n'est plus scellé pour lui. (o/n)"
        );
        if !screen::confirmed(&question)? {
            return Err(Failure::DeviceNotConfirmed);
        }
    }
    session.remove_device(device.id)?;
    let outcome = session.sync().await;
    let removed = !session.devices()?.iter().any(|known| known.id == device.id);
    match outcome {
        Ok(_) => {}
        // It went as far as it had to.
        Err(error) if removed || error.is_retryable() => screen::aside(&Failure::Core(error).report(screen.json)),
        Err(error) => return Err(error.into()),
    }
    screen.answer(&json!({ "device": id, "removed": removed }), |_| {
        if removed {
            tell!(
                "{called} is removed. It erases itself when it is next in touch.",
                "{called} est retiré. Il s'efface dès qu'il est de nouveau en liaison."
            )
        } else {
            tell!(
                "{called} is removed with the next `pli sync`.",
                "{called} est retiré au prochain `pli sync`."
            )
        }
    })
}

/// By its name, or what stands for it.
fn called(device: &DeviceView) -> String {
    let unnamed = || short(&device.id.to_string());
    device.name.as_ref().map_or_else(unnamed, ToString::to_string)
}

/// What stands for an id where people read.
fn short(id: &str) -> String {
    id.chars().take(SHORT_ID).collect()
}

/// The device of this name, or whose id begins so.
fn find(session: &Session, which: &str) -> Result<DeviceView, Failure> {
    let devices = session.devices()?;
    let is_called = |device: &DeviceView| device.name.as_ref().is_some_and(|name| name.as_str() == which);
    let is_so = |device: &DeviceView| is_called(device) || device.id.to_string().starts_with(which);
    let mut found = devices.into_iter().filter(is_so);
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(device),
        (Some(_), Some(_)) => Err(Failure::DeviceUnclear),
        (None, _) => Err(Error::NoSuchDevice.into()),
    }
}
