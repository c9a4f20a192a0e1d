//! How much a world misbehaves.

use std::time::Duration;

/// The odds, each from 0 (never) to 1 (always), and the sizes of a world's misbehaviour.
// Large: one kind of fault a field, any of which may come with any other.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// A read returns less than there is.
    pub short_read: f64,
    /// A read stops although more is there, at urgent data or with descriptors that came along: arises
    /// as bytes arrive.
    pub read_stop: f64,
    /// A write takes less than there is room for.
    pub short_write: f64,
    /// A read or a write is interrupted (EINTR).
    pub interrupted: f64,
    /// A poll is interrupted.
    pub poll_interrupted: f64,
    /// A poll fails, and with it the loop.
    pub poll_fails: f64,
    /// A poll tells a socket that is not ready that it is.
    pub spurious: f64,
    /// What is ready is told one poll later.
    pub postponed: f64,
    /// A wake takes effect late, by up to `delay`.
    pub late_wake: f64,
    /// A poll returns later than its time-out, by up to `delay`.
    pub oversleep: f64,
    /// A connect finds no file descriptor (EMFILE).
    pub no_fd: f64,
    /// A connection has ended before it is accepted.
    pub accept_gone: f64,
    /// An accept begins a time without file descriptors.
    pub accept_exhausted: f64,
    /// A datagram is lost.
    pub datagram_lost: f64,
    /// A datagram arrives twice.
    pub datagram_twice: f64,
    /// A datagram cannot be sent (ENETUNREACH).
    pub datagram_refused: f64,
    /// A lookup finds no thread.
    pub no_thread: f64,
    /// The network breaks a connection, at any moment.
    pub reset: f64,
    /// The longest that bytes are under way.
    pub latency: Duration,
    /// The longest that a late wake or an oversleep takes.
    pub delay: Duration,
    /// Bytes that the sockets hold, a direction.
    pub window: usize,
    /// Room is told of only when a third of the window is free, as Linux does of TCP; it is there before.
    pub room_told_late: bool,
    /// What comes is told of whatever was read before, as with epoll; else it is `WouldBlock` alone
    /// that arms the socket again, as with other pollers.
    pub drained_by_short_io: bool,
}

impl Default for Faults {
    /// A world in which nothing goes wrong.
    fn default() -> Self {
        Self {
            short_read: 0.0,
            read_stop: 0.0,
            short_write: 0.0,
            interrupted: 0.0,
            poll_interrupted: 0.0,
            poll_fails: 0.0,
            spurious: 0.0,
            postponed: 0.0,
            late_wake: 0.0,
            oversleep: 0.0,
            no_fd: 0.0,
            accept_gone: 0.0,
            accept_exhausted: 0.0,
            datagram_lost: 0.0,
            datagram_twice: 0.0,
            datagram_refused: 0.0,
            no_thread: 0.0,
            reset: 0.0,
            latency: Duration::from_micros(50),
            delay: Duration::from_millis(2),
            window: 64 * 1024,
            room_told_late: false,
            drained_by_short_io: true,
        }
    }
}
