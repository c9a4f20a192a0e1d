//! One history under way: what the callbacks share, and who may call them when.

use crate::clients::Client;
use crate::extras::Extras;
use crate::history::{History, Op, Place};
use crate::oracle::Turns;
use crate::peers::{Certificates, Logs};
use crate::servers::Server;
use crate::services::Service;
use crate::work::Work;
use hvloop_event::EventLoop;
use hvloop_event::sim::World;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    static CTX: RefCell<Option<Rc<Ctx>>> = const { RefCell::new(None) };
}

/// A stop that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct StopAsked {
    pub at: Duration,
    /// `stop_with`.
    pub limit: Option<Duration>,
    /// Its place among all that was done.
    pub number: u64,
}

/// See the module.
pub struct Ctx {
    pub world: Rc<World>,
    pub history: History,
    pub event_loop: EventLoop,
    pub logs: Logs,
    pub certificates: Rc<Certificates>,
    pub clients: Vec<Client>,
    pub servers: Vec<Server>,
    pub services: Vec<Service>,
    pub extras: Extras,
    pub work: Work,
    pub turns: Turns,
    pub stops: RefCell<Vec<StopAsked>>,
    /// Panics that the history asked for.
    pub panics: Cell<u64>,
    pub burned: Cell<Duration>,
    pub paused: Cell<bool>,
    /// `run()` has returned.
    pub ended: Cell<bool>,
    pending: RefCell<Vec<(Place, Op)>>,
    /// Callbacks on the stack.
    depth: Cell<u32>,
    /// Callbacks so far.
    callbacks: Cell<u64>,
    number: Cell<u64>,
}

/// What a panic of the history says.
pub const ON_PURPOSE: &str = "by the history";

/// Lends what is there, taken out of its place for so long: what `f` causes may come back there.
pub fn lend<T>(place: &RefCell<Option<T>>, f: impl FnOnce(&T)) {
    let thing = place.borrow_mut().take();
    if let Some(thing) = thing {
        f(&thing);
        *place.borrow_mut() = Some(thing);
    }
}

/// Counts a callback off the stack, also when it panics.
struct Leave<'a>(&'a Ctx);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}

impl Ctx {
    pub fn new(
        world: Rc<World>,
        history: History,
        event_loop: EventLoop,
        logs: Logs,
        certificates: Rc<Certificates>,
        pending: Vec<(Place, Op)>,
    ) -> Rc<Self> {
        let clients = history.clients.iter().cloned().map(Client::new).collect();
        let servers = history.servers.iter().cloned().map(Server::new).collect();
        let services = history.services.iter().cloned();
        let services = services.map(Service::new).collect();
        let ctx = Rc::new(Self {
            world,
            history,
            event_loop,
            logs,
            certificates,
            clients,
            servers,
            services,
            extras: Extras::default(),
            work: Work::default(),
            turns: Turns::default(),
            stops: RefCell::default(),
            panics: Cell::new(0),
            burned: Cell::new(Duration::ZERO),
            paused: Cell::new(false),
            ended: Cell::new(false),
            pending: RefCell::new(pending),
            depth: Cell::new(0),
            callbacks: Cell::new(0),
            number: Cell::new(0),
        });
        CTX.set(Some(ctx.clone()));
        ctx
    }

    pub fn forget() {
        CTX.set(None);
    }

    /// Runs `f` with the history under way; nothing if there is none any more.
    pub fn with(f: impl FnOnce(&Rc<Ctx>)) {
        let ctx = CTX.try_with(|ctx| ctx.borrow().clone()).ok().flatten();
        if let Some(ctx) = ctx {
            f(&ctx);
        }
    }

    /// The number of what is done now: what is done later has a higher one.
    pub fn next_number(&self) -> u64 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    /// Something must never be and was.
    pub fn violation(&self, text: impl Into<String>) {
        self.world.violation(text);
    }

