//! The WebSocket client.
//!
//! | file | holds |
//! |---|---|
//! | `mod` | the handle: what users call, on any thread |
//! | `shared` | what the handles and the loop share |
//! | `plan` | all that one `open()` was asked for |
//! | `engine` | one `open()` on the loop's thread: attempts and their hops, back-off, callbacks |
//! | `connection` | one connection of a client as a handle |
//! | `receiver` | what happens to a client, for code that blocks |
//! | `answer` | what a server answered, in a few bytes |
//! | `redirect` | where a redirect leads |
//! | `request` | what an attempt asks for, and the hook that may change it |
//! | `retry_after` | whether an attempt after a refusal makes sense, and when |
//! | `transport` | what can be set about what is below it |

mod answer;
mod callbacks;
mod connection;
mod engine;
mod error;
mod options;
mod plan;
mod receiver;
mod redirect;
mod request;
mod retry_after;
mod shared;
mod transport;

pub use self::callbacks::OpenEvent;
pub use self::connection::ClientConnection;
pub use self::error::OpenError;
pub use self::options::ClientOptions;
pub use self::receiver::{ClientEvent, ClientReceiver};
pub use self::request::ConnectRequest;
pub use self::shared::ClientState;

use crate::events::{CloseEvent, Message};
use crate::handshake::UpgradeResponse;
use crate::protocol::outgoing_close_code;
use crate::websocket::{CloseError, Outgoing, PingError, WebSocket, handle_methods};
use answer::Answer;
use callbacks::Callbacks;
use connection::Connected;
use engine::Engine;
use hvloop_event::log;
use hvloop_event::{
    EventLoop, EventLoopThread, JoinError, LocalLoop, LoopOptions, PolicyError, ReconnectPolicy,
    SendError, ShutdownReport, lock,
};
use plan::Plan;
use shared::ClientShared;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// A WebSocket client: a handle that may be cloned, kept and used on any thread. Its callbacks run
/// on the loop's thread, one after the other.
///
/// [`new`](WebSocketClient::new) attaches it to a loop, which need not run yet and which the client
/// never starts, runs or stops; [`owned`](WebSocketClient::owned) brings a loop on a thread of its
/// own. Dropping the last handle closes the connection (and, if owned, waits until the loop has
/// closed everything); [`detach`](WebSocketClient::detach) leaves the connection to the loop.
///
/// Callbacks get the client as an argument, so that none needs to capture a handle. They are
/// dropped on the loop's thread right after the last `on_close`.
///
/// ```no_run
/// use hvloop_event::EventLoopThread;
/// use hvloop_ws::{Message, WebSocketClient};
///
/// let thread = EventLoopThread::new()?;
/// thread.start()?;
/// let client = WebSocketClient::new(thread.event_loop());
/// client.on_open(|ws, _| {
///     if let Err(e) = ws.send_text("hello") {
///         eprintln!("{e}");
///     }
/// });
/// client.on_message(|ws, message| {
///     if let Message::Text(text) = message {
///         println!("{text}");
///     }
///     let _ = ws.close(1000, "bye");
/// });
/// client.on_close(|_, event| println!("closed: {event}"));
/// client.open("ws://127.0.0.1:9001/")?;
///
/// thread.stop(); // every connection says goodbye
/// println!("{}", thread.join()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::WebSocketClient`.
#[must_use = "dropping the last handle of a client closes its connection"]
pub struct WebSocketClient {
    client: Arc<ClientShared>,
    /// Whether this handle is a user's; those made for a callback's argument are not, and their
    /// drop closes nothing.
    counted: bool,
}

impl WebSocketClient {
    /// A client on that loop, with the default options.
    ///
    /// libhv: `WebSocketClient(loop)`.
    pub fn new(event_loop: &EventLoop) -> Self {
        Self::with_options(event_loop, ClientOptions::new())
    }

    /// A client on that loop.
    pub fn with_options(event_loop: &EventLoop, options: ClientOptions) -> Self {
        Self::counted(ClientShared::attached(event_loop.clone(), options))
    }

