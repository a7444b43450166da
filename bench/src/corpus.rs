//! Letters that look like those of a practice, all of them invented: every corpus comes from one seed.
//! Texts have 0.3 to 8 KB, small ones more often; one letter in twenty has 200 KB attached. Words follow Zipf's law.

use data::{GIVEN, SURNAMES, SYLLABLES, USUAL};
use mail_builder::MessageBuilder;
use pli_tests::dice::Dice;

mod data;

/// The seed of every corpus.
pub(crate) const SEED: u64 = 0x0050_6C69;
/// Counted up when other letters come from the same seed.
pub(crate) const EDITION: u32 = 1;
/// Words that stand in one letter of a thousand.
pub(crate) const RARE: [&str; 4] = ["xylovane", "zéprolide", "wakérine", "kydolexine"];
/// Words that stand in one letter of ten.
pub(crate) const TENTH: [&str; 4] = ["tachycardie", "hémoglobine", "arthroscopie", "vaccination"];
/// Words that stand in six letters of ten.
pub(crate) const MOST: [&str; 4] = ["bonjour", "patient", "traitement", "confraternellement"];

const WORDS: usize = 20_000;
const TEXT_BYTES: (f64, f64) = (300.0, 8_000.0);
const ATTACHED_BYTES: usize = 200 * 1024;
/// When the first letter was sent: 1 January 2025.
const BEGIN_MS: i64 = 1_735_689_600_000;
/// From one letter to the next, on average.
const STEP_MS: u64 = 600_000;

/// Letters without end, the oldest first, a few of them late.
pub(crate) struct Corpus {
    dice: Dice,
    words: Vec<String>,
    people: Vec<(String, String)>,
    count: u64,
}

/// One of them.
pub(crate) struct Letter {
    pub(crate) sender: String,
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) patient: String,
    pub(crate) attached: Option<Vec<u8>>,
    pub(crate) dated_at_ms: i64,
}

impl Corpus {
    pub(crate) fn new() -> Self {
        let mut dice = Dice(SEED);
        let mut words: Vec<String> = USUAL.split_whitespace().map(str::to_owned).collect();
        while words.len() < WORDS {
            let syllables = 2 + dice.place(3);
            words.push((0..syllables).map(|_| dice.pick(&SYLLABLES)).collect());
        }
        let people = (0..400)
            .map(|number| {
                let (given, surname) = (dice.pick(&GIVEN), dice.pick(&SURNAMES));
                let address = format!("medecin{number}@medical28.apicrypt.org");
                (address, format!("{given} {surname}"))
            })
            .collect();
        Self {
            dice,
            words,
            people,
            count: 0,
        }
    }

    /// So many bytes that nothing compresses.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.dice.roll(u64::MAX).to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    fn word(&mut self) -> &str {
        let part = self.dice.roll(1 << 32) as f64 / f64::from(u32::MAX);
        // The n-th word comes about once where the first comes n times.
        let rank = (self.words.len() as f64).powf(part);
        &self.words[position(rank).min(self.words.len()) - 1]
    }

    fn words(&mut self, bytes: usize, marks: &[&str]) -> String {
        let mut text = String::with_capacity(bytes + 64);
        let mut marks = marks.iter();
        let every = bytes / (marks.len() + 1);
        let mut next_mark = every;
        while text.len() < bytes {
            if text.len() >= next_mark {
                next_mark += every;
                if let Some(mark) = marks.next() {
                    text.push_str(mark);
                    text.push(' ');
                }
            }
            let word = self.word().to_owned();
            text.push_str(&word);
            text.push_str(match self.dice.roll(16) {
                0 => ".\n",
                1 => ", ",
                _ => " ",
            });
        }
        text
    }
}

impl Iterator for Corpus {
    type Item = Letter;

    fn next(&mut self) -> Option<Letter> {
        let part = self.dice.roll(1 << 32) as f64 / f64::from(u32::MAX);
        let (least, most) = TEXT_BYTES;
        let bytes = position(least * (most / least).powf(part));
        let mut marks = Vec::new();
        for (words, in_a_thousand) in [(RARE, 1), (TENTH, 100), (MOST, 600)] {
            marks.extend(words.into_iter().filter(|_| self.dice.roll(1_000) < in_a_thousand));
        }
        let text = self.words(bytes, &marks);
        let subject = self.words(20, &[]).trim().to_owned();
        let (sender, name) = self.dice.pick(&self.people);
        let (given, surname) = (self.dice.pick(&GIVEN), self.dice.pick(&SURNAMES));
        let (day, month, year) = (
            1 + self.dice.roll(28),
            1 + self.dice.roll(12),
            1930 + self.dice.roll(90),
        );
        let attached = (self.dice.roll(20) == 0).then(|| self.bytes(ATTACHED_BYTES));
        // Up to a day late: the order by date is not quite that of arrival.
        let late = self.dice.roll(24 * 3_600_000);
        let dated_at_ms = BEGIN_MS + i64::try_from(self.count * STEP_MS).unwrap() - i64::try_from(late).unwrap();
        self.count += 1;
        Some(Letter {
            sender,
            name,
            subject,
            text,
            patient: format!("{surname} {given} {day:02}/{month:02}/{year}"),
            attached,
            dated_at_ms,
        })
    }
}

impl Letter {
    /// As a MIME message.
    pub(crate) fn mime(&self, to: &str) -> Vec<u8> {
        let message = MessageBuilder::new()
            .from(self.sender.as_str())
            .to(to)
            .subject(self.subject.as_str())
            .date(self.dated_at_ms / 1_000)
            .text_body(self.text.as_str());
        let message = match &self.attached {
            Some(bytes) => message.attachment("application/pdf", "compte-rendu.pdf", bytes.as_slice()),
            None => message,
        };
        message.write_to_vec().unwrap()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and small"
)]
fn position(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_letters_come_each_time_and_are_as_they_are_said_to_be() {
        let letters: Vec<_> = Corpus::new().take(4_000).collect();
        let again = Corpus::new().nth(3_999).unwrap();
        assert_eq!(letters[3_999].text, again.text);
        let share = |word: &str| letters.iter().filter(|letter| letter.text.contains(word)).count();
        for (words, least, most) in [(RARE, 0, 15), (TENTH, 300, 500), (MOST, 2_250, 2_550)] {
            for word in words {
                assert!((least..most).contains(&share(word)), "{word}: {}", share(word));
            }
        }
        let attached = letters.iter().filter(|letter| letter.attached.is_some()).count();
        assert!((150..250).contains(&attached), "{attached}");
        assert!(letters.iter().all(|letter| (250..8_300).contains(&letter.text.len())));
    }
}
