//! A phone or a relay as a process of its own, one command a run, for the tests that kill or trace it.
//! What a person would do after a crash it does, too: a mail that is among the sent ones is not written again.
//! Where things are is told by the environment, which `pli_tests::process` sets.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program says what it did on its standard output"
)]

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use backend::{Relay, RelayConfig, Tls};
use pli_core::keystore::KeyPlace;
use pli_core::{Config, Draft, Error, Folder, Patience, RecoveryPhrase, Session};
use protocol::Address;

/// What went wrong, to be read by a person.
type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["serve", listen] => serve(listen).await,
        ["reissue", address] => reissue(address),
        words => act(words).await,
    };
    match done {
        Ok(()) => {
            // Nobody may be listening any more.
            let _ = writeln!(std::io::stdout(), "done");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let code = error.downcast_ref::<Error>().map_or("none", Error::code);
            eprintln!("{words:?}: {error} [{code}]");
            ExitCode::FAILURE
        }
    }
}

/// Runs a relay until the standard input closes.
async fn serve(listen: &str) -> Result<(), Failure> {
    let config = RelayConfig {
        data: variable("PLI_STEPS_HOME")?.into(),
        listen: listen.parse()?,
        name: "relay.test".to_owned(),
        tls: Tls::None,
        metrics: None,
    };
    let running = Relay::start(config).await?;
    println!("{}", running.local_addr());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(running.stop().await?)
}

/// The operator activates an address anew; this home is the relay's.
fn reissue(address: &str) -> Result<(), Failure> {
    let code = backend::admin::reissue(variable("PLI_STEPS_HOME")?.as_ref(), &address.parse()?)?;
    Ok(std::fs::write(variable("PLI_STEPS_CODE_FILE")?, code)?)
}

async fn act(words: &[&str]) -> Result<(), Failure> {
    let folder = PathBuf::from(variable("PLI_STEPS_HOME")?);
    let phone = Session::open(Config {
        key: KeyPlace::File(folder.join("store.key")),
        folder,
        server: variable("PLI_STEPS_SERVER")?,
        ca: Some(variable("PLI_STEPS_CA")?.into()),
        patience: Patience::default(),
    })?;
    match words {
        ["enrol", address] => {
            let code = std::fs::read_to_string(variable("PLI_STEPS_CODE_FILE")?)?;
            match phone.enrol(&address.parse::<Address>()?, &code).await {
                Ok(phrase) => std::fs::write(variable("PLI_STEPS_PHRASE_FILE")?, phrase.words())?,
                Err(Error::AlreadyEnrolled) => {}
                Err(error) => return Err(error.into()),
            }
            phone.phrase_shown()?;
        }
        ["back-up"] | ["back-up", _] => phone.start_backup(&phrase()?)?,
        ["recover", address] => match phone.recover(&address.parse::<Address>()?, &phrase()?).await {
            Ok(()) | Err(Error::AlreadyEnrolled) => {}
            Err(error) => return Err(error.into()),
        },
        ["learn-of-removal"] => match phone.sync().await {
            Err(Error::DeviceRemoved | Error::NotEnrolled) => {}
            outcome => return Err(format!("{outcome:?}").into()),
        },
        ["send", to, subject, size] => {
            if find(&phone, Folder::Sent, subject)?.is_none() {
                let draft = Draft {
                    to: to.split(',').map(str::parse).collect::<Result<_, _>>()?,
                    subject: (*subject).to_owned(),
                    text: "x".repeat(size.parse()?),
                    ..Draft::default()
                };
                phone.send(&draft)?;
            }
        }
        ["sync"] => {
            phone.hurry()?;
            let report = phone.sync().await?;
            if report.waiting > 0 || report.refused > 0 {
                return Err(format!("{report:?}").into());
            }
        }
        ["exchange"] => {
            phone.hurry()?;
            let report = phone.sync().await?;
            println!(
                "{}",
                if report.is_news() || report.waiting > 0 {
                    format!("{report:?}")
                } else {
                    "quiet".to_owned()
                }
            );
        }
        ["keep", to, subject] => {
            if find(&phone, Folder::Drafts, subject)?.is_none() {
                phone.save_draft(&Draft {
                    to: vec![to.parse()?],
                    subject: (*subject).to_owned(),
                    ..Draft::default()
                })?;
            }
        }
        ["archive", subject] => phone.archive(received(&phone, subject)?)?,
        ["read", subject] => phone.mark_read(received(&phone, subject)?)?,
        ["handle", subject] => phone.mark_handled(received(&phone, subject)?)?,
        ["delete", subject] => {
            if let Some(number) = find(&phone, Folder::Inbox, subject)? {
                phone.delete(number)?;
            }
        }
        ["withdraw", subject] => {
            let number = find(&phone, Folder::Sent, subject)?.ok_or("no such mail was sent")?;
            phone.withdraw(number)?;
        }
        ["accept", address] => {
            let address = address.parse()?;
            if let Some(number) = phone.identity(&address).await?.changed {
                phone.accept_identity(&address, &number)?;
            }
        }
        words => change_devices(&phone, words).await?,
    }
    phone.close();
    Ok(())
}

