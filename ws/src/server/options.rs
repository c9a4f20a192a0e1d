//! What can be set about a service.

use crate::deflate::DeflateOptions;
use crate::link::{LinkOptions, WhenFull};
use crate::protocol::Limits;
use std::time::Duration;

/// Options of a [`WebSocketService`](super::WebSocketService). The send queue, the write stall and
/// the time for the handshakes are the listener's: see [`Listen`](hvloop_event::Listen).
///
/// ```
/// use hvloop_ws::ServiceOptions;
/// use std::time::Duration;
///
/// let options = ServiceOptions::new().ping_interval(Some(Duration::from_secs(10)));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ServiceOptions {
    close_timeout: Duration,
    ping_interval: Option<Duration>,
    pong_deadline: Duration,
    message_timeout: Option<Duration>,
    when_full: WhenFull,
    limits: Limits,
    pub(super) deflate: Option<DeflateOptions>,
}

impl ServiceOptions {
    /// The defaults: 5 s for the close handshake, a Ping after 30 s of silence and 10 s for the
    /// answer, 16 MiB per frame and 64 MiB per message.
    pub fn new() -> Self {
        Self {
            close_timeout: Duration::from_secs(5),
            ping_interval: Some(Duration::from_secs(30)),
            pong_deadline: Duration::from_secs(10),
            message_timeout: None,
            when_full: WhenFull::Refuse,
            limits: Limits::default(),
            deflate: None,
        }
    }

    /// How long the peer may take to answer a Close, counted from when ours has been written. What is
    /// queued before it is under [`Listen::write_stall`](hvloop_event::Listen::write_stall) alone; without
    /// that, this is the limit to a queue of which nothing is taken. Default 5 s; a loop's stop may be
    /// shorter, and [`CloseEvent::lost`](crate::CloseEvent::lost) says what it cut.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sends a Ping when nothing came from the peer for this long, and each time this passes again while
    /// nothing comes; `None` or zero: never. Default 30 s.
    ///
    /// libhv: `WebSocketService::setPingInterval`.
    pub fn ping_interval(mut self, interval: Option<Duration>) -> Self {
        self.ping_interval = interval.filter(|interval| !interval.is_zero());
        self
    }

    /// How long after the first Ping that it leaves unanswered a peer that sends nothing at all counts as
    /// dead; it may be longer or shorter than the interval. Any byte counts as life. Default 10 s.
    pub fn pong_deadline(mut self, deadline: Duration) -> Self {
        self.pong_deadline = deadline;
        self
    }

    /// How long a message of the peer may take from its first byte to its last, over all its fragments; a
    /// frame too. Then the connection is closed with 1008, and `on_close` tells
    /// [`ConnectionError::MessageTimedOut`](crate::ConnectionError::MessageTimedOut). What this side keeps
    /// waiting, by a pause or since a turn has no room for more, does not count. `None`, the default, or
    /// zero: for ever, since a large message over a slow line may take minutes.
    pub fn message_timeout(mut self, limit: Option<Duration>) -> Self {
        self.message_timeout = limit.filter(|limit| !limit.is_zero());
        self
    }

    /// What becomes of a connection whose send queue has no room for a message. Default: the message
    /// is refused, and the connection goes on.
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// Limits for what the peer sends: a frame's or message's size, in bytes. Checked before
    /// anything is allocated. Default 16 MiB and 64 MiB.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Accepts permessage-deflate (RFC 7692) from clients that offer it. `None`, the default: does not.
    /// What is secret should not be compressed together with what an attacker chooses (CRIME, BREACH).
    pub fn deflate(mut self, options: Option<DeflateOptions>) -> Self {
        self.deflate = options;
        self
    }

    pub(super) fn link(&self) -> LinkOptions {
        LinkOptions {
            limits: self.limits,
            close_timeout: self.close_timeout,
            ping_interval: self.ping_interval,
            pong_deadline: self.pong_deadline,
            message_timeout: self.message_timeout,
            when_full: self.when_full,
        }
    }
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self::new()
    }
}
