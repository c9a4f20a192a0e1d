//! A TCP (or TLS) client.

use crate::channel::Channel;
use crate::conn::{Conn, ConnId, Connect, Handler, SendBudget};
use crate::core::shared::lock;
use crate::error::{CloseReason, LoopClosed, SendError};
use crate::event_loop::EventLoop;
use crate::local_loop::LocalLoop;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A TCP client: one connection at a time, its callbacks on the loop's thread.
///
/// Callbacks are set before [`connect`](TcpClient::connect), belong to that one attempt and are
/// dropped on the loop's thread right after its `on_close`, so that what they captured goes with
/// them.
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
    callbacks: Mutex<Callbacks>,
    current: Arc<Mutex<Current>>,
}

type OnChannel = Box<dyn FnMut(&Channel) + Send>;
type OnMessage = Box<dyn FnMut(&Channel, &mut [u8]) + Send>;
type OnClose = Box<dyn FnMut(Option<&Channel>, &CloseReason) + Send>;

#[derive(Default)]
struct Callbacks {
    connect: Option<OnChannel>,
    message: Option<OnMessage>,
    write_complete: Option<OnChannel>,
    close: Option<OnClose>,
}

/// The attempt that handles on other threads mean.
#[derive(Default)]
struct Current {
    /// Counts attempts, so that a late close does not hit the next one.
    attempt: u64,
    live: bool,
    /// Closed before the loop knew of the attempt.
    given_up: bool,
    id: Option<ConnId>,
    channel: Option<Channel>,
}

/// Why [`TcpClient::connect`] began nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// A connection, or an attempt, is there already: close it first.
    AlreadyOpen,
    /// The loop takes no connections any more.
    LoopClosed,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyOpen => "the client is open already",
            Self::LoopClosed => "the event loop is closed",
        })
    }
}

impl std::error::Error for ConnectError {}

impl TcpClient {
    /// A client on that loop, which need not run yet: what is asked for waits until it does. The
    /// client never starts, runs or stops the loop.
    #[must_use]
    pub fn new(event_loop: &EventLoop) -> Self {
        Self {
            event_loop: event_loop.clone(),
            callbacks: Mutex::default(),
            current: Arc::default(),
        }
    }

    /// Called when connected (and TLS is up).
    ///
    /// libhv: `TcpClient::onConnection`, connected.
    pub fn on_connect(&self, f: impl FnMut(&Channel) + Send + 'static) {
        let old = lock(&self.callbacks).connect.replace(Box::new(f));
        drop(old); // with no lock held, here and below: it is the user's
    }

    /// Called with bytes as they come, in the loop's own buffer.
    ///
    /// libhv: `TcpClient::onMessage`.
    pub fn on_message(&self, f: impl FnMut(&Channel, &mut [u8]) + Send + 'static) {
        let old = lock(&self.callbacks).message.replace(Box::new(f));
        drop(old);
    }

    /// Called when everything that was queued has been written.
    ///
    /// libhv: `TcpClient::onWriteComplete`.
    pub fn on_write_complete(&self, f: impl FnMut(&Channel) + Send + 'static) {
        let old = lock(&self.callbacks).write_complete.replace(Box::new(f));
        drop(old);
    }

    /// Called exactly once per accepted [`connect`](TcpClient::connect), as the last of its
    /// callbacks; without a channel if the connection never came up.
    ///
    /// libhv: `TcpClient::onConnection`, disconnected.
    pub fn on_close(&self, f: impl FnMut(Option<&Channel>, &CloseReason) + Send + 'static) {
        let old = lock(&self.callbacks).close.replace(Box::new(f));
        drop(old);
    }

