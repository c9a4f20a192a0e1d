//! What can be asked of a loop on its own thread.

use crate::conn::{
    Acceptor, AdoptError, Conn, ConnId, Connect, Handler, ListenerId, Listening, Transport,
};
use crate::conn::{ListenError, ListenErrorKind};
use crate::core::attachments::{Attachment, AttachmentId};
use crate::core::calls::Deferred;
use crate::core::idle::IdleId;
use crate::core::lookup::DnsQuery;
use crate::core::loop_timers::TimerAction;
use crate::core::shared::next_id;
use crate::core::timers::TimerId;
use crate::core::{LocalLoop, lookup};
#[cfg(feature = "cron")]
use crate::cron::{self, CronSchedule};
use crate::error::{CloseReason, LoopClosed};
use crate::event_loop::{EventLoop, once};
use crate::log;
use crate::sys::{Key, clock};
use crate::transport::{connection, listener};
use rand::Rng;
use std::any::Any;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

impl LocalLoop {
    /// The handle of this loop, which may go to other threads.
    pub fn event_loop(&self) -> EventLoop {
        EventLoop::from_shared(self.core().shared.clone())
    }

    /// The time this turn of the loop works with, taken once a turn after the poll
    /// (libhv: `hloop_now`). It is behind by as long as the callbacks of this turn have taken: timers
    /// armed in it count from [`clock_now`](Self::clock_now) instead.
    pub fn now(&self) -> Instant {
        self.core().now()
    }

    /// The time as the clock says it now. Limits to what begins in a callback count from this one, and
    /// are compared with [`now`](Self::now), before which nothing that had come was left unread: so they
    /// are never early, and a slow callback is not taken for a slow peer.
    pub fn clock_now(&self) -> Instant {
        self.core().clock_now()
    }

    /// Whether the loop was told to stop: it takes no connections any more.
    pub fn is_stopping(&self) -> bool {
        self.core().shared.is_stopping()
    }

    /// Calls `f` in the task phase of the next turn. Like [`EventLoop::queue_in_loop`], but for
    /// closures that are not `Send`. Where that one refuses, `f` is dropped uncalled.
    pub fn queue_in_loop(&self, f: impl FnOnce() + 'static) {
        if self.core().shared.has_closed() {
            // Else a call that queues itself would keep the loop from its end.
            log::debug!("hvloop: a call was queued after the loop had closed");
            return self.core().drop_user(f);
        }
        self.core().queue_local(Box::new(f));
    }

    /// Calls `f` once, `delay` from now. See [`EventLoop::set_timeout`]; `f` need not be `Send`.
    pub fn set_timeout(&self, delay: Duration, f: impl FnOnce(TimerId) + 'static) -> TimerId {
        self.set_timer(delay, Some(1), once(f))
    }

    /// Calls `f` every `period`. See [`EventLoop::set_interval`]; `f` need not be `Send`.
    pub fn set_interval(&self, period: Duration, f: impl FnMut(TimerId) + 'static) -> TimerId {
        self.set_timer(period, None, f)
    }

    /// Calls `f` every `period`, `repeat` times (`None`: for ever). See [`EventLoop::set_timer`];
    /// `f` need not be `Send`.
    pub fn set_timer(
        &self,
        period: Duration,
        repeat: Option<u32>,
        f: impl FnMut(TimerId) + 'static,
    ) -> TimerId {
        self.arm(None, clock::now(), period, repeat, Box::new(f))
    }

    /// As `set_timer`, from that time on, under the id that other threads have of it or a new one.
    pub(crate) fn arm(
        &self,
        id: Option<TimerId>,
        from: Instant,
        period: Duration,
        repeat: Option<u32>,
        f: Box<dyn FnMut(TimerId)>,
    ) -> TimerId {
        if repeat == Some(0) {
            self.core().drop_user(f);
            return id.unwrap_or_else(|| TimerId::apart(next_id().get()));
        }
        // `None`: later than the clock can tell. It is there all the same, to be reset and killed.
        let deadline = from.checked_add(period);
        let action = TimerAction::User(f);
        self.core().arm(id, deadline, Some(period), repeat, action)
    }

    /// Calls `f` at the times of a schedule. See [`EventLoop::set_cron`]; `f` need not be `Send`.
    #[cfg(feature = "cron")]
    pub fn set_cron(
        &self,
        schedule: CronSchedule,
        repeat: Option<u32>,
        f: impl FnMut(TimerId) + 'static,
    ) -> TimerId {
        let (wait, repeat, look) = cron::timer(schedule, repeat, f);
        self.set_timer(wait, repeat, look)
    }

    /// Takes a timer off; `false`: it has fired for the last time, or never was. Its callback is
    /// dropped here, or when it returns if it is the one running.
    pub fn kill_timer(&self, id: TimerId) -> bool {
        self.core().kill_timer(id)
    }

    /// Lets a timer count from now again, with a new period if one is given; `false`: there is no
    /// such timer.
    pub fn reset_timer(&self, id: TimerId, period: Option<Duration>) -> bool {
        self.core().reset_timer(id, period)
    }

