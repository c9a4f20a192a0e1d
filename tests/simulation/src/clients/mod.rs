//! The clients under test: what is done with them.

mod callbacks;

use self::callbacks::{set_tcp, set_ws};
use crate::ctx::Ctx;
use crate::deflating::fill;
use crate::history::{ClientPlan, Host, Kind};
use crate::peers::{PASSWORD, TARGET, USER};
use hvloop_event::conn::SendBudget;
use hvloop_event::{
    Channel, CloseReason, Connect, ConnectError, OwnedSocket, Proxy, ReconnectPolicy, TcpClient,
};
use hvloop_ws::{ClientOptions, ClientState, CloseEvent, OpenError, WebSocketClient};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A message, or bytes, that the library accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub number: u64,
    pub on_loop: bool,
    pub sender: u64,
    pub data: Vec<u8>,
}

/// This side began to end it.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    pub number: u64,
    pub on_loop: bool,
}

/// One connection that was open.
#[derive(Debug, Default)]
pub struct Session {
    /// The connection, as the peer names it.
    pub fd: Option<u64>,
    pub accepted: Vec<Accepted>,
    pub got: Vec<Vec<u8>>,
    pub ended: Option<Ended>,
    pub event: Option<CloseEvent>,
    pub reason: Option<CloseReason>,
    /// Bytes that a TCP client was told are written.
    pub written: usize,
    /// As `Visited::paused`.
    pub paused: bool,
    pub resumed_elsewhere: bool,
    /// As `Visited::pinged_elsewhere`.
    pub pinged_elsewhere: bool,
}

/// What happened to a client.
#[derive(Debug, Default)]
pub struct Record {
    /// An `open()` was accepted, and its last `on_close` has not come.
    pub live: bool,
    pub backing_off: bool,
    /// The callback that its last on_close was: see [`Ctx::inside_of`].
    pub on_close: Option<u64>,
    pub attempt: u32,
    pub began: Duration,
    /// The turn in which a TCP client with no session was closed.
    pub given_up: Option<u64>,
    /// This side ended the `open()`.
    pub ended: Option<Ended>,
    /// The socket that the first attempt of a TCP client was given.
    pub made: Option<u64>,
    /// Sessions of the present `open()`.
    pub opened: u32,
    pub in_session: bool,
    pub sessions: Vec<Session>,
}

/// See the module.
pub struct Client {
    pub plan: ClientPlan,
    ws: RefCell<Option<WebSocketClient>>,
    tcp: RefCell<Option<(TcpClient, Arc<SendBudget>)>>,
    pub record: RefCell<Record>,
    /// Of connections that there were.
    channels: RefCell<Vec<Channel>>,
}

fn policy(delay: Duration) -> ReconnectPolicy {
    ReconnectPolicy::exponential(
        delay.max(Duration::from_millis(1)),
        delay * 8 + Duration::from_millis(8),
    )
}

/// The shortest message: its number.
const ID: usize = 12;

impl Client {
    pub fn new(plan: ClientPlan) -> Self {
        Self {
            plan,
            ws: RefCell::default(),
            tcp: RefCell::default(),
            record: RefCell::default(),
            channels: RefCell::default(),
        }
    }

    /// Makes the library's client.
    pub fn make(&self, ctx: &Rc<Ctx>, c: usize) {
        match self.plan.kind {
            Kind::WebSocket => {
                let ws = WebSocketClient::with_options(&ctx.event_loop, self.options(ctx, c));
                set_ws(&ws, c);
                *self.ws.borrow_mut() = Some(ws);
            }
            Kind::Tcp => {
                let budget = Arc::new(SendBudget::new(self.plan.send_limit));
                *self.tcp.borrow_mut() = Some((TcpClient::new(&ctx.event_loop), budget));
            }
        }
    }

