//! The same message to many connections.

use super::channel::WebSocketChannel;
use super::encoded::Encoded;
use crate::events::Message;
use hvloop_event::log;
use hvloop_event::{EventLoop, LocalLoop};
use std::sync::Arc;

/// Sends a message to all of these; to how many.
pub(super) fn broadcast(channels: Vec<WebSocketChannel>, message: Message<'_>) -> usize {
    let encoded = Arc::new(Encoded::new(
        message,
        channels.iter().map(WebSocketChannel::window),
    ));
    let mut sent = 0;
    // One task for each other loop.
    let mut others: Vec<(EventLoop, Vec<WebSocketChannel>)> = Vec::new();
    for channel in channels {
        let size = encoded.for_window(channel.window()).0.len();
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
                channel.release(encoded.for_window(channel.window()).0.len());
            }
        }
    }
    sent
}

impl WebSocketChannel {
    /// Sends a text to all that are subscribed to a topic but this connection, which need not be
    /// subscribed itself. See [`WebSocketServer::publish_text`](super::WebSocketServer::publish_text).
    pub fn publish_text(&self, topic: &str, text: &str) -> usize {
        broadcast(self.other_subscribers(topic), Message::Text(text))
    }

    /// Sends bytes to all that are subscribed to a topic but this connection. See
    /// [`WebSocketServer::publish_text`](super::WebSocketServer::publish_text).
    pub fn publish_binary(&self, topic: &str, data: &[u8]) -> usize {
        broadcast(self.other_subscribers(topic), Message::Binary(data))
    }
}
