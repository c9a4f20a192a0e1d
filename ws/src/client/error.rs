//! Why a call of the client was refused.

use crate::handshake::HeadError;
use crate::url::UrlError;
use hvloop_event::{PolicyError, ProxyTargetError};
use std::fmt;
use std::io;

/// Why [`WebSocketClient::open`](super::WebSocketClient::open) began nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is not one of WebSocket's.
    Url(UrlError),
    /// A header or subprotocol of the options cannot be sent.
    Request(HeadError),
    /// The reconnect policy of the options makes no sense.
    Policy(PolicyError),
    /// The host cannot be asked of the proxy.
    Proxy(ProxyTargetError),
    /// A connection, an attempt or a back-off is there already: close it first.
    AlreadyOpen,
    /// The callbacks were dropped after the last `on_close`: set them again, or use
    /// [`ClientOptions::keep_callbacks`](super::ClientOptions::keep_callbacks).
    CallbacksReleased,
    /// The loop takes no connections any more.
    LoopClosed,
    /// In a callback: the last handle was dropped, which ended the client.
    Dropped,
    /// The client's own loop could not be started.
    Thread(io::Error),
    /// `wss` cannot be spoken with these options.
    #[cfg(feature = "tls")]
    Tls(hvloop_event::tls::TlsConfigError),
    /// `wss` needs the feature `tls`.
    TlsNotBuiltIn,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(e) => write!(f, "bad URL: {e}"),
            Self::Request(e) => write!(f, "bad request: {e}"),
            Self::Policy(e) => write!(f, "bad reconnect policy: {e}"),
            Self::Proxy(e) => write!(f, "the proxy cannot be asked: {e}"),
            Self::AlreadyOpen => f.write_str("the client is open already"),
            Self::CallbacksReleased => {
                f.write_str("the callbacks were dropped after on_close; set them again")
            }
            Self::LoopClosed => f.write_str("the event loop is closed"),
            Self::Dropped => f.write_str("every handle of the client was dropped"),
            Self::Thread(e) => write!(f, "the client's own loop could not be started: {e}"),
            #[cfg(feature = "tls")]
            Self::Tls(e) => write!(f, "TLS cannot be set up: {e}"),
            Self::TlsNotBuiltIn => f.write_str("wss needs the feature `tls`"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Url(e) => Some(e),
            Self::Request(e) => Some(e),
            Self::Policy(e) => Some(e),
            Self::Proxy(e) => Some(e),
            Self::Thread(e) => Some(e),
            #[cfg(feature = "tls")]
            Self::Tls(e) => Some(e),
            _ => None,
        }
    }
}

impl From<UrlError> for OpenError {
    fn from(e: UrlError) -> Self {
        Self::Url(e)
    }
}

impl From<HeadError> for OpenError {
    fn from(e: HeadError) -> Self {
        Self::Request(e)
    }
}

impl From<PolicyError> for OpenError {
    fn from(e: PolicyError) -> Self {
        Self::Policy(e)
    }
}

impl From<ProxyTargetError> for OpenError {
    fn from(e: ProxyTargetError) -> Self {
        Self::Proxy(e)
    }
}

impl From<io::Error> for OpenError {
    fn from(e: io::Error) -> Self {
        Self::Thread(e)
    }
}

#[cfg(feature = "tls")]
impl From<hvloop_event::tls::TlsConfigError> for OpenError {
    fn from(e: hvloop_event::tls::TlsConfigError) -> Self {
        Self::Tls(e)
    }
}
