//! A stream as users hold it, on any thread.

pub(super) mod control;
mod requests;
mod sending;

use self::control::Control;
use crate::conn::{Conn, ConnId, SendBudget};
use crate::core::LocalLoop;
use crate::error::CloseReason;
use crate::event_loop::EventLoop;
use crate::log;
use crate::sync::lock;
use crate::sys::Address;
use crate::user_data::UserData;
use crate::{fd_methods, user_data_methods};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// A connection of a [`TcpClient`](crate::TcpClient) or [`TcpServer`](crate::TcpServer): a handle
/// that may be cloned, kept and used on any thread. When the connection has ended, its calls say so;
/// they never reach another one.
///
/// libhv: `hv::SocketChannel`.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<OnLoop>,
}

/// Names a channel among all of the process.
///
/// libhv: `Channel::id`, `hio_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(NonZeroU64);

number_id!(ChannelId);

static CHANNELS: AtomicU64 = AtomicU64::new(0);

impl ChannelId {
    /// A name that no other channel has: for protocols with channels of their own.
    #[must_use]
    pub fn next() -> Self {
        let before = CHANNELS.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::MIN.saturating_add(before))
    }
}

/// The connection on one loop.
struct OnLoop {
    id: ChannelId,
    event_loop: EventLoop,
    conn: ConnId,
    peer: Option<Address>,
    local: Option<Address>,
    budget: Arc<SendBudget>,
    open: AtomicBool,
    #[cfg(all(unix, not(hvloop_sim)))]
    fd: Option<std::os::fd::RawFd>,
    shared: Arc<OnAnyLoop>,
    /// The same connection on the next loop.
    moved: OnceLock<Channel>,
}

/// The connection on whatever loop it is.
#[derive(Default)]
struct OnAnyLoop {
    control: Mutex<Control>,
    /// There is something in `control`.
    asked: AtomicBool,
    user_data: UserData,
    /// What other threads have sent, in order, and the loop has not got.
    outgoing: Mutex<VecDeque<Arc<[u8]>>>,
    /// Known when it has ended.
    lost: AtomicUsize,
}

impl Channel {
    /// The handle of a connection that has come up, or, with `before`, has come to this loop.
    pub(in crate::tcp) fn new(conn: &Conn<'_>, before: Option<&Channel>) -> Self {
        let (id, shared) = match before {
            Some(before) => (before.inner.id, before.inner.shared.clone()),
            None => (ChannelId::next(), Arc::default()),
        };
        let channel = Self {
            inner: Arc::new(OnLoop {
                id,
                event_loop: conn.local().event_loop(),
                conn: conn.id(),
                peer: conn.peer(),
                local: conn.local_address(),
                // Gone only with the connection, which is there.
                budget: conn
                    .budget()
                    .unwrap_or_else(|| Arc::new(SendBudget::new(0))),
                open: AtomicBool::new(true),
                #[cfg(all(unix, not(hvloop_sim)))]
                fd: conn.fd(),
                shared,
                moved: OnceLock::new(),
            }),
        };
        if let Some(before) = before {
            // Set once: a connection leaves a loop once.
            let _ = before.inner.moved.set(channel.clone());
        }
        channel
    }

    /// The connection where it is now.
    fn here(&self) -> &OnLoop {
        let mut inner = &self.inner;
        while let Some(next) = inner.moved.get() {
            inner = &next.inner;
        }
        inner
    }

    /// Ends the connection in order: what was accepted is written first. Any thread, any number of
    /// times; never runs `on_close` in this call.
    ///
    /// libhv: `Channel::close`.
    pub fn close(&self) {
        self.with_conn(|conn| conn.finish(CloseReason::Local));
    }

    /// Ends the connection at the end of this turn, without writing out what is queued. Any thread.
    pub fn close_now(&self) {
        self.with_conn(|conn| conn.close_now(CloseReason::Local));
    }

    /// Ends this side alone, behind what is queued (half close): nothing more can be sent, what the
    /// peer sends still comes, and its end ends the connection. Where the peer has ended its side already
    /// ([`set_allow_half_open`](Channel::set_allow_half_open)) it is the end of both. Any thread.
    pub fn shutdown(&self) {
        self.with_conn(|conn| conn.shutdown());
    }

    /// Takes the connection to another loop, with its callbacks, its TLS and what is queued. While
    /// it is on its way [`send`](Channel::send) on the thread of the loop that it leaves says
    /// [`SendError::NotOpen`](crate::SendError::NotOpen); what other threads send follows it, in order. If the other loop does not take
    /// it, it is closed. Does nothing if it is finishing, or its loop is stopping. Any thread.
    ///
    /// libhv: `hio_detach` and `hio_attach`.
    pub fn move_to(&self, event_loop: &EventLoop) {
        let event_loop = event_loop.clone();
        self.ask(move |control| control.move_to = Some(event_loop));
    }

