//! A phone's folder on this machine: the core's store, and which relay it belongs to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pli_core::keystore::KeyPlace;
use pli_core::{Config, Patience, Session};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::files;

const RELAY_FILE: &str = "relay.json";
const CA_FILE: &str = "ca.pem";
const KEY_FILE: &str = "store.key";
const CA_LIMIT_BYTES: usize = 64 * 1024;

/// A phone's folder.
pub(crate) struct Home {
    folder: PathBuf,
}

/// What the folder remembers of its relay.
#[derive(Deserialize, Serialize)]
struct Relay {
    server: String,
    /// Whether `ca.pem` stands beside.
    own_ca: bool,
}

impl Home {
    /// The folder named on the command line, by `PLI_HOME`, or the platform's.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, Failure> {
        let folder = match named {
            Some(folder) => folder.to_path_buf(),
            None => default_folder().ok_or(Failure::HomeUnknown)?,
        };
        Ok(Self { folder })
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the session of a phone that knows its relay.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        let path = self.folder.join(RELAY_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Failure::NotSetUp),
            Err(error) => return Err(Failure::FileUnreadable { path, error }),
        };
        let relay: Relay = serde_json::from_slice(&bytes).map_err(|error| Failure::FileUnreadable {
            path,
            error: io::Error::other(error),
        })?;
        self.open(relay)
    }

    /// Remembers the relay and opens the session; the same relay may be named again.
    pub(crate) fn set_up(&self, server: &str, ca: Option<&Path>) -> Result<Session, Failure> {
        let server = server.trim_end_matches('/').to_owned();
        let is_clear = |rest: &str| !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control());
        if !server.strip_prefix("https://").is_some_and(is_clear) {
            return Err(Failure::ServerUnclear);
        }
        let known = fs::read(self.folder.join(RELAY_FILE)).ok();
        if let Some(known) = known.and_then(|bytes| serde_json::from_slice::<Relay>(&bytes).ok()) {
            let name = known.server.clone();
            let session = self.open(known)?;
            // A relay that was named by mistake, and never enrolled with, may be replaced; where a phone is enrolled, nothing is.
            if session.own_address()?.is_some() {
                return if name == server {
                    Ok(session)
                } else {
                    Err(Failure::ServerDiffers { known: name })
                };
            }
        }
        let ca = ca.map(|path| files::read(path, CA_LIMIT_BYTES)).transpose()?;
        make_private_folder(&self.folder).map_err(|error| Failure::FileUnwritable {
            path: self.folder.clone(),
            error,
        })?;
        if let Some(pem) = &ca {
            files::write(&self.folder.join(CA_FILE), pem)?;
        }
        let relay = Relay {
            server,
            own_ca: ca.is_some(),
        };
        let line = serde_json::to_vec(&relay).map_err(|error| Failure::System(io::Error::other(error)))?;
        files::write(&self.folder.join(RELAY_FILE), &line)?;
        self.open(relay)
    }

    fn open(&self, relay: Relay) -> Result<Session, Failure> {
        let config = Config {
            folder: self.folder.clone(),
            key: KeyPlace::File(self.folder.join(KEY_FILE)),
            server: relay.server,
            ca: relay.own_ca.then(|| self.folder.join(CA_FILE)),
            patience: Patience::default(),
        };
        Ok(Session::open(config)?)
    }
}

fn default_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = set("PLI_HOME") {
        return Some(folder);
    }
    if cfg!(target_os = "macos") {
        return set("HOME").map(|home| home.join("Library/Application Support/pli"));
    }
    set("XDG_DATA_HOME")
        .filter(|data| data.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("pli"))
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
