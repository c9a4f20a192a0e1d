//! The read side of a connection: what the system has said of it, which it says once.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadSide {
    /// Nothing is there until the poller speaks.
    Blocked(ShortReads),
    /// There may be something.
    Ready(ShortReads),
    /// The end of the stream was read.
    Ended,
    /// The poller spoke of an end or an error after that: the connection may have gone altogether.
    MayBeGone,
}

/// What a read says that brings less than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShortReads {
    /// That nothing is left.
    TellAll,
    /// Nothing: an end, or an error, is still to be read, and no new edge will tell of it; or there is
    /// urgent data, at which reads stop.
    TellNothing,
}

use ShortReads::{TellAll, TellNothing};

impl ReadSide {
    /// The poller spoke: of something to read, of the peer's end or an error, of urgent data.
    pub(crate) fn told(&mut self, readable: bool, hangup: bool, urgent: bool) {
        *self = match *self {
            Self::Blocked(short) | Self::Ready(short) => {
                let ready = readable || hangup || matches!(self, Self::Ready(_));
                let short = if hangup || urgent { TellNothing } else { short };
                match ready {
                    true => Self::Ready(short),
                    false => Self::Blocked(short),
                }
            }
            Self::Ended | Self::MayBeGone if hangup => Self::MayBeGone,
            ended => ended,
        };
    }

    /// A read brought something, and whether there is more.
    pub(crate) fn read(&mut self, more: bool) {
        if *self == Self::Ready(TellAll) && !more {
            *self = Self::Blocked(TellAll);
        }
    }

    /// A read found nothing.
    pub(crate) fn blocked(&mut self) {
        if let Self::Ready(short) = *self {
            *self = Self::Blocked(short);
        }
    }

    /// The end was read, or the protocol between told it: nothing is read any more.
    pub(crate) fn ended(&mut self) {
        if !self.has_ended() {
            *self = Self::Ended;
        }
    }

    /// Whether it has to be looked whether the connection has gone; once for each time that the poller
    /// speaks of it.
    pub(crate) fn looks(&mut self) -> bool {
        let looks = *self == Self::MayBeGone;
        if looks {
            *self = Self::Ended;
        }
        looks
    }

    /// Whether a read may bring something.
    pub(crate) fn is_ready(self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether the end was read.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Ended | Self::MayBeGone)
    }
}

#[cfg(test)]
mod tests {
    use super::ReadSide::*;
    use super::*;

    const ALL: [ReadSide; 6] = [
        Blocked(TellAll),
        Blocked(TellNothing),
        Ready(TellAll),
        Ready(TellNothing),
        Ended,
        MayBeGone,
    ];

    type Event = fn(&mut ReadSide);

    /// Each event in each state, in the order of `ALL`.
    #[test]
    fn every_state_and_event() {
        let nothing: Event = |s| s.told(false, false, false);
        let readable: Event = |s| s.told(true, false, false);
        let hangup: Event = |s| s.told(false, true, false);
        let urgent: Event = |s| s.told(false, false, true);
        let readable_urgent: Event = |s| s.told(true, false, true);
        let (b, bn, r, rn) = (
            Blocked(TellAll),
            Blocked(TellNothing),
            Ready(TellAll),
            Ready(TellNothing),
        );
        let table: [(&str, Event, [ReadSide; 6]); 9] = [
            ("told nothing", nothing, ALL),
            ("readable", readable, [r, rn, r, rn, Ended, MayBeGone]),
            ("hangup", hangup, [rn, rn, rn, rn, MayBeGone, MayBeGone]),
            ("urgent", urgent, [bn, bn, rn, rn, Ended, MayBeGone]),
            ("both", readable_urgent, [rn, rn, rn, rn, Ended, MayBeGone]),
            ("more", |s| s.read(true), ALL),
            (
                "no more",
                |s| s.read(false),
                [b, bn, b, rn, Ended, MayBeGone],
            ),
            (
                "blocked",
                ReadSide::blocked,
                [b, bn, b, bn, Ended, MayBeGone],
            ),
            (
                "ended",
                ReadSide::ended,
                [Ended, Ended, Ended, Ended, Ended, MayBeGone],
            ),
        ];
        for (name, event, expected) in table {
            for (from, to) in ALL.into_iter().zip(expected) {
                let mut state = from;
                event(&mut state);
                assert_eq!(state, to, "{name} in {from:?}");
            }
        }
    }

    #[test]
    fn looks_once() {
        for from in ALL {
            let mut state = from;
            assert_eq!(state.looks(), from == MayBeGone);
            assert_eq!(state, if from == MayBeGone { Ended } else { from });
            assert!(!state.looks());
        }
    }

    #[test]
    fn reads_until_the_end_alone() {
        for state in ALL {
            assert!(!(state.is_ready() && state.has_ended()));
        }
    }
}
