//! Processes: the relay as `pli serve`, and what the system says of how much they take.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use procfs::process::Process;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

/// Resident memory of a process.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Memory {
    pub(crate) now_bytes: u64,
    pub(crate) peak_bytes: u64,
}

impl Memory {
    pub(crate) fn of(process: u32) -> Self {
        let status = self::process(process).status().unwrap();
        let bytes = |kib: Option<u64>| kib.unwrap() * 1024;
        Self {
            now_bytes: bytes(status.vmrss),
            peak_bytes: bytes(status.vmhwm),
        }
    }

    pub(crate) fn peak_mb(self) -> f64 {
        self.peak_bytes as f64 / 1e6
    }
}

/// A relay that runs in a folder that goes away.
pub(crate) struct Relay {
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    metrics: String,
    child: Child,
    /// The relay itself, also where it runs under another program.
    process: u32,
}

impl Relay {
    /// A relay without TLS.
    pub(crate) fn plain() -> Self {
        Self::start(&[], "--plain")
    }

    /// A relay that speaks TLS itself.
    pub(crate) fn tls() -> Self {
        Self::start(&[], "--dev-tls")
    }

    /// A relay under another program; `{folder}` is its folder.
    pub(crate) fn under(tracer: &[&str]) -> Self {
        Self::start(tracer, "--plain")
    }

    fn start(tracer: &[&str], tls: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display().to_string();
        let mut words: Vec<String> = tracer.iter().map(|word| word.replace("{folder}", &here)).collect();
        words.push(beside("pli").display().to_string());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args([
                "serve",
                tls,
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--metrics",
                "127.0.0.1:0",
                "--until-stdin-closes",
                "--data",
            ])
            .arg(folder.path().join("relay"))
            .env("PLI_LOG", "warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let first: Value = serde_json::from_str(&first).unwrap();
        let text = |name: &str| first[name].as_str().unwrap().to_owned();
        let process = if tracer.is_empty() {
            child.id()
        } else {
            only_child_of(child.id())
        };
        Self {
            url: text("url"),
            metrics: text("metrics"),
            folder,
            child,
            process,
        }
    }

    /// Its folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("relay")
    }

    /// The authority of its TLS.
    pub(crate) fn ca(&self) -> PathBuf {
        self.data().join("ca.pem")
    }

    /// Processor time that it has had so far.
    pub(crate) fn processor(&self) -> Duration {
        let stat = process(self.process).stat().unwrap();
        let millis_a_tick = 1_000 / procfs::ticks_per_second();
        Duration::from_millis((stat.utime + stat.stime) * millis_a_tick)
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory::of(self.process)
    }

    /// Transactions so far, as it counts them itself.
    pub(crate) async fn commits(&self) -> u64 {
        let text = reqwest::get(&self.metrics).await.unwrap().text().await.unwrap();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix("pli_commits_total "))
            .unwrap();
        value.parse().unwrap()
    }
}

impl Drop for Relay {
    /// Ends it in order, before its folder goes.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A program of this build.
pub(crate) fn beside(program: &str) -> PathBuf {
    let path = std::env::current_exe().unwrap().with_file_name(program);
    assert!(
        path.exists(),
        "{} is not built: start this as `cargo xtask bench`",
        path.display()
    );
    path
}

fn process(id: u32) -> Process {
    Process::new(i32::try_from(id).unwrap()).unwrap()
}

fn only_child_of(parent: u32) -> u32 {
    let tasks = process(parent).tasks().unwrap();
    let mut children = tasks.flat_map(|task| task.unwrap().children().unwrap());
    children.next().unwrap()
}
