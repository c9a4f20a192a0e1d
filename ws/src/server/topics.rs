//! Who wants to hear of what: topics, and the channels that are subscribed to them.

use hvloop_event::ChannelId;
use hvloop_event::lock;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// The topics of a server, whose channels are of type `C`. One that nobody is subscribed to takes no
/// memory.
pub(super) struct Topics<C>(Mutex<Registry<C>>);

/// Both ways: what a message goes to, and what a connection that ends leaves. In both maps, no entry
/// is empty.
struct Registry<C> {
    subscribers: HashMap<Arc<str>, HashMap<ChannelId, C>>,
    topics: HashMap<ChannelId, HashSet<Arc<str>>>,
}

impl<C> Default for Topics<C> {
    fn default() -> Self {
        Self(Mutex::new(Registry {
            subscribers: HashMap::new(),
            topics: HashMap::new(),
        }))
    }
}

impl<C: Clone> Topics<C> {
    /// `false`: `is_open` says that the connection has ended.
    pub(super) fn subscribe(
        &self,
        id: ChannelId,
        channel: &C,
        is_open: impl FnOnce() -> bool,
        topic: &str,
    ) -> bool {
        let mut registry = lock(&self.0);
        // Under the lock: a connection that ends leaves only after it says so.
        if !is_open() {
            return false;
        }
        let topic = match registry.subscribers.get_key_value(topic) {
            Some((known, _)) => known.clone(),
            None => Arc::from(topic),
        };
        let of_topic = registry.subscribers.entry(topic.clone()).or_default();
        of_topic.insert(id, channel.clone());
        registry.topics.entry(id).or_default().insert(topic);
        true
    }

    /// `false`: it was not subscribed.
    pub(super) fn unsubscribe(&self, id: ChannelId, topic: &str) -> bool {
        let gone = {
            let mut registry = lock(&self.0);
            let gone = registry.remove_subscriber(id, topic);
            if let Some(topics) = registry.topics.get_mut(&id) {
                topics.remove(topic);
                if topics.is_empty() {
                    registry.topics.remove(&id);
                }
            }
            debug_assert!(registry.has_no_empty_entry(id, topic));
            gone
        };
        gone.is_some() // dropped with no lock held: its context is the user's
    }

    /// The connection has ended, and says so.
    pub(super) fn leave(&self, id: ChannelId) {
        let gone: Vec<_> = {
            let mut registry = lock(&self.0);
            let topics = registry.topics.remove(&id).unwrap_or_default();
            let remove = |topic: &Arc<str>| {
                let gone = registry.remove_subscriber(id, topic);
                debug_assert!(registry.has_no_empty_entry(id, topic));
                gone
            };
            topics.iter().map(remove).collect()
        };
        drop(gone); // with no lock held: its context is the user's
    }

    pub(super) fn is_subscribed(&self, id: ChannelId, topic: &str) -> bool {
        let registry = lock(&self.0);
        let of_topic = registry.subscribers.get(topic);
        of_topic.is_some_and(|channels| channels.contains_key(&id))
    }

    /// The topics of a connection, in no order.
    pub(super) fn of(&self, id: ChannelId) -> Vec<String> {
        let registry = lock(&self.0);
        let topics = registry.topics.get(&id).into_iter().flatten();
        topics.map(|topic| topic.to_string()).collect()
    }

    /// Who is subscribed, in no order.
    pub(super) fn subscribers(&self, topic: &str) -> Vec<C> {
        let registry = lock(&self.0);
        let channels = registry.subscribers.get(topic).into_iter();
        channels.flat_map(HashMap::values).cloned().collect()
    }

    /// How many there are.
    pub(super) fn number(&self) -> usize {
        lock(&self.0).subscribers.len()
    }

    /// How many are subscribed.
    pub(super) fn count(&self, topic: &str) -> usize {
        lock(&self.0).subscribers.get(topic).map_or(0, HashMap::len)
    }
}

impl<C> Registry<C> {
    fn remove_subscriber(&mut self, id: ChannelId, topic: &str) -> Option<C> {
        let channels = self.subscribers.get_mut(topic)?;
        let gone = channels.remove(&id);
        if channels.is_empty() {
            self.subscribers.remove(topic);
        }
        gone
    }

    /// Whether neither map has an empty entry for these.
    fn has_no_empty_entry(&self, id: ChannelId, topic: &str) -> bool {
        let subscribers = self.subscribers.get(topic);
        let topics = self.topics.get(&id);
        subscribers.is_none_or(|channels| !channels.is_empty())
            && topics.is_none_or(|topics| !topics.is_empty())
    }
}
