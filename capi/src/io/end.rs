//! Why a connection has ended, as numbers of the system.

use hvloop::CloseReason;
use libc::{
    EBADMSG, ECANCELED, ECONNABORTED, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EIO, ENOBUFS, EPROTO,
    ETIMEDOUT,
};
use std::ffi::{CString, c_int};
use std::io;

/// The number of the system's for how it ended; 0: in order.
pub(crate) fn errno(reason: &CloseReason) -> c_int {
    match reason {
        CloseReason::Local | CloseReason::Peer | CloseReason::Stopped => 0,
        CloseReason::Forced => ECONNABORTED,
        CloseReason::OpenTimedOut { .. }
        | CloseReason::WriteTimedOut(_)
        | CloseReason::ReadTimedOut(_)
        | CloseReason::IdleTimedOut(_) => ETIMEDOUT,
        // What getaddrinfo says is no number of the system's.
        CloseReason::Dns(_) => EHOSTUNREACH,
        CloseReason::Connect(_, e) | CloseReason::Io(e) => of_io(e),
        CloseReason::Proxy(_) => ECONNREFUSED,
        CloseReason::Tls(_) | CloseReason::Protocol(_) => EPROTO,
        CloseReason::Truncated => ECONNRESET,
        CloseReason::Unpack(_) => EBADMSG,
        CloseReason::MemoryLimit(_) => ENOBUFS,
        CloseReason::Panicked => ECANCELED,
        _ => EIO,
    }
}

/// The number of an error, or one that says the same.
pub(crate) fn of_io(e: &io::Error) -> c_int {
    e.raw_os_error().unwrap_or(match e.kind() {
        io::ErrorKind::TimedOut => ETIMEDOUT,
        io::ErrorKind::ConnectionRefused => ECONNREFUSED,
        io::ErrorKind::ConnectionReset => ECONNRESET,
        io::ErrorKind::ConnectionAborted => ECONNABORTED,
        _ => EIO,
    })
}

/// A text for C.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn numbers() {
        let refused = io::Error::from_raw_os_error(ECONNREFUSED);
        let limit = Duration::ZERO;
        for (reason, number) in [
            (CloseReason::Local, 0),
            (CloseReason::Peer, 0),
            (CloseReason::Stopped, 0),
            (CloseReason::Connect(None, Arc::new(refused)), ECONNREFUSED),
            (
                CloseReason::Io(Arc::new(io::ErrorKind::ConnectionReset.into())),
                ECONNRESET,
            ),
            (CloseReason::IdleTimedOut(limit), ETIMEDOUT),
            (CloseReason::Panicked, ECANCELED),
        ] {
            assert_eq!(errno(&reason), number, "{reason}");
        }
    }

    #[test]
    fn texts_without_nul() {
        assert_eq!(c_text("a\0b").as_c_str(), c"a b");
    }
}