    fn options(&self, ctx: &Ctx, c: usize) -> ClientOptions {
        let plan = &self.plan;
        let options = ClientOptions::new()
            .open_timeout(plan.open_timeout)
            .close_timeout(plan.close_timeout)
            .ping_interval(plan.ping)
            .pong_timeout(plan.pong_timeout)
            .write_timeout(plan.write_timeout)
            .send_limit(plan.send_limit)
            .reconnect(self.reconnect())
            .keep_callbacks(plan.keep_callbacks)
            .proxy(self.proxy(c))
            .redirects(plan.redirects)
            .deflate(plan.deflate.and_then(|deflate| deflate.options().ok()));
        match plan.tls {
            true => options.tls(ctx.certificates.client()),
            false => options,
        }
    }

    /// It stands where the peer would, which is behind it.
    fn proxy(&self, c: usize) -> Option<Proxy> {
        let plan = self.plan.proxy?;
        let (host, port) = (self.host(), Self::port(c));
        let proxy = match plan.socks {
            true => Proxy::socks5(host, port),
            false => Proxy::http(host, port),
        };
        match plan.login {
            true => proxy.credentials(USER, PASSWORD).ok(),
            false => Some(proxy),
        }
    }

    /// What it is told to connect to.
    fn target(&self, c: usize) -> (&'static str, u16) {
        match self.plan.proxy {
            Some(_) => TARGET,
            None => (self.host(), Self::port(c)),
        }
    }

    fn reconnect(&self) -> Option<ReconnectPolicy> {
        self.plan.reconnect.map(policy)
    }

    /// Changes the policy of what is under way.
    pub fn set_reconnect(&self, ctx: &Rc<Ctx>, delay: Option<Duration>) {
        if delay.is_none() && self.record.borrow().attempt == 0 && self.waits() {
            if !ctx.on_loop_thread() {
                return; // whether it has begun by then, nobody could say
            }
            // An open that has begun nothing ends with its one on_close.
            self.note_end(ctx);
        }
        // An attempt that is under way goes on.
        let waits = |(tcp, _): &(TcpClient, _)| tcp.next_delay().is_some();
        let waits = self.tcp.borrow().as_ref().is_some_and(waits);
        let set = match (&*self.ws.borrow(), &*self.tcp.borrow()) {
            (Some(ws), _) => ws.set_reconnect(delay.map(policy)),
            (_, Some((tcp, _))) => tcp.set_reconnect(delay.map(policy)),
            _ => return,
        };
        ctx.check(set.is_ok(), || format!("a policy: {set:?}"));
        if delay.is_none() && waits {
            self.give_up(ctx);
        }
    }

    /// The port: each client has its own.
    pub fn port(c: usize) -> u16 {
        1000 + c as u16
    }

