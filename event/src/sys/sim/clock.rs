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
