//! What can be set about what is below a client's WebSocket.

use hvloop_event::{Connect, Proxy};
use std::net::SocketAddr;
use std::time::Duration;

/// See the methods of [`ClientOptions`](super::ClientOptions), which set these.
#[derive(Debug, Clone)]
pub(super) struct TransportOptions {
    pub(super) nodelay: bool,
    pub(super) bind: Option<SocketAddr>,
    pub(super) keepalive: Option<Duration>,
    pub(super) user_timeout: Option<Duration>,
    pub(super) send_buffer: Option<usize>,
    pub(super) recv_buffer: Option<usize>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) send_limit: usize,
    pub(super) proxy: Option<Proxy>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            bind: None,
            keepalive: None,
            user_timeout: None,
            send_buffer: None,
            recv_buffer: None,
            write_timeout: Some(Duration::from_secs(30)),
            send_limit: Connect::DEFAULT_SEND_LIMIT,
            proxy: None,
        }
    }
}

impl TransportOptions {
    /// The same connect, with these options.
    pub(super) fn apply(&self, connect: Connect) -> Connect {
        let connect = connect
            .nodelay(self.nodelay)
            .keepalive(self.keepalive)
            .user_timeout(self.user_timeout)
            .send_buffer(self.send_buffer)
            .recv_buffer(self.recv_buffer)
            .write_timeout(self.write_timeout)
            .proxy(self.proxy.clone());
        match self.bind {
            Some(local) => connect.bind(local),
            None => connect,
        }
    }
}
