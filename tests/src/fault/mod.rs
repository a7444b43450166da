//! Random schedules: people with phones, a relay and a line between them, all that befalls them, and what holds at the end.
//! `schedule` draws what happens, `doing` and `devices` do it, `score` knows what has to come of it. Run by `cargo xtask fault`.

mod devices;
mod doing;
mod person;
mod schedule;
mod score;
mod shown;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use backend::admin;

use crate::place::{CARDIOLOGIST, GP, NURSE, UNREACHABLE};
use crate::process::{End, Outside};
use crate::stranger::Stranger;
use devices::Copy;
use person::Person;
use schedule::{Act, Change, PEOPLE, Schedule, What, Which};
use score::Score;

const ADDRESSES: [&str; PEOPLE] = [NURSE, GP, CARDIOLOGIST, "claire.morvan@medical28.apicrypt.org"];
const STRANGER: &str = "yann.lebrun@medical28.apicrypt.org";
const MORE: &str = "given,surname,departement\nClaire,Morvan,28\nYann,Lebrun,28\n";

/// Everybody syncs so often at the end, at most, until nothing moves any more.
const ROUNDS: u32 = 16;
/// For so many rounds nothing moves then: what devices of one account tell each other is no news, and may bring some.
const QUIET_ROUNDS: u32 = 2;
/// So often, at most, somebody tries to have a second device again.
const ATTEMPTS: u32 = 3;
/// By how many days all clocks are ahead in the second half of the end: whoever asks again in vain does so once a day.
const LATER_DAYS: i64 = 2;

/// How often each thing happened that a schedule can bring about, by its name.
pub type Happened = BTreeMap<&'static str, u32>;

/// Counts together.
pub fn add(happened: &mut Happened, more: Happened) {
    for (kind, times) in more {
        let sum = happened.entry(kind).or_default();
        *sum = sum.saturating_add(times);
    }
}

/// A schedule at whose end something did not hold.
#[derive(Debug)]
pub struct Failure {
    /// What did not hold.
    pub why: String,
    /// Step by step what was done, and what came of it.
    pub history: Vec<String>,
}

/// Tells the schedule of `seed` to this step, and looks whether all that was promised holds then; `program` is `pli-steps`.
///
/// # Errors
///
/// [`Failure`] when it does not.
pub async fn run(program: &str, seed: u64, steps: usize) -> Result<Happened, Failure> {
    let history = Arc::new(Mutex::new(Vec::new()));
    let (program, log) = (program.to_owned(), Arc::clone(&history));
    let told = tokio::spawn(async move {
        let mut world = World::open(&program, log).await;
        for (number, act) in (1..).zip(Schedule::of(seed).take(steps)) {
            world.log(format!("step {number}: {act:?}"));
            world.act(act).await?;
        }
        world.settle().await?;
        Ok(std::mem::take(&mut world.happened))
    });
    let outcome = told.await.unwrap_or_else(|panic| Err(panic.to_string()));
    outcome.map_err(|why| Failure {
        why,
        history: history.lock().unwrap().clone(),
    })
}

/// Everything there is.
struct World {
    outside: Outside,
    stranger: Stranger,
    score: Score,
    people: [Person; PEOPLE],
    /// How many devices took the place of others or were added.
    devices: u32,
    is_relay_copied: bool,
    /// Who has taken the account over since the relay was copied.
    has_recovered: [bool; PEOPLE],
    /// Who had taken the account over between the copy of the relay and its putting back.
    is_line_lost: [bool; PEOPLE],
    copy: Option<Copy>,
    happened: Happened,
    history: Arc<Mutex<Vec<String>>>,
}

impl World {
    async fn open(program: &str, history: Arc<Mutex<Vec<String>>>) -> Self {
        let outside = Outside::open(program);
        admin::import_csv(&outside.home("relay"), MORE.as_bytes()).unwrap();
        for who in ADDRESSES {
            outside.run(who, &["enrol", who], None).await.well();
            outside.run(who, &["back-up"], None).await.well();
            // From now on the relay knows that there is a backup.
            outside.run(who, &["exchange"], None).await.well();
        }
        let stranger = Stranger::enrol_at(outside.plain_url(), STRANGER, outside.code(STRANGER)).await;
        Self {
            outside,
            stranger,
            score: Score::new(ADDRESSES.map(str::to_owned), UNREACHABLE.to_owned()),
            people: ADDRESSES.map(Person::with),
            devices: 0,
            is_relay_copied: false,
            has_recovered: [false; PEOPLE],
            is_line_lost: [false; PEOPLE],
            copy: None,
            happened: BTreeMap::new(),
            history,
        }
    }

    fn log(&self, line: String) {
        self.history.lock().unwrap().push(line);
    }

    fn happens(&mut self, what: &'static str) {
        let times = self.happened.entry(what).or_default();
        *times = times.saturating_add(1);
    }

