//! The clock, the agenda, and who is calling.

pub(super) mod backlog;
pub(super) mod fd;
mod link;
mod net;
pub(super) mod packets;
mod peer;
pub(super) mod pipe;
mod wire;

pub use self::link::Moved;
pub use self::net::{Backlog, Route};
pub use self::packets::{DatagramIo, DatagramPeer};
pub use self::peer::{Peer, PeerIo};
pub use self::pipe::Pipe;

use self::fd::{End, Fd};
use self::net::Net;
use super::faults::Faults;
use crate::sys::{Address, Readiness};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What the world says of a name: the addresses, or a failure, and when (`None`: never).
#[derive(Debug, Clone)]
pub struct Answer {
    /// The addresses; empty for a name that does not exist.
    pub addresses: Vec<IpAddr>,
    /// How long it takes.
    pub after: Option<Duration>,
}

/// The instant at which every world begins.
#[allow(clippy::disallowed_methods)] // an `Instant` can be had in no other way
fn beginning() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    *BEGINNING.get_or_init(Instant::now)
}

/// How long a loop without a timer may sleep: whatever there is for it comes sooner.
const LONGEST_SLEEP: Duration = Duration::from_secs(1000);

/// What happens at a moment.
pub(super) enum Happening {
    /// A "thread" does something.
    Call(u64, Box<dyn FnOnce()>),
    /// A wake takes effect.
    Wake(usize),
    /// A connect ends, well or not.
    Connected(Fd, Result<(), io::ErrorKind>),
    /// Bytes arrive at the loop's side.
    ToLoop(Fd, Vec<u8>),
    /// The stream ends at the loop's side.
    LoopEnd(Fd, End),
    /// Bytes arrive at the peer.
    ToPeer(Fd, Vec<u8>),
    /// The stream ends at the peer.
    PeerEnd(Fd, End),
    /// A peer takes so much of what has come.
    Sip(Fd, usize),
    /// A timer of a peer.
    PeerTimer(Fd, u64),
    /// The connect of a peer arrives.
    Dialed(usize),
    /// A datagram arrives at a peer: from which socket, to where.
    ToDatagramPeer(usize, SocketAddr, Vec<u8>),
    /// A datagram arrives at the loop's side: for where, from where.
    ToSocket(SocketAddr, SocketAddr, Vec<u8>),
    /// A socket has room for a datagram again.
    Room(usize),
    /// A timer of a datagram peer.
    DatagramTimer(SocketAddr, u64),
}

/// A poller, as the world sees it.
struct PollerState {
    open: bool,
    waker_open: bool,
    woken: bool,
}

/// See the module. One a thread at a time; the loops, sockets and lookups made on that thread are in
/// it.
pub struct World {
    now: Cell<Duration>,
    thread: Cell<u64>,
    rng: RefCell<StdRng>,
    faults: RefCell<Rc<Faults>>,
    agenda: RefCell<BTreeMap<(Duration, u64), Happening>>,
    next: Cell<u64>,
    pollers: RefCell<Vec<PollerState>>,
    pub(super) net: RefCell<Net>,
    names: RefCell<BTreeMap<String, Answer>>,
    violations: RefCell<Vec<String>>,
    tracing: Cell<bool>,
    polls: Cell<u64>,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
    static MUTANT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Whether the deliberate bug of that name is on in this thread's world.
pub fn mutant_is_on(name: &str) -> bool {
    MUTANT.get() == Some(name)
}

impl World {
    /// The thread that runs the loop.
    pub const LOOP_THREAD: u64 = 1;

    /// Makes a world and gives it to this thread, in place of the one it had.
    #[must_use]
    pub fn enter(seed: u64, faults: Faults) -> Rc<Self> {
        let world = Rc::new(Self {
            now: Cell::new(Duration::ZERO),
            thread: Cell::new(Self::LOOP_THREAD),
            rng: RefCell::new(StdRng::seed_from_u64(seed)),
            faults: RefCell::new(Rc::new(faults)),
            agenda: RefCell::default(),
            next: Cell::new(0),
            pollers: RefCell::default(),
            net: RefCell::default(),
            names: RefCell::default(),
            violations: RefCell::default(),
            tracing: Cell::new(false),
            polls: Cell::new(0),
        });
        WORLD.set(Some(world.clone()));
        world
    }

    /// Takes the world from this thread.
    pub fn leave() {
        WORLD.set(None);
    }

    /// Turns one of the library's deliberate bugs on, for this thread, until it is turned off.
    pub fn set_mutant(name: Option<&'static str>) {
        MUTANT.set(name);
    }

