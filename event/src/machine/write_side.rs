//! The write side of a connection.

/// How far this side is with its end. Moves forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteSide {
    /// More may be queued.
    Open,
    /// The user sends no more: it ends behind what is queued.
    Closing,
    /// It has ended.
    Shut,
}

impl WriteSide {
    /// The user sends no more. `true` the first time.
    pub(crate) fn close(&mut self) -> bool {
        let first = *self == Self::Open;
        if first {
            *self = Self::Closing;
        }
        first
    }

    /// All is written, and that was the end. `true` the first time.
    pub(crate) fn shut(&mut self) -> bool {
        std::mem::replace(self, Self::Shut) != Self::Shut
    }
}

#[cfg(test)]
mod tests {
    use super::WriteSide::*;

    #[test]
    fn every_state_and_event() {
        for (from, closed, shut) in [
            (Open, (true, Closing), true),
            (Closing, (false, Closing), true),
            (Shut, (false, Shut), false),
        ] {
            let mut state = from;
            assert_eq!((state.close(), state), closed);
            let mut state = from;
            assert_eq!((state.shut(), state), (shut, Shut));
        }
    }
}
