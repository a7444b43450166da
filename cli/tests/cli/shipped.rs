//! What ships cannot be told to crash: no trace of the steps at which the tests end a phone or a relay.

use std::fs;
use std::path::Path;

#[test]
fn the_shipped_program_holds_no_trace_of_crash_points() {
    let program = fs::read(env!("CARGO_BIN_EXE_pli")).unwrap();
    let holds = |text: &str| program.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("PLI_HOME"), "a name that is in it is found");
    assert!(!holds("PLI_CRASH_AT"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut steps = Vec::new();
    for sources in ["core/src", "backend/src"] {
        collect(&root.join(sources), &mut steps);
    }
    assert!(steps.len() > 20, "{steps:?}");
    for step in steps {
        assert!(!holds(&step), "{step}");
    }
}

/// The names in every `crash_point!("…")` below `folder`.
fn collect(folder: &Path, steps: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, steps);
        } else {
            let source = fs::read_to_string(&path).unwrap();
            let calls = source.split("crash_point!(\"").skip(1);
            steps.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}
