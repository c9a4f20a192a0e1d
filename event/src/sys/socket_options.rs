//! What can be set about a socket, of whatever kind.

use std::net::SocketAddr;
use std::time::Duration;

/// Options of a socket: for [`Connect::socket`](crate::Connect::socket),
/// [`Listen::socket`](crate::Listen::socket) (which sets them for what it accepts, too),
/// [`UdpOptions::socket`](crate::UdpOptions::socket) and the options of a WebSocket client. What means nothing
/// to a socket of its kind, such as `nodelay` to a Unix socket, is not looked at.
///
/// ```
/// use hvloop_event::{Connect, SocketOptions};
/// use std::time::Duration;
///
/// let options = SocketOptions::new().keepalive(Duration::from_secs(60));
/// let connect = Connect::to("example.com", 80).socket(options);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct SocketOptions {
    pub(crate) bind: Option<SocketAddr>,
    pub(crate) ipv6_only: Option<bool>,
    pub(crate) reuse_port: bool,
    pub(crate) nodelay: bool,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) send_buffer: Option<usize>,
    pub(crate) recv_buffer: Option<usize>,
}

impl SocketOptions {
    /// The defaults: TCP_NODELAY on, all else as the system does.
    pub fn new() -> Self {
        Self {
            bind: None,
            ipv6_only: None,
            reuse_port: false,
            nodelay: true,
            keepalive: None,
            user_timeout: None,
            send_buffer: None,
            recv_buffer: None,
        }
    }

    setters! {
        /// Clients, TCP and UDP: the address that the socket is to have at this side; port 0: any port.
        /// Addresses of the host that are of the other family fail. `None`, the default: as the system chooses.
        ///
        /// libhv: `TcpClient::bind`, `hio_set_localaddr`.
        bind(local: impl Into<Option<SocketAddr>>) => bind;

        /// Listeners and UDP: whether an IPv6 socket takes no IPv4 (IPV6_V6ONLY). `None`, the default: as the
        /// system does.
        ipv6_only(on: impl Into<Option<bool>>) => ipv6_only;

        /// Listeners and UDP: several sockets at one address, among which the system shares connections or
        /// datagrams (SO_REUSEPORT). Where the system does not know it, on Windows and Solaris, opening fails.
        /// Default off.
        reuse_port(on: bool) => reuse_port;

        /// TCP: nothing waits for more to be sent with it (TCP_NODELAY). Default on; the loop writes once a turn
        /// anyway.
        nodelay(on: bool) => nodelay;

        /// TCP: let the system probe a peer that has been silent for this long (SO_KEEPALIVE), so that a dead
        /// one is noticed. Whole seconds. `None`, the default: no.
        keepalive(after: impl Into<Option<Duration>>) => keepalive;

        /// TCP: let the system end a connection when what was sent was not acknowledged, or could not be sent,
        /// for this long (TCP_USER_TIMEOUT). Whole milliseconds; Linux and Android, elsewhere a warning is
        /// logged. `None`, the default: as the system does, which may take a quarter of an hour.
        user_timeout(timeout: impl Into<Option<Duration>>) => user_timeout;

        /// The size of the system's buffer for what is sent (SO_SNDBUF), in bytes; the system may take another
        /// one. `None`, the default: as the system chooses, which usually is best.
        send_buffer(bytes: impl Into<Option<usize>>) => send_buffer;

        /// The size of the system's buffer for what comes in (SO_RCVBUF), in bytes; the system may take another
        /// one. `None`, the default: as the system chooses, which usually is best.
        recv_buffer(bytes: impl Into<Option<usize>>) => recv_buffer;
    }
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::new()
    }
}
