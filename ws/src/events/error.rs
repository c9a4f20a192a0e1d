//! What may go wrong with a connection.

use crate::handshake::{BadRequest, HandshakeError, HeadError, UpgradeError};
use crate::protocol::ProtocolError;
use crate::url::{UrlError, WsUrl};
use hvloop_event::CloseReason;
#[cfg(feature = "tls")]
use hvloop_event::tls::TlsConfigError;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What went wrong with a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionError {
    /// Below WebSocket: DNS, connect, TLS, a time-out, the socket.
    Transport(CloseReason),
    /// In the upgrade.
    Handshake(Arc<HandshakeError>),
    /// TLS agreed on a protocol that is not HTTP/1.1 (ALPN): a server that speaks that alone, which
    /// the client's own TLS configuration offered.
    WrongAlpn(String),
    /// The server's answer to the upgrade was a redirect that was not followed.
    Redirect(Arc<RedirectError>),
    /// The attempt was not begun: its hook did not let it
    /// ([`ClientOptions::before_connect`](crate::ClientOptions::before_connect)).
    Prepare(PrepareError),
    /// The peer ended the connection in the middle of the upgrade.
    UpgradeInterrupted,
    /// What a client sent is no request.
    BadRequest(BadRequest),
    /// A client's request for a WebSocket was not a proper one.
    BadUpgrade(UpgradeError),
    /// This server refused the upgrade with that HTTP status.
    Refused(u16),
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// The peer sent nothing within the ping interval and the pong time-out together.
    PongTimedOut(Duration),
    /// The peer did not answer the Close in time.
    CloseTimedOut(Duration),
    /// The peer did not finish a message, or a frame, in time after it had begun it: see `message_timeout`
    /// of the options. It was told 1008.
    MessageTimedOut(Duration),
    /// The send queue had no room for a message, and the options say
    /// [`WhenFull::Close`](crate::WhenFull::Close).
    PeerTooSlow,
    /// The connections of the loop, or of the server, held more than so many bytes
    /// ([`LoopOptions::memory_limit`](hvloop_event::LoopOptions::memory_limit),
    /// [`WebSocketServer::set_memory_limit`](crate::WebSocketServer::set_memory_limit)), this one the most.
    MemoryLimit(usize),
    /// A callback panicked.
    CallbackPanicked,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(reason) => write!(f, "{reason}"),
            Self::Handshake(e) => write!(f, "the upgrade failed: {e}"),
            Self::WrongAlpn(name) => write!(f, "TLS agreed on {name:?}, not on HTTP/1.1"),
            Self::Redirect(e) => write!(f, "{e}"),
            Self::Prepare(e) => write!(f, "{e}"),
            Self::UpgradeInterrupted => f.write_str("the peer ended the upgrade"),
            Self::BadRequest(e) => write!(f, "{e}"),
            Self::BadUpgrade(e) => write!(f, "{e}"),
            Self::Refused(status) => write!(f, "refused with HTTP status {status}"),
            Self::Protocol(e) => write!(f, "the peer broke the protocol: {e}"),
            Self::PongTimedOut(t) => write!(f, "the peer sent nothing for {t:?}"),
            Self::CloseTimedOut(t) => write!(f, "the peer did not answer the Close within {t:?}"),
            Self::MessageTimedOut(t) => write!(f, "the peer did not finish a message within {t:?}"),
            Self::MemoryLimit(limit) => write!(
                f,
                "all connections held more than {limit} bytes, this one the most"
            ),
            Self::PeerTooSlow => f.write_str("the peer was too slow for what was sent"),
            Self::CallbackPanicked => f.write_str("a callback panicked"),
        }
    }
}

impl Error for ConnectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transport(reason) => Some(reason),
            Self::Handshake(e) => Some(&**e),
            Self::Redirect(e) => Some(&**e),
            Self::Prepare(e) => Some(e),
            Self::Protocol(e) => Some(e),
            Self::BadRequest(e) => Some(e),
            Self::BadUpgrade(e) => Some(e),
            _ => None,
        }
    }
}

/// Why an attempt was not begun, where there is a hook
/// ([`ClientOptions::before_connect`](crate::ClientOptions::before_connect)).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PrepareError {
    /// The hook did not answer within the time to open.
    TimedOut(Duration),
    /// The hook dropped the request.
    Dropped,
    /// The hook ended the attempt, with this reason.
    Failed(String),
    /// The hook panicked.
    Panicked,
    /// What it asked for cannot be sent.
    Head(HeadError),
    /// It leads to `wss`, which cannot be spoken with these options.
    #[cfg(feature = "tls")]
    Tls(Arc<TlsConfigError>),
    /// It leads to `wss`, which needs the feature `tls`.
    TlsNotBuiltIn,
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "before_connect did not answer within {limit:?}"),
            Self::Dropped => f.write_str("before_connect dropped the request"),
            Self::Failed(why) => write!(f, "before_connect: {why}"),
            Self::Panicked => f.write_str("before_connect panicked"),
            Self::Head(e) => write!(f, "{e}"),
            #[cfg(feature = "tls")]
            Self::Tls(e) => write!(f, "TLS cannot be set up: {e}"),
            Self::TlsNotBuiltIn => f.write_str("wss needs the feature `tls`"),
        }
    }
}

impl Error for PrepareError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Head(e) => Some(e),
            #[cfg(feature = "tls")]
            Self::Tls(e) => Some(&**e),
            _ => None,
        }
    }
}

/// A redirect that was not followed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RedirectError {
    /// The HTTP status of the redirect.
    pub status: u16,
    /// Who answered with it.
    pub url: WsUrl,
    /// Why it was not followed.
    pub problem: RedirectProblem,
}

/// Why a redirect was not followed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// There were as many as [`ClientOptions::redirects`](crate::ClientOptions::redirects) allows.
    TooMany {
        /// The limit, in hops.
        limit: u32,
    },
    /// It leads to where this attempt has been.
    Loop(Box<WsUrl>),
    /// There is no Location.
    NoLocation,
    /// There are several Locations, or one that is no text.
    BadLocation,
    /// The Location is not the URL of a WebSocket.
    Url(UrlError),
    /// It leads to a Unix socket: no server may choose among those of the client's host.
    UnixSocket,
    /// It leads from `wss` to `ws`, where everybody could read what was to be secret.
    Downgrade(Box<WsUrl>),
    /// It leads to `wss`, which cannot be spoken with these options.
    #[cfg(feature = "tls")]
    Tls(Arc<TlsConfigError>),
    /// It leads to `wss`, which needs the feature `tls`.
    TlsNotBuiltIn,
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "redirect {} of {}: {}",
            self.status, self.url, self.problem
        )
    }
}

impl Error for RedirectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            RedirectProblem::Url(e) => Some(e),
            #[cfg(feature = "tls")]
            RedirectProblem::Tls(e) => Some(&**e),
            _ => None,
        }
    }
}

impl fmt::Display for RedirectProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { limit } => write!(f, "more than {limit}"),
            Self::Loop(url) => write!(f, "it leads back to {url}"),
            Self::NoLocation => f.write_str("it has no Location"),
            Self::BadLocation => f.write_str("its Location is not one, or no text"),
            Self::Url(e) => write!(f, "its Location: {e}"),
            Self::UnixSocket => f.write_str("it leads to a Unix socket"),
            Self::Downgrade(url) => write!(f, "it leads from wss to {url}"),
            #[cfg(feature = "tls")]
            Self::Tls(e) => write!(f, "TLS cannot be set up: {e}"),
            Self::TlsNotBuiltIn => f.write_str("wss needs the feature `tls`"),
        }
    }
}
