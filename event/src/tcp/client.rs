//! A TCP (or TLS) client.

use super::channel::Channel;
use super::retry::Retry;
use super::session::{BackOffWait, ClientCallbacks, CurrentSession, Session};
use crate::conn::Connect;
use crate::core::LocalLoop;
use crate::error::{CloseReason, SendError};
use crate::event_loop::EventLoop;
use crate::framing::Unpack;
use crate::log;
use crate::machine::backoff::{PolicyError, ReconnectPolicy};
use crate::proxy::ProxyTargetError;
use crate::sync::{change, lock};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A TCP client: one connection at a time, its callbacks on the loop's thread.
///
/// Callbacks are set before [`connect`](TcpClient::connect), belong to that one call (and to the
/// reconnects that [`set_reconnect`](TcpClient::set_reconnect) lets follow) and are dropped on the
/// loop's thread right after the last `on_close`, so that what they captured goes with them.
///
/// ```no_run
/// use hvloop_event::{Connect, EventLoopThread, TcpClient};
///
/// let thread = EventLoopThread::new()?;
/// thread.start()?;
/// let client = TcpClient::new(thread.event_loop());
/// client.on_connect(|channel| channel.send(b"hello").unwrap_or_else(|e| eprintln!("{e}")));
/// client.on_message(|channel, data| {
///     println!("{} bytes from {:?}", data.len(), channel.peer_addr());
///     channel.close();
/// });
/// client.on_close(|_, reason| println!("{reason}"));
/// client.connect(Connect::to("127.0.0.1", 7))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::TcpClient`.
pub struct TcpClient {
    event_loop: EventLoop,
    callbacks: Mutex<ClientCallbacks>,
    /// For the next `connect`.
    unpack: Mutex<Option<Unpack>>,
    current: Arc<Mutex<CurrentSession>>,
}

/// Why [`TcpClient::connect`] began nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A connection, or an attempt, is there already: close it first.
    #[error("the client is open already")]
    AlreadyOpen,
    /// The loop takes no connections any more.
    #[error("the event loop is closed")]
    LoopClosed,
    /// The target cannot be asked of the proxy.
    #[error("the proxy cannot be asked: {0}")]
    Proxy(#[from] ProxyTargetError),
    /// The socket that was to be used cannot be: it is of another type, not connected, or the system said so.
    /// For [`UdpClient::open_socket`](crate::UdpClient::open_socket).
    #[error("the socket cannot be used: {0}")]
    Socket(std::io::ErrorKind),
}

impl TcpClient {
    /// A client on that loop, which need not run yet: what is asked for waits until it does. The
    /// client never starts, runs or stops the loop.
    #[must_use]
    pub fn new(event_loop: &EventLoop) -> Self {
        Self {
            event_loop: event_loop.clone(),
            callbacks: Mutex::default(),
            unpack: Mutex::default(),
            current: Arc::default(),
        }
    }

    /// Called when connected (and TLS is up).
    ///
    /// libhv: `TcpClient::onConnection`, connected.
    pub fn on_connect(&self, f: impl FnMut(&Channel) + Send + 'static) {
        change(&self.callbacks, |callbacks| {
            callbacks.connect.replace(Box::new(f))
        });
    }

    /// Called with bytes as they come, in the loop's own buffer.
    ///
    /// libhv: `TcpClient::onMessage`.
    pub fn on_message(&self, f: impl FnMut(&Channel, &mut [u8]) + Send + 'static) {
        change(&self.callbacks, |callbacks| {
            callbacks.message.replace(Box::new(f))
        });
    }

    /// Called when the peer has ended its side, in order: nothing more comes from it. What is sent here
    /// still goes out. Then this side ends, too, unless it may
    /// [stay half open](crate::Connect::allow_half_open). While reading is paused the end waits, like what is
    /// before it.
    ///
    /// Node: `'end'`; libuv: `UV_EOF`; Netty: `ChannelInputShutdownEvent`.
    pub fn on_end(&self, f: impl FnMut(&Channel) + Send + 'static) {
        change(&self.callbacks, |callbacks| {
            callbacks.end.replace(Box::new(f))
        });
    }

    /// Called when everything that was queued has been written, with how many bytes that were since the last
    /// time.
    ///
    /// libhv: `TcpClient::onWriteComplete`.
    pub fn on_write_complete(&self, f: impl FnMut(&Channel, usize) + Send + 'static) {
        change(&self.callbacks, |callbacks| {
            callbacks.write_complete.replace(Box::new(f))
        });
    }

