//! The program `pli`: relay, demonstration and terminal client, in one.
//! It is a thin shell: what a phone does is in `pli-core`, what a relay does in `pli-backend`.
//! Read next: `arguments` for what can be asked, `demo` for the story of the whole.

mod admin;
mod arguments;
mod demo;
mod device;
mod directory;
mod drop_folder;
mod enrol;
mod failure;
mod files;
mod home;
mod hprim;
mod identity;
mod language;
mod mail;
mod patient;
mod phrase;
mod recovery;
mod screen;
mod serve;
mod stop;
mod watch;

use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
use failure::Failure;
use screen::Screen;

/// Status of a command line that cannot be understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    language::choose(std::env::args_os());
    let arguments = match arguments::parser()
        .try_get_matches()
        .and_then(|found| Arguments::from_arg_matches(&found))
    {
        Ok(arguments) => arguments,
        Err(error) => return misunderstood(&error),
    };
    let screen = Screen { json: arguments.json };
    log(matches!(arguments.command, Command::Serve(_)));
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)
        .and_then(|runtime| runtime.block_on(run(arguments.command, screen)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::OutputClosed) {
                screen::aside(&failure.report(screen.json));
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, screen: Screen) -> Result<(), Failure> {
    match command {
        Command::Admin(asked) => admin::admin(asked.command, screen),
        Command::Demo(asked) => demo::demo(asked.once, screen).await,
        Command::Device(asked) => device::device(asked.command, screen).await,
        Command::Directory(asked) => directory::directory(asked.command, screen).await,
        Command::Enrol(asked) => enrol::enrol(asked, screen).await,
        Command::Hprim(asked) => hprim::hprim(asked.command, screen),
        Command::Mail(asked) => mail::mail(asked.command, screen).await,
        Command::Recovery(asked) => recovery::recovery(asked.command, screen).await,
        Command::Serve(asked) => serve::serve(asked, screen).await,
        Command::Sync(phone) => watch::sync(&phone, screen).await,
        Command::Watch(asked) => watch::watch(asked, screen).await,
    }
}

fn misunderstood(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let shown = screen::line(text.trim_end());
            if shown.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        _ => {
            screen::aside(&arguments::usage_problem(error));
            ExitCode::from(USAGE)
        }
    }
}

/// Logs go to standard error: a relay tells of itself, a phone only when `PLI_LOG` asks.
fn log(is_relay: bool) {
    let usual = if is_relay { "info" } else { "off" };
    let filter = EnvFilter::try_from_env("PLI_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
}
