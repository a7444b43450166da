//! A place of work: a relay with its directory in a folder that goes away, and phones that are enrolled there.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backend::{Relay, RelayConfig, Running, Tls, Tuning, admin};
use pli_core::keystore::{self, KeyPlace};
use pli_core::store::Store;
use pli_core::{Config, Draft, Folder, Patience, Session};
use protocol::Address;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::line::Line;
use crate::wire::Wire;

/// A nurse.
pub const NURSE: &str = "ines.caradec@medical28.apicrypt.org";
/// A GP.
pub const GP: &str = "mathieu.delorme@medical28.apicrypt.org";
/// A cardiologist.
pub const CARDIOLOGIST: &str = "helene.vasseur@medical28.apicrypt.org";
/// Somebody in the directory who has no device.
pub const UNREACHABLE: &str = "paul.rivoire@medical28.apicrypt.org";

pub(crate) const DIRECTORY: &str =
    "given,surname,departement\nInès,Caradec,28\nMathieu,Delorme,28\nHélène,Vasseur,28\nPaul,Rivoire,28\n";

/// A relay, and the line to it.
pub struct Place {
    /// Where everything is kept.
    pub folder: TempDir,
    /// The line on which phones reach the relay.
    pub line: Line,
    /// The wire on which they reach it instead, where its own TLS is to be at both ends.
    pub wire: Option<Wire>,
    /// How patient the phones are that are opened from now on.
    pub patience: Patience,
    tls: Tls,
    relay: Option<Running>,
    upstream: SocketAddr,
}

impl Place {
    /// A relay that runs, with its directory.
    pub async fn open() -> Self {
        Self::tuned(Tuning::default()).await
    }

    /// The same with other values than the documented ones.
    pub async fn tuned(tuning: Tuning) -> Self {
        Self::with(tuning, Tls::None).await
    }

    /// A relay that speaks TLS itself, and a wire to it that takes whatever passes.
    pub async fn wired(tuning: Tuning) -> Self {
        let mut place = Self::with(tuning, Tls::Dev).await;
        place.wire = Some(Wire::lay(place.upstream).await);
        place
    }

    async fn with(tuning: Tuning, tls: Tls) -> Self {
        let place = Self::in_folder(tempfile::tempdir().unwrap(), tuning, tls).await;
        admin::import_csv(&place.folder.path().join("relay"), DIRECTORY.as_bytes()).unwrap();
        place
    }

    /// The relay and the phones that are kept in `folder`, copied from another place that was closed.
    pub async fn copied(folder: TempDir, tuning: Tuning) -> Self {
        Self::in_folder(folder, tuning, Tls::None).await
    }

    async fn in_folder(folder: TempDir, tuning: Tuning, tls: Tls) -> Self {
        let relay = start(&folder, "127.0.0.1:0".parse().unwrap(), tuning, tls.clone()).await;
        let upstream = relay.local_addr();
        let line = Line::open(folder.path(), upstream);
        Self {
            folder,
            line,
            wire: None,
            patience: Patience::default(),
            tls,
            relay: Some(relay),
            upstream,
        }
    }

    /// Stops the relay.
    pub async fn stop_relay(&mut self) {
        self.relay.take().unwrap().stop().await.unwrap();
    }

    /// Starts it again where it was.
    pub async fn start_relay(&mut self) {
        self.relay = Some(start(&self.folder, self.upstream, Tuning::default(), self.tls.clone()).await);
    }

    /// The relay that runs.
    pub fn relay(&self) -> &Running {
        self.relay.as_ref().unwrap()
    }

    /// The address of the relay without TLS, for tests that speak its protocol themselves.
    pub fn plain_url(&self) -> String {
        format!("http://{}", self.upstream)
    }

    /// A fresh activation code.
    pub fn code(&self, address: &str) -> String {
        admin::make_activation_code(&self.folder.path().join("relay"), &self::address(address)).unwrap()
    }

