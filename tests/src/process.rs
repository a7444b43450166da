//! Phones and a relay that are processes of their own, so that they can be killed and traced.
//! What they do there is `src/bin/steps.rs`; the relay's line and its people are those of [`crate::place`].

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use backend::admin;
use pli_core::keystore::KeyPlace;
use pli_core::{Config, Patience, Session};
use tempfile::TempDir;

use crate::line::Line;
use crate::place::{DIRECTORY, address, copy};

/// The signal by which a process ends at a crash point.
pub const SIGABRT: i32 = 6;
/// Names the step at which a process ends.
pub const CRASH_AT: &str = "PLI_CRASH_AT";

/// By how many days the clock of a phone, or of the relay, is ahead.
pub const CLOCK_AHEAD: &str = "PLI_CLOCK_AHEAD_DAYS";

/// People, their phones and a relay in one folder.
pub struct Outside {
    /// Where everything is kept.
    pub folder: TempDir,
    /// The line on which phones reach the relay.
    pub line: Line,
    /// By how many days the clocks of phones are ahead from now on.
    pub clock_ahead_days: i64,
    /// By how many days the relay's clock is ahead once it is started again.
    pub relay_ahead_days: i64,
    /// The name of the file in which a code lies that one device shows another.
    pub link_code: String,
    program: PathBuf,
    tracer: Vec<String>,
    relay: Option<Child>,
    upstream: SocketAddr,
}

impl Outside {
    /// A relay that runs; `program` is `pli-steps`.
    pub fn open(program: &str) -> Self {
        Self::traced(program, &[])
    }

    /// The same with a relay that runs under another program.
    pub fn traced(program: &str, tracer: &[&str]) -> Self {
        let mut outside = Self::within(tempfile::tempdir().unwrap(), program);
        let here = outside.folder.path().display().to_string();
        outside.tracer = tracer.iter().map(|word| word.replace("{folder}", &here)).collect();
        outside.start_relay(None);
        admin::import_csv(&outside.home("relay"), DIRECTORY.as_bytes()).unwrap();
        outside
    }

    /// What [`Outside::close`] left in a folder, as it was, in a place of its own; the relay is to be started.
    pub fn copied(program: &str, from: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut copy = Command::new("cp");
        let status = copy.arg("-a").arg(from.join(".")).arg(folder.path()).status();
        assert!(status.unwrap().success());
        Self::within(folder, program)
    }

    fn within(folder: TempDir, program: &str) -> Self {
        let upstream = own_address();
        Self {
            line: Line::open(folder.path(), upstream),
            folder,
            clock_ahead_days: 0,
            relay_ahead_days: 0,
            link_code: "link-code".to_owned(),
            program: program.into(),
            tracer: Vec::new(),
            relay: None,
            upstream,
        }
    }

