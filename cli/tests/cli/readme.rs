//! The commands that README shows, typed as they stand there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::devices::Told;
use crate::scene::{Running, dropped, pli, until, with_input};

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, section) = readme.split_once("## On terminals of your own\n").unwrap();
    let (section, _) = section.split_once("\n## Read on\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let practice = folder.path().join("practice");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pli"));
    let path = env::join_paths([program.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let mut url = String::new();
    let mut services = Vec::new();
    let mut phrase = String::new();
    let mut linking = None;
    let mut last = String::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        let line = line.replace("https://127.0.0.1:8443", &url);
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        if line.starts_with("alias ") {
            continue;
        }
        if line.starts_with("pli serve ") || line.starts_with("pli watch ") {
            let mut command = pli();
            command.args(&words).arg("--json").current_dir(folder.path());
            if line.starts_with("pli serve ") {
                // The usual port may be taken where this runs.
                command.args(["--listen", "127.0.0.1:0"]);
            }
            let service = Running::start(command);
            if let Some(at) = service.first["url"].as_str() {
                at.clone_into(&mut url);
            }
            services.push(service);
            continue;
        }
        if line.starts_with("pli device link ") {
            let mut command = pli();
            command.args(&words).current_dir(folder.path());
            let mut tablet = Told::begin(&mut command);
            phrase = format!("{}\n", tablet.event("code")["code"].as_str().unwrap());
            linking = Some(tablet);
            continue;
        }
        // Nobody sits at this terminal to say yes.
        let line = line.replace("pli device accept ", "pli device accept --yes ");
        if line.starts_with("cmp ") {
            until("the document is dropped", || !dropped(&practice).is_empty());
        }
        if line == "pli sync --home jean" && services.len() == 2 {
            let watch: Running = services.pop().unwrap();
            assert!(watch.end().success());
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", &line])
            .env("PATH", &path)
            .env("LC_ALL", "en_GB.UTF-8")
            .current_dir(folder.path());
        // What the paper says, or the other device, is typed where it is asked for.
        let output = with_input(&mut command, &phrase);
        assert!(
            output.status.success(),
            "{line}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if line.starts_with("pli enrol jean.martin") {
            let words = said.lines().find_map(|line| line.strip_prefix("    "));
            phrase = format!("{}\n", words.unwrap());
        }
        if line.starts_with("pli device accept ") {
            let mut tablet = linking.take().unwrap();
            assert_eq!(tablet.event("complete")["mails"], 2);
            tablet.end();
        }
        if line.starts_with("pli mail list ") {
            assert_eq!(said.matches("HPRIM document").count(), 2, "{said}");
        }
        if line.starts_with("pli recovery backup ") {
            assert!(said.contains("complete up to"), "{said}");
        }
        if line.starts_with("pli directory verify ") {
            let number = said
                .lines()
                .find_map(|line| line.strip_prefix("    "))
                .unwrap()
                .to_owned();
            assert!(last.is_empty() || last == number, "{last} {number}");
            last = number;
        }
    }
    assert!(!last.is_empty());
    assert_eq!(services.len(), 1);
    for service in services.into_iter().rev() {
        assert!(service.end().success());
    }
}