/// What a person does with the devices of an account.
async fn change_devices(phone: &Session, words: &[&str]) -> Result<(), Failure> {
    match words {
        ["show-code", address] => match phone.show_link_code(&address.parse()?, &"tablet".parse()?).await {
            Ok(code) => std::fs::write(variable("PLI_STEPS_LINK_FILE")?, code.as_bytes())?,
            Err(Error::AlreadyEnrolled) => {}
            Err(error) => return Err(error.into()),
        },
        ["confirm-code"] => {
            let code = std::fs::read_to_string(variable("PLI_STEPS_LINK_FILE")?)?;
            phone.confirm_link(&code).await?;
        }
        ["finish-link"] => {
            if !phone.finish_link().await? {
                return Err("not linked yet".into());
            }
        }
        ["remove-others"] => {
            for device in phone.devices()?.iter().filter(|device| !device.is_this) {
                phone.remove_device(device.id)?;
            }
        }
        ["suspend-others"] => {
            for device in phone.devices()?.iter().filter(|device| !device.is_this) {
                phone.suspend_device(device.id).await?;
            }
        }
        ["let-others-in"] => {
            for device in phone.devices()?.iter().filter(|device| !device.is_this) {
                phone.lift_suspension(device.id)?;
            }
            phone.sync().await?;
        }
        ["show-main-code"] => match phone.show_main_code().await {
            Ok(code) => std::fs::write(variable("PLI_STEPS_LINK_FILE")?, code.as_bytes())?,
            Err(Error::AlreadyMain) => {}
            Err(error) => return Err(error.into()),
        },
        ["hand-over"] => {
            let code = std::fs::read_to_string(variable("PLI_STEPS_LINK_FILE")?)?;
            phone.hand_over(&code).await?;
        }
        ["finish-handover"] => {
            if !phone.finish_handover().await? {
                return Err("not the main device yet".into());
            }
        }
        _ => return Err("no such command".into()),
    }
    Ok(())
}

/// The phrase that the enrolment showed, as a person types it in.
fn phrase() -> Result<RecoveryPhrase, Failure> {
    let words = std::fs::read_to_string(variable("PLI_STEPS_PHRASE_FILE")?)?;
    Ok(RecoveryPhrase::parse(&words)?)
}

fn received(phone: &Session, subject: &str) -> Result<i64, Failure> {
    Ok(find(phone, Folder::Inbox, subject)?.ok_or("no such mail came")?)
}

fn find(phone: &Session, folder: Folder, subject: &str) -> Result<Option<i64>, Failure> {
    let mails = phone.list(folder, None, 1_000)?;
    Ok(mails
        .into_iter()
        .find(|mail| mail.subject == subject)
        .map(|mail| mail.number))
}

fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}