    user_data_methods!();

    fn user_data(&self) -> &UserData {
        &self.inner.shared.user_data
    }

    fd_methods!();

    #[cfg(all(unix, not(hvloop_sim)))]
    fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
        self.inner.fd
    }

    /// Whether the connection is open; on another thread it may end at any moment.
    ///
    /// libhv: `SocketChannel::isConnected`.
    pub fn is_connected(&self) -> bool {
        self.here().open.load(Ordering::Acquire)
    }

    /// Bytes accepted that the socket has not taken yet.
    ///
    /// libhv: `Channel::writeBufsize`.
    pub fn buffered_amount(&self) -> usize {
        self.inner.budget.queued()
    }

    /// In `on_close` and after it: bytes that were accepted for sending, on whatever thread, and that the
    /// socket never took. What it took may still not have arrived. 0 while the connection is there.
    pub fn lost_bytes(&self) -> usize {
        self.inner.shared.lost.load(Ordering::Relaxed)
    }

    /// The peer's IP address and port; stays readable after the end. `None` of a Unix socket.
    ///
    /// libhv: `SocketChannel::peeraddr`.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer()?.inet()
    }

    /// This side's IP address and port; stays readable after the end. `None` of a Unix socket.
    ///
    /// libhv: `SocketChannel::localaddr`.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_address()?.inet()
    }

    /// The peer's address, which may be that of a Unix socket.
    pub fn peer(&self) -> Option<&Address> {
        self.inner.peer.as_ref()
    }

    /// This side's address, which may be that of a Unix socket.
    pub fn local_address(&self) -> Option<&Address> {
        self.inner.local.as_ref()
    }

    /// The channel's name, the same on every loop that it is moved to.
    ///
    /// libhv: `Channel::id`.
    pub fn id(&self) -> ChannelId {
        self.inner.id
    }

    /// The loop that the connection is on.
    pub fn event_loop(&self) -> &EventLoop {
        &self.here().event_loop
    }

    /// The connection itself, on its loop's thread and while it is there.
    pub fn conn<'a>(&self, local: &'a LocalLoop) -> Option<Conn<'a>> {
        let inner = self.here();
        local.conn(inner.conn).filter(|_| inner.is_on(local))
    }

    /// Does something with the connection on its loop, if it is still there then.
    fn with_conn(&self, f: impl FnOnce(Conn<'_>) + Send + 'static) {
        let channel = self.clone();
        let posted = self.here().event_loop.with_local(move |local| {
            // What was sent before this was asked comes before it.
            channel.flush(local);
            match channel.conn(local) {
                Some(conn) => f(conn),
                // It has moved in between.
                None if channel.is_connected() && !channel.here().is_on(local) => {
                    channel.with_conn(f);
                }
                None => {}
            }
        });
        if posted.is_err() {
            log::debug!("hvloop: a channel was used after the loop had closed everything");
        }
    }

    /// Changes what is asked of the loop's side, and tells it.
    fn ask<R>(&self, f: impl FnOnce(&mut Control) -> R) -> R {
        let shared = &self.inner.shared;
        let result = f(&mut lock(&shared.control));
        shared.asked.store(true, Ordering::Release);
        self.with_conn(|conn| conn.call_handler());
        result
    }

    /// Whether something is asked; then it is taken off.
    pub(in crate::tcp) fn was_asked(&self) -> bool {
        let asked = &self.inner.shared.asked;
        asked.load(Ordering::Relaxed) && asked.swap(false, Ordering::AcqRel)
    }

    /// What is asked is left for later, and maybe for another loop.
    pub(in crate::tcp) fn ask_later(&self) {
        self.inner.shared.asked.store(true, Ordering::Release);
    }

    pub(in crate::tcp) fn with_control<R>(&self, f: impl FnOnce(&mut Control) -> R) -> R {
        f(&mut lock(&self.inner.shared.control))
    }

    pub(in crate::tcp) fn mark_closed(&self, lost: usize) {
        self.inner.shared.lost.store(lost, Ordering::Relaxed);
        self.here().open.store(false, Ordering::Release);
        self.inner.open.store(false, Ordering::Release);
        self.drop_outgoing();
    }
}

impl OnLoop {
    fn is_on(&self, local: &LocalLoop) -> bool {
        self.event_loop.same_loop(&local.event_loop())
    }
}

debug_fields!(Channel, this:
    "id" = this.inner.id.raw(),
    "peer" = this.inner.peer,
    "open" = this.is_connected(),
);