    /// This thread's world.
    pub(crate) fn find() -> Option<Rc<Self>> {
        WORLD
            .try_with(|world| world.borrow().clone())
            .ok()
            .flatten()
    }

    /// This thread's world.
    ///
    /// # Panics
    ///
    /// It has none: a test made a loop before its world.
    pub(crate) fn here() -> Rc<Self> {
        Self::find().unwrap_or_else(|| unreachable!("no world was entered on this thread"))
    }

    /// How old the world is.
    pub fn elapsed(&self) -> Duration {
        self.now.get()
    }

    /// The time now, as the library reads it.
    pub fn instant(&self) -> Instant {
        beginning() + self.elapsed()
    }

    /// Lets time pass: what a callback does when it takes long.
    pub fn advance(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }

    /// Which "thread" is running.
    pub fn thread(&self) -> u64 {
        self.thread.get()
    }

    /// Runs `f` as that "thread".
    pub fn as_thread<R>(&self, thread: u64, f: impl FnOnce() -> R) -> R {
        let before = self.thread.replace(thread);
        let result = f();
        self.thread.set(before);
        result
    }

    /// Puts a call of that "thread" on the agenda.
    pub fn call_later(&self, after: Duration, thread: u64, f: impl FnOnce() + 'static) {
        self.later(after, Happening::Call(thread, Box::new(f)));
    }

    /// What the world says of a host name.
    pub fn name(&self, host: &str, answer: Answer) {
        self.names.borrow_mut().insert(host.to_owned(), answer);
    }

    pub(super) fn look_up(&self, host: &str) -> Answer {
        let unknown = Answer {
            addresses: Vec::new(),
            after: Some(Duration::ZERO),
        };
        self.names.borrow().get(host).cloned().unwrap_or(unknown)
    }

    /// After that time a peer connects to whatever listens there. If nothing does, or its backlog
    /// is full, the peer is dropped unconnected.
    pub fn dial(&self, to: impl Into<Address>, after: Duration, peer: Box<dyn Peer>) {
        backlog::dial(self, to.into(), after, peer);
    }

    /// Whether something listens there.
    pub fn listens(&self, at: &Address) -> bool {
        backlog::listens(self, at)
    }

    /// From now on somebody is at that address.
    pub fn datagram_peer(&self, address: SocketAddr, peer: Box<dyn DatagramPeer>) {
        packets::datagram_peer(self, address, peer);
    }

    /// Sends a datagram to a socket of the loop's side.
    pub fn send_to_socket(&self, to: SocketAddr, from: SocketAddr, data: &[u8]) {
        packets::send_to_socket(self, to, from, data);
    }

    /// Opens a pipe.
    pub fn pipe(&self) -> Pipe {
        pipe::open(self)
    }

    /// Writes into a pipe's other end.
    pub fn fill(&self, pipe: usize, data: &[u8]) {
        pipe::fill(self, pipe, data);
    }

    /// The misbehaviour it was made with, or was given since.
    pub fn faults(&self) -> Rc<Faults> {
        self.faults.borrow().clone()
    }

    /// Something that must never be: the history has failed.
    pub fn violation(&self, text: impl Into<String>) {
        let text = text.into();
        self.note(|| format!("VIOLATION {text}"));
        self.violations.borrow_mut().push(text);
    }

    /// What must never be and was.
    pub fn violations(&self) -> Vec<String> {
        self.violations.borrow().clone()
    }

    /// Prints what happens from now on.
    pub fn trace(&self) {
        self.tracing.set(true);
    }

    /// A line of the trace.
    pub fn note(&self, text: impl FnOnce() -> String) {
        if self.tracing.get() {
            let now = self.now.get();
            eprintln!(
                "{:>12.6} thread {:<2} {}",
                now.as_secs_f64(),
                self.thread.get(),
                text()
            );
        }
    }

    /// How often the loop has polled.
    pub fn polls(&self) -> u64 {
        self.polls.get()
    }

    /// Sockets and pollers that are open.
    pub fn open_fds(&self) -> usize {
        let pollers = self.pollers.borrow();
        let pollers = pollers.iter().filter(|p| p.open || p.waker_open).count();
        pollers + self.net.borrow().open()
    }

    pub(super) fn random_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.borrow_mut().fill_bytes(&mut bytes);
        bytes
    }

    /// A number below `limit`, which is not zero.
    pub(super) fn below(&self, limit: usize) -> usize {
        self.rng.borrow_mut().random_range(0..limit)
    }

