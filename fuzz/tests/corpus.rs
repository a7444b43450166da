//! Every target on its seeds and on the corpus that fuzzing left: what was found once stays mended.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pli_fuzz::{TARGETS, seeds};

/// Most files of a corpus, and most bytes of one: the repository stays small.
const FILES: usize = 32;
const BYTES: u64 = 4 * 1024;

#[test]
fn every_target_stands_its_seeds_and_its_corpus() {
    let mut broken = Vec::new();
    for target in TARGETS {
        let corpus = fs::read_dir(seeds::corpus(target)).into_iter().flatten();
        let mut inputs: Vec<_> = corpus.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
        inputs.extend(seeds::of(target));
        println!("{}: {}", target.name, inputs.len());
        for input in inputs {
            if catch_unwind(AssertUnwindSafe(|| (target.read)(&input))).is_err() {
                broken.push((target.name, input));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:02x?}");
}

#[test]
fn a_corpus_is_small_and_of_a_target() {
    let folders = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"));
    for folder in folders.into_iter().flatten().map(Result::unwrap) {
        let name = folder.file_name().into_string().unwrap();
        assert!(pli_fuzz::target(&name).is_some(), "{name} is no target");
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap()).collect();
        assert!(files.len() <= FILES, "{name}: {} files", files.len());
        for file in files {
            assert!(file.metadata().unwrap().len() <= BYTES, "{}", file.path().display());
        }
    }
}

/// Names are what is typed; two of the same would hide one.
#[test]
fn every_target_has_a_name_of_its_own_and_seeds() {
    let mut names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), TARGETS.len());
    for target in TARGETS {
        assert!(!seeds::of(target).is_empty(), "{}", target.name);
    }
}