    /// A client that brings its own loop on a thread of its own, started by
    /// [`open`](WebSocketClient::open). After [`stop`](WebSocketClient::stop) the next `open` makes
    /// a new one; not inside a callback, since the loop is still ending then.
    ///
    /// libhv: `WebSocketClient()`.
    pub fn owned() -> Self {
        Self::owned_with_options(ClientOptions::new())
    }

    /// Like [`owned`](WebSocketClient::owned), with options.
    pub fn owned_with_options(options: ClientOptions) -> Self {
        Self::owned_with_loop_options(options, LoopOptions::new())
    }

    /// Like [`owned`](WebSocketClient::owned), with options, and with those of its loop.
    pub fn owned_with_loop_options(options: ClientOptions, loop_options: LoopOptions) -> Self {
        Self::counted(ClientShared::owned(options, loop_options))
    }

    fn counted(client: Arc<ClientShared>) -> Self {
        client.add_handle();
        Self {
            client,
            counted: true,
        }
    }

    /// The handle for a callback's argument.
    fn uncounted(client: Arc<ClientShared>) -> Self {
        Self {
            client,
            counted: false,
        }
    }

    /// Called when the connection is open. Any thread may set it, at any time.
    ///
    /// libhv: `onopen`.
    pub fn on_open(&self, f: impl FnMut(&WebSocketClient, &OpenEvent) + Send + 'static) {
        self.set(|callbacks| callbacks.open = Some(Box::new(f)));
    }

