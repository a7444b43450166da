//! Every endpoint of the relay, once: the router and the relay's description of itself are both made of this table.
//! What each path does, and why, is in `docs/protocol/api.md`.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use protocol::Code;
use protocol::api::path;
use schemars::SchemaGenerator;

use super::describe::{Operation, Told};
use super::{App, accounts, archives, directory, health, keys, links, mail, openapi, sequence, stream, suspensions};

/// A method of a path.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) summary: &'static str,
    /// What it refuses with besides what its handler's types tell.
    pub(super) codes: &'static [Code],
    pub(super) tell: fn(&mut SchemaGenerator) -> Operation,
    pub(super) handler: MethodRouter<App>,
}

impl Endpoint {
    const fn refuses(mut self, codes: &'static [Code]) -> Self {
        self.codes = codes;
        self
    }
}

macro_rules! methods {
    ($($name:ident, $method:ident;)*) => {
        $(fn $name<H, T>(path: impl Into<String>, handler: H, summary: &'static str) -> Endpoint
        where
            H: Handler<T, App> + Told<T>,
            T: 'static,
        {
            Endpoint {
                method: Method::$method,
                path: path.into(),
                summary,
                codes: &[],
                tell: H::tell,
                handler: routing::$name(handler),
            }
        })*
    };
}

methods! {
    delete, DELETE;
    get, GET;
    post, POST;
    put, PUT;
}

/// All of them.
#[expect(clippy::too_many_lines, reason = "one table")]
pub(super) fn endpoints() -> Vec<Endpoint> {
    use Code::{
        ActivationRefused, AlreadyEnrolled, ArchiveMismatch, ChallengeRefused, CursorMismatch, DeviceSuspended,
        DeviceUnknown, DevicesChanged, ListOutdated, MessageIdReused, NotMain, NotYours, PrekeysOutdated,
        SignatureRefused, Throttled, Unreachable, Withdrawn,
    };
    let below = |path: &str, rest: &str| format!("{path}/{rest}");
    vec![
        get(path::SERVER, accounts::server, "What the relay says of itself"),
        post(
            path::ENROLMENTS,
            accounts::enrol,
            "Enrol a device of an address, or of the identity that follows",
        )
        .refuses(&[
            ActivationRefused,
            AlreadyEnrolled,
            DeviceUnknown,
            PrekeysOutdated,
            SignatureRefused,
        ]),
        post(path::CHALLENGES, accounts::challenge, "What a device has to sign")
            .refuses(&[DeviceSuspended, DeviceUnknown]),
        post(path::TOKENS, accounts::token, "A token for a signed challenge").refuses(&[
            ChallengeRefused,
            DeviceSuspended,
            DeviceUnknown,
        ]),
        get(path::ENTRIES, directory::search, "Entries by name and town"),
        get(below(path::ENTRIES, "{address}"), directory::entry, "One entry"),
        post(
            path::KEYS,
            keys::hand_out,
            "Identities, device lists and prekeys to seal to",
        ),
        get(
            below(path::IDENTITIES, "{address}"),
            accounts::identity,
            "An account's identity and device list",
        ),
        post(path::LISTS, accounts::publish_list, "The account's next device list").refuses(&[
            ListOutdated,
            PrekeysOutdated,
            SignatureRefused,
        ]),
        get(path::SUSPENSIONS, suspensions::list, "The account's suspended devices"),
        put(
            below(path::SUSPENSIONS, "{device}"),
            suspensions::suspend,
            "Suspend another device",
        ),
        delete(
            below(path::SUSPENSIONS, "{device}"),
            suspensions::lift,
            "Let a suspended device in again",
        )
        .refuses(&[NotMain]),
        get(
            below(path::REMOVALS, "{device}"),
            keys::removal,
            "The removal of a device",
        ),
        get(
            below(path::ENDINGS, "{device}"),
            keys::ending,
            "The account that ended with a device",
        ),
        put(
            below(path::LINKS, "{channel}/{place}"),
            links::put,
            "Say something in a channel",
        )
        .refuses(&[Throttled]),
        get(
            below(path::LINKS, "{channel}/{place}"),
            links::read,
            "What was said in a channel",
        ),
        get(path::PREKEYS, keys::stock, "How many prekeys are left"),
        post(path::PREKEYS, keys::upload, "The device's next batch of prekeys")
            .refuses(&[PrekeysOutdated, SignatureRefused]),
        post(path::DEPOSITS, mail::deposit, "Deposit a sealed envelope").refuses(&[
            DevicesChanged,
            MessageIdReused,
            NotYours,
            Unreachable,
            Withdrawn,
        ]),
        post(path::REWRAPS, mail::rewrap, "Give an envelope once more, wrapped anew")
            .refuses(&[DevicesChanged, NotYours]),
        post(
            path::WITHDRAWALS,
            mail::withdraw,
            "Take a mail back that nobody has retrieved",
        ),
        get(
            path::SEQUENCE,
            sequence::poll,
            "A page of the device's sequence, by long poll",
        )
        .refuses(&[CursorMismatch]),
        get(
            path::ACKNOWLEDGEMENTS,
            sequence::standing,
            "Where the relay sees the device",
        ),
        post(
            path::ACKNOWLEDGEMENTS,
            sequence::acknowledge,
            "Acknowledge all up to a cursor",
        )
        .refuses(&[CursorMismatch]),
        get(path::ARCHIVES, archives::list, "The account's archives"),
        put(
            below(path::ARCHIVES, "{archive}/{part}"),
            archives::put,
            "The next part of an archive",
        )
        .refuses(&[ArchiveMismatch]),
        get(
            below(path::ARCHIVES, "{archive}/{part}"),
            archives::part,
            "A part of an archive",
        ),
        delete(
            below(path::ARCHIVES, "{archive}"),
            archives::remove,
            "Remove an archive",
        ),
        get(path::STREAM, stream::open, "The device's sequence, over WebSocket").refuses(&[CursorMismatch]),
        get(health::HEALTHY, health::healthy, "Whether the process answers"),
        get(health::READY, health::ready, "Whether the relay can do its work"),
        get(openapi::PATH, health::description, "This document"),
    ]
}
