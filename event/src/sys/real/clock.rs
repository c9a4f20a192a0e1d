//! The monotonic clock.

use std::time::Instant;

/// The time now, by the monotonic clock: a change of the wall clock does not move it.
#[allow(clippy::disallowed_methods)] // the one place that reads the clock
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of the calendar where the machine is, which may be set at any moment.
#[cfg(feature = "cron")]
pub(crate) fn wall() -> chrono::DateTime<chrono::Local> {
    chrono::Local::now()
}
