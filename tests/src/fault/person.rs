//! A person with one device or two, as the schedule knows them: which are in use, which one is the main one, which are gone.

/// A device in use.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// Its folder.
    pub(crate) home: String,
    /// Whether it is one of the account's. One that is being added, or was put back, is not yet.
    pub(crate) is_linked: bool,
}

/// A person, and their devices.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each of them comes and goes by itself")]
pub(crate) struct Person {
    pub(crate) devices: Vec<Device>,
    /// The folder of the main one.
    pub(crate) main: String,
    /// The folder of the one that keeps the backup up to date.
    pub(crate) with_backup: Option<String>,
    /// The folder in which the account is to be taken over by the phrase.
    pub(crate) recovering: Option<String>,
    /// Whether that was tried: a reply may have been lost.
    pub(crate) has_tried: bool,
    /// Whether the role of main device is on its way from one to the other.
    pub(crate) is_handing_over: bool,
    /// Whether the list may still name a device that is none any more.
    pub(crate) is_list_stale: bool,
    /// The folders of devices that were lost or removed.
    pub(crate) lost: Vec<String>,
    /// Whether the relay has a list without those.
    pub(crate) is_known: bool,
    /// Whether the relay was put back, and the main device has not been in touch since.
    pub(crate) is_relay_behind: bool,
    /// Whether the relay was put back to before the account was taken over last, and the phone that could tell it so is gone: the
    /// next identity follows an earlier one, and correspondents have to accept it.
    pub(crate) is_forked: bool,
    /// By how many days the clocks are ahead.
    pub(crate) clock: i64,
}

impl Person {
    /// Somebody with one phone, which has a backup.
    pub(crate) fn with(home: &str) -> Self {
        Self {
            devices: vec![Device {
                home: home.to_owned(),
                is_linked: true,
            }],
            main: home.to_owned(),
            with_backup: Some(home.to_owned()),
            recovering: None,
            has_tried: false,
            is_handing_over: false,
            is_list_stale: false,
            lost: Vec::new(),
            is_known: true,
            is_relay_behind: false,
            is_forked: false,
            clock: 0,
        }
    }

    /// The devices that are the account's.
    pub(crate) fn linked(&self) -> Vec<String> {
        let linked = self.devices.iter().filter(|device| device.is_linked);
        linked.map(|device| device.home.clone()).collect()
    }

    /// The device that is not the main one.
    pub(crate) fn other(&self) -> Option<Device> {
        self.devices.iter().find(|device| device.home != self.main).cloned()
    }

    pub(crate) fn is_linked(&self, home: &str) -> bool {
        self.devices
            .iter()
            .any(|device| device.home == home && device.is_linked)
    }

    /// A device is none of the account's any more.
    pub(crate) fn leaves(&mut self, home: &str) {
        self.devices.retain(|device| device.home != home);
        self.has_left(home);
    }

    /// A device that was lost or removed may be found. One that the relay, put back, knows nothing of never hears of its end.
    pub(crate) fn may_find(&mut self, home: String) {
        if !self.is_relay_behind {
            self.lost.push(home);
        }
    }

    /// A device is to be added again as another one.
    pub(crate) fn unlinked(&mut self, home: &str) {
        for device in self.devices.iter_mut().filter(|device| device.home == home) {
            device.is_linked = false;
        }
        self.has_left(home);
    }

    fn has_left(&mut self, home: &str) {
        self.is_list_stale = true;
        self.is_known = false;
        self.with_backup.take_if(|with_backup| with_backup == home);
    }

    /// The account was taken over where it was to be, and has that device alone. Where the relay had a backup, it goes on.
    pub(crate) fn recovered(&mut self, has_backup: bool) {
        let Some(home) = self.recovering.take() else { return };
        let others = std::mem::take(&mut self.devices).into_iter();
        for other in others.filter(|device| device.is_linked && device.home != home) {
            self.may_find(other.home);
        }
        *self = Self {
            lost: std::mem::take(&mut self.lost),
            clock: self.clock,
            is_forked: self.is_forked,
            with_backup: Some(home.clone()).filter(|_| has_backup),
            ..Self::with(&home)
        };
    }
}
