//! The same message to many connections: encoded once, and one buffer for all queues.

use super::channel::WebSocketChannel;
use crate::deflate::{DeflateOptions, Deflater, MAX_BITS, MIN_BITS};
use crate::mutant::mutant;
use crate::protocol::{Data, OpCode, encode_compressed, encode_frame};
use hvloop_event::log;
use hvloop_event::{EventLoop, LocalLoop};
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
    fn new(channels: &[WebSocketChannel], kind: Data, payload: &[u8]) -> Self {
        let mut plain = Vec::new();
        encode_frame(&mut plain, OpCode::Data(kind), true, payload, None);
        let mut encoded = Self {
            plain: plain.into(),
            compressed: Default::default(),
            fits: fitting_window(payload.len()),
        };
        if payload.len() < THRESHOLD {
            return encoded;
        }
        let mut wanted = [false; WINDOWS];
        for window in channels
            .iter()
            .filter_map(|channel| encoded.window(channel))
        {
            wanted[window] = true;
        }
        for (window, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            encoded.compressed[window] = compress(kind, payload, MIN_BITS + window as u8);
        }
        encoded
    }

    /// The frame for that connection, and whether it is a compressed one.
    pub(super) fn for_channel(&self, channel: &WebSocketChannel) -> (&Arc<[u8]>, bool) {
        let window = self.window(channel);
        match window.and_then(|window| self.compressed[window].as_ref()) {
            Some(compressed) => (compressed, true),
            None => (&self.plain, false),
        }
    }

    /// Which of the compressed ones it could get: that of its window, or of one that the message fits.
    fn window(&self, channel: &WebSocketChannel) -> Option<usize> {
        let window = channel.deflate()?.server_max_window_bits;
        let window = match mutant!("broadcast_window_too_large") {
            true => MAX_BITS,
            false => window.min(self.fits),
        };
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
fn compress(kind: Data, payload: &[u8], window_bits: u8) -> Option<Arc<[u8]>> {
    let mut deflater = Deflater::new(&DeflateOptions::new(), window_bits, false)?;
    let (mut short, mut frame) = (Vec::new(), Vec::new());
    if !deflater.deflate(payload, &mut short) {
        return None;
    }
    encode_compressed(&mut frame, kind, &short, None);
    Some(frame.into())
}

/// Sends a message to all of these; to how many.
pub(super) fn broadcast(channels: Vec<WebSocketChannel>, kind: Data, payload: &[u8]) -> usize {
    let encoded = Arc::new(Encoded::new(&channels, kind, payload));
    let mut sent = 0;
    // One task for each other loop.
    let mut others: Vec<(EventLoop, Vec<WebSocketChannel>)> = Vec::new();
    for channel in channels {
        let size = encoded.for_channel(&channel).0.len();
        if let Err(e) = channel.reserve(size) {
            channel.refused(e);
            log::debug!("hvloop: no broadcast to {channel:?}: {e}");
            continue;
        }
        let event_loop = channel.event_loop();
        if let Some(local) = event_loop.local() {
            sent += usize::from(channel.send_encoded(&local, &encoded));
            continue;
        }
        sent += 1;
        match others.iter_mut().find(|(to, _)| to.same_loop(event_loop)) {
            Some((_, channels)) => channels.push(channel),
            None => others.push((event_loop.clone(), vec![channel])),
        }
    }
    for (event_loop, channels) in others {
        let channels = Arc::new(channels);
        let (all, data) = (channels.clone(), encoded.clone());
        let posted = event_loop.post_event(move |local: &LocalLoop| {
            for channel in all.iter() {
                channel.send_encoded(local, &data);
            }
        });
        if posted.is_err() {
            // The loop had closed everything.
            sent -= channels.len();
            for channel in channels.iter() {
                channel.release(encoded.for_channel(channel).0.len());
            }
        }
    }
    sent
}
