//! The practice software's folder: each received document is dropped there once and whole, also across kill −9.
//!
//! A document is written beside (`.tmp`), synced and renamed to `.part`, which is therefore always whole; then the store
//! records it as exported; then the part gets its name. A part that is found later and is recorded only lacks that last
//! step, and gets it before anything else is dropped; one that is not recorded is written again. So no moment of death,
//! and no share that is gone for a while, drops a document twice, even if the practice software took the first one away.
//!
//! Until it has its name a document is for this user alone; then the folder's group, too, may read it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use protocol::ids::{Digest, MessageId};

use crate::failure::Failure;
use crate::files::{create_private, sync_folder};

const LOCK_FILE: &str = "export.lock";
/// Of what the practice software finds: often it runs as another user, of the folder's group.
const DROPPED_MODE: u32 = 0o640;

/// What the phone knows of its documents.
pub(crate) trait Documents {
    /// Received documents that are not recorded as exported, oldest first.
    fn waiting(&self) -> Result<Vec<Waiting>, Failure>;
    /// The bytes of the document with this number; none if there is none any more.
    fn bytes(&self, number: i64) -> Result<Option<Vec<u8>>, Failure>;
    /// Records the document as exported, durably; whether it is still there, and no other under its number.
    fn record(&self, document: &Waiting) -> Result<bool, Failure>;
}

/// A document that waits to be dropped.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// The message's number in this phone's store.
    pub(crate) number: i64,
    /// The message's id.
    pub(crate) id: MessageId,
    /// The file's name: the same for the same message, different for any other.
    pub(crate) file: String,
}

/// The folder, held by this process alone for this phone.
pub(crate) struct DropFolder {
    folder: PathBuf,
    /// Begins the names of this phone's unfinished files: several phones may share the folder.
    prefix: String,
    _lock: File,
}

impl DropFolder {
    /// Takes the folder for the phone in `home`, whose account is `account`.
    pub(crate) fn open(folder: &Path, home: &Path, account: &str) -> Result<Self, Failure> {
        let lock_path = home.join(LOCK_FILE);
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path);
        let lock = lock.map_err(|error| Failure::FileUnwritable {
            path: lock_path.clone(),
            error,
        })?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => Failure::ExportRunning,
            fs::TryLockError::Error(error) => Failure::FileUnwritable { path: lock_path, error },
        })?;
        let prefix = format!(".pli-{}-", short(&Digest::of(&[account.as_bytes()])));
        Ok(Self {
            folder: folder.to_path_buf(),
            prefix,
            _lock: lock,
        })
    }

    /// Finishes what an earlier attempt left, then drops every waiting document. The names of their files are added to
    /// `dropped` as they appear in the folder, also when a later one fails.
    pub(crate) fn drop_all(&self, documents: &impl Documents, dropped: &mut Vec<String>) -> Result<(), Failure> {
        let waiting = documents.waiting()?;
        self.finish(&waiting, dropped).map_err(|error| self.unwritable(error))?;
        for document in waiting {
            let Some(bytes) = documents.bytes(document.number)? else {
                continue;
            };
            self.write_part(&document.file, &bytes)
                .map_err(|error| self.unwritable(error))?;
            if documents.record(&document)? {
                self.release(&document.file).map_err(|error| self.unwritable(error))?;
                dropped.push(document.file);
            } else {
                fs::remove_file(self.part(&document.file)).map_err(|error| self.unwritable(error))?;
            }
        }
        Ok(())
    }

    fn write_part(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = self.folder.join(format!("{}{file}.tmp", self.prefix));
        let mut writing = create_private(&beside)?;
        writing.write_all(bytes)?;
        writing.sync_all()?;
        fs::rename(&beside, self.part(file))?;
        sync_folder(&self.folder)
    }

    fn release(&self, file: &str) -> io::Result<()> {
        let part = self.part(file);
        open_to_group(&part, &self.folder)?;
        fs::rename(part, self.folder.join(file))?;
        sync_folder(&self.folder)
    }

    fn finish(&self, waiting: &[Waiting], dropped: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&self.prefix)) else {
                continue;
            };
            match rest.strip_suffix(".part") {
                Some(file) if waiting.iter().any(|document| document.file == file) => {}
                Some(file) => {
                    self.release(file)?;
                    dropped.push(file.to_owned());
                }
                None if rest.strip_suffix(".tmp").is_some() => fs::remove_file(entry.path())?,
                None => {}
            }
        }
        Ok(())
    }

    fn part(&self, file: &str) -> PathBuf {
        self.folder.join(format!("{}{file}.part", self.prefix))
    }

    fn unwritable(&self, error: io::Error) -> Failure {
        Failure::FileUnwritable {
            path: self.folder.clone(),
            error,
        }
    }
}

