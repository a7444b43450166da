//! Files that the person names: read within a limit, written whole or not at all, and for this user's eyes only.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::screen;

/// How many files of one name a folder may get.
const SAME_NAMES: u32 = 1_000;

/// Whether the person means standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file, or standard input for `-`; no more than `limit_bytes`.
pub(crate) fn read(path: &Path, limit_bytes: usize) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::FileUnreadable {
        path: path.to_path_buf(),
        error,
    };
    let source: Box<dyn Read> = if is_dash(path) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    source.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit_bytes {
        return Err(Failure::TooLarge {
            path: path.to_path_buf(),
            limit_bytes,
        });
    }
    Ok(bytes)
}

/// Reads text in UTF-8; a byte order mark is dropped.
pub(crate) fn read_text(path: &Path, limit_bytes: usize) -> Result<String, Failure> {
    let text = String::from_utf8(read(path, limit_bytes)?).map_err(|_| Failure::LetterNotText {
        path: path.to_path_buf(),
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map_or_else(|| text.clone(), str::to_owned))
}

/// Writes a file so that it is there whole, or as it was before; `-` is standard output.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_dash(path) {
        return screen::raw(bytes);
    }
    write_beside(path, bytes).map_err(|error| Failure::FileUnwritable {
        path: path.to_path_buf(),
        error,
    })
}

/// Writes a new file into a folder, under this name or, if it is taken, the name and a number; where it went.
pub(crate) fn write_new(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let unwritable = |path: &Path, error| Failure::FileUnwritable {
        path: path.to_path_buf(),
        error,
    };
    // Names are made safe where letters are read; a path here would be a fault there.
    let name = Path::new(name).file_name().map_or(Path::new("file"), Path::new);
    let (stem, extension) = (name.file_stem().unwrap_or_default(), name.extension());
    for number in 1..=SAME_NAMES {
        let mut numbered = stem.to_owned();
        if number > 1 {
            numbered.push(format!(" ({number})"));
        }
        if let Some(extension) = extension {
            numbered.push(".");
            numbered.push(extension);
        }
        let path = folder.join(numbered);
        match create_private(&path) {
            Ok(mut file) => {
                if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
                    let _ = fs::remove_file(&path);
                    return Err(unwritable(&path, error));
                }
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(&path, error)),
        }
    }
    Err(unwritable(&folder.join(name), io::ErrorKind::AlreadyExists.into()))
}

/// Creates a file that was not there, which nobody else may read: what is out of the sealed store is a patient's.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes what a folder lists durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    // A pipe or a device is written to as it is: nothing can be renamed over it.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = folder.join(beside);
    // A process of this number was killed while it wrote here, perhaps.
    let _ = fs::remove_file(&beside);
    let written = (|| {
        let mut file = create_private(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(&folder)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letter.txt");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().code(), "too-large");
        assert_eq!(read(Path::new("/dev/zero"), 4).unwrap_err().code(), "too-large");
        assert_eq!(read(folder.path(), 4).unwrap_err().code(), "file-unreadable");
    }

    #[test]
    fn a_new_file_replaces_nothing_and_stays_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("photos");
        fs::create_dir(&inner).unwrap();
        for (name, kept) in [
            ("a.jpg", "a.jpg"),
            ("a.jpg", "a (2).jpg"),
            ("../../a.jpg", "a (3).jpg"),
            ("..", "file"),
        ] {
            assert_eq!(write_new(&inner, name, name.as_bytes()).unwrap(), inner.join(kept));
        }
        assert_eq!(fs::read(inner.join("a.jpg")).unwrap(), b"a.jpg");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_written_is_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = folder.path().join("mail.eml");
        fs::write(&path, b"as the umask says").unwrap();
        write(&path, b"first").unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&write_new(folder.path(), "a.jpg", b"a").unwrap()), 0o600);
    }

    #[test]
    fn a_letter_is_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letter.txt");
        fs::write(&path, "\u{feff}é").unwrap();
        assert_eq!(read_text(&path, 9).unwrap(), "é");
        fs::write(&path, b"\xe9").unwrap();
        assert_eq!(read_text(&path, 9).unwrap_err().code(), "letter-not-text");
    }

    #[test]
    fn writing_replaces_the_whole_file_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.eml");
        write(&path, b"first, and longer").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = folder.path().join("none/mail.eml");
        assert_eq!(write(&missing, b"x").unwrap_err().code(), "file-unwritable");
    }
}
