//! What the story stands on: a temporary folder, and processes of this same program that never outlive it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::failure::Failure;
use crate::language::chosen;
use crate::screen::Screen;

use super::cast::Person;

/// How long any one process of the story may take: a hang is a failure too.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a service may take to end by itself.
const ENDING: Duration = Duration::from_secs(15);

/// The temporary folder and the clock.
pub(super) struct Stage {
    folder: TempDir,
    program: PathBuf,
    screen: Screen,
    began: Instant,
}

impl Stage {
    /// A new folder, readable by this user alone.
    pub(super) fn set(screen: Screen) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("pli-demo-")
            .tempdir()
            .map_err(Failure::System)?;
        let program = std::env::current_exe().map_err(Failure::System)?;
        Ok(Self {
            folder,
            program,
            screen,
            began: Instant::now(),
        })
    }

    /// A place in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of a person's phone.
    pub(super) fn home(&self, person: Person) -> PathBuf {
        self.path(person.key)
    }

    /// The program, as one would type it here.
    pub(super) fn program(&self) -> PathBuf {
        let here = std::env::current_dir().ok();
        here.and_then(|here| self.program.strip_prefix(here).ok().map(Path::to_path_buf))
            .unwrap_or_else(|| self.program.clone())
    }

    /// Puts a paper into the folder, for this user's eyes only.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        let mut options = fs::File::options();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| Failure::FileUnwritable {
                path: path.clone(),
                error,
            })?;
        Ok(path)
    }

    /// Makes a folder within.
    pub(super) fn make_folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::create_dir_all(&path).map_err(|error| Failure::FileUnwritable {
            path: path.clone(),
            error,
        })?;
        Ok(path)
    }

    /// Tells a step, with the time since the one before.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), Failure> {
        let took = self.began.elapsed();
        self.began = Instant::now();
        let step = json!({ "seconds": took.as_secs_f64(), "text": text });
        self.screen.answer(&step, |_| {
            let indented = text.replace('\n', "\n           ");
            format!("[{:>6.2} s] {indented}", took.as_secs_f64())
        })
    }

    /// Tells something that took no time of its own.
    pub(super) fn add(&self, text: &str) -> Result<(), Failure> {
        self.screen.answer(&json!({ "text": text }), |_| text.to_owned())
    }

    /// Runs a command on a person's phone, in a process of its own, and takes its answer.
    pub(super) async fn on_phone(&self, person: Person, words: &[&str], input: &str) -> Result<Value, Failure> {
        let home = self.home(person);
        let mut words = words.to_vec();
        let home = home.to_string_lossy();
        words.extend(["--home", home.as_ref()]);
        self.run(&words, input).await
    }

    /// Runs a command in a process of its own and takes its answer.
    pub(super) async fn run(&self, words: &[&str], input: &str) -> Result<Value, Failure> {
        let ended = self.ended(words, input).await?;
        if !ended.success {
            return Err(failed(words, &ended.said));
        }
        // What a command says of its progress stands before its answer.
        let Some(answer) = ended.answer.lines().last() else {
            return Ok(Value::Null);
        };
        serde_json::from_str(answer).map_err(|_| failed(words, &ended.answer))
    }

    /// Runs a command that has to be refused, and takes the code.
    pub(super) async fn refused(&self, person: Person, words: &[&str], input: &str) -> Result<String, Failure> {
        let home = self.home(person);
        let home = home.to_string_lossy();
        let mut words = words.to_vec();
        words.extend(["--home", home.as_ref()]);
        let ended = self.ended(&words, input).await?;
        let last = ended
            .said
            .lines()
            .rev()
            .find(|line| line.starts_with('{'))
            .unwrap_or_default();
        let code = serde_json::from_str::<Value>(last)
            .ok()
            .and_then(|said| said.pointer("/error/code")?.as_str().map(str::to_owned));
        match code {
            Some(code) if !ended.success => Ok(code),
            _ => Err(failed(&words, &ended.said)),
        }
    }

    /// Starts a command that goes on until it is stopped; with it comes the first thing that it says.
    pub(super) async fn start(&self, name: &str, words: &[&str]) -> Result<(Service, Value), Failure> {
        let log = fs::File::create(self.path(&format!("{name}.log"))).map_err(Failure::System)?;
        let mut child = self
            .command(words)
            .arg("--until-stdin-closes")
            .stderr(log)
            .spawn()
            .map_err(Failure::System)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(words, ""));
        };
        let mut service = Service {
            name: name.to_owned(),
            child,
            input,
            lines: BufReader::new(output).lines(),
        };
        let first = tokio::time::timeout(PATIENCE, service.next())
            .await
            .map_err(|_| failed(words, "timeout"))??;
        match first {
            Some(said) => Ok((service, said)),
            None => Err(failed(
                words,
                &fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default(),
            )),
        }
    }

    async fn ended(&self, words: &[&str], input: &str) -> Result<Ended, Failure> {
        let mut child = self
            .command(words)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Failure::System)?;
        if let Some(mut pipe) = child.stdin.take() {
            // A command that does not read its input has its own reasons; its status tells.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
        let output = match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
            Ok(output) => output.map_err(Failure::System)?,
            Err(_) => return Err(failed(words, "timeout")),
        };
        Ok(Ended {
            success: output.status.success(),
            answer: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--lang", chosen().code(), "--json"])
            .args(words)
            .env_remove("PLI_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl-C reaches the demonstration alone, which then ends the others in order.
        command.process_group(0);
        command
    }
}

struct Ended {
    success: bool,
    answer: String,
    said: String,
}

/// A process that goes on until its standard input closes: so it ends even if the demonstration is killed.
pub(super) struct Service {
    name: String,
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    /// What it says next; nothing once it has ended.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        let Some(line) = self.lines.next_line().await.map_err(Failure::System)? else {
            return Ok(None);
        };
        let said = serde_json::from_str(&line).map_err(|_| failed(&[&self.name], &line))?;
        Ok(Some(said))
    }

    /// Ends it as a phone ends that falls into the water.
    pub(super) async fn kill(mut self) -> Result<(), Failure> {
        self.child.kill().await.map_err(Failure::System)
    }

    /// Ends it as Ctrl-C would, and waits until it has.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        let Self {
            name,
            mut child,
            input,
            lines,
        } = self;
        drop(input);
        let ended = tokio::time::timeout(ENDING, child.wait()).await;
        drop(lines);
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(&[&name], &status.to_string())),
            Ok(Err(error)) => Err(Failure::System(error)),
            Err(_) => Err(failed(&[&name], "timeout")),
        }
    }
}

fn failed(words: &[&str], said: &str) -> Failure {
    let what = words
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    Failure::DemoProcess {
        what,
        said: said.to_owned(),
    }
}