/// Gives a file to the folder's group, to read. A share that knows neither groups nor modes decides by itself.
fn open_to_group(file: &Path, folder: &Path) -> io::Result<()> {
    let group = fs::metadata(folder)?.gid();
    let file = File::open(file)?;
    let given = fchown(&file, None, Some(group));
    let given = given.and_then(|()| file.set_permissions(fs::Permissions::from_mode(DROPPED_MODE)));
    if let Err(error) = given {
        tracing::warn!(%error, "the folder's group could not be given a document");
    }
    file.sync_all()
}

/// The name of a message's file: its day, who sent it, and what no other message shares.
pub(crate) fn file_name(day: &str, sender: &str, id: &[u8]) -> String {
    let unique = short(&Digest::of(&[sender.as_bytes(), b"\0", id]));
    let local = sender.split('@').next().unwrap_or("");
    let clean = |text: &str, most: usize| -> String {
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(most)
            .collect()
    };
    let person: Vec<String> = local
        .split('.')
        .map(|part| clean(part, 40))
        .filter(|part| !part.is_empty())
        .collect();
    format!("{}_{}_{unique}.hpr", clean(day, 10), person.join("."))
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A store of documents; it "dies" before it has recorded anything, or after it recorded the first.
    struct Shelf {
        documents: RefCell<Vec<(Waiting, Vec<u8>)>>,
        dies: Option<Death>,
    }

    #[derive(Clone, Copy, Eq, PartialEq)]
    enum Death {
        AfterRecord,
        BeforeRecord,
    }

    fn id(number: i64) -> MessageId {
        MessageId::from_bytes([u8::try_from(number).unwrap(); 16])
    }

    impl Shelf {
        fn with(documents: &[(&str, &[u8])], dies: Option<Death>) -> Self {
            let documents = documents
                .iter()
                .zip(1..)
                .map(|((file, bytes), number)| {
                    (
                        Waiting {
                            number,
                            id: id(number),
                            file: (*file).to_owned(),
                        },
                        bytes.to_vec(),
                    )
                })
                .collect();
            Self {
                documents: RefCell::new(documents),
                dies,
            }
        }
    }

    impl Documents for Shelf {
        fn waiting(&self) -> Result<Vec<Waiting>, Failure> {
            Ok(self
                .documents
                .borrow()
                .iter()
                .map(|(waiting, _)| waiting.clone())
                .collect())
        }

        fn bytes(&self, number: i64) -> Result<Option<Vec<u8>>, Failure> {
            let documents = self.documents.borrow();
            let found = documents.iter().find(|(waiting, _)| waiting.number == number);
            Ok(found.map(|(_, bytes)| bytes.clone()))
        }

        fn record(&self, document: &Waiting) -> Result<bool, Failure> {
            if self.dies == Some(Death::BeforeRecord) {
                return Err(Failure::Interrupted);
            }
            let mut documents = self.documents.borrow_mut();
            let before = documents.len();
            documents.retain(|(waiting, _)| (waiting.number, waiting.id) != (document.number, document.id));
            if self.dies == Some(Death::AfterRecord) {
                return Err(Failure::Interrupted);
            }
            Ok(documents.len() < before)
        }
    }

    /// What was listed before the one was deleted and the other stored under its number.
    struct Listed<'a>(Vec<Waiting>, &'a Shelf);

    impl Documents for Listed<'_> {
        fn waiting(&self) -> Result<Vec<Waiting>, Failure> {
            Ok(self.0.clone())
        }

        fn bytes(&self, number: i64) -> Result<Option<Vec<u8>>, Failure> {
            self.1.bytes(number)
        }

        fn record(&self, document: &Waiting) -> Result<bool, Failure> {
            self.1.record(document)
        }
    }

    /// What a run that succeeds says it dropped.
    fn drop_all(dropping: &DropFolder, shelf: &Shelf) -> Vec<String> {
        let mut dropped = Vec::new();
        dropping.drop_all(shelf, &mut dropped).unwrap();
        dropped
    }

    fn fail(dropping: &DropFolder, shelf: &Shelf) {
        dropping.drop_all(shelf, &mut Vec::new()).unwrap_err();
    }

    fn listed(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn death_before_the_record_leaves_nothing_to_see_and_the_next_run_drops_once() {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut shelf = Shelf::with(&[("a.hpr", b"alpha")], Some(Death::BeforeRecord));
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        fail(&dropping, &shelf);
        assert!(listed(folder.path()).iter().all(|name| name.starts_with('.')));
        drop(dropping);
        shelf.dies = None;
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        assert_eq!(drop_all(&dropping, &shelf), ["a.hpr"]);
        assert_eq!(listed(folder.path()), ["a.hpr"]);
    }

    #[test]
    fn death_after_the_record_is_finished_by_the_next_run_and_by_no_third() {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut shelf = Shelf::with(&[("a.hpr", b"alpha"), ("b.hpr", b"beta")], Some(Death::AfterRecord));
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        fail(&dropping, &shelf);
        drop(dropping);
        shelf.dies = None;
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        assert_eq!(drop_all(&dropping, &shelf), ["a.hpr", "b.hpr"]);
        // The practice software takes one away.
        fs::remove_file(folder.path().join("a.hpr")).unwrap();
        drop(dropping);
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        assert!(drop_all(&dropping, &shelf).is_empty());
        assert_eq!(listed(folder.path()), ["b.hpr"]);
        assert_eq!(fs::read(folder.path().join("b.hpr")).unwrap(), b"beta");
    }

    #[test]
    fn a_last_rename_that_failed_is_made_good_by_the_same_process() {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shelf = Shelf::with(&[("a.hpr", b"alpha")], None);
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        // A share that is gone, as far as a rename can tell.
        fs::create_dir(folder.path().join("a.hpr")).unwrap();
        fail(&dropping, &shelf);
        assert!(shelf.waiting().unwrap().is_empty());
        fs::remove_dir(folder.path().join("a.hpr")).unwrap();
        assert_eq!(drop_all(&dropping, &shelf), ["a.hpr"]);
        assert_eq!(listed(folder.path()), ["a.hpr"]);
        assert_eq!(fs::read(folder.path().join("a.hpr")).unwrap(), b"alpha");
    }

    #[test]
    fn others_read_nothing_and_the_folders_group_only_what_has_its_name() {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut shelf = Shelf::with(&[("a.hpr", b"alpha")], Some(Death::AfterRecord));
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        fail(&dropping, &shelf);
        let modes = || -> Vec<u32> {
            let names = listed(folder.path()).into_iter();
            names
                .map(|name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777)
                .collect()
        };
        assert_eq!(modes(), [0o600]);
        shelf.dies = None;
        drop_all(&dropping, &shelf);
        assert_eq!(modes(), [0o640]);
        let group = |path: &Path| fs::metadata(path).unwrap().gid();
        assert_eq!(group(&folder.path().join("a.hpr")), group(folder.path()));
    }

    #[test]
    fn a_number_that_is_another_documents_by_now_drops_and_records_neither() {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let deleted = Shelf::with(&[("a.hpr", b"alpha")], None);
        let mut shelf = Shelf::with(&[("b.hpr", b"beta")], None);
        shelf.documents.get_mut()[0].0.id = id(2);
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        let mut dropped = Vec::new();
        let listed_before = Listed(deleted.waiting().unwrap(), &shelf);
        dropping.drop_all(&listed_before, &mut dropped).unwrap();
        assert!(dropped.is_empty() && listed(folder.path()).is_empty());
        assert_eq!(drop_all(&dropping, &shelf), ["b.hpr"]);
        assert_eq!(fs::read(folder.path().join("b.hpr")).unwrap(), b"beta");
    }

    #[test]
    fn half_a_document_is_never_released_even_if_its_mail_is_gone() {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shelf = Shelf::with(&[], None);
        let dropping = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        fs::write(folder.path().join(format!("{}a.hpr.tmp", dropping.prefix)), b"al").unwrap();
        assert!(drop_all(&dropping, &shelf).is_empty());
        assert!(listed(folder.path()).is_empty());
    }

    #[test]
    fn one_process_at_a_time_and_other_phones_are_left_alone() {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shelf = Shelf::with(&[], None);
        let first = DropFolder::open(folder.path(), home.path(), "x").unwrap();
        let second = DropFolder::open(folder.path(), home.path(), "x");
        assert_eq!(second.err().unwrap().code(), "export-running");
        fs::write(folder.path().join(format!("{}a.hpr.part", first.prefix)), b"alpha").unwrap();
        let other_home = tempfile::tempdir().unwrap();
        let other = DropFolder::open(folder.path(), other_home.path(), "y").unwrap();
        assert!(drop_all(&other, &shelf).is_empty());
        assert!(!folder.path().join("a.hpr").exists());
    }

    #[test]
    fn a_name_is_the_same_for_the_same_message_and_holds_no_path() {
        let name = file_name("2026-11-27", "jean.martin@medical28.apicrypt.org", &[1; 16]);
        assert_eq!(
            name,
            file_name("2026-11-27", "jean.martin@medical28.apicrypt.org", &[1; 16])
        );
        assert!(name.starts_with("2026-11-27_jean.martin_"), "{name}");
        assert_ne!(
            name,
            file_name("2026-11-27", "jean.martin@medical28.apicrypt.org", &[2; 16])
        );
        assert_ne!(
            name,
            file_name("2026-11-27", "jean.martin@medical2a.apicrypt.org", &[1; 16])
        );
        let odd = file_name("../../etc", "../../etc/passwd", b"x");
        assert!(
            !odd.contains('/') && !odd.contains("..") && !odd.starts_with('.'),
            "{odd}"
        );
    }
}
