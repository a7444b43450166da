//! The demonstration, to its end, to Ctrl-C, and joined from another terminal.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::scene::{pli, until};

#[test]
fn once_ends_well_and_leaves_nothing_in_both_languages() {
    let temporary = tempfile::tempdir().unwrap();
    for (language, last) in [("en", "The story is over"), ("fr", "L'histoire est finie")] {
        let mut command = pli();
        command
            .args(["demo", "--once", "--lang", language])
            .env("TMPDIR", temporary.path());
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}\n{said}");
        assert!(
            told.lines().filter(|line| line.starts_with('[')).count() >= 12,
            "{told}"
        );
        assert!(told.lines().last().unwrap().starts_with(last), "{told}");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_story_that_cannot_be_told_has_status_1() {
    let output = pli().args(["demo", "--once"]).env("TMPDIR", "/none").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("pli: ["));
}

#[test]
fn a_stranger_joins_with_the_commands_it_printed() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = pli();
    command.arg("demo").env("TMPDIR", temporary.path());
    let mut demo = Guarded(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut commands = Vec::new();
    for line in lines.by_ref() {
        match line.strip_prefix("    ") {
            Some(command) if !command.starts_with(' ') => commands.push(command.to_owned()),
            _ if line.starts_with("Ctrl-C") => break,
            _ => {}
        }
    }
    if commands.is_empty() {
        let mut said = String::new();
        demo.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        panic!("{said}");
    }
    // What it tells later is read, so that it never waits for a full pipe.
    let told = Arc::new(Mutex::new(String::new()));
    let telling = Arc::clone(&told);
    let reading = std::thread::spawn(move || lines.for_each(|line| telling.lock().unwrap().push_str(&(line + "\n"))));
    let (home, rest) = commands.split_first().unwrap();
    assert!(home.starts_with("export PLI_HOME="), "{home}");
    let run = |command: &str| {
        Command::new("sh")
            .args(["-ec", &format!("{home}\n{command}")])
            .output()
            .unwrap()
    };
    for command in rest {
        if command.starts_with("cmp ") {
            until("the practice folder holds the result", || run(command).status.success());
        } else {
            let output = run(command);
            assert!(
                output.status.success(),
                "{command}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    let program = rest[0].split(" enrol ").next().unwrap();
    until("the GP's answer arrives", || {
        run(&format!("{program} sync"));
        let inbox = run(&format!("{program} mail list --json"));
        String::from_utf8_lossy(&inbox.stdout).contains("mathieu.delorme")
    });
    until("the demonstration tells of it", || {
        told.lock().unwrap().contains("Mathieu Delorme answered.")
    });
    until("his own export is the same", || {
        let told = told.lock().unwrap().clone();
        let export = told.lines().find(|line| line.contains(" hprim export "));
        export.is_some_and(|export| run(export).status.success())
    });
    let pid = demo.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let status = demo.0.wait().unwrap();
    reading.join().unwrap();
    assert!(status.success(), "{status}\n{}", told.lock().unwrap());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

/// A process that does not outlive a failed test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
