//! Why a call of the client was refused.

use crate::handshake::HeadError;
use crate::url::UrlError;
use hvloop_event::{PolicyError, ProxyTargetError};
use std::io;

/// Why [`WebSocketClient::open`](super::WebSocketClient::open) began nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is not one of WebSocket's.
    #[error("bad URL: {0}")]
    Url(#[from] UrlError),
    /// A header or subprotocol of the options cannot be sent.
    #[error("bad request: {0}")]
    Request(#[from] HeadError),
    /// The reconnect policy of the options makes no sense.
    #[error("bad reconnect policy: {0}")]
    Policy(#[from] PolicyError),
    /// The host cannot be asked of the proxy.
    #[error("the proxy cannot be asked: {0}")]
    Proxy(#[from] ProxyTargetError),
    /// A connection, an attempt or a back-off is there already: close it first.
    #[error("the client is open already")]
    AlreadyOpen,
    /// The callbacks were dropped after the last `on_close`: set them again, or use
    /// [`ClientOptions::keep_callbacks`](super::ClientOptions::keep_callbacks).
    #[error("the callbacks were dropped after on_close; set them again")]
    CallbacksReleased,
    /// The loop takes no connections any more.
    #[error("the event loop is closed")]
    LoopClosed,
    /// In a callback: the last handle was dropped, which ended the client.
    #[error("every handle of the client was dropped")]
    Dropped,
    /// The client's own loop could not be started.
    #[error("the client's own loop could not be started: {0}")]
    Thread(#[from] io::Error),
    /// `wss` cannot be spoken with these options.
    #[cfg(feature = "tls")]
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] hvloop_event::tls::TlsConfigError),
    /// `wss` needs the feature `tls`.
    #[error("wss needs the feature `tls`")]
    TlsNotBuiltIn,
}