    /// Called with each message, whole. Any thread may set it, at any time.
    ///
    /// libhv: `onmessage`.
    pub fn on_message(&self, f: impl FnMut(&WebSocketClient, Message<'_>) + Send + 'static) {
        self.set(|callbacks| callbacks.message = Some(Box::new(f)));
    }

    /// Called exactly once for each attempt to connect: when it failed, or when the session that it
    /// became has ended and its socket is closed. Any thread may set it, at any time.
    ///
    /// libhv: `onclose`.
    pub fn on_close(&self, f: impl FnMut(&WebSocketClient, &CloseEvent) + Send + 'static) {
        self.set(|callbacks| callbacks.close = Some(Box::new(f)));
    }

    /// Called when the send queue, having been over half of its limit or having refused a message,
    /// has fallen to a quarter. Any thread may set it, at any time.
    pub fn on_drain(&self, f: impl FnMut(&WebSocketClient) + Send + 'static) {
        self.set(|callbacks| callbacks.drain = Some(Box::new(f)));
    }

    fn set(&self, f: impl FnOnce(&mut Callbacks)) {
        let mut callbacks = Callbacks::default();
        f(&mut callbacks);
        self.client.stage(callbacks);
        if self.client.state() != ClientState::Closed {
            self.on_loop(|engine, _| engine.take_staged());
        }
    }

    /// Sets options; they hold from the next [`open`](WebSocketClient::open) on.
    pub fn set_options(&self, options: ClientOptions) {
        self.client.set_options(options);
    }

    /// Connects again by that policy, as [`ClientOptions::reconnect`] says, or, with `None`, no more: from the next
    /// [`open`](WebSocketClient::open) on, and for what is under way, if that was opened with a policy (else it
    /// keeps nothing to connect with again). A wait for the next attempt goes on as it is, and the attempts so far
    /// still count; but `None` ends it, and the client is [`Closed`](ClientState::Closed). (Then nothing is called
    /// any more: the last attempt has had its `on_close`, or, if the `open` has begun none yet, has it now.) Any
    /// thread, at any time; from another one it holds once the loop gets to know.
    ///
    /// # Errors
    ///
    /// The policy contradicts itself; nothing was changed.
    ///
    /// libhv: `setReconnect`.
    pub fn set_reconnect(
        &self,
        policy: impl Into<Option<ReconnectPolicy>>,
    ) -> Result<(), PolicyError> {
        let policy = policy.into();
        if let Some(policy) = &policy {
            policy.validate()?;
        }
        self.client.set_policy(policy);
        if self.client.state() != ClientState::Closed {
            self.on_loop(move |engine, local| engine.set_reconnect(local, policy));
        }
        Ok(())
    }

    /// Begins to connect to a `ws://` or `wss://` URL. What becomes of it is told by the callbacks,
    /// never from inside this call. May be called again once the client is
    /// [`Closed`](ClientState::Closed), also inside `on_close`.
    ///
    /// After a `close()` inside an `on_close` that had announced another attempt
    /// ([`CloseEvent::reconnect_in`]), an `open()` in the same one goes on with that back-off, if the
    /// policy is the same: the next delay is the next of the series. An attempt at the same URL comes when
    /// it would have come; one at another URL comes at once, unless the last one did so, too, and failed.
    /// One that is closed, or stopped with its loop, while it waits has its one `on_close` as well.
    ///
    /// # Errors
    ///
    /// The URL or the options are wrong, the client is not closed, or the loop takes no
    /// connections any more. Then nothing was begun and no callback comes.
    ///
    /// libhv: `open`.
    pub fn open(&self, url: &str) -> Result<(), OpenError> {
        let plan = Plan::new(url, self.client.options())?;
        let number = self.client.begin_open()?;
        let begun = self.begin(plan, number);
        if begun.is_err() {
            self.client.set_state(ClientState::Closed);
        }
        begun
    }

    fn begin(&self, plan: Arc<Plan>, number: u64) -> Result<(), OpenError> {
        let event_loop = self.client.loop_for_open()?;
        self.client
            .budget
            .set_limit(plan.options.all.transport.send_limit);
        let client = self.client.clone();
        match event_loop.local() {
            Some(local) => {
                Engine::begin(&local, client, plan, number);
                Ok(())
            }
            None => event_loop
                .post_connect(move |local| Engine::begin(local, client, plan, number))
                .map_err(|_| OpenError::LoopClosed),
        }
    }

    handle_methods!();

    fn send_outgoing(&self, message: Outgoing<'_>) -> Result<(), SendError> {
        if self.client.state() != ClientState::Open {
            return Err(SendError::NotOpen);
        }
        if let Some((local, engine)) = Engine::here(&self.client) {
            return engine.send(&local, message);
        }
        let event_loop = self.client.event_loop().ok_or(SendError::NotOpen)?;
        let client: Arc<dyn Connected> = self.client.clone();
        connection::post(&client, self.client.session(), &event_loop, message)
    }

    /// Closes: sends a Close frame with `code` and `reason` (cut to 123 bytes), waits for the
    /// peer's, and closes the socket; `on_close` tells when that is done. Gives up whatever is under
    /// way if the client is not open yet, and cancels a back-off. The client does not reconnect by
    /// itself afterwards. Any thread, any state, any number of times; never blocks.
    ///
    /// 1005, 1006 and 1015 are what [`CloseEvent::code`] and its likes tell of an end without a code, and
    /// are never sent: the Close then has no code and no reason. So a relay may hand on what it was told.
    ///
    /// # Errors
    ///
    /// `code` may not be sent by an application: it is below 1000, 1004, from 1016 to 2999, or above
    /// 4999. Nothing was done then.
    ///
    /// libhv: `close`.
    pub fn close(&self, code: u16, reason: &str) -> Result<(), CloseError> {
        let code = outgoing_close_code(code).ok_or(CloseError::BadCode(code))?;
        let reason = reason.to_owned();
        self.close_on_loop(move |engine, local| engine.close(local, code, &reason));
        Ok(())
    }

    /// Ends the connection at the end of this turn, with no Close frame and without writing out what is
    /// queued: the peer sees 1006. Otherwise as [`close`](WebSocketClient::close): whatever is under way is
    /// given up, also a close handshake, and the client does not reconnect. Any thread, any state, any
    /// number of times; never blocks.
    pub fn close_now(&self) {
        self.close_on_loop(|engine, local| engine.close_now(local));
    }

    /// Closes with code 1000; if the client brought its own loop, stops that, too. Never blocks and
    /// never touches a loop that the client was attached to.
    ///
    /// libhv: `stop`.
    pub fn stop(&self) {
        let thread = self.client.own_thread();
        let owned = thread.is_some();
        self.close_on_loop(move |engine, local| {
            engine.close(local, 1000, "");
            if owned {
                // In this turn: no on_close may find the loop still going.
                local.event_loop().stop();
            }
        });
        if let Some(thread) = thread {
            thread.stop();
        }
    }

    /// Waits until the client's own loop has ended, and returns its report.
    ///
    /// # Errors
    ///
    /// The client is attached to a loop of somebody else or was never opened
    /// ([`JoinError::NotStarted`]); this is the loop's own thread.
    pub fn join(&self) -> Result<ShutdownReport, JoinError> {
        match self.client.own_thread() {
            Some(thread) => thread.join(),
            None => Err(JoinError::NotStarted),
        }
    }

    /// Drops this handle without closing: the connection, and a loop that the client brought, live
    /// on until the connection ends.
    pub fn detach(self) {
        self.client.detach();
    }

    /// Where the client is in its life. On other threads than the loop's it may change any moment.
    pub fn state(&self) -> ClientState {
        self.client.state()
    }

    /// Whether the connection is open.
    ///
    /// libhv: `isConnected`.
    pub fn is_connected(&self) -> bool {
        self.client.state() == ClientState::Open
    }

    /// Bytes accepted for sending, frame headers included, that the socket has not taken yet.
    pub fn buffered_amount(&self) -> usize {
        self.client.budget.queued()
    }

    /// The peer's address, as of the last time the client was connected.
    ///
    /// libhv: `channel->peeraddr()`.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        lock(&self.client.server).peer
    }

