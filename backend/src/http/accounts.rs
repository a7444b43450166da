//! Enrolment, and how a device proves itself for a token.

use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::BASE64;
use protocol::api::{
    AccountKeys, ChallengeAnswer, ChallengeRequest, Enrolled, Enrolment, KeysAnswer, ListUpload, ServerInfo,
    TokenAnswer, TokenRequest,
};
use protocol::identity::VerifiedAccount;
use protocol::sign::{Purpose, Signature};
use protocol::{Address, Code, Digest, FormatError};

use super::App;
use super::extract::{Binary, BinaryAnswer, Caller, Enrolling, InPath, Json, Knocking, LookingUp, Stranger};
use super::refusal::{Refusal, admit};
use crate::clock;
use crate::crash::crash_point;
use crate::storage::accounts::{self, EnrolmentEnd, VerifiedEnrolment};
use crate::storage::sequence::Place;
use crate::storage::{ended, prekeys, refuse, suspensions};

/// How old the note may be of when a device last proved itself, in days.
const SEEN_DAYS: i64 = 1;

/// `GET /v1/server`.
pub(super) async fn server(State(app): State<App>) -> axum::Json<ServerInfo> {
    axum::Json(ServerInfo {
        name: app.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: clock::now(),
    })
}

/// `POST /v1/enrolments`.
pub(super) async fn enrol(
    State(app): State<App>,
    Stranger { network, .. }: Stranger<Enrolling>,
    Binary { value, digest, .. }: Binary<Enrolment>,
) -> Result<axum::Json<Enrolled>, Refusal> {
    let now = clock::now();
    let verified = verify(value, digest)?;
    let device = verified.device.id;
    let address = verified.account.address().clone();
    let (repeated, digest) = (address.clone(), verified.digest);
    let is_repeated = app
        .storage()
        .read(move |connection| accounts::is_repeated(connection, &repeated, &digest))
        .await?;
    if is_repeated {
        return Ok(axum::Json(Enrolled { device }));
    }
    prekeys::check(&verified.enrolment.batch, &verified.root, now)?;
    let doors = app.clone();
    let end = app
        .storage()
        .write(move |connection, effects| {
            let shown = match accounts::show_newer(connection, effects, &verified, now)? {
                None if !verified.enrolment.predecessors.is_empty() => {
                    Some(accounts::succeed(connection, effects, &verified, now)?)
                }
                shown => shown,
            };
            if let Some(removed) = shown {
                doors.tokens().end(&removed);
                return Ok(EnrolmentEnd::Enrolled { removed });
            }
            // Here, where one request comes after the other: many wrong codes at once are no more tries.
            let (tries, guesses) = (&doors.doors().activation, &doors.doors().guesses);
            let everywhere = verified.account.address().as_str().as_bytes();
            let here = [&network[..], everywhere].concat();
            let is_open = tries.is_open(&here) && guesses.is_open(everywhere);
            if !is_open && !accounts::is_repeated(connection, verified.account.address(), &verified.digest)? {
                return refuse(Code::Throttled, "too many wrong activation codes");
            }
            let end = accounts::enrol(connection, effects, &verified, now)?;
            match &end {
                EnrolmentEnd::Enrolled { removed } => doors.tokens().end(removed),
                EnrolmentEnd::WrongCode => {
                    tries.take(&here, 1);
                    guesses.take(everywhere, 1);
                }
            }
            Ok(end)
        })
        .await?;
    crash_point!("enrolment-unanswered");
    match end {
        EnrolmentEnd::Enrolled { .. } => {
            tracing::info!("an account enrolled");
            Ok(axum::Json(Enrolled { device }))
        }
        EnrolmentEnd::WrongCode => Err(Refusal::new(Code::ActivationRefused, "")),
    }
}

/// `GET /v1/identities/{address}`: what a phone needs to take an account over, or to know that it was taken over.
pub(super) async fn identity(
    State(app): State<App>,
    _: Stranger<LookingUp>,
    address: Result<InPath<Address>, Refusal>,
) -> Result<BinaryAnswer<KeysAnswer>, Refusal> {
    let InPath(address) = address.map_err(|_| Refusal::new(Code::NotFound, "not an address"))?;
    let accounts = app
        .storage()
        .read(move |connection| {
            let Some(account) = accounts::find(connection, &address)? else {
                return refuse(Code::NotFound, "nobody is enrolled under this address");
            };
            Ok(vec![AccountKeys {
                predecessors: accounts::predecessors(connection, account.id)?,
                ended: ended::fingerprints(connection, account.id)?,
                identity: account.identity,
                list: account.list,
                prekeys: Vec::new(),
            }])
        })
        .await?;
    Ok(BinaryAnswer(KeysAnswer { accounts }))
}