    pub fn check(&self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.violation(text());
        }
    }

    pub fn on_loop_thread(&self) -> bool {
        self.world.thread() == World::LOOP_THREAD
    }

    /// Which callback this is inside of, by its number.
    pub fn inside_of(&self) -> Option<u64> {
        (self.depth.get() > 0 && self.on_loop_thread()).then(|| self.callbacks.get())
    }

    /// What every callback of the library goes through: `first`, then what the history has for that
    /// place.
    pub fn callback(
        self: &Rc<Self>,
        place: Place,
        what: impl FnOnce() -> String,
        first: impl FnOnce(),
    ) {
        self.world.note(|| format!("callback: {}", what()));
        self.check(!self.ended.get(), || {
            format!("I9: {place:?} after run() had returned")
        });
        self.check(self.on_loop_thread(), || {
            format!("{place:?} on another thread")
        });
        self.check(self.depth.get() == 0, || {
            format!("I7: {place:?} inside another callback")
        });
        self.depth.set(self.depth.get() + 1);
        self.callbacks.set(self.callbacks.get() + 1);
        let leave = Leave(self);
        first();
        // Two at a time, so that one may follow upon the other.
        for _ in 0..2 {
            let op = {
                let mut pending = self.pending.borrow_mut();
                let next = pending.iter().position(|(at, _)| *at == place);
                next.map(|at| pending.remove(at).1)
            };
            if let Some(op) = op {
                self.perform(op);
            }
        }
        drop(leave);
    }

    /// Does it, on whatever thread this is.
    pub fn perform(self: &Rc<Self>, op: Op) {
        self.world.note(|| format!("{op:?}"));
        match op {
            Op::Open(c) => self.clients[c].open(self, c),
            Op::Reopen(c) => {
                self.clients[c].close(self, false);
                self.clients[c].open(self, c);
            }
            Op::Send(c, size) => self.clients[c].send(self, size),
            Op::Ping(c) => self.clients[c].ping(self),
            Op::PauseReading(c) => self.clients[c].pause_reading(self),
            Op::ResumeReading(c) => self.clients[c].resume_reading(self),
            Op::Close(c) => self.clients[c].close(self, false),
            Op::SetReconnect(c, policy) => self.clients[c].set_reconnect(self, policy),
            Op::CloseOld(c) => self.clients[c].close_old(),
            Op::StopClient(c) => self.clients[c].close(self, true),
            Op::DropHandle(c) => self.clients[c].drop_handle(self),
            Op::Detach(c) => self.clients[c].detach(),
            Op::Stop => {
                self.stopping(None);
                self.event_loop.stop();
            }
            Op::StopWith(limit) => {
                self.stopping(Some(limit));
                self.event_loop.stop_with(limit);
            }
            Op::Pause => {
                self.paused.set(true);
                self.event_loop.pause();
            }
            Op::Resume => self.event_loop.resume(),
            Op::Task => self.work.task(self, false),
            Op::LocalTask => self.work.local_task(self),
            Op::RunInLoop => self.work.task(self, true),
            Op::Timer { delay, repeat } => self.work.timer(self, delay, repeat),
            Op::Kill(n) => self.work.kill(self, n),
            Op::Reset(n, delay) => self.work.reset(self, n, delay),
            Op::Hold => self.work.hold(self),
            Op::Release => self.work.release(),
            Op::Resolve => self.work.resolve(self),
            Op::CancelResolve => self.work.cancel_resolve(self),
            Op::Panic => {
                if self.depth.get() > 0 && self.on_loop_thread() {
                    self.panics.set(self.panics.get() + 1);
                    std::panic::panic_any(ON_PURPOSE);
                }
            }
            Op::Server(s, op) => self.servers[s].perform(self, s, op),
            Op::Service(s, op) => self.services[s].perform(self, s, op),
            Op::Extra(op) => self.extras.perform(self, op),
            Op::Burn(time) => {
                if self.depth.get() > 0 {
                    self.burned.set(self.burned.get() + time);
                    self.world.advance(time);
                }
            }
        }
    }

    fn stopping(&self, limit: Option<Duration>) {
        self.stops.borrow_mut().push(StopAsked {
            at: self.world.elapsed(),
            limit,
            number: self.next_number(),
        });
    }

    /// Whether a deadline has passed that closes by force.
    pub fn is_late(&self) -> bool {
        let now = self.world.elapsed();
        let stops = self.stops.borrow();
        let first = stops
            .first()
            .map(|stop| stop.at + self.history.drain_timeout);
        let limits = stops.iter().filter_map(|stop| Some(stop.at + stop.limit?));
        limits.chain(first).any(|at| now >= at)
    }

    /// The number of the first stop.
    pub fn first_stop(&self) -> Option<StopAsked> {
        self.stops.borrow().first().copied()
    }
}