    /// What the server answered to the upgrade of the last attempt, also if it refused: status, headers
    /// and the beginning of the body. `None`: there was no attempt yet, or the present one has no
    /// answer yet, or the answer was not a proper one. Any thread; in `on_close` and after it, too. It is put
    /// together anew for each call: what a client keeps of it is short.
    ///
    /// libhv: `getHttpResponse`.
    pub fn upgrade_response(&self) -> Option<Arc<UpgradeResponse>> {
        let server = lock(&self.client.server);
        server.answer.as_ref().map(Answer::response)
    }

    /// The loop that the client is on; `None`: it brings its own and was not opened yet.
    ///
    /// libhv: `loop`.
    pub fn event_loop(&self) -> Option<EventLoop> {
        self.client.event_loop()
    }

    /// Runs `f` on the connection of the session that there is now.
    fn on_websocket(&self, f: impl FnOnce(&Rc<WebSocket>, &LocalLoop) + Send + 'static) {
        let session = self.client.session();
        self.on_loop(move |engine, local| {
            if engine.is_session(session) {
                f(&engine.websocket(), local);
            }
        });
    }

    /// As [`on_loop`](Self::on_loop), but not on what is opened after this call.
    fn close_on_loop(&self, f: impl FnOnce(&Rc<Engine>, &LocalLoop) + Send + 'static) {
        let number = self.client.ask_close();
        self.on_loop(move |engine, local| {
            if engine.number() <= number {
                f(engine, local);
            }
        });
    }

    /// Runs `f` on the engine: at once inside a callback of the loop, else posted to it.
    fn on_loop(&self, f: impl FnOnce(&Rc<Engine>, &LocalLoop) + Send + 'static) {
        let Some(event_loop) = self.client.event_loop() else {
            return; // never opened
        };
        let client = self.client.clone();
        let run = move |local: &LocalLoop| {
            if let Some(engine) = Engine::find(local, &client) {
                f(&engine, local);
            }
        };
        // An open() of another thread may be on its way to the loop: behind it, then.
        let here = event_loop.local().filter(|local| {
            self.client.state() != ClientState::Connecting
                || Engine::find(local, &self.client).is_some()
        });
        match here {
            Some(local) => run(&local),
            None => {
                if event_loop.post_event(run).is_err() {
                    log::debug!("hvloop: the loop had closed everything already");
                }
            }
        }
    }
}

impl Clone for WebSocketClient {
    fn clone(&self) -> Self {
        Self::counted(self.client.clone())
    }
}

impl Drop for WebSocketClient {
    fn drop(&mut self) {
        if !self.counted || !self.client.remove_handle() {
            return;
        }
        self.close_on_loop(|engine, local| engine.close(local, 1000, ""));
        // Its drop stops and joins, or detaches on its own thread.
        let thread: Option<Arc<EventLoopThread>> = self.client.take_own_thread();
        drop(thread);
    }
}

hvloop_event::debug_fields!(WebSocketClient, this: "state" = this.state());
