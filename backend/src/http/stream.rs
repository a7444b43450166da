//! A device's sequence over WebSocket: pages one way, acknowledgements the other.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use protocol::Code;
use protocol::cbor::{self, Format as _};
use protocol::sequence::Cursor;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::App;
use super::extract::{Asked, Caller, Upgraded};
use super::refusal::Refusal;
use super::sequence::{After, acknowledged, next_page, take_note, turned, until};
use crate::tokens::Bearer;

/// Read at once: cursors are short, and the room for it is taken for as long as the stream is open.
const READ_BYTES: usize = 1_024;
/// How long a client may take to read a page.
const SENDING: Duration = Duration::from_mins(1);

/// `GET /v1/stream`. A cursor that the relay does not know so is refused before the upgrade.
pub(super) async fn open(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(after): Asked<After>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Upgraded, Refusal> {
    let upgrade = upgrade.map_err(|_| Refusal::new(Code::Malformed, "not a WebSocket request"))?;
    let place = caller.place;
    let cursor = after.cursor();
    app.storage()
        .read(move |connection| crate::storage::sequence::check(connection, place, cursor))
        .await?;
    let guard = app
        .stream_guard()
        .ok_or_else(|| Refusal::new(Code::TemporarilyUnavailable, "the relay is stopping"))?;
    let upgraded = upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Cursor::LIMIT)
        .max_frame_size(Cursor::LIMIT)
        .on_upgrade(async move |mut socket| {
            let end = run(&app, &caller, cursor, &mut socket).await;
            if let Some((code, reason)) = end {
                let close = Message::Close(Some(CloseFrame {
                    code,
                    reason: reason.into(),
                }));
                let _ = timeout(SENDING, socket.send(close)).await;
            }
            drop(guard);
        });
    Ok(Upgraded(upgraded))
}

/// Why the relay ends a stream; nothing when the client did.
type End = Option<(u16, &'static str)>;

async fn run(app: &App, caller: &Bearer, mut cursor: Cursor, socket: &mut WebSocket) -> End {
    let tuning = app.tuning();
    let silence = Duration::from_secs(tuning.silence_seconds);
    let mut heard_at = Instant::now();
    let mut news = app.bus().listen(caller.device);
    news.mark_changed();
    let mut stopping = app.stopping();
    let mut ping = interval(Duration::from_secs(tuning.ping_seconds.max(1)));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let expiry = until(caller.expires_at);
    tokio::pin!(expiry);
    loop {
        tokio::select! {
            () = &mut expiry => return Some(refusal(Code::TokenRefused)),
            () = turned(&mut stopping) => return Some((close_code::AWAY, "stopping")),
            () = sleep_until(heard_at.checked_add(silence).unwrap_or(heard_at)) => return Some((close_code::AWAY, "silent")),
            _ = ping.tick() => send(socket, Message::Ping(Vec::new().into())).await?,
            heard = news.changed() => {
                if heard.is_err() {
                    return Some((close_code::AWAY, "stopping"));
                }
                let page = match next_page(app, caller.place, cursor).await {
                    Ok(page) => page,
                    Err(error) => {
                        // Meanwhile the device may have taken more by polls, and acknowledged that.
                        match acknowledged(app, caller.place).await {
                            Ok(further) if further.number > cursor.number => {
                                cursor = further;
                                news.mark_changed();
                                continue;
                            }
                            _ => return Some(refusal(Refusal::from(error).code())),
                        }
                    }
                };
                if !page.entries.is_empty() {
                    cursor = page.entries.iter().fold(cursor, |at, entry| at.after(&entry.digest));
                    send(socket, Message::Binary(cbor::encode(&page).into())).await?;
                    // There may be more: look again, after a turn for the others.
                    news.mark_changed();
                }
            }
            message = socket.recv() => {
                heard_at = Instant::now();
                match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        let Ok(acknowledged) = cbor::decode::<Cursor>(&bytes) else {
                            return Some(refusal(Code::Malformed));
                        };
                        if let Err(error) = take_note(app, caller.place, acknowledged).await {
                            return Some(refusal(Refusal::from(error).code()));
                        }
                    }
                    Some(Ok(Message::Text(_))) => return Some(refusal(Code::Malformed)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => (),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                }
            }
        }
    }
}

/// Sends a message; nothing when the client is gone or does not read.
async fn send(socket: &mut WebSocket, message: Message) -> Option<()> {
    timeout(SENDING, socket.send(message)).await.ok()?.ok()
}

/// Ends a stream with a code of the relay as its reason.
const fn refusal(code: Code) -> (u16, &'static str) {
    (close_code::POLICY, code.as_str())
}
