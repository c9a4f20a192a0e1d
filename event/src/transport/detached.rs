//! A connected socket that is on no loop.

use super::out_queue::OutQueue;
use super::settings::ConnSettings;
use crate::core::account::Account;
use crate::sys::{Address, ShortAddress, Stream};
use std::net::SocketAddr;
use std::sync::Arc;

/// A connected socket on its way to a loop: accepted by a listener, or taken off another loop by
/// [`Conn::leave`](crate::conn::Conn::leave), with what its TLS knows and what it has not sent.
/// [`LocalLoop::adopt`](crate::LocalLoop::adopt) takes it. Dropping it closes the socket.
///
/// libhv: `hio_detach`, `hio_attach`.
#[must_use = "dropping a Transport closes its socket"]
pub struct Transport {
    pub(crate) parts: Box<Parts>,
}

/// See [`Transport`].
pub(crate) struct Parts {
    /// Taken when a loop adopts it.
    pub(crate) stream: Option<Stream>,
    pub(crate) peer: Option<Address>,
    pub(crate) local: Option<ShortAddress>,
    /// It was open on another loop.
    pub(crate) moved: bool,
    /// The peer's end was read there.
    pub(crate) read_closed: bool,
    pub(crate) settings: ConnSettings,
    /// Where what it holds counts, besides its loop.
    pub(crate) account: Option<Arc<Account>>,
    pub(crate) out: OutQueue,
    /// TLS that is to be begun.
    #[cfg(feature = "tls")]
    pub(crate) begin_tls: Option<crate::tls::TlsServerConfig>,
    /// TLS that is there.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Box<super::connection::TlsLayer>>,
}

impl Transport {
    /// The peer's address.
    pub fn peer(&self) -> Option<&Address> {
        self.parts.peer.as_ref()
    }

    /// The peer's IP address and port; `None` of a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.parts.peer.as_ref()?.inet()
    }

    /// The account of the connection's send queue.
    pub fn budget(&self) -> &Arc<super::budget::SendBudget> {
        &self.parts.settings.budget
    }

    fn unsent(&self) -> usize {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.parts.tls {
            return tls.unsent();
        }
        self.parts.out.len()
    }
}

impl Drop for Transport {
    /// What was queued is off the account: it reaches nobody.
    fn drop(&mut self) {
        self.parts.settings.budget.release(self.unsent());
    }
}

debug_fields!(Transport, this: "peer" = this.parts.peer);