    /// Calls `f` once each time the loop has nothing to do, before it sleeps; `repeat` times
    /// (`None`: for ever). What `f` begins is done before the sleep. Once a turn at the most: an
    /// idle loop sleeps, where libhv would wake every 100 ms to call again.
    ///
    /// libhv: `hidle_add`.
    pub fn set_idle(&self, repeat: Option<u32>, f: impl FnMut(IdleId) + 'static) -> IdleId {
        let id = IdleId::next();
        self.set_idle_as(id, repeat, f);
        id
    }

    pub(crate) fn set_idle_as(
        &self,
        id: IdleId,
        repeat: Option<u32>,
        f: impl FnMut(IdleId) + 'static,
    ) {
        self.core().set_idle(id, repeat, Box::new(f));
    }

    /// Takes an idle callback off; `false`: it was called for the last time, or never was. Its
    /// callback is dropped here, or when it returns if it is the one running.
    ///
    /// libhv: `hidle_del`.
    pub fn kill_idle(&self, id: IdleId) -> bool {
        self.core().kill_idle(id)
    }

    /// Keeps something of the user's with the loop, in the place of what was there. Dropped on the
    /// loop's thread when the loop has closed.
    ///
    /// libhv: `hloop_set_userdata`.
    pub fn set_context<T: Any>(&self, context: T) {
        let context = Some(Rc::new(context) as Rc<dyn Any>);
        let old = std::mem::replace(&mut *self.core().users.context.borrow_mut(), context);
        self.core().drop_user(old);
    }

    /// What [`set_context`](LocalLoop::set_context) keeps, if it is of type `T`.
    ///
    /// libhv: `hloop_userdata`.
    pub fn context<T: Any>(&self) -> Option<Rc<T>> {
        let context = self.core().users.context.borrow().clone();
        context?.downcast().ok()
    }

    /// The descriptor of the loop's poller, for a host that has a loop of its own (GTK, Qt, another
    /// epoll): readable when the loop has something to do. See
    /// [`prepare_wait`](LocalLoop::prepare_wait). Not to be read, written or closed.
    ///
    /// # Errors
    ///
    /// The loop has closed.
    ///
    /// libuv: `uv_backend_fd`.
    #[cfg(all(unix, not(hvloop_sim)))]
    pub fn backend_fd(&self) -> io::Result<std::os::fd::RawFd> {
        self.core().poller.with(|poller| Ok(poller.fd()))
    }

    /// Call before the host waits: how long it may wait on [`backend_fd`](LocalLoop::backend_fd)
    /// at the most (`None`: without limit). Then, whichever came first, call
    /// [`EventLoop::run_once`] with zero, and this again.
    ///
    /// libuv: `uv_backend_timeout`.
    pub fn prepare_wait(&self) -> Option<Duration> {
        self.core().prepare_wait()
    }

    /// Starts a connection whose events go to `handler`. What happens to it, the first error
    /// included, is told to the handler, never from inside this call.
    ///
    /// # Errors
    ///
    /// The loop is stopping and takes no connections; the handler comes back.
    pub fn connect(
        &self,
        connect: Connect,
        handler: Box<dyn Handler>,
    ) -> Result<ConnId, LoopClosed<Box<dyn Handler>>> {
        connection::connect(self, connect, handler).map(|conn| conn.id())
    }

    /// Takes an open listener on this loop, which from now on accepts.
    ///
    /// # Errors
    ///
    /// The loop is stopping, or what the system said. The listener is closed then, and the acceptor
    /// dropped.
    pub fn listen(
        &self,
        listening: Listening,
        acceptor: Box<dyn Acceptor>,
    ) -> Result<ListenerId, ListenError> {
        let Listening { listener, listen } = listening;
        let address = listen.address.clone();
        match listener::listen(self, listener, listen, acceptor) {
            Ok(key) => Ok(ListenerId(self.core().own(key))),
            Err((e, acceptor)) => {
                self.drop_user(acceptor);
                Err(match self.is_stopping() {
                    true => ListenError::new(ListenErrorKind::LoopClosed, address),
                    false => ListenError::io(e, address),
                })
            }
        }
    }

    /// Closes a listener, at the end of this turn; connections that wait in its backlog are reset.
    pub fn close_listener(&self, id: ListenerId) {
        let key = self.core().mine(id.0);
        self.core().begin_close(self, key, CloseReason::Local);
    }

    /// Takes a connected socket on this loop; its events go to `handler`, [`Handler::on_up`] first,
    /// never from inside this call.
    ///
    /// # Errors
    ///
    /// The loop is stopping and takes no connections; both come back. One that was open on another
    /// loop is taken as long as this one drains, and told to finish.
    ///
    /// libhv: `hio_attach`.
    pub fn adopt(
        &self,
        transport: Transport,
        handler: Box<dyn Handler>,
    ) -> Result<ConnId, AdoptError> {
        connection::adopt(self, transport, handler).map(|conn| conn.id())
    }

