//! What can be set about permessage-deflate.

use super::params::{DeflateParams, MAX_BITS, MIN_BITS};
use hvloop_event::setters;
use std::time::Duration;

/// Options of permessage-deflate, for either role. What the peer wants may restrict them further.
///
/// Memory for each connection that uses it: about 370 KiB to compress (245 KiB with a window of 2^9),
/// from the first message that is compressed on, and about 47 KiB to inflate, from the first that
/// comes compressed, which grows by the size of the peer's window (32 KiB by default) as more comes: a
/// peer may begin DEFLATE streams anew (RFC 7692 section 7.2.3.4) and refer to what was before. Without
/// context takeover either is given back after each message.
///
/// ```
/// use hvloop_ws::{ClientOptions, DeflateOptions};
///
/// let deflate = DeflateOptions::new().threshold(256).client_max_window_bits(11)?;
/// let options = ClientOptions::new().deflate(Some(deflate));
/// # Ok::<(), hvloop_ws::WindowBitsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct DeflateOptions {
    /// What is asked of the peer, or allowed at most.
    pub(super) wanted: DeflateParams,
    pub(crate) level: u8,
    pub(crate) threshold: usize,
    pub(super) always: bool,
    pub(super) fallback: bool,
    pub(crate) release_timeout: Option<Duration>,
}

/// A window's size is 2^9 to 2^15 bytes. (RFC 7692 has 2^8, too, which zlib does not.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window of 2^{0} bytes: it is 2^9 to 2^15")]
pub struct WindowBitsError(pub u8);

impl DeflateOptions {
    /// The defaults: context takeover both ways, the largest windows, level 6, messages from 1 KiB on,
    /// the compressor kept.
    pub fn new() -> Self {
        Self {
            wanted: DeflateParams::NOTHING,
            level: 6,
            threshold: 1024,
            always: false,
            fallback: true,
            release_timeout: None,
        }
    }

    setters! {
        /// The server compresses each message by itself (`server_no_context_takeover`): less memory on
        /// both sides, less compression. Of a client a wish, see [`fallback`](Self::fallback).
        server_no_context_takeover(on: bool) => wanted.server_no_context_takeover;

        /// The client compresses each message by itself (`client_no_context_takeover`).
        client_no_context_takeover(on: bool) => wanted.client_no_context_takeover;
    }

    /// The window that the server compresses with is at most 2^`bits` bytes
    /// (`server_max_window_bits`). Default 15. Of a client a wish, see [`fallback`](Self::fallback).
    ///
    /// # Errors
    ///
    /// Not from 9 to 15.
    pub fn server_max_window_bits(mut self, bits: u8) -> Result<Self, WindowBitsError> {
        self.wanted.server_max_window_bits = check(bits)?;
        Ok(self)
    }

    /// The window that the client compresses with is at most 2^`bits` bytes
    /// (`client_max_window_bits`). Default 15.
    ///
    /// # Errors
    ///
    /// Not from 9 to 15.
    pub fn client_max_window_bits(mut self, bits: u8) -> Result<Self, WindowBitsError> {
        self.wanted.client_max_window_bits = check(bits)?;
        Ok(self)
    }

    /// How hard to compress: from 0 (not at all) to 9; more is 9. Default 6.
    pub fn level(mut self, level: u8) -> Self {
        self.level = level.min(9);
        self
    }

    setters! {
        /// Messages shorter than this, in bytes, are sent as they are. Default 1024.
        threshold(bytes: usize) => threshold;

        /// Sends a message compressed even if that does not make it shorter, for peers that want it so.
        /// Default `false`: such a message is sent as it is.
        always(on: bool) => always;

        /// Client: offers compression without what it wants of the server, too, behind the offer with it, for
        /// servers that cannot do that; `false`: they then do not compress. Default `true`.
        fallback(on: bool) => fallback;

        /// Gives the compressor's memory back when nothing was compressed for this long; the next message
        /// is then compressed without what came before. `None`, the default: keeps it.
        release_timeout(idle: impl Into<Option<Duration>>) => release_timeout;
    }
}

fn check(bits: u8) -> Result<u8, WindowBitsError> {
    match (MIN_BITS..=MAX_BITS).contains(&bits) {
        true => Ok(bits),
        false => Err(WindowBitsError(bits)),
    }
}

impl Default for DeflateOptions {
    fn default() -> Self {
        Self::new()
    }
}
