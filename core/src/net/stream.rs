//! The relay's stream of pages over a WebSocket (RFC 6455), and how a dead line is noticed.

use futures_util::{SinkExt as _, StreamExt as _};
use protocol::Code;
use protocol::api::path;
use protocol::cbor;
use protocol::limits;
use protocol::sequence::{Cursor, SequencePage};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::{CONNECT_TIMEOUT, Patience, Relay};
use crate::account::Account;
use crate::error::{Error, NetworkError, ServerError};

/// An open stream.
pub(crate) struct Stream {
    patience: Patience,
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Relay {
    /// Opens the stream after `cursor`. [`NetworkError::StreamRefused`] means that something on the way takes no upgrade to it.
    pub(crate) async fn stream(&self, account: &Account, cursor: Cursor) -> Result<Stream, Error> {
        let token = self.token(account).await?;
        let authority = self.base.strip_prefix("https://").unwrap_or(&self.base);
        let url = format!(
            "wss://{authority}{}?number={}&hash={}",
            path::STREAM,
            cursor.number,
            cursor.hash
        );
        let mut request = url.into_client_request().map_err(|_| ServerError::Unusable)?;
        let host = request
            .uri()
            .host()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        let port = request.uri().port_u16().unwrap_or(443);
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", token.as_str())).map_err(|_| NetworkError::AnswerUnreadable)?;
        bearer.set_sensitive(true);
        request.headers_mut().insert("authorization", bearer);

        let connecting = async {
            let tcp = TcpStream::connect((host.as_str(), port))
                .await
                .map_err(|_| NetworkError::Unreachable)?;
            tcp.set_nodelay(true).map_err(|_| NetworkError::ConnectionLost)?;
            let name = ServerName::try_from(host.clone()).map_err(|_| ServerError::Unusable)?;
            let connector = tokio_rustls::TlsConnector::from(self.tls.clone());
            let tls = connector
                .connect(name, tcp)
                .await
                .map_err(|_| NetworkError::Unreachable)?;
            let config = WebSocketConfig::default()
                .max_message_size(Some(limits::PAGE_BYTES_MAX))
                .max_frame_size(Some(limits::PAGE_BYTES_MAX));
            tokio_tungstenite::client_async_with_config(request, tls, Some(config))
                .await
                .map_err(|error| match error {
                    // A token that ended: the next attempt asks for another.
                    SocketError::Http(answer) if answer.status() == StatusCode::UNAUTHORIZED => {
                        Error::Relay(Code::TokenRefused)
                    }
                    SocketError::Http(_) => NetworkError::StreamRefused.into(),
                    _ => NetworkError::ConnectionLost.into(),
                })
        };
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok((socket, _))) => Ok(Stream {
                patience: self.patience,
                socket,
            }),
            Ok(Err(error)) => {
                if matches!(error, Error::Relay(Code::TokenRefused)) {
                    self.tokens.forget(&token);
                }
                Err(error)
            }
            Err(_) => Err(NetworkError::Timeout.into()),
        }
    }
}

impl Stream {
    /// The next page. A silent line is pinged, and given up if that brings no answer.
    pub(crate) async fn page(&mut self) -> Result<SequencePage, Error> {
        let mut pinged = false;
        loop {
            let patience = if pinged {
                self.patience.dead_after
            } else {
                self.patience.ping_after
            };
            match timeout(patience, self.socket.next()).await {
                Err(_) if pinged => return Err(NetworkError::LineDead.into()),
                Err(_) => {
                    pinged = true;
                    let ping = self.socket.send(Message::Ping(Vec::new().into()));
                    match timeout(self.patience.dead_after, ping).await {
                        Ok(Ok(())) => {}
                        _ => return Err(NetworkError::LineDead.into()),
                    }
                }
                Ok(Some(Ok(Message::Binary(page)))) => return super::decoded(&page),
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return Err(NetworkError::ConnectionLost.into()),
                Ok(Some(Ok(_))) => pinged = false,
            }
        }
    }

    /// Acknowledges everything up to `cursor`.
    pub(crate) async fn acknowledge(&mut self, cursor: Cursor) -> Result<(), Error> {
        let sending = self.socket.send(Message::Binary(cbor::encode(&cursor).into()));
        match timeout(self.patience.dead_after, sending).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(NetworkError::ConnectionLost.into()),
        }
    }
}
