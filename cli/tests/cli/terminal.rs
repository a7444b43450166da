//! A terminal of the tests' own: what a person would see, and types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::scene::until;

/// A command at a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    pub(crate) fn run(mut command: Command) -> Self {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let name = ptsname(&outer, Vec::new()).unwrap();
        let inner = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let end = |inner: &OwnedFd| Stdio::from(inner.try_clone().unwrap());
        let child = command
            .stdin(end(&inner))
            .stdout(end(&inner))
            .stderr(end(&inner))
            .spawn()
            .unwrap();
        drop((command, inner));
        let mut screen = File::from(outer.try_clone().unwrap());
        let seen = Arc::new(Mutex::new(String::new()));
        let seeing = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with the last process at the terminal.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                seeing.lock().unwrap().push_str(&text);
            }
        });
        Self {
            child,
            keyboard: File::from(outer),
            seen,
        }
    }

    /// Waits for a question and types an answer with Enter.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        until(question, || self.seen().contains(question));
        self.keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }

    /// All that was to be seen so far.
    pub(crate) fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    /// Waits for the end: its status and all that was to be seen.
    pub(crate) fn end(mut self, last: &str) -> (ExitStatus, String) {
        until(last, || self.seen().contains(last));
        (self.child.wait().unwrap(), self.seen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
