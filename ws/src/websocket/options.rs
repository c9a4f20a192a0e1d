//! How a connection is kept and ended: what a client and a server can set alike.

use crate::deflate::DeflateOptions;
use crate::protocol::Limits;
use std::time::Duration;

/// See [`connection_setters`], which has the words for each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConnectionOptions {
    pub(crate) close_timeout: Duration,
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) pong_timeout: Duration,
    pub(crate) message_timeout: Option<Duration>,
    pub(crate) when_full: WhenFull,
    pub(crate) limits: Limits,
    pub(crate) deflate: Option<DeflateOptions>,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            close_timeout: Duration::from_secs(5),
            ping_interval: Some(Duration::from_secs(30)),
            pong_timeout: Duration::from_secs(10),
            message_timeout: None,
            when_full: WhenFull::Refuse,
            limits: Limits::default(),
            deflate: None,
        }
    }
}

/// What becomes of a connection whose send queue has no room for a message, which is refused in any
/// case. A peer that reads too slowly is the usual reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Nothing: the sender is told, and `on_drain` tells when to try again. For broadcasts and topics
    /// this means that slow peers miss messages.
    #[default]
    Refuse,
    /// It is closed with code 1013 (Try Again Later) behind what is queued, and by force if the peer
    /// takes nothing of that for the write time-out. `on_close` tells
    /// [`ConnectionError::PeerTooSlow`](crate::ConnectionError::PeerTooSlow). A message that is longer
    /// than the whole queue closes nothing.
    Close,
}

/// The setters of [`ConnectionOptions`], for the options of either role, and the field that holds them.
macro_rules! connection_setters {
    ($($field:ident).+) => {
        /// How long the peer may take to answer a Close, counted from when ours has been written, and
        /// then to end the connection. What is queued before the Close is under the write time-out
        /// alone; without that, this is the limit to a queue of which nothing is taken. Default
        /// 5 s; a loop's stop may be shorter, and [`CloseEvent::lost`](crate::CloseEvent::lost) says
        /// what it cut.
        pub fn close_timeout(mut self, timeout: Duration) -> Self {
            Arc::make_mut(&mut self.$($field).+).close_timeout = timeout;
            self
        }

        /// Sends a Ping when nothing came from the peer for this long, and each time this passes again
        /// while nothing comes; `None` or zero: never. Default 30 s.
        ///
        /// libhv: `setPingInterval`.
        pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
            let interval = interval.into().filter(|interval| !interval.is_zero());
            Arc::make_mut(&mut self.$($field).+).ping_interval = interval;
            self
        }

        /// How long after the first Ping that it leaves unanswered a peer that sends nothing at all
        /// counts as dead; it may be longer or shorter than the interval. Any byte counts as life.
        /// Default 10 s.
        pub fn pong_timeout(mut self, timeout: Duration) -> Self {
            Arc::make_mut(&mut self.$($field).+).pong_timeout = timeout;
            self
        }

        /// How long a message of the peer may take from its first byte to its last, over all its
        /// fragments; a frame too. Then the connection is closed with 1008, and `on_close` tells
        /// [`ConnectionError::MessageTimedOut`](crate::ConnectionError::MessageTimedOut). What this side
        /// keeps waiting, by a pause or since a turn has no room for more, does not count. `None`, the
        /// default, or zero: for ever, since a large message over a slow line may take minutes.
        pub fn message_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
            let timeout = timeout.into().filter(|timeout| !timeout.is_zero());
            Arc::make_mut(&mut self.$($field).+).message_timeout = timeout;
            self
        }

        /// What becomes of a connection whose send queue has no room for a message. Default: the
        /// message is refused, and the connection goes on.
        pub fn when_full(mut self, policy: WhenFull) -> Self {
            Arc::make_mut(&mut self.$($field).+).when_full = policy;
            self
        }

        /// Limits for what the peer sends: a frame's or message's size, in bytes. Checked before
        /// anything is allocated. Default 16 MiB and 64 MiB.
        pub fn limits(mut self, limits: Limits) -> Self {
            Arc::make_mut(&mut self.$($field).+).limits = limits;
            self
        }

        /// permessage-deflate (RFC 7692), which a client offers, and a server accepts of clients that
        /// offer it: messages are compressed both ways if the two agree. `None`, the default: it is
        /// not spoken of. What is secret should not be compressed together with what an attacker
        /// chooses (CRIME, BREACH).
        pub fn deflate(mut self, options: impl Into<Option<DeflateOptions>>) -> Self {
            Arc::make_mut(&mut self.$($field).+).deflate = options.into();
            self
        }
    };
}
pub(crate) use connection_setters;
