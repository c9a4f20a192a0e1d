//! What a server and its connections share.

use super::channel::WebSocketChannel;
use super::routes::Routes;
use super::service::WebSocketService;
use super::topics::Topics;
use crate::events::ConnectionError;
use crate::handshake::{HandshakeLimits, HttpRequest, HttpResponse};
use hvloop_event::{Address, ChannelId};
use hvloop_event::{change, lock};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

type OnHttp = Arc<dyn Fn(&HttpRequest) -> HttpResponse + Send + Sync>;
type OnFailed = Arc<dyn Fn(Option<&Address>, &ConnectionError) + Send + Sync>;

/// See the module.
#[derive(Default)]
pub(super) struct ServerShared {
    settings: Mutex<Settings>,
    channels: Mutex<HashMap<ChannelId, WebSocketChannel>>,
    topics: Arc<Topics<WebSocketChannel>>,
}

#[derive(Clone, Default)]
struct Settings {
    routes: Arc<Routes>,
    http: Option<OnHttp>,
    failed: Option<OnFailed>,
    handshake: HandshakeLimits,
}

impl ServerShared {
    pub(super) fn add_route(&self, path: String, service: WebSocketService) {
        change(&self.settings, |settings| {
            let with = settings.routes.with(path, Arc::new(service));
            std::mem::replace(&mut settings.routes, Arc::new(with))
        });
    }

    pub(super) fn set_http(&self, f: OnHttp) {
        change(&self.settings, |settings| settings.http.replace(f));
    }

    pub(super) fn set_failed(&self, f: OnFailed) {
        change(&self.settings, |settings| settings.failed.replace(f));
    }

    pub(super) fn set_handshake(&self, limits: HandshakeLimits) {
        lock(&self.settings).handshake = limits;
    }

    pub(super) fn handshake(&self) -> HandshakeLimits {
        lock(&self.settings).handshake
    }

    pub(super) fn http(&self) -> Option<OnHttp> {
        lock(&self.settings).http.clone()
    }

    pub(super) fn failed(&self) -> Option<OnFailed> {
        lock(&self.settings).failed.clone()
    }

    /// The service of that path.
    pub(super) fn service(&self, path: &str) -> Option<Arc<WebSocketService>> {
        let routes = lock(&self.settings).routes.clone();
        routes.find(path)
    }

    pub(super) fn channels(&self) -> Vec<WebSocketChannel> {
        lock(&self.channels).values().cloned().collect()
    }

    pub(super) fn channel(&self, id: ChannelId) -> Option<WebSocketChannel> {
        lock(&self.channels).get(&id).cloned()
    }

    pub(super) fn topics(&self) -> &Arc<Topics<WebSocketChannel>> {
        &self.topics
    }

    pub(super) fn enter(&self, channel: &WebSocketChannel) {
        lock(&self.channels).insert(channel.id(), channel.clone());
    }

    pub(super) fn leave(&self, channel: &WebSocketChannel) {
        self.topics.leave(channel.id());
        change(&self.channels, |channels| channels.remove(&channel.id()));
    }
}
