//! The commands that README shows, typed as they stand there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scene::{Running, dropped, pli, until};

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, section) = readme.split_once("## On terminals of your own\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let practice = folder.path().join("practice");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pli"));
    let path = env::join_paths([program.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let mut url = String::new();
    let mut services = Vec::new();
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
        if line.starts_with("cmp ") {
            until("the document is dropped", || !dropped(&practice).is_empty());
        }
        let output = Command::new("sh")
            .args(["-c", &line])
            .env("PATH", &path)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{line}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(services.len(), 2);
    for service in services.into_iter().rev() {
        assert!(service.end().success());
    }
}
