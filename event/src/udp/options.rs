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

    setters! {
        /// SO_REUSEADDR: several sockets at one address, as receivers of one multicast group on one
        /// machine need it. Default off.
        reuse_address(on: bool) => socket.reuse_address;

        /// SO_BROADCAST: may send to broadcast addresses. Default off.
        broadcast(on: bool) => socket.broadcast;

        /// Options that other sockets have, too. Default: [`SocketOptions::new`].
        socket(options: SocketOptions) => socket.options;

        /// The limit of what waits while the system takes no datagrams, in bytes. Default 4 MiB.
        send_limit(bytes: usize) => send_limit;
    }
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self::new()
    }
}
