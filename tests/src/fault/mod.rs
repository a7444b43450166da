//! Random schedules: people with phones, a relay and a line between them, all that befalls them, and what holds at the end.
//! `schedule` draws what happens, `score` knows what has to come of it; here it is done. Run by `cargo xtask fault`.

mod schedule;
mod score;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use backend::admin;

use crate::place::{CARDIOLOGIST, GP, NURSE, UNREACHABLE};
use crate::process::{End, Outside};
use crate::stranger::Stranger;
use schedule::{Act, Doing, PEOPLE, Schedule, Trouble, What};
use score::{Score, Shown};

const ADDRESSES: [&str; PEOPLE] = [NURSE, GP, CARDIOLOGIST, "claire.morvan@medical28.apicrypt.org"];
const STRANGER: &str = "yann.lebrun@medical28.apicrypt.org";
const MORE: &str = "given,surname,departement\nClaire,Morvan,28\nYann,Lebrun,28\n";

/// Everybody syncs so often at the end, at most, until nothing moves any more.
const ROUNDS: u32 = 12;
/// By how many days all clocks are ahead in the second half of the end: whoever asks again in vain does so once a day.
const LATER_DAYS: i64 = 2;

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
pub async fn run(program: &str, seed: u64, steps: usize) -> Result<(), Failure> {
    let history = Arc::new(Mutex::new(Vec::new()));
    let (program, log) = (program.to_owned(), Arc::clone(&history));
    let told = tokio::spawn(async move {
        let mut world = World::open(&program, log).await;
        for (number, act) in (1..).zip(Schedule::of(seed).take(steps)) {
            world.log(format!("step {number}: {act:?}"));
            world.act(act).await?;
        }
        world.settle().await
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
    /// The folders of the phones that are in use.
    homes: [String; PEOPLE],
    /// The folder of the phone that was lost last.
    lost: [Option<String>; PEOPLE],
    /// Who has lost a phone and not taken the account over yet.
    without: BTreeSet<usize>,
    clocks: [i64; PEOPLE],
    /// How many phones took the place of lost ones.
    phones: u32,
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
            homes: ADDRESSES.map(str::to_owned),
            lost: Default::default(),
            without: BTreeSet::new(),
            clocks: [0; PEOPLE],
            phones: 0,
            history,
        }
    }

    fn log(&self, line: String) {
        self.history.lock().unwrap().push(line);
    }

    async fn act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Does(doing, trouble) => self.does(&doing, trouble).await,
            Act::Clock { who, days } => {
                self.clocks[who] = days;
                Ok(())
            }
            Act::Restart { is_killed } => {
                if is_killed {
                    self.outside.kill_relay();
                } else {
                    self.outside.stop_relay();
                }
                self.outside.start_relay(None);
                Ok(())
            }
            Act::Lose { who } => {
                self.lose(who);
                Ok(())
            }
            Act::Find { who } => self.find(who).await,
            Act::Drain { of, count } => {
                self.stranger.sign_in().await;
                for _ in 0..count {
                    self.stranger.take_prekey(ADDRESSES[of]).await;
                }
                Ok(())
            }
        }
    }

    fn lose(&mut self, who: usize) {
        // One that has not even taken the account over is not worth being found.
        if self.without.insert(who) {
            self.lost[who] = Some(self.homes[who].clone());
        }
        self.score.lost(who);
        self.phones += 1;
        self.homes[who] = format!("phone-{}", self.phones);
    }

    /// A lost phone whose account is on another by now hears so, and erases itself.
    async fn find(&mut self, who: usize) -> Result<(), String> {
        if self.without.contains(&who) {
            return Ok(());
        }
        let Some(home) = self.lost[who].take() else {
            return Ok(());
        };
        let end = self.outside.run(&home, &["exchange"], None).await;
        self.log(format!("  it said: {}", end.said.trim()));
        if self.outside.home(&home).join("store.db").exists() {
            return Err("a phone that was removed from its account kept its store".to_owned());
        }
        Ok(())
    }

    /// What is done is tried once: who has no phone takes the account over on a new one instead.
    async fn does(&mut self, doing: &Doing, trouble: Trouble) -> Result<(), String> {
        let words = self.words(doing);
        match trouble {
            Trouble::None => {
                let end = self.run(doing.who, &words, None).await;
                self.came_of(doing, &end)
            }
            Trouble::PhoneEnds(step) => {
                let end = self.run(doing.who, &words, Some(&step)).await;
                self.came_of(doing, &end)
            }
            Trouble::RelayEnds(step) => {
                self.outside.stop_relay();
                self.outside.start_relay(Some(&step));
                let end = self.run(doing.who, &words, None).await;
                let has_crashed = self.outside.relay_crashed();
                self.log(format!("  the relay ended there: {has_crashed}"));
                self.outside.start_relay(None);
                self.came_of(doing, &end)
            }
            Trouble::Cut(faults) => {
                for (path, fault) in faults {
                    self.outside.line.fail_next(path, fault);
                }
                let end = self.run(doing.who, &words, None).await;
                self.outside.line.calm();
                self.came_of(doing, &end)
            }
            Trouble::RelayKilled(path) => self.held(doing, &words, path, Meanwhile::RelayKilled).await,
            Trouble::HalfOpen(path) => self.held(doing, &words, path, Meanwhile::PhoneKilled).await,
            Trouble::Slow(path, other) => self.held(doing, &words, path, Meanwhile::Does(*other)).await,
        }
    }

    /// Does something while a request of this command is held up.
    async fn held(
        &mut self,
        doing: &Doing,
        words: &[String],
        path: &'static str,
        meanwhile: Meanwhile,
    ) -> Result<(), String> {
        let gate = self.outside.line.hold_next(path);
        self.outside.clock_ahead_days = self.clocks[doing.who];
        let borrowed: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut started = self.outside.start(&self.homes[doing.who], &borrowed, None);
        let is_held = tokio::select! {
            () = gate.reached() => true,
            () = started.over() => false,
        };
        self.outside.line.calm();
        let mut done = None;
        match meanwhile {
            _ if !is_held => {}
            Meanwhile::RelayKilled => {
                self.outside.kill_relay();
                gate.open();
                gate.passed().await;
            }
            Meanwhile::PhoneKilled => {
                started.kill().await;
                gate.open();
                gate.passed().await;
            }
            Meanwhile::Does(other) => {
                // Nobody takes an account over twice at once, or uses a phone that is not set up.
                if !self.without.contains(&other.who) && !self.without.contains(&doing.who) {
                    let words = self.words(&other);
                    let end = self.run(other.who, &words, None).await;
                    done = Some((other, end));
                }
                gate.open();
            }
        }
        let end = started.end().await;
        self.log(format!("  held up: {is_held}"));
        if self.outside.is_relay_gone() {
            self.outside.start_relay(None);
        }
        let Some((other, said)) = done else {
            return self.came_of(doing, &end);
        };
        self.log(format!("  meanwhile {said:?}"));
        if other.who == doing.who {
            self.log(format!("  {end:?}"));
            // Which of the two was over last is not known: none says that the backup has all of it.
            return self.note(&other, said.status.success());
        }
        self.came_of(&other, &said)?;
        self.came_of(doing, &end)
    }

    fn words(&self, doing: &Doing) -> Vec<String> {
        let words: Vec<&str> = match &doing.what {
            _ if self.without.contains(&doing.who) => vec!["recover", ADDRESSES[doing.who]],
            What::Exchange => vec!["exchange"],
            What::Send {
                subject,
                to,
                nobody,
                size,
            } => {
                let to = to.iter().map(|to| ADDRESSES[*to]).chain(nobody.then_some(UNREACHABLE));
                let to = to.collect::<Vec<_>>().join(",");
                return ["send".to_owned(), to, subject.clone(), size.to_string()].into();
            }
            What::Mark(word, subject) => vec![word, subject],
            What::Withdraw(subject) => vec!["withdraw", subject],
            What::Keep(subject) => vec!["keep", UNREACHABLE, subject],
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// What a command that has ended changed on its phone.
    fn came_of(&mut self, doing: &Doing, end: &End) -> Result<(), String> {
        self.log(format!("  {end:?}"));
        let is_done = end.status.success();
        if self.without.contains(&doing.who) {
            if is_done {
                self.without.remove(&doing.who);
            }
            return Ok(());
        }
        self.note(doing, is_done)?;
        if is_done && matches!(doing.what, What::Exchange) {
            self.score.backed_up(doing.who);
        }
        Ok(())
    }

    /// Keeps the score of what a phone shows.
    fn note(&mut self, doing: &Doing, is_done: bool) -> Result<(), String> {
        let home = &self.homes[doing.who];
        if !self.outside.home(home).join("store.db").exists() {
            return Err(format!("the phone of {} erased itself", doing.who));
        }
        let shown = Shown::by(&self.outside.phone(home))?;
        self.log(format!("  {} shows {}", doing.who, shown.sum()));
        let mut deleting = None;
        let is_kept = match &doing.what {
            What::Send {
                subject, to, nobody, ..
            } => {
                let is_there = shown.has_sent(subject);
                if is_there {
                    self.score.accepted(doing.who, subject, to, *nobody);
                }
                is_there
            }
            What::Keep(subject) => shown.has_kept(subject),
            What::Mark("delete", subject) => {
                deleting = Some(subject.as_str());
                true
            }
            What::Exchange | What::Mark(..) | What::Withdraw(_) => true,
        };
        if is_done && !is_kept {
            return Err("it was accepted and is not there".to_owned());
        }
        self.score.saw(doing.who, shown, deleting)
    }

    /// Ends all that befalls people, lets everybody sync until nothing moves, today and a while later, and looks at the score.
    async fn settle(&mut self) -> Result<(), String> {
        self.log("the end".to_owned());
        self.outside.line.calm();
        self.clocks = [0; PEOPLE];
        for who in self.without.clone() {
            let end = self
                .run(who, &["recover".to_owned(), ADDRESSES[who].to_owned()], None)
                .await;
            if !end.status.success() {
                return Err(format!("{who} cannot take the account over: {end:?}"));
            }
            self.without.remove(&who);
        }
        self.come_to_rest().await?;
        self.clocks = [LATER_DAYS; PEOPLE];
        self.log("later".to_owned());
        self.come_to_rest().await?;
        self.score.settled()
    }

    async fn come_to_rest(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS {
            let mut is_quiet = true;
            for who in 0..PEOPLE {
                let doing = Doing {
                    who,
                    what: What::Exchange,
                };
                let end = self.run(who, &self.words(&doing), None).await;
                self.came_of(&doing, &end)?;
                if !end.status.success() {
                    return Err(format!("{who} cannot sync: {end:?}"));
                }
                is_quiet &= end.told.lines().next() == Some("quiet");
            }
            if is_quiet {
                return Ok(());
            }
        }
        Err("it never comes to rest".to_owned())
    }

    async fn run(&mut self, who: usize, words: &[String], crash_at: Option<&str>) -> End {
        self.outside.clock_ahead_days = self.clocks[who];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.outside.run(&self.homes[who], &words, crash_at).await
    }
}

/// What happens while a request is held up.
enum Meanwhile {
    RelayKilled,
    PhoneKilled,
    Does(Doing),
}
