//! A UDP socket as users hold it, on any thread.

use crate::conn::SendBudget;
use crate::core::LoopCore;
use crate::error::{CloseReason, DatagramError, LoopClosed};
use crate::event_loop::EventLoop;
use crate::log;
use crate::sys::Key;
use crate::sys::{Datagrams, Interface, MulticastOut};
use crate::transport::datagram::{self, check_size};
use crate::user_data::UserData;
use crate::{fd_methods, user_data_methods};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A UDP socket on a loop: a handle that may be cloned, kept and used on any thread.
///
/// libhv: `hv::SocketChannel` of a `UdpClient` or `UdpServer`.
#[derive(Clone)]
pub struct UdpChannel {
    inner: Arc<UdpShared>,
}

struct UdpShared {
    event_loop: EventLoop,
    /// The token of its key; [`NONE`] before the loop knows of it, [`CLOSED`] after the end.
    key: AtomicU64,
    /// Told to close, maybe before the loop knew of it.
    closing: AtomicBool,
    #[cfg(all(unix, not(hvloop_sim)))]
    fd: Option<std::os::fd::RawFd>,
    local: SocketAddr,
    /// Where `send` goes.
    peer: Option<SocketAddr>,
    budget: Arc<SendBudget>,
    user_data: UserData,
}

/// No source has these tokens: their low half is that of `Key::NONE`.
const NONE: u64 = u32::MAX as u64;
const CLOSED: u64 = u64::MAX;

impl UdpChannel {
    pub(super) fn new(
        event_loop: EventLoop,
        socket: &Datagrams,
        local: SocketAddr,
        peer: Option<SocketAddr>,
        send_limit: usize,
    ) -> Self {
        #[cfg(not(all(unix, not(hvloop_sim))))]
        let _ = socket;
        Self {
            inner: Arc::new(UdpShared {
                event_loop,
                key: AtomicU64::new(NONE),
                closing: AtomicBool::new(false),
                #[cfg(all(unix, not(hvloop_sim)))]
                fd: Some(socket.fd()),
                local,
                peer,
                budget: Arc::new(SendBudget::new(send_limit)),
                user_data: UserData::default(),
            }),
        }
    }

    /// Sends one datagram to that address. On the loop's thread it is sent at once, or queued while
    /// the system takes none; from another thread it is handed over first.
    ///
    /// # Errors
    ///
    /// The socket is closed, the datagram is too long for UDP over IPv4 or IPv6, it has to wait and the
    /// queue has no room, or what the system said (such as `EMSGSIZE`: too long for the way); nothing was
    /// taken then. From another thread room in the queue is needed in any case, and what the system says
    /// goes to `on_error`.
    ///
    /// libhv: `UdpServer::sendto`.
    pub fn send_to(&self, data: &[u8], to: SocketAddr) -> Result<(), DatagramError> {
        self.transmit(data, Some(to))
    }

