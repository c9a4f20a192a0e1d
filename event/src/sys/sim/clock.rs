//! Virtual time.

use super::world::World;
use std::sync::OnceLock;
use std::time::Instant;

/// The instant at which every world begins.
#[allow(clippy::disallowed_methods)] // an `Instant` can be had in no other way
fn beginning() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(Instant::now)
}

/// The time now.
pub(crate) fn now() -> Instant {
    beginning() + World::here().elapsed()
}

/// The time of the calendar: as the clock goes, from the same day for every world.
#[cfg(feature = "cron")]
pub(crate) fn wall() -> chrono::DateTime<chrono::Local> {
    let day = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
    let day: chrono::DateTime<chrono::Local> = day.into();
    day + World::here().elapsed()
}
