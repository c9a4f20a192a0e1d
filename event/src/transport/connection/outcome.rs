//! How reads and writes of a connection end.

use std::io;

/// How a flush ended.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Everything is written.
    All,
    /// The socket takes no more now; its readiness goes on with it.
    Blocked,
    /// The tick's budget is used up.
    Budget,
    /// Writing failed.
    Failed(io::Error),
}

/// One read from the socket.
#[derive(Debug)]
pub(crate) enum Read {
    /// So many bytes.
    Data(usize),
    /// Nothing more now.
    Blocked,
    /// The end of the stream.
    End,
    /// It failed.
    Failed(io::Error),
}