    /// Sends one datagram to the peer of a [`UdpClient`](super::UdpClient).
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpChannel::send_to). The socket of a server has no peer:
    /// [`DatagramError::NotOpen`].
    ///
    /// libhv: `UdpClient::sendto`.
    pub fn send(&self, data: &[u8]) -> Result<(), DatagramError> {
        match self.inner.peer {
            Some(_) => self.transmit(data, None),
            None => Err(DatagramError::NotOpen),
        }
    }

    fn transmit(&self, data: &[u8], to: Option<SocketAddr>) -> Result<(), DatagramError> {
        let inner = &self.inner;
        if !self.is_open() {
            return Err(DatagramError::NotOpen);
        }
        let destination = to.or(inner.peer).ok_or(DatagramError::NotOpen)?;
        check_size(data.len(), destination)?;
        if let (Some(local), Some(key)) = (inner.event_loop.local(), self.key()) {
            return datagram::send(local.core(), key, data, to, false);
        }
        inner.budget.reserve(data.len())?;
        let (channel, data, size) = (self.clone(), data.to_vec(), data.len());
        let posted = inner.event_loop.post_event(move |local| {
            let core = local.core();
            let key = channel.key();
            let sent = key.map(|key| datagram::send(core, key, &data, to, true));
            match (key, sent) {
                (Some(key), Some(Err(DatagramError::Io(e)))) => {
                    tell_error(core, key, e, to);
                }
                // Closed meanwhile; `on_close` tells.
                (_, None | Some(Err(_))) => channel.inner.budget.release(size),
                (_, Some(Ok(()))) => {}
            }
        });
        posted.map_err(|_| {
            inner.budget.release(size);
            DatagramError::LoopClosed
        })
    }

    /// Closes the socket when all that was accepted is sent. Any thread, any number of times.
    ///
    /// libhv: `UdpClient::closesocket`, `UdpServer::closesocket`.
    pub fn close(&self) {
        let channel = self.clone();
        self.inner.closing.store(true, Ordering::Release);
        let closed = self.inner.event_loop.with_local(move |local| {
            if let Some(key) = channel.key() {
                datagram::finish(local, key, CloseReason::Local);
            }
        });
        if closed.is_err() {
            log::debug!("hvloop: close() after the loop had closed everything");
        }
    }

    /// Whether the socket is open, or about to be.
    pub fn is_open(&self) -> bool {
        self.inner.key.load(Ordering::Acquire) != CLOSED
    }

    /// Bytes of datagrams that wait.
    pub fn buffered_amount(&self) -> usize {
        self.inner.budget.queued()
    }

    /// This side's address.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local
    }

    /// The peer of a client's socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.inner.peer
    }

    user_data_methods!();

    fn user_data(&self) -> &UserData {
        &self.inner.user_data
    }

    fd_methods!();

    #[cfg(all(unix, not(hvloop_sim)))]
    fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
        self.inner.fd
    }

    /// The loop that the socket is on.
    pub fn event_loop(&self) -> &EventLoop {
        &self.inner.event_loop
    }

    /// Hears what is sent to a multicast group, on one interface. Any thread; done when the loop
    /// gets to it, and what the system says against it goes to `on_error`.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    pub fn join_multicast(&self, group: IpAddr, on: Interface) -> Result<(), LoopClosed> {
        self.configure(move |socket| socket.set_member(group, on, true))
    }

    /// Hears a multicast group no more. See [`join_multicast`](UdpChannel::join_multicast).
    ///
    /// # Errors
    ///
    /// The loop is closed.
    pub fn leave_multicast(&self, group: IpAddr, on: Interface) -> Result<(), LoopClosed> {
        self.configure(move |socket| socket.set_member(group, on, false))
    }

    /// Whether this machine hears what the socket sends to groups. The system's default: yes.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    pub fn set_multicast_loop(&self, on: bool) -> Result<(), LoopClosed> {
        self.set_multicast(|out| out.loopback = Some(on))
    }

    /// How many hops what the socket sends to groups may go. The system's default: 1.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    pub fn set_multicast_ttl(&self, hops: u32) -> Result<(), LoopClosed> {
        self.set_multicast(|out| out.ttl = Some(hops))
    }

    /// From which interface the socket sends to groups.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    pub fn set_multicast_interface(&self, interface: Interface) -> Result<(), LoopClosed> {
        self.set_multicast(|out| out.interface = Some(interface))
    }

    fn set_multicast(&self, set: impl FnOnce(&mut MulticastOut)) -> Result<(), LoopClosed> {
        let mut out = MulticastOut::default();
        set(&mut out);
        self.configure(move |socket| socket.set_multicast(&out))
    }

    fn configure(
        &self,
        f: impl FnOnce(&Datagrams) -> io::Result<()> + Send + 'static,
    ) -> Result<(), LoopClosed> {
        let channel = self.clone();
        self.inner.event_loop.with_local(move |local| {
            let core = local.core();
            let Some(key) = channel.key() else { return };
            let set = datagram::with_socket(core, key, f);
            if let Some(Err(e)) = set {
                tell_error(core, key, Arc::new(e), None);
            }
        })
    }

    fn key(&self) -> Option<Key> {
        match self.inner.key.load(Ordering::Acquire) {
            NONE | CLOSED => None,
            token => Some(Key::from_token(token as usize)),
        }
    }

    pub(super) fn budget(&self) -> &Arc<SendBudget> {
        &self.inner.budget
    }

    pub(super) fn opened(&self, key: Key) {
        let token = key.to_token() as u64;
        self.inner.key.store(token, Ordering::Release);
    }

    pub(super) fn was_closed(&self) -> bool {
        self.inner.closing.load(Ordering::Acquire)
    }

    pub(super) fn mark_closed(&self) {
        self.inner.key.store(CLOSED, Ordering::Release);
    }
}

/// A send or a setting that another thread, or a call without a result, asked for failed.
fn tell_error(core: &LoopCore, key: Key, e: Arc<io::Error>, to: Option<SocketAddr>) {
    datagram::tell_later(core, key, move |handler, local| {
        local.call_user("datagram error", || handler.on_error(local, &e, to));
    });
}

debug_fields!(UdpChannel, this: "local" = this.inner.local, "open" = this.is_open());
