//! What can be set about a UDP socket.

use crate::sys::{DatagramSettings, SocketOptions};

/// Options of a UDP socket, for [`UdpServer::bind`](super::UdpServer::bind) and
/// [`UdpClient::open`](super::UdpClient::open).
#[derive(Debug, Clone)]
#[must_use]
pub struct UdpOptions {
    pub(super) socket: DatagramSettings,
    pub(super) send_limit: usize,
}

impl UdpOptions {
    /// The defaults: no address shared with others, no broadcast, at most 4 MiB queued.
    pub fn new() -> Self {
        Self {
            socket: DatagramSettings::default(),
            send_limit: 4 * 1024 * 1024,
        }
    }

    /// SO_REUSEADDR: several sockets at one address, as receivers of one multicast group on one
    /// machine need it. Default off.
    pub fn reuse_address(mut self, on: bool) -> Self {
        self.socket.reuse_address = on;
        self
    }

    /// SO_BROADCAST: may send to broadcast addresses. Default off.
    pub fn broadcast(mut self, on: bool) -> Self {
        self.socket.broadcast = on;
        self
    }

    /// Options that other sockets have, too. Default: [`SocketOptions::new`].
    pub fn socket(mut self, options: SocketOptions) -> Self {
        self.socket.options = options;
        self
    }

    /// The limit of what waits while the system takes no datagrams, in bytes. Default 4 MiB.
    pub fn send_limit(mut self, bytes: usize) -> Self {
        self.send_limit = bytes;
        self
    }
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self::new()
    }
}