    async fn act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Does(doing, trouble) => return self.does(&doing, trouble).await,
            Act::Clock { who, days } => {
                self.happens("clock");
                self.people[who].clock = days;
            }
            Act::Restart { is_killed, days } => {
                self.end_relay(is_killed);
                if days != self.outside.relay_ahead_days {
                    self.happens("relay-clock");
                }
                self.outside.relay_ahead_days = days;
                self.outside.start_relay(None);
            }
            Act::Lose { who, device } => self.lose(who, device),
            Act::Find { who } => return self.find(who).await,
            Act::CopyRelay => {
                self.outside.stop_relay();
                let before = self.outside.home("relay-copy");
                if before.exists() {
                    std::fs::remove_dir_all(before).unwrap();
                }
                self.outside.copy("relay", "relay-copy");
                self.outside.start_relay(None);
                self.score.relay_copied();
                self.has_recovered = [false; PEOPLE];
                self.is_relay_copied = true;
            }
            Act::PutRelayBack { is_killed } if self.is_relay_copied => {
                self.end_relay(is_killed);
                self.outside.put_back("relay-copy", "relay");
                self.outside.start_relay(None);
                self.relay_put_back();
            }
            Act::CopyDevice { who, device } => self.copy_device(who, device),
            Act::PutDeviceBack => return self.put_device_back(),
            Act::PutRelayBack { .. } => {}
            Act::Drain { of, count } => {
                self.happens("drain");
                self.stranger.sign_in().await;
                for _ in 0..count {
                    self.stranger.take_prekey(ADDRESSES[of]).await;
                }
            }
        }
        Ok(())
    }

    fn end_relay(&mut self, is_killed: bool) {
        if is_killed {
            self.happens("relay-killed");
            self.outside.kill_relay();
        } else {
            self.outside.stop_relay();
        }
    }

    /// Ends all that befalls people, lets everybody sync until nothing moves, today and a while later, and looks at the score.
    async fn settle(&mut self) -> Result<(), String> {
        self.log("the end".to_owned());
        self.outside.line.calm();
        self.outside.relay_ahead_days = 0;
        self.outside.stop_relay();
        self.outside.start_relay(None);
        for who in 0..PEOPLE {
            self.people[who].clock = 0;
            self.has_devices(who).await?;
            if self.people[who].is_forked {
                self.score.forked(who);
            }
        }
        self.come_to_rest().await?;
        for person in &mut self.people {
            person.clock = LATER_DAYS;
        }
        self.log("later".to_owned());
        self.come_to_rest().await?;
        self.score.settled()
    }

    /// Whoever is without a phone takes the account over, and whatever of the devices was on its way comes to an end.
    async fn has_devices(&mut self, who: usize) -> Result<(), String> {
        for _ in 0..ATTEMPTS {
            let person = &self.people[who];
            let is_whole = person.devices.iter().all(|device| device.is_linked) && !person.is_list_stale;
            let change = if person.recovering.is_none() && person.is_handing_over {
                Change::HandOver
            } else if person.recovering.is_none() && is_whole {
                return Ok(());
            } else if person.devices.len() > 1 {
                Change::Link
            } else {
                Change::Remove
            };
            self.changes(who, change, None).await?;
        }
        Err(format!("{who} never has devices again: {:?}", self.people[who]))
    }

    async fn come_to_rest(&mut self) -> Result<(), String> {
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            let mut is_quiet = true;
            for who in 0..PEOPLE {
                for home in self.people[who].linked() {
                    let end = self.run(who, &home, &["exchange".to_owned()], None).await;
                    self.came_of(who, &home, &What::Exchange, &end)?;
                    if !self.people[who].is_linked(&home) {
                        self.has_devices(who).await?;
                        is_quiet = false;
                        break;
                    }
                    if !end.status.success() {
                        return Err(format!("{who} cannot sync: {end:?}"));
                    }
                    is_quiet &= end.told.lines().next() == Some("quiet");
                    self.accepts_forked(who, &home).await?;
                }
            }
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet == QUIET_ROUNDS {
                return Ok(());
            }
        }
        Err("it never comes to rest".to_owned())
    }

    /// A person accepts who has an identity that follows none that they know, and that is no surprise.
    async fn accepts_forked(&mut self, who: usize, home: &str) -> Result<(), String> {
        for (other, address) in ADDRESSES.into_iter().enumerate() {
            if other != who && self.people[other].is_forked {
                self.happens("accept");
                let end = self
                    .run(who, home, &["accept".to_owned(), address.to_owned()], None)
                    .await;
                self.came_of(who, home, &What::Change(Change::Link, 0), &end)?;
            }
        }
        Ok(())
    }

    async fn run(&mut self, who: usize, home: &str, words: &[String], crash_at: Option<&str>) -> End {
        self.prepare(who);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.outside.run(home, &words, crash_at).await
    }

    /// Whoever runs something next is this person.
    fn prepare(&mut self, who: usize) {
        self.outside.clock_ahead_days = self.people[who].clock;
        self.outside.link_code = format!("link-code-{who}");
    }

    /// A name for a folder that nobody has used.
    fn new_home(&mut self) -> String {
        self.devices = self.devices.saturating_add(1);
        format!("device-{}", self.devices)
    }

    /// The folder of this device of somebody's; the first stands for a second that is none.
    fn home(&self, who: usize, device: Which) -> Option<String> {
        let linked = self.people[who].linked();
        let second = linked.get(1).filter(|_| device == Which::Second);
        second.or(linked.first()).cloned()
    }
}
