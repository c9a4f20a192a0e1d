//! The life of one connection.
//!
//! ```text
//! Resolving → Connecting → Tunnelling (a proxy) → Securing (TLS) → Opening → Open → Flushing → Lingering → Closed
//! ```
//!
//! `Opening` is the handshake of the protocol above (WebSocket's upgrade); `Flushing` writes out
//! what was accepted and `Lingering` waits, after the FIN, for the peer's end of the stream, so
//! that unread data cannot make the kernel reset what was sent. Every state may go to `Closed`.

/// Where a connection is in its life. Moves forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lifecycle {
    /// The host's addresses are being looked up.
    Resolving,
    /// One or more connects are under way.
    Connecting,
    /// The handshake with a proxy is under way.
    Tunnelling,
    /// The TLS handshake is under way.
    Securing,
    /// The handshake of the protocol above is under way.
    Opening,
    /// In use.
    Open,
    /// Told to finish: what was accepted is being written.
    Flushing,
    /// Everything is written and the write side is shut; waiting for the peer's end.
    Lingering,
    /// On the closing list, or past it.
    Closed,
}

/// What [`Lifecycle::finish`] asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Finish {
    /// Nothing was established: close at once.
    CloseNow,
    /// Write out, then shut the write side.
    Flush,
    /// It is finishing already.
    Nothing,
}

impl Lifecycle {
    /// The transport is up and the protocol above may read and write.
    pub(crate) fn is_up(self) -> bool {
        matches!(self, Self::Opening | Self::Open)
    }

    /// The connection has ended or is about to in this tick.
    pub(crate) fn is_closed(self) -> bool {
        self == Self::Closed
    }

    /// The addresses are known.
    pub(crate) fn resolved(&mut self) -> bool {
        self.advance(Self::Resolving, Self::Connecting)
    }

    /// A connect to the target succeeded; TLS comes next if `secure`.
    pub(crate) fn connected(&mut self, secure: bool) -> bool {
        self.advance(Self::Connecting, Self::at_target(secure))
    }

    /// A connect to a proxy succeeded.
    pub(crate) fn at_proxy(&mut self) -> bool {
        self.advance(Self::Connecting, Self::Tunnelling)
    }

    /// The proxy leads to the target; TLS comes next if `secure`.
    pub(crate) fn tunnelled(&mut self, secure: bool) -> bool {
        self.advance(Self::Tunnelling, Self::at_target(secure))
    }

    fn at_target(secure: bool) -> Self {
        match secure {
            true => Self::Securing,
            false => Self::Opening,
        }
    }

    /// The TLS handshake is done.
    #[cfg(any(test, feature = "tls"))]
    pub(crate) fn secured(&mut self) -> bool {
        self.advance(Self::Securing, Self::Opening)
    }

    /// The protocol above has opened.
    pub(crate) fn opened(&mut self) -> bool {
        self.advance(Self::Opening, Self::Open)
    }

    /// Told to finish in order.
    pub(crate) fn finish(&mut self) -> Finish {
        match self {
            Self::Resolving | Self::Connecting | Self::Tunnelling | Self::Securing => {
                Finish::CloseNow
            }
            Self::Opening | Self::Open => {
                *self = Self::Flushing;
                Finish::Flush
            }
            Self::Flushing | Self::Lingering | Self::Closed => Finish::Nothing,
        }
    }

    /// Everything was written and the write side is shut.
    pub(crate) fn flushed(&mut self) -> bool {
        self.advance(Self::Flushing, Self::Lingering)
    }

    /// The end. `true` the first time only: one `on_close` per connection hangs on it (I5).
    pub(crate) fn close(&mut self) -> bool {
        let first = *self != Self::Closed;
        *self = Self::Closed;
        first
    }

    fn advance(&mut self, from: Self, to: Self) -> bool {
        let moves = *self == from;
        if moves {
            *self = to;
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Lifecycle::*;

    const ALL: [Lifecycle; 9] = [
        Resolving, Connecting, Tunnelling, Securing, Opening, Open, Flushing, Lingering, Closed,
    ];

    #[test]
    fn every_state_and_event() {
        type Event = fn(&mut Lifecycle) -> bool;
        let table: [(Event, Lifecycle, Lifecycle); 9] = [
            (Lifecycle::resolved, Resolving, Connecting),
            (|l| l.connected(true), Connecting, Securing),
            (|l| l.connected(false), Connecting, Opening),
            (Lifecycle::at_proxy, Connecting, Tunnelling),
            (|l| l.tunnelled(true), Tunnelling, Securing),
            (|l| l.tunnelled(false), Tunnelling, Opening),
            (Lifecycle::secured, Securing, Opening),
            (Lifecycle::opened, Opening, Open),
            (Lifecycle::flushed, Flushing, Lingering),
        ];
        for (event, from, to) in table {
            for state in ALL {
                let mut life = state;
                let moved = event(&mut life);
                assert_eq!(moved, state == from, "{state:?}");
                assert_eq!(life, if state == from { to } else { state });
            }
        }
    }

    #[test]
    fn finish_by_state() {
        for state in ALL {
            let mut life = state;
            let finish = life.finish();
            let expected = match state {
                Resolving | Connecting | Tunnelling | Securing => (Finish::CloseNow, state),
                Opening | Open => (Finish::Flush, Flushing),
                Flushing | Lingering | Closed => (Finish::Nothing, state),
            };
            assert_eq!((finish, life), expected);
        }
    }

    #[test]
    fn closes_once_from_every_state() {
        for state in ALL {
            let mut life = state;
            assert_eq!(life.close(), state != Closed);
            assert!(!life.close());
            assert!(life.is_closed());
        }
    }
}
