//! What can be set about what is below a client's WebSocket.

use hvloop_event::{Connect, Proxy, SocketOptions};
use std::time::Duration;

/// See the methods of [`ClientOptions`](super::ClientOptions), which set these.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TransportOptions {
    pub(super) socket: SocketOptions,
    pub(super) write_timeout: Option<Duration>,
    pub(super) send_limit: usize,
    pub(super) proxy: Option<Proxy>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            socket: SocketOptions::new(),
            write_timeout: Some(Duration::from_secs(30)),
            send_limit: Connect::DEFAULT_SEND_LIMIT,
            proxy: None,
        }
    }
}

impl TransportOptions {
    /// The same connect, with these options.
    pub(super) fn apply(&self, connect: Connect) -> Connect {
        connect
            .socket(self.socket.clone())
            .write_timeout(self.write_timeout)
            .proxy(self.proxy.clone())
    }
}