    /// Called exactly once per attempt, as the last of its callbacks; without a channel if the
    /// connection never came up. There is one attempt per accepted [`connect`](TcpClient::connect),
    /// and one more for each reconnect.
    ///
    /// libhv: `TcpClient::onConnection`, disconnected.
    pub fn on_close(&self, f: impl FnMut(Option<&Channel>, &CloseReason) + Send + 'static) {
        change(&self.callbacks, |callbacks| {
            callbacks.close.replace(Box::new(f))
        });
    }

    /// Connects again when a connection, or an attempt, has ended by anything but
    /// [`close`](TcpClient::close), the loop's stop, or a refusal that would come again
    /// ([`CloseReason::is_permanent`]; [`reconnect_if`](TcpClient::reconnect_if) may see that otherwise);
    /// `None`, the default: does not. Any thread, at any time: it holds for what is under way, too. A wait for the
    /// next attempt goes on as it is, and the attempts so far still count; but `None` ends it. (Then nothing
    /// is called any more: the last attempt has had its `on_close`, or, if
    /// [`connect`](TcpClient::connect) has begun none yet, has it now.)
    ///
    /// # Errors
    ///
    /// The policy contradicts itself; nothing was changed.
    ///
    /// libhv: `TcpClient::setReconnect`.
    pub fn set_reconnect(
        &self,
        policy: impl Into<Option<ReconnectPolicy>>,
    ) -> Result<(), PolicyError> {
        let policy = policy.into();
        if let Some(policy) = &policy {
            policy.validate()?;
        }
        let (session, waits) = {
            let mut current = lock(&self.current);
            current.policy = policy;
            (current.sessions.number(), current.sessions.is_live())
        };
        if policy.is_none() && waits {
            self.cancel_wait(session);
        }
        Ok(())
    }

    /// Ends the wait of that session for its next attempt, unless it has a policy again by then.
    fn cancel_wait(&self, session: u64) {
        let current = self.current.clone();
        let cancelled = self.event_loop.with_local(move |local| {
            let waiting = {
                let mut current = lock(&current);
                let cancels = current.sessions.is(session) && current.policy.is_none();
                cancels.then(|| current.waiting.take()).flatten()
            };
            if let Some(waiting) = waiting {
                BackOffWait::cancel(local, waiting);
            }
        });
        if cancelled.is_err() {
            log::debug!("hvloop: set_reconnect() after the loop had closed everything");
        }
    }

    /// Asks `f` whether an attempt is to follow upon an end that another one may follow
    /// ([`set_reconnect`](TcpClient::set_reconnect)), right before `on_close` tells of it, in the place of
    /// `!reason.is_permanent()`. Belongs to the next [`connect`](TcpClient::connect), like the callbacks.
    pub fn reconnect_if(&self, f: impl FnMut(&CloseReason) -> bool + Send + 'static) {
        change(&self.callbacks, |callbacks| {
            callbacks.reconnect_if.replace(Box::new(f))
        });
    }

    /// `on_message` gets packages that are cut by this rule; `None`, the default: bytes as they
    /// come. For the next [`connect`](TcpClient::connect); see [`Channel::set_unpack`] for one that
    /// is up.
    ///
    /// libhv: `TcpClient::setUnpack`.
    pub fn set_unpack(&self, unpack: impl Into<Option<Unpack>>) {
        *lock(&self.unpack) = unpack.into();
    }

    /// Whether the attempt under way, or the connection, is a reconnect: for `on_connect` and
    /// `on_close`.
    ///
    /// libhv: `TcpClient::isReconnect`.
    pub fn is_reconnect(&self) -> bool {
        lock(&self.current).reconnects > 0
    }

    /// How many attempts have followed one another without a stable session
    /// ([`ReconnectPolicy::stable_after`]) before the one under way, or which is up, or is waited for: what
    /// [`ReconnectPolicy::max_retries`] limits. In `on_close`: before the one that has ended.
    ///
    /// libhv: `reconn_setting_t::cur_retry_cnt`.
    pub fn retries(&self) -> u32 {
        lock(&self.current).retries
    }

    /// In an `on_close` that another attempt is to follow, and while that is waited for: how long the wait is in
    /// all. `None`: nothing is waited for.
    ///
    /// libhv: `reconn_setting_t::cur_delay`.
    pub fn next_delay(&self) -> Option<Duration> {
        lock(&self.current).next_delay
    }

