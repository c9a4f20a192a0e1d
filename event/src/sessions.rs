//! Which session of a client its handles mean.

/// The sessions of a client, one at a time: each is what one `connect()` or `open()` began, up to its last
/// `on_close`.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// Counts them, so that a late close does not hit the next one.
    number: u64,
    /// The one of that number is not over.
    live: bool,
    /// Closed by the user, maybe before the loop knows of it.
    given_up: bool,
}

impl Sessions {
    /// Begins a session: its number. `None`: there is one.
    pub(crate) fn begin(&mut self) -> Option<u64> {
        if self.live {
            return None;
        }
        self.number += 1;
        self.live = true;
        self.given_up = false;
        Some(self.number)
    }

    /// The user's close, of the session of that number, which is returned.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.given_up = true;
        self.number
    }

    /// The session of that number is over.
    pub(crate) fn end(&mut self, number: u64) {
        self.live &= !self.is(number);
    }

    /// Whether it is the last one that was begun.
    pub(crate) fn is(&self, number: u64) -> bool {
        self.number == number
    }

    /// That of the last one that was begun.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up
    }
}