/// `POST /v1/lists`: the account's next device list, signed by its identity, with the first batch of a device that it adds.
pub(super) async fn publish_list(
    State(app): State<App>,
    Caller(caller): Caller,
    Binary { value: upload, .. }: Binary<ListUpload>,
) -> Result<StatusCode, Refusal> {
    admit(&app.doors().uploads, caller.device.as_bytes(), 1)?;
    let doors = app.clone();
    let now = clock::now();
    app.storage()
        .write_as(caller.place, move |connection, effects| {
            let removed = accounts::publish_list(connection, effects, &caller.address, &upload, now)?;
            doors.tokens().end(&removed);
            Ok(())
        })
        .await?;
    crash_point!("list-unanswered");
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/challenges`.
pub(super) async fn challenge(
    State(app): State<App>,
    Stranger { network, .. }: Stranger<Knocking>,
    Json(request): Json<ChallengeRequest>,
) -> Result<axum::Json<ChallengeAnswer>, Refusal> {
    let device = request.device;
    let known = app
        .storage()
        .read(move |connection| accounts::find_device(connection, &device))
        .await?;
    // Before the limit: devices that nobody knows must not use up its keys.
    known.ok_or_else(|| Refusal::new(Code::DeviceUnknown, ""))?.present()?;
    let key = [&network[..], device.as_bytes()].concat();
    admit(&app.doors().challenges, &key, 1)?;
    let challenge = app
        .tokens()
        .challenge(app.name(), device, clock::now())
        .ok_or_else(|| Refusal::new(Code::TemporarilyUnavailable, ""))?;
    Ok(axum::Json(ChallengeAnswer {
        challenge: BASE64.encode(&challenge),
    }))
}

/// `POST /v1/tokens`.
pub(super) async fn token(
    State(app): State<App>,
    _: Stranger<Knocking>,
    Json(request): Json<TokenRequest>,
) -> Result<axum::Json<TokenAnswer>, Refusal> {
    let malformed = |what: &'static str| Refusal::new(Code::Malformed, what);
    let challenge = BASE64
        .decode(request.challenge.as_bytes())
        .map_err(|_| malformed("the challenge is not base64"))?;
    let signature = BASE64
        .decode(request.signature.as_bytes())
        .map_err(|_| malformed("the signature is not base64"))?;
    let signature =
        Signature::try_from(signature.as_slice()).map_err(|_| malformed("a signature has another length"))?;
    let refused = || Refusal::new(Code::ChallengeRefused, "");
    let now = clock::now();
    let device = app.tokens().take_challenge(&challenge, now).ok_or_else(refused)?;
    let stored = app
        .storage()
        .read(move |connection| accounts::find_device(connection, &device))
        .await?
        .ok_or_else(|| Refusal::new(Code::DeviceUnknown, ""))?
        .present()?;
    stored
        .key
        .verify(Purpose::Challenge, &challenge, &signature)
        .map_err(|_| refused())?;
    if stored.seen_at.plus_days(SEEN_DAYS) <= now {
        let place = Place {
            device: stored.id,
            account: stored.account,
        };
        app.storage()
            .write(move |connection, _| suspensions::saw(connection, place, now))
            .await?;
    }
    // Only now: who cannot sign for a device does not use up its tries.
    admit(&app.doors().tokens, device.as_bytes(), 1)?;
    let (token, expires_at) = app
        .tokens()
        .give(device, &stored, now, app.tuning().token_seconds)
        .ok_or_else(|| Refusal::new(Code::TemporarilyUnavailable, ""))?;
    Ok(axum::Json(TokenAnswer { token, expires_at }))
}

/// Checks every signature of an enrolment, and that a device on its list brings prekeys.
fn verify(value: Enrolment, digest: Digest) -> Result<VerifiedEnrolment, Refusal> {
    let refused = |error: FormatError| Refusal::new(Code::SignatureRefused, error.to_string());
    let account = VerifiedAccount::verify(&value.identity, &value.list).map_err(refused)?;
    let holder = value.batch.holder().map_err(refused)?;
    let device = account
        .device(&holder)
        .ok_or_else(|| Refusal::new(Code::SignatureRefused, "the prekeys are of no device on the list"))?
        .clone();
    let root = value.batch.verify(&account, &device.id).map_err(refused)?;
    let line = account.line(&value.predecessors);
    Ok(VerifiedEnrolment {
        line,
        enrolment: value,
        digest,
        account,
        device,
        root,
    })
}
