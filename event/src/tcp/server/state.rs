//! What a server and its connections share.

use crate::core::LocalLoop;
use crate::error::CloseReason;
use crate::event_loop::EventLoop;
use crate::framing::Unpack;
use crate::log;
use crate::sync::{change, lock};
use crate::sys::Address;
use crate::tcp::channel::{Channel, ChannelId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

type OnChannel = Arc<dyn Fn(&Channel) + Send + Sync>;
type OnWritten = Arc<dyn Fn(&Channel, usize) + Send + Sync>;
type OnMessage = Arc<dyn Fn(&Channel, &mut [u8]) + Send + Sync>;
type OnClose = Arc<dyn Fn(&Channel, &CloseReason) + Send + Sync>;
type OnFailed = Arc<dyn Fn(Option<&Address>, &CloseReason) + Send + Sync>;

/// What the server and its connections share.
#[derive(Default)]
pub(super) struct ServerState {
    callbacks: Mutex<Arc<ServerCallbacks>>,
    pub(super) unpack: Mutex<Option<Unpack>>,
    channels: Mutex<HashMap<ChannelId, Channel>>,
}

#[derive(Clone, Default)]
pub(super) struct ServerCallbacks {
    pub(super) connection: Option<OnChannel>,
    pub(super) message: Option<OnMessage>,
    pub(super) write_complete: Option<OnWritten>,
    pub(super) end: Option<OnChannel>,
    pub(super) close: Option<OnClose>,
    pub(super) failed: Option<OnFailed>,
}

impl ServerState {
    pub(super) fn channel(&self, id: ChannelId) -> Option<Channel> {
        lock(&self.channels).get(&id).cloned()
    }

    /// Sends the same bytes to all: one task for each other loop.
    pub(super) fn broadcast(&self, data: &Arc<[u8]>) -> usize {
        let mut sent = 0;
        let mut others: Vec<(EventLoop, Vec<Channel>)> = Vec::new();
        for channel in self.channels() {
            let event_loop = channel.event_loop();
            if event_loop.local().is_some() {
                sent += usize::from(channel.send_shared(data).is_ok());
                continue;
            }
            if let Err(e) = channel.reserve(data.len()) {
                log::debug!("hvloop: no broadcast to {channel:?}: {e}");
                continue;
            }
            sent += 1;
            if !channel.put_in_line(data.clone()) {
                continue; // somebody flushes it already
            }
            match others.iter_mut().find(|(to, _)| to.same_loop(event_loop)) {
                Some((_, channels)) => channels.push(channel),
                None => others.push((event_loop.clone(), vec![channel])),
            }
        }
        for (event_loop, channels) in others {
            let channels = Arc::new(channels);
            let all = channels.clone();
            let flush = move |local: &LocalLoop| {
                all.iter().for_each(|channel| channel.flush(local));
            };
            if event_loop.post_event(flush).is_err() {
                // The loop had closed everything.
                sent -= channels.len();
                channels.iter().for_each(Channel::drop_outgoing);
            }
        }
        sent
    }

    pub(super) fn set(&self, f: impl FnOnce(&mut ServerCallbacks)) {
        change(&self.callbacks, |callbacks| {
            let mut fresh = ServerCallbacks::clone(callbacks);
            f(&mut fresh);
            std::mem::replace(callbacks, Arc::new(fresh))
        });
    }

    pub(super) fn callbacks(&self) -> Arc<ServerCallbacks> {
        lock(&self.callbacks).clone()
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        lock(&self.channels).values().cloned().collect()
    }

    /// The connection is up, or has come to another loop: then the handle is another one.
    pub(super) fn enter(&self, channel: &Channel) {
        lock(&self.channels).insert(channel.id(), channel.clone());
    }

    /// It has ended.
    pub(super) fn leave(&self, channel: &Channel) {
        change(&self.channels, |channels| channels.remove(&channel.id()));
    }
}
