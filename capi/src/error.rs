//! What went wrong.

use hvloop::event::{JoinError, RunError};
use hvloop::{
    ConnectError, DatagramError, ListenError, ListenErrorKind, LoopClosed, SendError, StartError,
};
use std::ffi::{CStr, c_char};
use std::io;

/// What a function of the ABI returns if it failed: a negative number that never gets another meaning. 0, or a
/// positive number, is success. `hvloop_last_error` has the text.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_error {
    /// A pointer was NULL that must not be.
    Null = -1,
    /// hvloop's own code panicked, or Rust code that it called.
    Panic = -2,
    /// An argument is out of its range, or no text in UTF-8.
    Argument = -3,
    /// The loop takes no more work, as it has stopped or is about to.
    Closed = -4,
    /// It cannot be done in this state: the loop is running already, the thread was started before.
    State = -5,
    /// The connection is not open.
    NotOpen = -6,
    /// The send queue has no room; nothing was taken.
    Full = -7,
    /// The system failed.
    Io = -8,
    /// TLS failed, or a certificate or key is no good.
    Tls = -9,
    /// The time was over.
    Timeout = -10,
    /// There is none.
    NotFound = -11,
    /// It has to be called on the loop's thread; or must not be, as it would wait for itself.
    Thread = -12,
    /// hvloop does not do this.
    Unsupported = -13,
    /// The handle is none of this copy of the library, not of this kind, or was freed.
    Handle = -14,
}

/// A function failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: hvloop_error,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(code: hvloop_error, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code, text }
    }

    /// An argument is out of its range.
    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::new(hvloop_error::Argument, text)
    }
}

/// What most functions of this crate return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl<T> From<LoopClosed<T>> for Failure {
    fn from(closed: LoopClosed<T>) -> Self {
        Self::new(hvloop_error::Closed, closed.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(hvloop_error::Io, error.to_string())
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let code = match &error {
            SendError::QueueFull { .. } => hvloop_error::Full,
            SendError::LoopClosed => hvloop_error::Closed,
            _ => hvloop_error::NotOpen,
        };
        Self::new(code, error.to_string())
    }
}

impl From<DatagramError> for Failure {
    fn from(error: DatagramError) -> Self {
        let code = match &error {
            DatagramError::QueueFull { .. } => hvloop_error::Full,
            DatagramError::LoopClosed => hvloop_error::Closed,
            DatagramError::TooLong { .. } => hvloop_error::Argument,
            DatagramError::Io(_) => hvloop_error::Io,
            _ => hvloop_error::NotOpen,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        let code = match error.kind() {
            ListenErrorKind::LoopClosed => hvloop_error::Closed,
            ListenErrorKind::AlreadyOpen => hvloop_error::State,
            ListenErrorKind::SharedPath => hvloop_error::Unsupported,
            _ => hvloop_error::Io,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let code = match &error {
            ConnectError::AlreadyOpen => hvloop_error::State,
            ConnectError::LoopClosed => hvloop_error::Closed,
            ConnectError::Socket(_) => hvloop_error::Io,
            _ => hvloop_error::Argument,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let code = match &error {
            RunError::AlreadyRunning => hvloop_error::State,
            RunError::InsideCallback => hvloop_error::Thread,
            RunError::Closed => hvloop_error::Closed,
            RunError::Io(_) => hvloop_error::Io,
            _ => hvloop_error::State,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match &error {
            StartError::Spawn(_) => hvloop_error::Io,
            _ => hvloop_error::State,
        };
        Self::new(code, error.to_string())
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        let code = match &error {
            JoinError::WouldDeadlock => hvloop_error::Thread,
            _ => hvloop_error::State,
        };
        Self::new(code, error.to_string())
    }
}

/// The name of an error, such as "argument"; "ok" of what is no error, "unknown" of a number that is none.
/// Static text.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_error_name(error: i32) -> *const c_char {
    let name: &CStr = match error {
        0.. => c"ok",
        -1 => c"null",
        -2 => c"panic",
        -3 => c"argument",
        -4 => c"closed",
        -5 => c"state",
        -6 => c"not open",
        -7 => c"full",
        -8 => c"io",
        -9 => c"tls",
        -10 => c"timeout",
        -11 => c"not found",
        -12 => c"thread",
        -13 => c"unsupported",
        -14 => c"handle",
        _ => c"unknown",
    };
    name.as_ptr()
}
