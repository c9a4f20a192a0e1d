//! The same message for many connections: encoded once, and one buffer for all queues.

use crate::deflate::{DeflateOptions, Deflater, MAX_BITS, MIN_BITS};
use crate::events::Message;
use crate::protocol::{OpCode, encode_compressed, encode_frame};
use std::sync::Arc;

/// How many windows there are.
const WINDOWS: usize = (MAX_BITS - MIN_BITS + 1) as usize;
/// Messages shorter than this, in bytes, are not compressed.
const THRESHOLD: usize = 1024;

/// A message as frames: for those that do not inflate, and for each window of those that do.
pub(super) struct Encoded {
    plain: Arc<[u8]>,
    compressed: [Option<Arc<[u8]>>; WINDOWS],
    /// The window, in bits, that the whole message fits.
    fits: u8,
}

impl Encoded {
    /// For peers with these windows, in bits; `None`: one that does not inflate.
    pub(super) fn new(message: Message<'_>, windows: impl IntoIterator<Item = Option<u8>>) -> Self {
        let (opcode, payload) = (message.opcode(), message.as_bytes());
        let mut plain = Vec::new();
        encode_frame(&mut plain, opcode, true, payload, None);
        let mut encoded = Self {
            plain: plain.into(),
            compressed: Default::default(),
            fits: fitting_window(payload.len()),
        };
        if payload.len() < THRESHOLD {
            return encoded;
        }
        let mut wanted = [false; WINDOWS];
        for window in windows.into_iter().filter_map(|bits| encoded.window(bits)) {
            wanted[window] = true;
        }
        for (window, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            encoded.compressed[window] = compress(opcode, payload, MIN_BITS + window as u8);
        }
        encoded
    }

    /// The frame for a peer with that window, and whether it is a compressed one.
    pub(super) fn for_window(&self, bits: Option<u8>) -> (&Arc<[u8]>, bool) {
        let window = self.window(bits);
        match window.and_then(|window| self.compressed[window].as_ref()) {
            Some(compressed) => (compressed, true),
            None => (&self.plain, false),
        }
    }

    /// Which of the compressed ones it could get: that of its window, or of one that the message fits.
    fn window(&self, bits: Option<u8>) -> Option<usize> {
        let bits = bits?;
        let window = bits.min(self.fits);
        window.checked_sub(MIN_BITS).map(usize::from)
    }
}

/// The smallest window with room for so many bytes, in bits; the largest, if none has.
fn fitting_window(size: usize) -> u8 {
    let bits = MIN_BITS..MAX_BITS;
    bits.into_iter()
        .find(|bits| size <= 1 << bits)
        .unwrap_or(MAX_BITS)
}

/// Compressed by itself, referring to nothing that only some of the peers have.
fn compress(opcode: OpCode, payload: &[u8], window_bits: u8) -> Option<Arc<[u8]>> {
    let mut deflater = Deflater::new(&DeflateOptions::new(), window_bits, false)?;
    let (mut short, mut frame) = (Vec::new(), Vec::new());
    if !deflater.deflate(payload, &mut short) {
        return None;
    }
    encode_compressed(&mut frame, opcode, &short, None);
    Some(frame.into())
}
