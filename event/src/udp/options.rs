//! What can be set about a UDP socket.

use crate::sys::DatagramSettings;

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

    /// SO_REUSEPORT: several sockets at one address, among which the system shares datagrams.
    /// Default off.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.socket.reuse_port = on;
        self
    }

    /// SO_BROADCAST: may send to broadcast addresses. Default off.
    pub fn broadcast(mut self, on: bool) -> Self {
        self.socket.broadcast = on;
        self
    }

    /// Whether an IPv6 socket hears no IPv4. Default: as the system does.
    pub fn ipv6_only(mut self, on: bool) -> Self {
        self.socket.ipv6_only = Some(on);
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
