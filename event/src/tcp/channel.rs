//! A stream as users hold it, on any thread.

use super::control::{Control, Cut};
use crate::conn::{Conn, ConnId, SendBudget};
use crate::core::shared::lock;
use crate::error::{CloseReason, SendError};
use crate::event_loop::EventLoop;
use crate::framing::{ReadMode, Unpack};
use crate::local_loop::LocalLoop;
use crate::sys::Address;
use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// A connection of a [`TcpClient`](crate::TcpClient) or [`TcpServer`](crate::TcpServer): a handle
/// that may be cloned, kept and used on any thread. When the connection has ended, its calls say so;
/// they never reach another one.
///
/// libhv: `hv::SocketChannel`.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

/// Names a channel among all of the process.
///
/// libhv: `Channel::id`, `hio_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(u64);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

struct Inner {
    id: ChannelId,
    event_loop: EventLoop,
    conn: ConnId,
    peer: Option<Address>,
    local: Option<Address>,
    budget: Arc<SendBudget>,
    open: AtomicBool,
    /// What the connection has on every loop that it comes to.
    shared: Arc<Shared>,
    /// The loop that it is on its way to.
    leaving_for: OnceLock<EventLoop>,
    /// The same connection on the next loop.
    moved: OnceLock<Channel>,
}