    /// Gives a handler that [`connect`](LocalLoop::connect) refused its one `on_close`, with
    /// [`CloseReason::Stopped`], from the loop's own frame.
    pub fn refuse(&self, handler: Box<dyn Handler>) {
        self.refuse_for(handler, CloseReason::Stopped);
    }

    /// As `refuse`, for another reason.
    pub(crate) fn refuse_for(&self, handler: Box<dyn Handler>, reason: CloseReason) {
        let call = move |local: &LocalLoop| {
            handler.on_close(&Conn::none(local), reason);
        };
        self.core().defer(Deferred::Call(Box::new(call)));
    }

    /// Looks up the addresses of `host` on a worker thread and calls `f` with them on this one. An
    /// IP address is answered without asking anybody. Not called if the loop closes before. The zones of
    /// IPv6 addresses are not told: connects and sockets, which need them, are given the name.
    ///
    /// # Errors
    ///
    /// The system had no thread to give.
    pub fn resolve_dns(
        &self,
        host: &str,
        f: impl FnOnce(io::Result<Vec<IpAddr>>) + 'static,
    ) -> io::Result<DnsQuery> {
        let query = DnsQuery::next();
        self.resolve_as(query, host, f).map(|()| query)
    }

    /// As `resolve_dns`, under a name that was given out before.
    pub(crate) fn resolve_as(
        &self,
        query: DnsQuery,
        host: &str,
        f: impl FnOnce(io::Result<Vec<IpAddr>>) + 'static,
    ) -> io::Result<()> {
        let ip = |address: SocketAddr| address.ip();
        let answer = move |found: io::Result<Vec<SocketAddr>>| {
            f(found.map(|addresses| addresses.into_iter().map(ip).collect()));
        };
        lookup::begin(self.core(), query, host, Box::new(answer))
    }

    /// As `resolve_dns`, with the zones of IPv6 addresses; the ports say nothing.
    pub(crate) fn resolve_scoped(
        &self,
        host: &str,
        f: impl FnOnce(io::Result<Vec<SocketAddr>>) + 'static,
    ) -> io::Result<DnsQuery> {
        let query = DnsQuery::next();
        lookup::begin(self.core(), query, host, Box::new(f)).map(|()| query)
    }

    /// Gives a lookup up: its callback is never called, and dropped, here or, if it is still on its way from
    /// another thread, when it arrives. `false`: it is, or was answered already.
    pub fn cancel_dns(&self, query: DnsQuery) -> bool {
        lookup::cancel(self.core(), query)
    }

    /// The connection of that id, if it has not ended.
    pub fn conn(&self, id: ConnId) -> Option<Conn<'_>> {
        Conn::find(self, id)
    }

    /// Puts something on the loop, so that it is told when the loop stops and can be reached from
    /// handles by its id.
    ///
    /// # Errors
    ///
    /// The loop is stopping.
    pub fn attach(&self, attachment: Rc<dyn Attachment>) -> Result<AttachmentId, LoopClosed> {
        if self.is_stopping() {
            return Err(LoopClosed(()));
        }
        let key = self
            .core()
            .users
            .attachments
            .borrow_mut()
            .insert(attachment);
        Ok(AttachmentId(self.core().own(key)))
    }

    /// The id whose number [`AttachmentId::to_bits`] gave, on this loop; any other number names
    /// nothing.
    pub fn attachment_id(&self, bits: u64) -> AttachmentId {
        AttachmentId(self.core().own(Key::from_token(bits as usize)))
    }

    /// The attachment of that id, if it is of type `T`.
    pub fn attachment<T: Attachment>(&self, id: AttachmentId) -> Option<Rc<T>> {
        let key = self.core().mine(id.0);
        let attachment = self.core().users.attachments.borrow().get(key).cloned()?;
        let any: Rc<dyn Any> = attachment;
        any.downcast().ok()
    }

    /// Takes an attachment off the loop.
    pub fn detach(&self, id: AttachmentId) {
        let key = self.core().mine(id.0);
        let attachment = self.core().users.attachments.borrow_mut().remove(key);
        self.core().drop_user(attachment);
    }

    /// Calls code of a user's with the loop's guard: a panic is caught, logged and counted
    /// (`None`), the time is taken. `what` names the callback in log lines.
    pub fn call_user<R>(&self, what: &'static str, f: impl FnOnce() -> R) -> Option<R> {
        self.core().call_user(what, f)
    }

    /// Drops what a user gave, with the same guard.
    pub fn drop_user<T>(&self, value: T) {
        self.core().drop_user(value);
    }

    /// A random number from the loop's cryptographic generator.
    pub fn random_u64(&self) -> u64 {
        self.core().with_rng(Rng::next_u64)
    }

    /// See [`LocalLoop::random_u64`].
    pub fn random_u32(&self) -> u32 {
        self.core().with_rng(Rng::next_u32)
    }
}
