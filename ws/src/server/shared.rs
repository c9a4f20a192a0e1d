//! What a server and its connections share.

use super::channel::WebSocketChannel;
use super::http_options::HttpOptions;
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
    pub(super) settings: Mutex<Settings>,
    channels: Mutex<HashMap<ChannelId, WebSocketChannel>>,
    pub(super) topics: Arc<Topics<WebSocketChannel>>,
}

#[derive(Clone, Default)]
pub(super) struct Settings {
    routes: Arc<Routes>,
    pub(super) http: Option<OnHttp>,
    pub(super) failed: Option<OnFailed>,
    pub(super) handshake: HandshakeLimits,
    pub(super) http_options: HttpOptions,
}

impl ServerShared {
    pub(super) fn add_route(&self, path: String, service: WebSocketService) {
        change(&self.settings, |settings| {
            let with = settings.routes.with(path, Arc::new(service));
            std::mem::replace(&mut settings.routes, Arc::new(with))
        });
    }

    /// The service of that path.
    pub(super) fn service(&self, path: &str) -> Option<Arc<WebSocketService>> {
        let routes = lock(&self.settings).routes.clone();
        routes.find(path)
    }

    /// Whether the user answers requests that ask for no WebSocket.
    pub(super) fn answers_http(&self) -> bool {
        lock(&self.settings).http.is_some()
    }

    pub(super) fn channels(&self) -> Vec<WebSocketChannel> {
        lock(&self.channels).values().cloned().collect()
    }

    pub(super) fn channel(&self, id: ChannelId) -> Option<WebSocketChannel> {
        lock(&self.channels).get(&id).cloned()
    }

    pub(super) fn enter(&self, channel: &WebSocketChannel) {
        lock(&self.channels).insert(channel.id(), channel.clone());
    }

    pub(super) fn leave(&self, channel: &WebSocketChannel) {
        self.topics.leave(channel.id());
        change(&self.channels, |channels| channels.remove(&channel.id()));
    }
}