    /// Ends the relay in order; where everything was kept.
    pub fn close(mut self) -> TempDir {
        self.stop_relay();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Starts the relay where it was, to end at a step if one is named.
    pub fn start_relay(&mut self, crash_at: Option<&str>) {
        let mut command = match self.tracer.split_first() {
            Some((tracer, words)) => {
                let mut command = Command::new(tracer);
                command.args(words).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command
            .args(["serve", &self.upstream.to_string()])
            .env("PLI_STEPS_HOME", self.home("relay"))
            .env(CLOCK_AHEAD, self.relay_ahead_days.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        crash(&mut command, crash_at);
        let mut relay = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(relay.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        if crash_at.is_none() {
            assert_eq!(first.trim(), self.upstream.to_string());
        }
        self.relay = Some(relay);
    }

    /// Starts the relay where it was, under another program.
    pub fn start_relay_under(&mut self, tracer: &[&str]) {
        let tracer = tracer.iter().map(|word| (*word).to_owned()).collect();
        let before = std::mem::replace(&mut self.tracer, tracer);
        self.start_relay(None);
        self.tracer = before;
    }

    /// Ends the relay in order.
    pub fn stop_relay(&mut self) {
        let mut relay = self.relay.take().unwrap();
        drop(relay.stdin.take());
        assert!(relay.wait().unwrap().success());
    }

    /// Whether the relay ended at its crash point; one that did not is ended in order.
    pub fn relay_crashed(&mut self) -> bool {
        let mut relay = self.relay.take().unwrap();
        drop(relay.stdin.take());
        let status = relay.wait().unwrap();
        let crashed = status.signal() == Some(SIGABRT);
        assert!(crashed || status.success(), "{status}");
        crashed
    }

    /// Ends the relay as `kill -9` does.
    pub fn kill_relay(&mut self) {
        let mut relay = self.relay.take().unwrap();
        relay.kill().unwrap();
        relay.wait().unwrap();
    }

    /// Whether no relay was started since the last one ended.
    pub fn is_relay_gone(&self) -> bool {
        self.relay.is_none()
    }

    /// Runs a command on the phone of `who`, to end at a step if one is named.
    pub async fn run(&self, who: &str, words: &[&str], crash_at: Option<&str>) -> End {
        let mut command = Command::new(&self.program);
        self.prepare(&mut command, who, words, crash_at);
        finish(command).await
    }

    /// The same under another program.
    pub async fn run_under(&self, tracer: &[&str], who: &str, words: &[&str]) -> End {
        let mut command = Command::new(tracer[0]);
        command.args(&tracer[1..]).arg(&self.program);
        self.prepare(&mut command, who, words, None);
        finish(command).await
    }

    /// Starts a command on the phone of `who` and hands it back while it runs.
    pub fn start(&self, who: &str, words: &[&str], crash_at: Option<&str>) -> Started {
        let mut command = Command::new(&self.program);
        self.prepare(&mut command, who, words, crash_at);
        let mut command = tokio::process::Command::from(command);
        Started {
            child: command.kill_on_drop(true).spawn().unwrap(),
        }
    }

    fn prepare(&self, command: &mut Command, who: &str, words: &[&str], crash_at: Option<&str>) {
        // Who recovers or backs up an account types in the phrase that its enrolment showed; who enrols it anew, the operator's last code.
        let is_of_account = ["back-up", "enrol", "recover", "reissue"].contains(&words[0]);
        let account = words.get(1).filter(|_| is_of_account).unwrap_or(&who);
        let phrase = self.folder.path().join(format!("{account}.phrase"));
        let code = self.folder.path().join(format!("{account}.code"));
        if words[0] == "enrol" && !code.exists() {
            std::fs::write(&code, self.code(account)).unwrap();
        }
        command
            .args(words)
            .env("PLI_STEPS_HOME", self.home(who))
            .env("PLI_STEPS_SERVER", self.line.url())
            .env("PLI_STEPS_CA", self.line.ca())
            .env("PLI_STEPS_CODE_FILE", code)
            .env("PLI_STEPS_PHRASE_FILE", phrase)
            .env("PLI_STEPS_LINK_FILE", self.home(&self.link_code))
            .env(CLOCK_AHEAD, self.clock_ahead_days.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        crash(command, crash_at);
    }

    /// The phone of `who` in this process, while no other one uses it.
    pub fn phone(&self, who: &str) -> Session {
        let folder = self.home(who);
        Session::open(Config {
            key: KeyPlace::File(folder.join("store.key")),
            folder,
            server: self.line.url(),
            ca: Some(self.line.ca()),
            patience: Patience::default(),
        })
        .unwrap()
    }

    /// A fresh activation code.
    pub fn code(&self, who: &str) -> String {
        admin::make_activation_code(&self.home("relay"), &address(who)).unwrap()
    }

    /// Where the things of a phone, or of `relay`, are kept.
    pub fn home(&self, who: &str) -> PathBuf {
        self.folder.path().join(who)
    }

    /// Copies what is kept in one place to another that is free; nobody uses it meanwhile.
    pub fn copy(&self, from: &str, to: &str) {
        copy(&self.home(from), &self.home(to));
    }

    /// Puts a copy in the place of what it was made of.
    pub fn put_back(&self, copy: &str, to: &str) {
        std::fs::remove_dir_all(self.home(to)).unwrap();
        std::fs::rename(self.home(copy), self.home(to)).unwrap();
    }

    /// The relay's address without TLS.
    pub fn plain_url(&self) -> String {
        format!("http://{}", self.upstream)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            let _ = relay.kill();
            let _ = relay.wait();
        }
    }
}

/// A command that runs.
pub struct Started {
    child: tokio::process::Child,
}

impl Started {
    /// Waits until it has ended; may be given up and called again.
    pub async fn over(&mut self) {
        self.child.wait().await.unwrap();
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// How it ended.
    pub async fn end(self) -> End {
        End::of(&self.child.wait_with_output().await.unwrap())
    }
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct End {
    /// Its status.
    pub status: ExitStatus,
    /// What it said of what it did.
    pub told: String,
    /// What it said of its failure.
    pub said: String,
}

impl End {
    fn of(output: &Output) -> Self {
        Self {
            status: output.status,
            told: String::from_utf8_lossy(&output.stdout).into_owned(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Whether it ended at its crash point.
    pub fn crashed(&self) -> bool {
        self.status.signal() == Some(SIGABRT)
    }

    /// It did what it was asked.
    #[track_caller]
    pub fn well(&self) {
        assert!(self.status.success(), "{self:?}");
    }
}

/// A free port on a loopback address of one's own: nobody takes it while the relay is down.
fn own_address() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 64 | (high & 63), low, COUNT.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

fn crash(command: &mut Command, at: Option<&str>) {
    match at {
        Some(step) => command.env(CRASH_AT, step),
        None => command.env_remove(CRASH_AT),
    };
}

/// Waits beside the runtime, which has the line to serve.
async fn finish(mut command: Command) -> End {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    End::of(&output)
}

/// Every step named in the sources below `folder`, in the order of their files.
pub fn steps_in(folder: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut steps = Vec::new();
    for file in files {
        if file.is_dir() {
            steps.extend(steps_in(&file));
        } else {
            let source = std::fs::read_to_string(&file).unwrap();
            let calls = source.split("crash_point!(\"").skip(1);
            steps.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    steps
}
