//! What can be set about the socket of a client.

use hvloop_event::Connect;
use std::net::SocketAddr;
use std::time::Duration;

/// See the methods of [`ClientOptions`](super::ClientOptions), which set these.
#[derive(Debug, Clone)]
pub(super) struct SocketOptions {
    pub(super) nodelay: bool,
    pub(super) bind: Option<SocketAddr>,
    pub(super) keepalive: Option<Duration>,
    pub(super) user_timeout: Option<Duration>,
    pub(super) send_buffer: Option<usize>,
    pub(super) recv_buffer: Option<usize>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            bind: None,
            keepalive: None,
            user_timeout: None,
            send_buffer: None,
            recv_buffer: None,
        }
    }
}

impl SocketOptions {
    /// The same connect, with these options.
    pub(super) fn apply(&self, connect: Connect) -> Connect {
        let connect = connect
            .nodelay(self.nodelay)
            .keepalive(self.keepalive)
            .user_timeout(self.user_timeout)
            .send_buffer(self.send_buffer)
            .recv_buffer(self.recv_buffer);
        match self.bind {
            Some(local) => connect.bind(local),
            None => connect,
        }
    }
}
