//! Randomness from the world's seed.

use super::world::World;
use std::io;

/// A seed for the loop's generator.
///
/// # Errors
///
/// Never; the operating system's twin has some.
pub(crate) fn random_seed() -> io::Result<[u8; 32]> {
    Ok(World::here().random_bytes())
}