    fn host(&self) -> &'static str {
        match self.plan.host {
            Host::Literal => "127.0.0.1",
            Host::Name { .. } => "name.test",
            Host::Unknown(_) => "unknown.test",
        }
    }

    pub fn open(&self, ctx: &Rc<Ctx>, c: usize) {
        match self.plan.kind {
            Kind::WebSocket => self.open_ws(ctx, c),
            Kind::Tcp => self.connect(ctx, c),
        }
    }

    fn open_ws(&self, ctx: &Rc<Ctx>, c: usize) {
        let Some(ws) = self.ws.borrow_mut().take() else {
            return;
        };
        if !self.plan.keep_callbacks && ws.state() == ClientState::Closed {
            set_ws(&ws, c);
        }
        let scheme = if self.plan.tls { "wss" } else { "ws" };
        let (host, port) = self.target(c);
        let url = format!("{scheme}://{host}:{port}/");
        let opened = ws.open(&url);
        ctx.world.note(|| format!("open({c}): {opened:?}"));
        match opened {
            Ok(()) => self.begin(ctx, c),
            Err(OpenError::AlreadyOpen) => ctx.check(ws.state() != ClientState::Closed, || {
                format!("client {c} is closed and says that it is open")
            }),
            Err(OpenError::LoopClosed) => ctx.check(ctx.event_loop.is_stopping(), || {
                format!("client {c} says that the loop is closed")
            }),
            Err(OpenError::CallbacksReleased) => ctx.check(!self.plan.keep_callbacks, || {
                format!("client {c} lost its callbacks")
            }),
            Err(e) => ctx.violation(format!("client {c} cannot be opened: {e}")),
        }
        *self.ws.borrow_mut() = Some(ws);
    }

    fn connect(&self, ctx: &Rc<Ctx>, c: usize) {
        let Some((tcp, budget)) = self.tcp.borrow_mut().take() else {
            return;
        };
        set_tcp(&tcp, c);
        let policy = tcp.set_reconnect(self.reconnect());
        ctx.check(policy.is_ok(), || format!("a policy: {policy:?}"));
        let plan = &self.plan;
        let (host, port) = self.target(c);
        let connect = Connect::to(host, port)
            .proxy(self.proxy(c))
            .open_timeout(plan.open_timeout)
            .close_timeout(plan.close_timeout)
            .write_timeout(plan.write_timeout)
            .budget(budget.clone());
        let connect = match plan.tls {
            true => connect.with_tls(ctx.certificates.client()),
            false => connect,
        };
        let made = match plan.host {
            Host::Literal if ctx.history.made_elsewhere(c) => OwnedSocket::stream().ok(),
            _ => None,
        };
        let (connect, made) = match made {
            Some((socket, fd)) => (connect.with_socket(socket), Some(fd)),
            None => (connect, None),
        };
        let opened = tcp.connect(connect);
        ctx.world
            .note(|| format!("connect({c}), socket {made:?}: {opened:?}"));
        match opened {
            Ok(()) => {
                self.begin(ctx, c);
                self.record.borrow_mut().made = made;
            }
            Err(ConnectError::LoopClosed) => ctx.check(ctx.event_loop.is_stopping(), || {
                format!("client {c} says that the loop is closed")
            }),
            Err(_) => ctx.check(self.record.borrow().live, || {
                format!("client {c} is closed and says that it is open")
            }),
        }
        *self.tcp.borrow_mut() = Some((tcp, budget));
    }

    fn begin(&self, ctx: &Ctx, c: usize) {
        let mut record = self.record.borrow_mut();
        ctx.check(!record.live || record.backing_off, || {
            format!("client {c} was opened twice")
        });
        record.live = true;
        record.backing_off = false;
        record.attempt = 0;
        record.opened = 0;
        record.given_up = None;
        record.ended = None;
        let now = ctx.world.elapsed();
        // In the on_close of an attempt it first waits, as that one's successor would have.
        let there = ctx
            .inside_of()
            .is_some_and(|inside| record.on_close == Some(inside));
        record.began = match there {
            true => record.began.max(now),
            false => now,
        };
    }

    pub fn send(&self, ctx: &Rc<Ctx>, size: usize) {
        let number = ctx.next_number();
        let mut data = format!("{number:0ID$}").into_bytes();
        match self.plan.deflate {
            Some(_) => fill(&mut data, size, number, number.is_multiple_of(2)),
            None => data.resize(size.max(ID), b'x'),
        }
        let sent = match (&*self.ws.borrow(), &*self.tcp.borrow()) {
            (Some(ws), _) if number.is_multiple_of(2) => {
                ws.send_text(std::str::from_utf8(&data).unwrap_or("never"))
            }
            (Some(ws), _) => ws.send_binary(&data),
            (_, Some((tcp, _))) => tcp.send(&data),
            _ => return,
        };
        ctx.world.note(|| format!("send {number}: {sent:?}"));
        if sent.is_err() {
            return;
        }
        let mut record = self.record.borrow_mut();
        let open = record.in_session;
        match record.sessions.last_mut() {
            Some(session) if open => session.accepted.push(Accepted {
                number,
                on_loop: ctx.on_loop_thread(),
                sender: ctx.world.thread(),
                data,
            }),
            _ => ctx.violation("a message was accepted with no session open"),
        }
    }

    pub fn ping(&self, ctx: &Ctx) {
        let Some(ws) = &*self.ws.borrow() else {
            return;
        };
        // Refused if it is not open.
        let pinged = ws.ping(b"ping");
        if let Some(session) = self.record.borrow_mut().sessions.last_mut() {
            session.pinged_elsewhere |= pinged.is_ok() && !ctx.on_loop_thread();
        }
    }

    pub fn pause_reading(&self, ctx: &Ctx) {
        let Some(ws) = &*self.ws.borrow() else {
            return;
        };
        let open = ws.state() == ClientState::Open;
        ws.pause_reading();
        if let Some(session) = self.record.borrow_mut().sessions.last_mut() {
            session.paused = open && ctx.on_loop_thread() && !session.resumed_elsewhere;
        }
    }

    pub fn resume_reading(&self, ctx: &Ctx) {
        let Some(ws) = &*self.ws.borrow() else {
            return;
        };
        ws.resume_reading();
        if let Some(session) = self.record.borrow_mut().sessions.last_mut() {
            session.paused = false;
            session.resumed_elsewhere |= !ctx.on_loop_thread();
        }
    }

    pub fn close(&self, ctx: &Rc<Ctx>, stop: bool) {
        self.note_end(ctx);
        match (&*self.ws.borrow(), &*self.tcp.borrow()) {
            (Some(ws), _) if stop => ws.stop(),
            (Some(ws), _) => {
                let closed = ws.close(1000, "bye");
                ctx.check(closed.is_ok(), || format!("close() failed: {closed:?}"));
            }
            (_, Some((tcp, _))) => {
                tcp.close();
                self.give_up(ctx);
            }
            _ => {}
        }
    }

    /// Closed on the loop between two attempts, or in one that ends with this turn: none follows.
    fn give_up(&self, ctx: &Ctx) {
        let mut record = self.record.borrow_mut();
        if ctx.on_loop_thread() && record.backing_off {
            record.given_up = Some(ctx.event_loop.metrics().ticks);
        }
    }

    /// Closes what has ended already: nothing must happen.
    pub fn close_old(&self) {
        let in_session = self.record.borrow().in_session;
        let channels = self.channels.borrow().clone();
        let old = channels.len().saturating_sub(usize::from(in_session));
        for channel in &channels[..old] {
            channel.close();
        }
    }

    pub fn drop_handle(&self, ctx: &Rc<Ctx>) {
        self.note_end(ctx);
        let ws = self.ws.borrow_mut().take();
        let tcp = self.tcp.borrow_mut().take();
        drop((ws, tcp));
    }

    pub fn detach(&self) {
        let ws = self.ws.borrow_mut().take();
        if let Some(ws) = ws {
            ws.detach();
        }
    }

    /// Notes that this side ends it, if there is a handle to do it with.
    fn note_end(&self, ctx: &Ctx) {
        if self.ws.borrow().is_none() && self.tcp.borrow().is_none() {
            return;
        }
        let ended = Ended {
            number: ctx.next_number(),
            on_loop: ctx.on_loop_thread(),
        };
        let mut record = self.record.borrow_mut();
        let in_session = record.in_session;
        overtake(&mut record.ended, ended);
        if let Some(session) = record.sessions.last_mut().filter(|_| in_session) {
            overtake(&mut session.ended, ended);
        }
    }

    /// Bytes that the client says are queued.
    pub fn buffered(&self) -> usize {
        match (&*self.ws.borrow(), &*self.tcp.borrow()) {
            (Some(ws), _) => ws.buffered_amount(),
            (_, Some((_, budget))) => budget.queued(),
            _ => 0,
        }
    }

    /// Whether it waits for its next attempt.
    fn waits(&self) -> bool {
        match (&*self.ws.borrow(), &*self.tcp.borrow()) {
            (Some(ws), _) => ws.state() == ClientState::BackingOff,
            (_, Some((tcp, _))) => tcp.next_delay().is_some(),
            _ => false,
        }
    }

    pub fn state(&self) -> Option<ClientState> {
        self.ws.borrow().as_ref().map(WebSocketClient::state)
    }
}

/// The first end counts, but one on the loop's thread overtakes those on their way from others.
pub fn overtake(place: &mut Option<Ended>, ended: Ended) {
    if place.is_none_or(|before| ended.on_loop && !before.on_loop) {
        *place = Some(ended);
    }
}