#[derive(Default)]
struct Shared {
    control: Mutex<Control>,
    /// There is something in `control`.
    asked: AtomicBool,
    context: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

impl Channel {
    /// The handle of a connection that has come up, or, with `before`, has come to this loop.
    pub(super) fn new(conn: &Conn<'_>, before: Option<&Channel>) -> Self {
        let (id, shared) = match before {
            Some(before) => (before.inner.id, before.inner.shared.clone()),
            None => (
                ChannelId(NEXT_ID.fetch_add(1, Ordering::Relaxed)),
                Arc::default(),
            ),
        };
        let channel = Self {
            inner: Arc::new(Inner {
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
                shared,
                leaving_for: OnceLock::new(),
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
    fn here(&self) -> &Inner {
        let mut inner = &self.inner;
        while let Some(next) = inner.moved.get() {
            inner = &next.inner;
        }
        inner
    }

    /// Queues bytes for the peer. On the loop's thread they are copied once and written at the end
    /// of the turn; from another thread they are handed over first.
    ///
    /// # Errors
    ///
    /// Not open, no room in the send queue, or the loop is closed; nothing was taken then. From
    /// another thread the connection may still end before the bytes get there.
    ///
    /// libhv: `Channel::write`.
    pub fn send(&self, data: &[u8]) -> Result<(), SendError> {
        let inner = self.here();
        if let Some(local) = inner.event_loop.local() {
            let conn = local.conn(inner.conn).ok_or(SendError::NotOpen)?;
            return conn.send(data);
        }
        self.reserve(data.len())?;
        self.post(Arc::from(data))
    }

    /// As [`send`](Channel::send), for bytes that go to several channels: where they are many, the
    /// queues share them instead of copying.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_shared(&self, data: &Arc<[u8]>) -> Result<(), SendError> {
        let inner = self.here();
        if let Some(local) = inner.event_loop.local() {
            let conn = local.conn(inner.conn).ok_or(SendError::NotOpen)?;
            return conn.send_shared(data);
        }
        self.reserve(data.len())?;
        self.post(data.clone())
    }

    /// Takes room for so many bytes.
    pub(super) fn reserve(&self, size: usize) -> Result<(), SendError> {
        let inner = self.here();
        match inner.open.load(Ordering::Acquire) {
            true => inner.budget.reserve(size),
            false => Err(SendError::NotOpen),
        }
    }

    /// Gives room back that was taken for bytes which go nowhere.
    pub(super) fn give_back(&self, size: usize) {
        self.inner.budget.release(size);
    }

    /// Hands bytes, for which there is room, over to the connection's loop.
    fn post(&self, data: Arc<[u8]>) -> Result<(), SendError> {
        let inner = self.here();
        let (channel, size) = (self.clone(), data.len());
        let deliver = move |local: &LocalLoop| channel.deliver(local, data);
        let posted = inner.event_loop.post_event(deliver);
        posted.map_err(|_| {
            inner.budget.release(size);
            SendError::LoopClosed
        })
    }

    /// Bytes, for which there is room, have come to the connection's loop, or to the one that it
    /// was on.
    pub(super) fn deliver(&self, local: &LocalLoop, data: Arc<[u8]>) {
        let inner = self.here();
        if let Some(conn) = self.conn(local) {
            // Refused means: closed meanwhile; `on_close` tells.
            let _ = conn.send_shared_reserved(&data);
            return;
        }
        // It left in between: what was accepted follows it, behind its arrival.
        let next = match inner.is_on(local) {
            true => inner.leaving_for.get(),
            false => Some(&inner.event_loop),
        };
        let (channel, size) = (self.clone(), data.len());
        let sent = next.map(|to| to.post_event(move |local| channel.deliver(local, data)));
        if !matches!(sent, Some(Ok(()))) {
            inner.budget.release(size);
        }
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
    /// peer sends still comes, and its end ends the connection. Any thread.
    pub fn shutdown(&self) {
        self.with_conn(|conn| conn.shutdown());
    }

    /// Reads no further for now, so that the peer is held back. What was read already still comes,
    /// but for packages of [`set_unpack`](Channel::set_unpack), which wait. Any thread.
    ///
    /// libhv: `Channel::stopRead`, `hio_read_stop`.
    pub fn pause_reading(&self) {
        self.with_conn(|conn| conn.pause_reading());
    }

    /// Reads again, all that comes, also after [`read_once`](Channel::read_once) and its like. Any
    /// thread.
    ///
    /// libhv: `Channel::startRead`, `hio_read_start`.
    pub fn resume_reading(&self) {
        self.ask(|control| control.resume = true);
    }

    /// `on_message` gets packages instead of bytes as they come (`None`: bytes again), from the
    /// first byte that it has not had. Bytes that break the rule close the connection with
    /// [`CloseReason::Unpack`]. Any thread.
    ///
    /// libhv: `Channel::setUnpack`, `hio_set_unpack`.
    pub fn set_unpack(&self, unpack: Option<Unpack>) {
        let cut = unpack.map_or(Cut::Not, Cut::Packages);
        self.ask(|control| control.cut = Some(cut));
    }

    /// Lets one more read come, whatever it is, and pauses after it: `on_message` gets it. Any
    /// thread.
    ///
    /// libhv: `Channel::readOnce`, `hio_read_once`.
    pub fn read_once(&self) {
        self.read_next(ReadMode::Any);
    }

    /// Lets one more line come, with its `\n`, and pauses after it: `on_message` gets it whole. One
    /// longer than 2 MiB closes the connection. Any thread.
    ///
    /// libhv: `Channel::readLine`, `hio_readline`.
    pub fn read_line(&self) {
        self.read_next(ReadMode::LINE);
    }

    /// Lets all up to the next `byte` come, with it, and pauses after that; as
    /// [`read_line`](Channel::read_line).
    ///
    /// libhv: `hio_read_until_delim`.
    pub fn read_until(&self, byte: u8) {
        self.read_next(ReadMode::Until(byte));
    }

    /// Lets a string of C come, with its `\0`, and pauses after it; as
    /// [`read_line`](Channel::read_line).
    ///
    /// libhv: `Channel::readString`, `hio_readstring`.
    pub fn read_string(&self) {
        self.read_next(ReadMode::STRING);
    }

    /// Lets so many bytes come, and pauses after them: `on_message` gets them whole. More than
    /// 2 MiB closes the connection; zero asks for nothing. Any thread.
    ///
    /// libhv: `Channel::readBytes`, `hio_readbytes`.
    pub fn read_bytes(&self, count: usize) {
        if let Some(count) = NonZeroUsize::new(count) {
            self.read_next(ReadMode::Bytes(count));
        }
    }

    fn read_next(&self, mode: ReadMode) {
        self.ask(|control| control.cut = Some(Cut::Once(mode)));
    }

    /// Calls `f` every `period` on the loop's thread while the connection is open, in the place of
    /// an earlier one: for what keeps the connection alive. Any thread.
    ///
    /// libhv: `Channel::setHeartbeat`, `hio_set_heartbeat`.
    pub fn set_heartbeat(&self, period: Duration, f: impl FnMut(&Channel) + Send + 'static) {
        let beat = Some((period, Box::new(f) as super::control::OnBeat));
        let old = self.ask(|control| control.beat.replace(beat));
        drop(old); // with no lock held: it is the user's
    }

    /// Takes the heartbeat off. Any thread.
    ///
    /// libhv: `setHeartbeat` with no interval.
    pub fn clear_heartbeat(&self) {
        let old = self.ask(|control| control.beat.replace(None));
        drop(old);
    }

    /// Closes the connection when nothing was read for this long, counted from now; `None`: no
    /// limit. See [`Connect::read_timeout`](crate::Connect::read_timeout). Any thread.
    ///
    /// libhv: `Channel::setReadTimeout`, `hio_set_read_timeout`.
    pub fn set_read_timeout(&self, limit: Option<Duration>) {
        self.with_conn(move |conn| conn.set_read_timeout(limit));
    }

    /// Closes the connection when nothing was read or written for this long; `None`: no limit. See
    /// [`Connect::idle_timeout`](crate::Connect::idle_timeout). Any thread.
    ///
    /// libhv: `Channel::setKeepaliveTimeout`, `hio_set_keepalive_timeout`.
    pub fn set_idle_timeout(&self, limit: Option<Duration>) {
        self.with_conn(move |conn| conn.set_idle_timeout(limit));
    }

    /// Closes the connection when the peer takes nothing of the queue for this long; `None`: never.
    /// See [`Connect::write_stall`](crate::Connect::write_stall). Any thread.
    ///
    /// libhv: `Channel::setWriteTimeout`, `hio_set_write_timeout`.
    pub fn set_write_stall(&self, limit: Option<Duration>) {
        self.with_conn(move |conn| conn.set_write_stall(limit));
    }

    /// Takes the connection to another loop, with its callbacks, its TLS and what is queued. While
    /// it is on its way [`send`](Channel::send) on a loop's thread says
    /// [`SendError::NotOpen`]; what other threads send follows it. If the other loop does not take
    /// it, it is closed. Does nothing if it is finishing, or its loop is stopping. Any thread.
    ///
    /// libhv: `hio_detach` and `hio_attach`.
    pub fn move_to(&self, event_loop: &EventLoop) {
        let event_loop = event_loop.clone();
        self.ask(move |control| control.move_to = Some(event_loop));
    }

    /// Keeps something of the user's with the connection, in the place of what was there.
    ///
    /// libhv: `Channel::setContext`, `newContext`.
    pub fn set_context<T: Any + Send + Sync>(&self, context: T) {
        let context = Some(Arc::new(context) as Arc<dyn Any + Send + Sync>);
        let old = std::mem::replace(&mut *lock(&self.inner.shared.context), context);
        drop(old); // with no lock held: it is the user's
    }

    /// What [`set_context`](Channel::set_context) keeps, if it is of type `T`.
    ///
    /// libhv: `Channel::context`, `getContext`.
    pub fn context<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let context = lock(&self.inner.shared.context).clone();
        context?.downcast().ok()
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
    pub(super) fn was_asked(&self) -> bool {
        let asked = &self.inner.shared.asked;
        asked.load(Ordering::Relaxed) && asked.swap(false, Ordering::AcqRel)
    }

    pub(super) fn with_control<R>(&self, f: impl FnOnce(&mut Control) -> R) -> R {
        f(&mut lock(&self.inner.shared.control))
    }

    /// The connection is about to leave its loop for that one.
    pub(super) fn leave_for(&self, event_loop: &EventLoop) {
        // Set once: a connection leaves a loop once.
        let _ = self.inner.leaving_for.set(event_loop.clone());
    }

    pub(super) fn mark_closed(&self) {
        self.here().open.store(false, Ordering::Release);
        self.inner.open.store(false, Ordering::Release);
    }
}

impl Inner {
    fn is_on(&self, local: &LocalLoop) -> bool {
        self.event_loop.same_loop(&local.event_loop())
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.inner.id.0)
            .field("peer", &self.inner.peer)
            .field("open", &self.is_connected())
            .finish_non_exhaustive()
    }
}

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<Channel>();
};
