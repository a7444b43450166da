//! A relay with three people in its directory, in a folder that goes away.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const NURSE: &str = "ines.caradec@medical28.apicrypt.org";
pub(crate) const GP: &str = "mathieu.delorme@medical28.apicrypt.org";
pub(crate) const SILENT: &str = "paul.rivoire@medical28.apicrypt.org";

const DIRECTORY: &str = "given,surname,departement,profession,specialty,postcode,town\n\
    Inès,Caradec,28,Infirmière,,28000,Chartres\n\
    Mathieu,Delorme,28,Médecin,Médecine générale,28000,Chartres\n\
    Paul,Rivoire,28,Médecin,Dermatologie,28100,Dreux\n";

/// A hang is a failure, but how fast it goes is nobody's promise here.
const PATIENCE: Duration = Duration::from_mins(2);

/// The program, in English, with no home but the one it is given.
pub(crate) fn pli() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pli"));
    command.env("LC_ALL", "en_GB.UTF-8").env("LANG", "en_GB.UTF-8");
    command
        .env_remove("PLI_HOME")
        .env_remove("PLI_LOG")
        .stdin(Stdio::null());
    command
}

/// A relay and the folder of everything.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    relay: Option<Running>,
}

impl Scene {
    /// Relay and directory, nobody enrolled.
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("directory.csv");
        fs::write(&csv, DIRECTORY).unwrap();
        let data = folder.path().join("relay");
        answer(pli().args(["admin", "import"]).arg(&csv).arg("--data").arg(&data));
        let mut scene = Self {
            folder,
            url: String::new(),
            relay: None,
        };
        scene.start_relay("127.0.0.1:0");
        scene
    }

    /// The same with nurse and GP enrolled.
    pub(crate) fn enrolled() -> Self {
        let scene = Self::open();
        scene.enrol(NURSE);
        scene.enrol(GP);
        scene
    }

    pub(crate) fn start_relay(&mut self, listen: &str) {
        let mut command = pli();
        command
            .args(["serve", "--dev-tls", "--json", "--listen", listen, "--data"])
            .arg(self.path("relay"));
        let relay = Running::start(command);
        relay.first["url"].as_str().unwrap().clone_into(&mut self.url);
        self.relay = Some(relay);
    }

    pub(crate) fn stop_relay(&mut self) {
        let status = self.relay.take().unwrap().end();
        assert!(status.success(), "{status}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self, address: &str) -> PathBuf {
        self.path(address.split('.').next().unwrap())
    }

    pub(crate) fn code(&self, address: &str) -> String {
        let code = answer(pli().args(["admin", "code", address, "--data"]).arg(self.path("relay")));
        code["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn enrol(&self, address: &str) -> Value {
        answer(&mut self.enrolling(address))
    }

    /// The command that enrols somebody, with a code from a file.
    pub(crate) fn enrolling(&self, address: &str) -> Command {
        let code = self.file("code.txt", self.code(address).as_bytes());
        let mut command = self.at_relay(&["enrol", address]);
        command
            .args(["--code-file", &code])
            .arg("--home")
            .arg(self.home(address));
        command
    }

    /// A command that names the relay.
    pub(crate) fn at_relay(&self, words: &[&str]) -> Command {
        let mut command = pli();
        command
            .args(words)
            .args(["--server", &self.url, "--ca"])
            .arg(self.path("relay/ca.pem"));
        command
    }

    /// A command on somebody's phone.
    pub(crate) fn on(&self, address: &str, words: &[&str]) -> Command {
        let mut command = pli();
        command.args(words).env("PLI_HOME", self.home(address));
        command
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// What a command that must succeed answers, in JSON.
pub(crate) fn answer(command: &mut Command) -> Value {
    let output = command.arg("--json").output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    if output.stdout.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Runs a command with something on its standard input.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Waits for something to become true.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "still not: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// A process that goes on; it ends with this.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) first: Value,
    input: Option<ChildStdin>,
}

impl Running {
    /// Starts it and waits for its first answer.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let first = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{command:?} said {line:?}"));
        // What it says later is read, so that it never waits for a full pipe.
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
        let input = child.stdin.take();
        Self { child, first, input }
    }

    /// Ends it as its parent's end would.
    pub(crate) fn end(mut self) -> std::process::ExitStatus {
        self.input = None;
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What lies in a folder for the practice software: everything whose name does not begin with a dot.
pub(crate) fn dropped(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect();
    files.sort();
    files
}

/// A laboratory result, told apart by a number: ISO-8859-1, CR LF, accents and RES lines.
pub(crate) fn result(number: u32) -> Vec<u8> {
    let file = format!("26112700{number:02}");
    let lines = [
        "LAN0312",
        "LANVAUX",
        "ODETTE",
        "7 allée des Tilleuls",
        "",
        "28000 Chartres",
        "12/03/1948",
        "",
        &file,
        "27/11/2026",
        "LABO28     Laboratoire",
        "DELORME    mathieu.delorme",
        "Patiente à jeun.",
        "****LAB****",
        "RES|Créatinine|CREA|N|94|µmol/L|49|90|H|F||||",
        "****FIN****",
        "****FINFICHIER****",
        "",
    ];
    lines
        .join("\r\n")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect()
}