    /// Begins to connect. What becomes of it is told by the callbacks. Any thread; may be called
    /// again after `on_close`, also inside it.
    ///
    /// # Errors
    ///
    /// The client is open or connecting already, or the loop takes no connections any more.
    ///
    /// libhv: `TcpClient::createsocket` and `start`.
    pub fn connect(&self, options: Connect) -> Result<(), ConnectError> {
        let attempt = {
            let mut current = lock(&self.current);
            if current.live {
                return Err(ConnectError::AlreadyOpen);
            }
            current.live = true;
            current.given_up = false;
            current.attempt += 1;
            current.attempt
        };
        let handler = TcpHandler {
            callbacks: std::mem::take(&mut *lock(&self.callbacks)),
            budget: options.budget.clone(),
            channel: None,
            current: self.current.clone(),
            attempt,
        };
        let posted = self
            .event_loop
            .with_local(move |local| handler.begin(local, options));
        posted.map_err(|_| {
            lock(&self.current).live = false;
            ConnectError::LoopClosed
        })
    }

    /// Ends the connection in order, or gives the attempt up. Any thread, any state.
    ///
    /// libhv: `TcpClient::closesocket`.
    pub fn close(&self) {
        let current = self.current.clone();
        let attempt = lock(&current).attempt;
        let closed = self.event_loop.with_local(move |local| {
            let id = {
                let mut current = lock(&current);
                if current.attempt != attempt {
                    return;
                }
                // The attempt may still be on its way to the loop, from another thread.
                current.given_up = true;
                current.id
            };
            if let Some(conn) = id.and_then(|id| local.conn(id)) {
                conn.finish(CloseReason::Local);
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
        if lock(&self.current).live {
            self.close();
        }
    }
}

impl fmt::Debug for TcpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpClient")
            .field("channel", &self.channel())
            .finish_non_exhaustive()
    }
}

/// One attempt's callbacks and state, on the loop.
struct TcpHandler {
    callbacks: Callbacks,
    budget: Arc<SendBudget>,
    channel: Option<Channel>,
    current: Arc<Mutex<Current>>,
    attempt: u64,
}

impl TcpHandler {
    fn begin(self, local: &LocalLoop, options: Connect) {
        let current = self.current.clone();
        match local.connect(options, Box::new(self)) {
            Ok(id) => {
                let given_up = {
                    let mut current = lock(&current);
                    current.id = Some(id);
                    current.given_up
                };
                if let Some(conn) = local.conn(id).filter(|_| given_up) {
                    conn.finish(CloseReason::Local);
                }
            }
            // Every accepted attempt gets its one close.
            Err(LoopClosed(handler)) => local.refuse(handler),
        }
    }
}

impl Handler for TcpHandler {
    fn on_up(&mut self, conn: &Conn<'_>) {
        let channel = Channel::new(
            conn.local().event_loop(),
            conn.id(),
            conn.peer_addr(),
            conn.local_addr(),
            self.budget.clone(),
        );
        conn.opened();
        lock(&self.current).channel = Some(channel.clone());
        self.channel = Some(channel.clone());
        if self.callbacks.write_complete.is_some() {
            conn.set_water_marks(0, 0);
        }
        if let Some(f) = &mut self.callbacks.connect {
            f(&channel);
        }
    }

    fn on_data(&mut self, _conn: &Conn<'_>, data: &mut [u8]) {
        if let (Some(f), Some(channel)) = (&mut self.callbacks.message, &self.channel) {
            f(channel, data);
        }
    }

    fn on_low_water(&mut self, _conn: &Conn<'_>) {
        if let (Some(f), Some(channel)) = (&mut self.callbacks.write_complete, &self.channel) {
            f(channel);
        }
    }

    fn on_close(mut self: Box<Self>, _conn: &Conn<'_>, reason: CloseReason) {
        self.end(&reason);
    }
}

impl TcpHandler {
    fn end(&mut self, reason: &CloseReason) {
        if let Some(channel) = &self.channel {
            channel.mark_closed();
        }
        {
            let mut current = lock(&self.current);
            if current.attempt == self.attempt {
                current.live = false;
                current.id = None;
                current.channel = None;
            }
        }
        if let Some(f) = &mut self.callbacks.close {
            f(self.channel.as_ref(), reason);
        }
    }
}

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<TcpClient>();
};
