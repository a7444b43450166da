//! Help, in both languages.

use crate::scene::pli;

const COMMANDS: &[&str] = &[
    "",
    "admin",
    "admin backup",
    "admin check",
    "admin code",
    "admin figures",
    "admin find",
    "admin import",
    "admin reissue",
    "admin restore",
    "demo",
    "device",
    "device accept",
    "device link",
    "device list",
    "device main",
    "device remove",
    "device rename",
    "device resume",
    "device suspend",
    "directory",
    "directory accept",
    "directory find",
    "directory show",
    "directory verify",
    "enrol",
    "hprim",
    "hprim check",
    "hprim export",
    "mail",
    "mail answer",
    "mail archive",
    "mail delete",
    "mail export",
    "mail forward",
    "mail handled",
    "mail list",
    "mail receipts",
    "mail retry",
    "mail send",
    "mail send-draft",
    "mail show",
    "mail unopened",
    "mail withdraw",
    "recovery",
    "recovery backup",
    "recovery phrase",
    "recovery restore",
    "serve",
    "sync",
    "watch",
];

#[test]
fn every_command_has_help_with_examples_in_both_languages() {
    for command in COMMANDS {
        for (language, heading, options) in [
            ("en", "Examples:\n  ", "Options:"),
            ("fr", "Exemples :\n  ", "Options :"),
        ] {
            let output = pli()
                .args(command.split_whitespace())
                .args(["--help", "--lang", language])
                .output()
                .unwrap();
            let help = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{command}");
            assert!(
                help.contains(heading) && help.contains(options),
                "{command} in {language}:\n{help}"
            );
            assert!(language == "en" || !help.contains("Print help"), "{command}:\n{help}");
        }
    }
}

#[test]
fn no_command_is_missing_from_the_list_above() {
    for command in COMMANDS {
        let output = pli().args(command.split_whitespace()).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let Some((_, rest)) = help.split_once("Commands:\n") else {
            continue;
        };
        for line in rest.lines().take_while(|line| !line.is_empty()) {
            let Some(name) = line.strip_prefix("  ").and_then(|line| line.split_whitespace().next()) else {
                continue;
            };
            if line.starts_with("   ") {
                continue;
            }
            let path = format!("{command} {name}");
            assert!(COMMANDS.contains(&path.trim()), "{path}");
        }
    }
}
