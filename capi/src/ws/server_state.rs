//! What is set about a WebSocket server.

use crate::listeners::some_address;
use hvloop::tls::TlsServerConfig;
use hvloop::ws::HttpOptions;
use hvloop::{Listen, LoadBalance, WebSocketServer};

/// What is set.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) balance: Option<LoadBalance>,
    pub(super) max_connections: Option<u32>,
    pub(super) tls: Option<TlsServerConfig>,
    pub(super) http: HttpOptions,
}

impl Settings {
    /// How connections are treated.
    pub(super) fn listen(&self) -> Listen {
        let listen = some_address();
        match &self.tls {
            Some(tls) => listen.with_tls(tls.clone()),
            None => listen,
        }
    }

    pub(super) fn apply(&self, server: &WebSocketServer) {
        server.set_http_options(self.http);
        if let Some(balance) = self.balance {
            server.set_load_balance(balance);
        }
        if let Some(connections) = self.max_connections {
            server.set_max_connections(connections as usize);
        }
    }
}
