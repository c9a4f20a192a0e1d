//! How long a poll may block.

use super::clock;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all.
    No,
    /// So long, which is over at that time.
    Until(Duration, Instant),
    /// Until something is ready.
    Forever,
}

impl Wait {
    /// Until that time, and no longer than `limit`, if there are any. Looks at the clock if it has to.
    pub(crate) fn new(until: Option<Instant>, limit: Option<Duration>) -> Self {
        if limit == Some(Duration::ZERO) {
            return Self::No;
        }
        if until.is_none() && limit.is_none() {
            return Self::Forever;
        }
        let now = clock::now();
        let limit = limit.and_then(|limit| now.checked_add(limit));
        match until.into_iter().chain(limit).min() {
            Some(until) if until <= now => Self::No,
            Some(until) => Self::Until(until - now, until),
            None => Self::Forever,
        }
    }

    /// The time that is left; `None`: without limit.
    pub(crate) fn left(self) -> Option<Duration> {
        match self {
            Self::No => Some(Duration::ZERO),
            Self::Until(left, _) => Some(left),
            Self::Forever => None,
        }
    }
}
