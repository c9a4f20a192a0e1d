//! Virtual time.

use super::world::World;
use std::time::Instant;

/// The time now.
pub(crate) fn now() -> Instant {
    World::here().instant()
}

/// The time of the calendar: as the clock goes, from the same day for every world.
#[cfg(feature = "cron")]
pub(crate) fn wall() -> chrono::DateTime<chrono::Local> {
    let day = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
    let day: chrono::DateTime<chrono::Local> = day.into();
    day + World::here().elapsed()
}