    /// A time up to `longest`.
    pub(super) fn up_to(&self, longest: Duration) -> Duration {
        if longest.is_zero() {
            return longest;
        }
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.borrow_mut().random_range(0..=nanos))
    }

    /// Whether a misbehaviour happens now.
    pub(super) fn chance(&self, odds: impl FnOnce(&Faults) -> f64) -> bool {
        let odds = odds(&self.faults.borrow());
        odds > 0.0 && self.rng.borrow_mut().random::<f64>() < odds
    }

    pub(super) fn later(&self, after: Duration, happening: Happening) {
        self.at(self.now.get().saturating_add(after), happening);
    }

    pub(super) fn at(&self, at: Duration, happening: Happening) {
        let number = self.next.replace(self.next.get() + 1);
        self.agenda.borrow_mut().insert((at, number), happening);
    }

    pub(super) fn open_poller(&self) -> io::Result<usize> {
        if self.chance(|faults| faults.no_fd) {
            return Err(io::Error::other("EMFILE"));
        }
        let mut pollers = self.pollers.borrow_mut();
        pollers.push(PollerState {
            open: true,
            waker_open: true,
            woken: false,
        });
        Ok(pollers.len() - 1)
    }

    pub(super) fn close_poller(&self, id: usize) {
        self.pollers.borrow_mut()[id].open = false;
    }

    pub(super) fn close_waker(&self, id: usize) {
        self.pollers.borrow_mut()[id].waker_open = false;
    }

    pub(super) fn wake(&self, id: usize) {
        if self.chance(|faults| faults.late_wake) {
            let after = self.up_to(self.faults().delay);
            self.note(|| format!("wake, in {after:?}"));
            return self.later(after, Happening::Wake(id));
        }
        self.pollers.borrow_mut()[id].woken = true;
    }

    /// The loop's poll: the world goes on until there is something to say.
    pub(super) fn poll(
        &self,
        id: usize,
        timeout: Option<Duration>,
        out: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        self.polls.set(self.polls.get() + 1);
        // A turn takes time.
        self.advance(Duration::from_micros(1));
        if self.chance(|faults| faults.poll_fails) {
            self.note(|| "the poll fails".to_owned());
            return Err(io::Error::other("the poll fails, by the seed"));
        }
        if self.chance(|faults| faults.poll_interrupted) {
            return Ok(());
        }
        let began = self.now.get();
        let until = timeout.map(|timeout| began.saturating_add(timeout));
        loop {
            self.happen();
            if self.pollers.borrow()[id].woken || self.net.borrow().is_ready(id) {
                break;
            }
            let next = self.agenda.borrow().keys().next().map(|(at, _)| *at);
            // Peers may go on for ever with what is nothing to the loop.
            let next = next.filter(|next| until.is_some() || *next <= began + LONGEST_SLEEP);
            match (next, until) {
                (None, None) => {
                    self.violation("the loop would sleep for ever");
                    return Err(io::Error::other("nothing will ever happen"));
                }
                (Some(next), until) if until.is_none_or(|until| next <= until) => {
                    self.now.set(self.now.get().max(next));
                }
                (_, Some(until)) => {
                    self.now.set(self.now.get().max(until));
                    if self.chance(|faults| faults.oversleep) {
                        self.advance(self.up_to(self.faults().delay));
                    }
                    break;
                }
                (Some(_), None) => {}
            }
        }
        self.pollers.borrow_mut()[id].woken = false;
        self.tell(id, out);
        Ok(())
    }

    /// Lets the rest of the world go on by itself for that time: what is under way arrives.
    pub fn settle(&self, time: Duration) {
        let until = self.now.get() + time;
        loop {
            self.happen();
            let next = self.agenda.borrow().keys().next().map(|(at, _)| *at);
            match next.filter(|next| *next <= until) {
                Some(next) => self.now.set(self.now.get().max(next)),
                None => break,
            }
        }
        self.now.set(until);
    }

    /// Does what is due.
    fn happen(&self) {
        loop {
            let due = {
                let mut agenda = self.agenda.borrow_mut();
                match agenda.first_entry() {
                    Some(first) if first.key().0 <= self.now.get() => first.remove(),
                    _ => return,
                }
            };
            match due {
                Happening::Call(thread, f) => self.as_thread(thread, f),
                Happening::Wake(id) => self.pollers.borrow_mut()[id].woken = true,
                other => self.network(other),
            }
        }
    }
}