    /// A code by which the operator activates the address anew.
    pub fn reissue(&self, address: &str) -> String {
        admin::reissue(&self.folder.path().join("relay"), &self::address(address)).unwrap()
    }

    /// Where the phone of `address` keeps its things.
    pub fn home(&self, address: &str) -> PathBuf {
        self.folder.path().join(address)
    }

    /// The store of the phone of `address`, opened beside it.
    pub fn store(&self, address: &str) -> Store {
        let home = self.home(address);
        keystore::open_or_create(&home, &KeyPlace::File(home.join("store.key"))).unwrap()
    }

    /// The relay's database, also while the relay runs.
    pub fn relay_database(&self) -> Connection {
        sqlcipher::link();
        let database = Connection::open(self.folder.path().join("relay/relay.db")).unwrap();
        database.busy_timeout(Duration::from_secs(20)).unwrap();
        database
    }

    /// The phone of `address` is gone, and what it kept.
    pub fn lose(&self, address: &str) {
        if let Err(error) = fs::remove_dir_all(self.home(address)) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }

    /// The phone of `address` is elsewhere from now on, under another name.
    pub fn rename(&self, address: &str, name: &str) {
        fs::rename(self.home(address), self.home(name)).unwrap();
    }

    /// The phone of `address`, enrolled or not.
    pub fn phone(&self, address: &str) -> Session {
        self.phone_in(address)
    }

    /// The phone whose things are in the folder of this name.
    pub fn phone_in(&self, name: &str) -> Session {
        let folder = self.home(name);
        let key = KeyPlace::File(folder.join("store.key"));
        let (server, ca) = match &self.wire {
            Some(wire) => (wire.url(), self.folder.path().join("relay/ca.pem")),
            None => (self.line.url(), self.line.ca()),
        };
        Session::open(Config {
            folder,
            key,
            server,
            ca: Some(ca),
            patience: self.patience,
        })
        .unwrap()
    }

    /// The phone of `address`, enrolled just now.
    pub async fn enrol(&self, address: &str) -> Session {
        let phone = self.phone(address);
        phone.enrol(&self::address(address), &self.code(address)).await.unwrap();
        phone.phrase_shown().unwrap();
        phone
    }
}

async fn start(folder: &TempDir, listen: SocketAddr, tuning: Tuning, tls: Tls) -> Running {
    let data = folder.path().join("relay");
    let config = RelayConfig {
        data,
        listen,
        name: "relay.test".to_owned(),
        tls,
        metrics: None,
    };
    Relay::start_tuned(config, tuning).await.unwrap()
}

/// An address that is one.
pub fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A mail with this subject.
pub fn draft(to: &[&str], subject: &str) -> Draft {
    Draft {
        to: to.iter().map(|to| address(to)).collect(),
        subject: subject.to_owned(),
        text: format!("Texte : {subject}."),
        ..Draft::default()
    }
}

/// Subjects in a phone's inbox, oldest first.
pub fn inbox(phone: &Session) -> Vec<String> {
    let mut subjects: Vec<_> = phone
        .list(Folder::Inbox, None, 1_000)
        .unwrap()
        .into_iter()
        .map(|mail| mail.subject)
        .collect();
    subjects.reverse();
    subjects
}

/// The state of a sent mail with one recipient, by its stable name.
pub fn state(phone: &Session, number: i64, recipient: &str) -> &'static str {
    let view = phone.message(number).unwrap();
    view.deliveries
        .iter()
        .find(|delivery| delivery.address == recipient)
        .unwrap()
        .state
        .as_str()
}

/// Syncs until it ends well; a row that was postponed becomes due meanwhile.
pub async fn sync_until_sent(phone: &Session) {
    for _ in 0..60 {
        if phone.sync().await.is_ok_and(|report| report.waiting == 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the mail was never sent");
}

/// Copies a folder and all that is in it; nobody uses it meanwhile.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}
