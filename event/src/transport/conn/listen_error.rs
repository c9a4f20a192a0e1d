//! Why nothing listens.

use crate::sys::Address;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a listener, or the socket of a [`UdpServer`](crate::UdpServer), was not opened, and where.
#[derive(Debug, Clone)]
pub struct ListenError {
    kind: ListenErrorKind,
    address: Address,
    cause: Option<Arc<io::Error>>,
}

/// What kind of [`ListenError`] it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenErrorKind {
    /// Somebody listens there, or, at a path, something else than an abandoned socket is there.
    AddressInUse,
    /// This host has no such address.
    AddressNotAvailable,
    /// The process may not.
    PermissionDenied,
    /// The loop is stopping; of several, each.
    LoopClosed,
    /// The server has its socket already; for [`UdpServer`](crate::UdpServer).
    AlreadyOpen,
    /// Several loops cannot listen at one Unix path.
    SharedPath,
    /// Anything else: the [cause](ListenError::cause) says it.
    Other,
}

impl ListenError {
    pub(crate) fn new(kind: ListenErrorKind, address: Address) -> Self {
        Self {
            kind,
            address,
            cause: None,
        }
    }

    /// What the system said.
    pub(crate) fn io(e: io::Error, address: Address) -> Self {
        let kind = match e.kind() {
            io::ErrorKind::AddrInUse => ListenErrorKind::AddressInUse,
            io::ErrorKind::AddrNotAvailable => ListenErrorKind::AddressNotAvailable,
            io::ErrorKind::PermissionDenied => ListenErrorKind::PermissionDenied,
            _ => ListenErrorKind::Other,
        };
        Self {
            kind,
            address,
            cause: Some(Arc::new(e)),
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> ListenErrorKind {
        self.kind
    }

    /// Where it was to listen.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the system said; `None`: it was not asked.
    pub fn cause(&self) -> Option<&io::Error> {
        self.cause.as_deref()
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen at {}: ", self.address)?;
        match (&self.cause, self.kind) {
            (Some(e), _) => write!(f, "{e}"),
            (None, ListenErrorKind::LoopClosed) => f.write_str("the event loop is closed"),
            (None, ListenErrorKind::AlreadyOpen) => f.write_str("the server is open already"),
            (None, ListenErrorKind::SharedPath) => {
                f.write_str("several loops cannot listen at one Unix path")
            }
            (None, kind) => write!(f, "{kind:?}"),
        }
    }
}

impl Error for ListenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().map(|e| e as _)
    }
}

/// For callers whose errors are those of I/O: with the kind of the cause.
impl From<ListenError> for io::Error {
    fn from(e: ListenError) -> Self {
        let kind = match (e.cause(), e.kind) {
            (Some(cause), _) => cause.kind(),
            (None, ListenErrorKind::LoopClosed) => io::ErrorKind::NotConnected,
            (None, ListenErrorKind::AlreadyOpen) => io::ErrorKind::AlreadyExists,
            (None, _) => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, e)
    }
}
