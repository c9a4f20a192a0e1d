//! Why a connection ends, once it is told to, and what can still change that.

/// What `on_close` is to be told, unless something else happens meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending<R> {
    /// It has not been told to end.
    NotYet,
    /// In order: what happens to the transport meanwhile is told instead.
    InOrder(R),
    /// In order, and the peer agreed: once all is written, nothing changes it any more.
    Agreed(R),
    /// What came in was wrong: nothing changes it any more.
    Failed(R),
    /// It leaves its loop with its socket.
    Leaving,
}

impl<R> Ending<R> {
    /// The reason to end in order.
    pub(crate) fn begin(&mut self, reason: R, agreed: bool) {
        *self = match agreed {
            true => Self::Agreed(reason),
            false => Self::InOrder(reason),
        };
    }

    /// What came in was wrong: that is the reason, unless the peer has agreed to another one.
    pub(crate) fn fail(&mut self, reason: R) {
        if !matches!(self, Self::Agreed(_)) {
            *self = Self::Failed(reason);
        }
    }

    /// The reason of an end in order.
    pub(crate) fn reason(&self) -> Option<&R> {
        match self {
            Self::InOrder(reason) | Self::Agreed(reason) | Self::Failed(reason) => Some(reason),
            Self::NotYet | Self::Leaving => None,
        }
    }

    /// The reason that stands whatever the transport does; `all_written`: nothing waits any more.
    pub(crate) fn settled(&self, all_written: bool) -> Option<&R> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::Agreed(reason) if all_written => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ending::*;
    use super::*;

    const ALL: [Ending<u8>; 5] = [NotYet, InOrder(1), Agreed(1), Failed(1), Leaving];

    #[test]
    fn every_state_and_event() {
        for from in ALL {
            let failed = match from {
                Agreed(_) => from.clone(),
                _ => Failed(2),
            };
            for (event, to) in [
                ((|e| e.begin(2, false)) as fn(&mut Ending<u8>), InOrder(2)),
                (|e| e.begin(2, true), Agreed(2)),
                (|e| e.fail(2), failed),
            ] {
                let mut state = from.clone();
                event(&mut state);
                assert_eq!(state, to, "from {from:?}");
            }
        }
    }

    #[test]
    fn what_stands() {
        for (state, reason, before, after) in [
            (NotYet, None, None, None),
            (InOrder(1), Some(1), None, None),
            (Agreed(1), Some(1), None, Some(1)),
            (Failed(1), Some(1), Some(1), Some(1)),
            (Leaving, None, None, None),
        ] {
            assert_eq!(state.reason().copied(), reason);
            assert_eq!(state.settled(false).copied(), before);
            assert_eq!(state.settled(true).copied(), after);
        }
    }
}
