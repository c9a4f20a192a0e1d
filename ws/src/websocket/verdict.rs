//! What is known of a connection's end.

use crate::events::{CloseEvent, ConnectionError, Initiator};
use crate::handshake::HandshakeError;
#[cfg(feature = "tls")]
use hvloop_event::tls::TlsError;
use hvloop_event::{CloseReason, ProxyError};
use std::io;

/// What is known of a connection's end before its socket is closed. Who ended it, and what went
/// wrong: the first to say so counts.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) initiator: Option<Initiator>,
    pub(super) error: Option<ConnectionError>,
    /// The peer's Close: code (1005: none) and reason.
    pub(super) peer_close: Option<(u16, String)>,
    pub(super) close_sent: bool,
}

impl Verdict {
    /// Notes who ended the connection and why; the first to say so counts.
    pub(super) fn blame(&mut self, initiator: Initiator, error: Option<ConnectionError>) {
        if self.initiator.is_none() {
            self.initiator = Some(initiator);
            self.error = error;
        }
    }

    /// What `on_close` is told, once the socket is closed for that reason.
    pub(super) fn into_event(self, was_open: bool, why: &CloseReason, lost: usize) -> CloseEvent {
        // Written, too: else what was accepted before our Close is lost with it, or that itself.
        let agreed = self.close_sent && self.peer_close.is_some();
        let clean = agreed && why.is_clean() && lost == 0;
        let by_peer = self.initiator == Some(Initiator::Remote);
        let error = self.error.or_else(|| match why {
            _ if clean => None,
            // The peer had ended the stream without a Close before this side gave up what was queued.
            CloseReason::Local | CloseReason::Stopped if by_peer && !agreed => {
                Some(ConnectionError::Transport(CloseReason::Peer))
            }
            CloseReason::Local | CloseReason::Stopped if !by_peer => None,
            why => Some(ConnectionError::Transport(why.clone())),
        });
        let http_status = match &error {
            Some(ConnectionError::Handshake(e)) => match **e {
                HandshakeError::Status { status, .. } => Some(status),
                _ => None,
            },
            Some(ConnectionError::Redirect(e)) => Some(e.status),
            _ => None,
        };
        let initiator = self.initiator.unwrap_or_else(|| who_ended(why));
        let (code, reason) = self.peer_close.unwrap_or((1006, String::new()));
        CloseEvent {
            code,
            reason,
            clean,
            initiator,
            error,
            http_status,
            lost,
            was_open,
            attempt: 1,
            reconnect_in: None,
        }
    }
}

/// Who ended a connection below WebSocket: what this side finds wrong, or gives up, is its own end.
fn who_ended(why: &CloseReason) -> Initiator {
    match why {
        CloseReason::Stopped => Initiator::Loop,
        CloseReason::Peer | CloseReason::Truncated | CloseReason::Io(_) => Initiator::Remote,
        CloseReason::Connect(_, e) if is_refusal(e.kind()) => Initiator::Remote,
        CloseReason::Proxy(
            ProxyError::Refused { .. }
            | ProxyError::NoAcceptableMethod
            | ProxyError::LoginFailed
            | ProxyError::Socks(_)
            | ProxyError::Ended,
        ) => Initiator::Remote,
        #[cfg(feature = "tls")]
        CloseReason::Tls(TlsError::AlertReceived(_) | TlsError::Truncated) => Initiator::Remote,
        _ => Initiator::Local,
    }
}

/// Whether a connect failed because of an answer of the net, and not of this host.
fn is_refusal(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::TimedOut
    )
}
