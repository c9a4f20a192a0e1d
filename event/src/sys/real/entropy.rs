//! Randomness from the operating system.

use rand::TryRng;
use rand::rngs::SysRng;
use std::io;

/// A seed for the loop's generator (WebSocket masks, reconnect jitter).
///
/// # Errors
///
/// What the operating system said when it had no randomness to give.
pub(crate) fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
