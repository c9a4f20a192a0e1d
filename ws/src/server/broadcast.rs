//! The same message to many connections: encoded once, and one buffer for all queues.

use super::channel::WebSocketChannel;
use crate::deflate::{DeflateOptions, Deflater};
use crate::protocol::{Data, OpCode, encode_compressed, encode_frame};
use hvloop_event::{EventLoop, LocalLoop};
use std::sync::Arc;

/// The window that a compressed broadcast needs: others get it as it is.
const WINDOW_BITS: u8 = 15;
/// Messages shorter than this, in bytes, are not compressed.
const THRESHOLD: usize = 1024;

/// A message as frames, for those that inflate and for those that do not.
pub(super) struct Encoded {
    plain: Arc<[u8]>,
    compressed: Option<Arc<[u8]>>,
}

impl Encoded {
    fn new(kind: Data, payload: &[u8], with_compressed: bool) -> Self {
        let mut plain = Vec::new();
        encode_frame(&mut plain, OpCode::Data(kind), true, payload, None);
        let compressed = with_compressed.then(|| compress(kind, payload)).flatten();
        Self {
            plain: plain.into(),
            compressed,
        }
    }

    /// The frame for that connection, and whether it is the compressed one.
    pub(super) fn for_channel(&self, channel: &WebSocketChannel) -> (&Arc<[u8]>, bool) {
        match &self.compressed {
            Some(compressed) if inflates(channel) => (compressed, true),
            _ => (&self.plain, false),
        }
    }
}

fn inflates(channel: &WebSocketChannel) -> bool {
    let params = channel.deflate();
    params.is_some_and(|params| params.server_max_window_bits >= WINDOW_BITS)
}

/// Compressed by itself, referring to nothing that only some of the peers have.
fn compress(kind: Data, payload: &[u8]) -> Option<Arc<[u8]>> {
    if payload.len() < THRESHOLD {
        return None;
    }
    let mut deflater = Deflater::new(&DeflateOptions::new(), WINDOW_BITS, false)?;
    let (mut short, mut frame) = (Vec::new(), Vec::new());
    if !deflater.deflate(payload, &mut short) {
        return None;
    }
    encode_compressed(&mut frame, kind, &short, None);
    Some(frame.into())
}

/// Sends a message to all of these; to how many.
pub(super) fn broadcast(channels: Vec<WebSocketChannel>, kind: Data, payload: &[u8]) -> usize {
    let encoded = Encoded::new(kind, payload, channels.iter().any(inflates));
    let encoded = Arc::new(encoded);
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
