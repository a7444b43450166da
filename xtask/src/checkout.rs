//! The checkout and the programs run in it, their output passed through and kept.
//! What the output means is not known here. Read next: `tally`.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// The folder the commands run in, and Cargo's target folder.
pub(crate) struct Checkout {
    root: PathBuf,
    target: PathBuf,
}

impl Checkout {
    /// The checkout this program was built from: it runs from `target/release/`.
    pub(crate) fn find() -> io::Result<Self> {
        let program = env::current_exe()?;
        let target = program
            .ancestors()
            .nth(2)
            .ok_or_else(|| io::Error::other("start it as `cargo xtask`"))?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .filter(|root| root.join("Cargo.lock").is_file())
            .ok_or_else(|| io::Error::other("the checkout was moved: start it as `cargo xtask`"))?;
        Ok(Self {
            root: root.to_owned(),
            target: target.to_owned(),
        })
    }

    /// A file of the checkout.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A file in Cargo's target folder.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// Runs a program to its end; an error means that it could not be started.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str], environment: &[(&str, PathBuf)]) -> io::Result<Ran> {
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
        let mut output = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 {
                io::stdout().write_all(&line)?;
                output.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        }
        Ok(Ran {
            status: child.wait()?,
            output,
        })
    }
}

/// A program's end: its status and what it wrote to standard output.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}
