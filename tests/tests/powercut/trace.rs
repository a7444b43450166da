//! A trace of `strace -f -yy`, read as a disk that keeps only what was synced.
//! A write or a telling counts from where its call begins, a sync from where it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Somebody was told something: a socket or the standard output was written to.
#[derive(Debug)]
pub(crate) struct Told {
    /// The first line of the request that is answered, if a socket's was read.
    pub(crate) asked: String,
    /// How it begins.
    pub(crate) what: String,
    /// Files and folders that were synced since the request came, or since the last telling.
    pub(crate) synced: BTreeSet<PathBuf>,
    /// Files that got their name since then.
    pub(crate) named: BTreeSet<PathBuf>,
    /// Files whose last write, and folders whose last name, a power cut would take away.
    at_risk: BTreeSet<PathBuf>,
}

impl Told {
    /// Nothing that was written before is at risk.
    #[track_caller]
    pub(crate) fn is_durable(&self) {
        assert!(self.at_risk.is_empty(), "told before it was on the disk: {self:#?}");
    }
}

/// Reads the trace in `file` for what is kept below `folder`.
pub(crate) fn read(file: &Path, folder: &Path) -> Vec<Told> {
    let mut disk = Disk {
        folder: folder.to_owned(),
        ..Disk::default()
    };
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    let text = std::fs::read(file).unwrap();
    let text = String::from_utf8_lossy(&text);
    for line in text.lines() {
        let Some((thread, call)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            disk.begin(thread, begun);
            unfinished.insert(thread, begun.trim_end().to_owned());
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let begun = unfinished.remove(thread).unwrap();
            let rest = rest.split_once("resumed>").unwrap().1;
            disk.end(thread, &format!("{begun}{rest}"));
        } else if call.contains('(') {
            disk.begin(thread, call);
            disk.end(thread, call);
        }
    }
    assert!(!disk.told.is_empty(), "nothing was traced");
    disk.told
}

#[derive(Default)]
struct Disk {
    folder: PathBuf,
    /// How often each file was written and each folder changed.
    changes: BTreeMap<PathBuf, u32>,
    /// How many of these changes were on the disk at the last sync.
    durable: BTreeMap<PathBuf, u32>,
    /// The changes of a file when the sync that a thread runs began.
    syncing: BTreeMap<String, u32>,
    /// The request that came last on each socket.
    asked: BTreeMap<String, String>,
    synced: BTreeSet<PathBuf>,
    named: BTreeSet<PathBuf>,
    told: Vec<Told>,
}

impl Disk {
    fn begin(&mut self, thread: &str, call: &str) {
        let (name, rest) = call.split_once('(').unwrap_or((call, ""));
        match name {
            "write" | "writev" | "pwrite64" | "pwritev" | "sendto" | "sendmsg" | "ftruncate" | "fallocate" => {
                let Some(target) = descriptor(rest) else { return };
                let is_standard_output = rest.starts_with("1<");
                if is_socket(&target) || is_standard_output {
                    self.tell(&target, rest);
                } else if name != "ftruncate" {
                    self.change(Path::new(&target));
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(path) = descriptor(rest) {
                    let changes = self.changes.get(Path::new(&path)).copied().unwrap_or(0);
                    self.syncing.insert(thread.to_owned(), changes);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, thread: &str, call: &str) {
        let (name, rest) = call.split_once('(').unwrap_or((call, ""));
        let Some((_, result)) = call.rsplit_once(" = ") else {
            return;
        };
        if result.starts_with('-') || result.starts_with('?') {
            return;
        }
        match name {
            "fsync" | "fdatasync" => {
                if let (Some(path), Some(changes)) = (descriptor(rest), self.syncing.remove(thread)) {
                    self.durable.insert(path.clone().into(), changes);
                    self.synced.insert(path.into());
                }
            }
            "open" | "openat" | "creat" if rest.contains("O_CREAT") => {
                // Whether it is new cannot be seen, so its name has to be synced when it is written to for the first time.
                if let Some(path) = descriptor(result)
                    && self.is_ours(Path::new(&path))
                    && !self.changes.contains_key(Path::new(&path))
                {
                    self.changes.insert(path.into(), 0);
                }
            }
            "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
                let names = quoted(rest);
                let [from, to] = names.as_slice() else { return };
                let (from, to) = (PathBuf::from(from), PathBuf::from(to));
                if !self.is_ours(&to) {
                    return;
                }
                if let Some(changes) = self.changes.remove(&from) {
                    self.changes.insert(to.clone(), changes);
                }
                if let Some(durable) = self.durable.remove(&from) {
                    self.durable.insert(to.clone(), durable);
                }
                self.change(to.parent().unwrap());
                self.named.insert(to);
            }
            "unlink" | "unlinkat" => {
                for gone in quoted(rest) {
                    self.changes.remove(Path::new(&gone));
                    self.durable.remove(Path::new(&gone));
                }
            }
            "read" | "readv" | "recvfrom" | "recvmsg" => {
                if let Some(socket) = descriptor(rest).filter(|target| is_socket(target))
                    && let Some(line) = quoted(rest).first()
                    && ["GET ", "POST "].iter().any(|method| line.starts_with(method))
                {
                    self.asked.insert(socket, line.clone());
                    self.synced.clear();
                    self.named.clear();
                }
            }
            _ => {}
        }
    }

    /// A file is written to, or a name in a folder changes.
    fn change(&mut self, path: &Path) {
        if !self.is_ours(path) {
            return;
        }
        let first = self.changes.get(path) == Some(&0);
        *self.changes.entry(path.to_owned()).or_insert(0) += 1;
        if first && path.extension().is_none_or(|ending| ending != "part") {
            let folder = path.parent().unwrap().to_owned();
            *self.changes.entry(folder).or_insert(0) += 1;
        }
    }

    fn tell(&mut self, target: &str, rest: &str) {
        let at_risk = self
            .changes
            .iter()
            .filter(|(path, changes)| self.durable.get(*path).unwrap_or(&0) < *changes)
            .map(|(path, _)| path.clone())
            .collect();
        self.told.push(Told {
            asked: self.asked.remove(target).unwrap_or_default(),
            what: quoted(rest).into_iter().next().unwrap_or_default(),
            synced: std::mem::take(&mut self.synced),
            named: std::mem::take(&mut self.named),
            at_risk,
        });
    }

    /// The index of the log is made anew from the log, and locks hold nothing.
    fn is_ours(&self, path: &Path) -> bool {
        path.starts_with(&self.folder)
            && !path
                .extension()
                .is_some_and(|ending| ending == "db-shm" || ending == "part-shm" || ending == "lock")
    }
}

fn is_socket(target: &str) -> bool {
    target.starts_with("TCP")
}

/// What the descriptor at the start stands for: `9</folder/file>, …`.
fn descriptor(text: &str) -> Option<String> {
    let (number, rest) = text.split_once('<')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A socket's name has an arrow in it.
    let end = if rest.starts_with("TCP") {
        rest.find("]>")? + 1
    } else {
        rest.find('>')?
    };
    Some(rest[..end].to_owned())
}

/// The texts in quotation marks.
fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}
