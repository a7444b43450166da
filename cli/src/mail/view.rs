//! Mail as the terminal shows it, in lines and whole, for people and in JSON.

use jiff::tz::TimeZone;
use pli_core::{DeliveryState, MessageView, Session, Summary, hprim};
use protocol::time::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::hprim::WarningLine;
use crate::language::{chosen, say, tell};
use crate::screen::table;

/// A mail in a list.
#[derive(Serialize)]
pub(crate) struct MailLine {
    number: i64,
    id: String,
    sender: String,
    people: String,
    subject: String,
    patient: String,
    dated_at: String,
    read: bool,
    handled: bool,
    attachments: u32,
    state: Option<&'static str>,
    #[serde(skip)]
    at: Timestamp,
    #[serde(skip)]
    delivery: Option<DeliveryState>,
}

impl MailLine {
    /// The line of a mail.
    pub(crate) fn of(summary: &Summary) -> Self {
        Self {
            number: summary.number,
            id: summary.id.to_string(),
            sender: summary.sender.clone(),
            people: summary.people.clone(),
            subject: summary.subject.clone(),
            patient: summary.patient.clone(),
            dated_at: summary.dated_at.to_string(),
            read: summary.read_at.is_some(),
            handled: summary.handled_at.is_some(),
            attachments: summary.attachments,
            state: summary.state.map(DeliveryState::as_str),
            at: summary.dated_at,
            delivery: summary.state,
        }
    }

    /// In one line, for arrivals.
    pub(crate) fn arrival(&self) -> String {
        let (number, sender, subject) = (self.number, &self.sender, &self.subject);
        let patient = if self.patient.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.patient)
        };
        tell!(
            "{number}: {sender}: {subject}{patient}",
            "{number} : {sender} : {subject}{patient}"
        )
    }

    fn status(&self) -> &'static str {
        match self.delivery {
            Some(state) => state.text(chosen()),
            None if self.handled => say("handled", "traité"),
            None if self.read => say("read", "lu"),
            None => say("new", "nouveau"),
        }
    }
}

/// A list of mail.
pub(crate) fn listed(lines: &[MailLine], is_received: bool) -> String {
    if lines.is_empty() {
        return say("No mail.", "Aucun courrier.").to_owned();
    }
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                line.number.to_string(),
                line.status().to_owned(),
                local_time(line.at),
                if is_received {
                    line.sender.clone()
                } else {
                    line.people.replace(' ', ", ")
                },
                line.patient.clone(),
                line.subject.clone(),
            ]
        })
        .collect();
    let who = if is_received {
        say("From", "De")
    } else {
        say("To", "À")
    };
    table(
        &say(
            ["N", "State", "Date", who, "Patient", "Subject"],
            ["N", "État", "Date", who, "Patient", "Objet"],
        ),
        &rows,
    )
}

/// A whole mail.
#[derive(Serialize)]
pub(crate) struct MailShown {
    #[serde(flatten)]
    line: MailLine,
    text: String,
    is_hprim: bool,
    /// How its HPRIM document deviates from the strict format.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<WarningLine>,
    attachments: Vec<AttachmentLine>,
    deliveries: Vec<DeliveryLine>,
    /// The name of the device on which it was handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    handled_by: Option<String>,
}

#[derive(Serialize)]
struct AttachmentLine {
    name: String,
    media_type: String,
    size_bytes: usize,
}

#[derive(Serialize)]
struct DeliveryLine {
    address: String,
    state: &'static str,
    state_at: String,
    #[serde(skip)]
    delivery: DeliveryState,
    #[serde(skip)]
    at: Timestamp,
}

impl MailShown {
    /// The mail with this number.
    pub(crate) fn of(session: &Session, number: i64) -> Result<Self, Failure> {
        let MessageView {
            summary,
            mut text,
            is_hprim,
            attachments,
            deliveries,
            handled_by,
        } = session.message(number)?;
        let mut warnings = Vec::new();
        if is_hprim {
            match hprim::read(&session.export_hprim(number)?) {
                Ok(reading) => {
                    if text.trim().is_empty() {
                        text = reading.plain_text();
                    }
                    warnings.extend(reading.warnings.iter().map(WarningLine::of));
                }
                Err(error) => warnings.push(WarningLine::refusal(error)),
            }
        }
        Ok(Self {
            line: MailLine::of(&summary),
            text,
            is_hprim,
            warnings,
            attachments: attachments
                .into_iter()
                .map(|one| AttachmentLine {
                    name: one.name,
                    media_type: one.media_type,
                    size_bytes: one.size_bytes,
                })
                .collect(),
            deliveries: deliveries
                .into_iter()
                .map(|one| DeliveryLine {
                    address: one.address,
                    state: one.state.as_str(),
                    state_at: one.state_at.to_string(),
                    delivery: one.state,
                    at: one.state_at,
                })
                .collect(),
            handled_by: handled_by.and_then(|device| device.name).map(|name| name.to_string()),
        })
    }

    /// As people read it.
    pub(crate) fn text(&self) -> String {
        let line = &self.line;
        let mut head = vec![
            (say("From", "De"), line.sender.clone()),
            (say("To", "À"), line.people.replace(' ', ", ")),
            (say("Date", "Date"), local_time(line.at)),
            (say("Subject", "Objet"), line.subject.clone()),
            (say("Patient", "Patient"), line.patient.clone()),
        ];
        for one in &self.attachments {
            let size = one.size_bytes.div_ceil(1024);
            head.push((
                say("Attached", "Joint"),
                tell!("{name} ({size} KB)", "{name} ({size} Ko)", name = one.name),
            ));
        }
        for one in &self.deliveries {
            let (state, at) = (one.delivery.text(chosen()), local_time(one.at));
            head.push((say("State", "État"), format!("{}: {state}, {at}", one.address)));
        }
        if let Some(device) = &self.handled_by {
            head.push((say("Handled", "Traité"), tell!("on {device}", "sur {device}")));
        }
        let mut told = Vec::new();
        for warning in self.warnings.iter().filter(|warning| warning.concerns_the_reader) {
            if !told.contains(&warning.code) {
                told.push(warning.code);
                head.push((say("Note", "Remarque"), warning.text()));
            }
        }
        let mut text = String::new();
        for (name, value) in head.iter().filter(|(_, value)| !value.is_empty()) {
            // A subject or name with line breaks must not pass for another line of this head.
            let value = value.replace(['\n', '\r'], " ");
            text.extend([format!("{name:<9} {value}\n")]);
        }
        text.push('\n');
        text.push_str(self.text.trim_end());
        text
    }
}

/// A time of day where this machine is.
pub(crate) fn local_time(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(time) => time
            .to_zoned(TimeZone::system())
            .strftime(say("%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M"))
            .to_string(),
        Err(_) => at.to_string(),
    }
}
