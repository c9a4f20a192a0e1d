//! The name of a connection, and how it ends.

/// Names a connection; never used again.
pub(crate) type Fd = u64;

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sys::sim) enum End {
    Fin,
    Reset,
}
