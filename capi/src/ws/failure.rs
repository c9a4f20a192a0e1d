//! Why it failed, as a number.

use crate::error::{Failure, hvloop_error};
use crate::io::end;
use hvloop::event::ProxyConfigError;
use hvloop::ws::UrlError;
use hvloop::{CloseError, CloseEvent, ConnectionError, OpenError, PingError};
use libc::{ECANCELED, ECONNREFUSED, ECONNRESET, EIO, ENOBUFS, EPROTO, ETIMEDOUT};
use std::ffi::c_int;

/// The number of the system's for how it ended; 0: in order.
pub(super) fn errno(event: &CloseEvent) -> c_int {
    match &event.error {
        None => 0,
        Some(ConnectionError::Transport(reason)) => end::errno(reason),
        Some(ConnectionError::Handshake(_)) if event.http_status.is_some() => ECONNREFUSED,
        Some(ConnectionError::Refused(_)) => ECONNREFUSED,
        Some(ConnectionError::UpgradeInterrupted) => ECONNRESET,
        Some(
            ConnectionError::PongTimedOut(_)
            | ConnectionError::CloseTimedOut(_)
            | ConnectionError::MessageTimedOut(_),
        ) => ETIMEDOUT,
        Some(ConnectionError::PeerTooSlow | ConnectionError::MemoryLimit(_)) => ENOBUFS,
        Some(ConnectionError::CallbackPanicked) => ECANCELED,
        Some(
            ConnectionError::Handshake(_)
            | ConnectionError::WrongAlpn(_)
            | ConnectionError::Redirect(_)
            | ConnectionError::BadRequest(_)
            | ConnectionError::BadUpgrade(_)
            | ConnectionError::Protocol(_),
        ) => EPROTO,
        Some(_) => EIO,
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let code = match &error {
            OpenError::Url(_)
            | OpenError::Request(_)
            | OpenError::Policy(_)
            | OpenError::Proxy(_) => hvloop_error::Argument,
            OpenError::LoopClosed => hvloop_error::Closed,
            OpenError::Thread(_) => hvloop_error::Io,
            OpenError::Tls(_) => hvloop_error::Tls,
            OpenError::TlsNotBuiltIn => hvloop_error::Unsupported,
            _ => hvloop_error::State,
        };
        Self::new(code, error.to_string())
    }
}

impl From<UrlError> for Failure {
    fn from(error: UrlError) -> Self {
        Self::argument(format!("bad URL: {error}"))
    }
}

impl From<ProxyConfigError> for Failure {
    fn from(error: ProxyConfigError) -> Self {
        Self::argument(error.to_string())
    }
}

impl From<CloseError> for Failure {
    fn from(error: CloseError) -> Self {
        Self::argument(error.to_string())
    }
}

impl From<PingError> for Failure {
    fn from(error: PingError) -> Self {
        match error {
            PingError::Send(error) => error.into(),
            error => Self::argument(error.to_string()),
        }
    }
}