    /// Begins to connect. What becomes of it is told by the callbacks. Any thread; may be called
    /// again after `on_close`, also inside it.
    ///
    /// After a [`close`](TcpClient::close) inside an `on_close` that another attempt was to follow, a
    /// `connect` in the same one goes on with that back-off, if the policy is the same: the next delay is the
    /// next of the series. An attempt at the same place comes when it would have come; one at another place
    /// comes at once, unless the last one did so, too, and failed. One that is closed, or stopped with its
    /// loop, while it waits has its one `on_close` as well.
    ///
    /// # Errors
    ///
    /// The client is open or connecting already, the loop takes no connections any more, or the
    /// target cannot be asked of the proxy.
    ///
    /// libhv: `TcpClient::createsocket` and `start`.
    pub fn connect(&self, options: Connect) -> Result<(), ConnectError> {
        options.tunnel()?;
        // At once, and not by an `on_close`, which may call this again, and so on.
        if self.event_loop.is_stopping() {
            return Err(ConnectError::LoopClosed);
        }
        let (session, retry) = {
            let mut current = lock(&self.current);
            let session = current.sessions.begin();
            let session = session.ok_or(ConnectError::AlreadyOpen)?;
            current.reconnects = 0;
            current.retries = 0;
            current.next_delay = None;
            let announced = current.announced.take();
            (session, Retry::new(current.policy, options, announced))
        };
        let unpack = lock(&self.unpack).clone();
        let callbacks = std::mem::take(&mut *lock(&self.callbacks));
        let home = self.event_loop.clone();
        let begun = Session::new(
            session,
            self.current.clone(),
            home,
            callbacks,
            unpack,
            retry,
        );
        let begin = move |local: &LocalLoop| Box::new(begun).begin(local);
        let posted = match self.event_loop.local() {
            Some(local) => {
                begin(&local);
                Ok(())
            }
            None => self.event_loop.post_connect(begin).map_err(drop),
        };
        posted.map_err(|()| {
            lock(&self.current).sessions.end(session);
            ConnectError::LoopClosed
        })
    }

    /// Ends the connection in order, or gives the attempt up. Any thread, any state.
    ///
    /// libhv: `TcpClient::closesocket`.
    pub fn close(&self) {
        let current = self.current.clone();
        let session = {
            let mut current = lock(&current);
            let session = current.sessions.give_up();
            // In the on_close that another attempt was to follow: nothing is left of this session.
            if current.announced.is_some() {
                current.sessions.end(session);
            }
            session
        };
        let closed = self.event_loop.with_local(move |local| {
            let (id, channel, waiting) = {
                let mut current = lock(&current);
                if !current.sessions.is(session) {
                    return;
                }
                (current.id, current.channel.clone(), current.waiting.take())
            };
            if let Some(channel) = channel {
                channel.close(); // which may have moved
            } else if let Some(conn) = id.and_then(|id| local.conn(id)) {
                conn.finish(CloseReason::Local);
            }
            if let Some(waiting) = waiting {
                BackOffWait::cancel(local, waiting);
            }
        });
        if closed.is_err() {
            log::debug!("hvloop: close() after the loop had closed everything");
        }
    }

    /// Queues bytes for the peer. See [`Channel::send`].
    ///
    /// # Errors
    ///
    /// As `Channel::send`.
    ///
    /// libhv: `TcpClient::send`.
    pub fn send(&self, data: &[u8]) -> Result<(), SendError> {
        let channel = lock(&self.current).channel.clone();
        channel.ok_or(SendError::NotOpen)?.send(data)
    }

    /// The connection, while it is open.
    pub fn channel(&self) -> Option<Channel> {
        lock(&self.current).channel.clone()
    }

    /// Whether the connection is open.
    ///
    /// libhv: `TcpClient::isConnected`.
    pub fn is_connected(&self) -> bool {
        self.channel().is_some_and(|c| c.is_connected())
    }

    /// The loop that the client is on.
    ///
    /// libhv: `TcpClient::loop`.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }
}

impl Drop for TcpClient {
    /// Closes the connection; its callbacks still run on the loop's thread.
    fn drop(&mut self) {
        if lock(&self.current).sessions.is_live() {
            self.close();
        }
    }
}

debug_fields!(TcpClient, this: "channel" = this.channel());
