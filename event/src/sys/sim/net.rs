//! Sockets, the bytes under way, and what a poller is told of them.

use super::backlog::Ear;
use super::packets::{DatagramPeer, Socket};
use super::peer::Peer;
use super::pipe::PipeEnd;
use super::watch::{Edge, Watch};
use super::world::{Happening, World};
use crate::sys::Key;
use crate::sys::Readiness;
use crate::sys::{Address, Got};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Names a connection; never used again.
pub(crate) type Fd = u64;

/// Makes the peer of the connection with that number.
pub type Backlog = Box<dyn FnMut(Fd) -> Box<dyn Peer>>;

/// What becomes of a connect to an address.
pub enum Route {
    /// It is accepted after that time.
    Accept(Duration, Backlog),
    /// It is refused after that time.
    Refuse(Duration),
    /// Nothing ever comes back.
    Hole,
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Fin,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Up,
    Failed(io::ErrorKind),
}

/// A place in a stream where a read stops although more is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadStop {
    /// So many bytes of what has arrived are before it.
    pub(super) after: usize,
    /// For urgent data, of which the poller tells; else for descriptors that came along, of which the
    /// read tells.
    pub(super) urgent: bool,
}

/// Both ends of one connection.
// Large: all that a real kernel and a real peer know of a connection, which may be in any state.
pub(crate) struct Link {
    /// Of the other side.
    pub(super) address: Address,
    /// Of the loop's side.
    pub(super) local: Address,
    pub(super) state: State,
    pub(super) open: bool,
    /// In a listener's backlog: no descriptor of the loop's yet.
    pub(super) waiting: bool,
    pub(super) poller: Option<(usize, Key)>,
    pub(super) readable: Edge,
    pub(super) writable: Edge,
    pub(super) hangup: bool,
    /// Arrived and not read.
    pub(super) inbound: VecDeque<u8>,
    /// Where a read stops although more is there.
    pub(super) stop: Option<ReadStop>,
    /// Under way to the loop.
    pub(super) coming: usize,
    pub(super) inbound_end: Option<End>,
    /// Room for writes.
    pub(super) room: usize,
    /// A write found too little room.
    pub(super) starved: bool,
    pub(super) fin_sent: bool,
    /// What the loop's side sent is lost from here on.
    pub(super) lost: bool,
    /// The peer; `None` while it is called, and before the connect.
    pub(super) peer: Option<Box<dyn Peer>>,
    pub(super) peer_out: VecDeque<u8>,
    pub(super) peer_end: Option<End>,
    /// The end was put on its way.
    pub(super) peer_ended: bool,
    pub(super) peer_reads: bool,
    pub(super) unread_by_peer: VecDeque<u8>,
    /// The loop's end of the stream, behind what the peer has not read.
    pub(super) end_for_peer: Option<End>,
    pub(super) peer_told_end: bool,
    /// When the last of each direction arrives: nothing overtakes.
    pub(super) last_to_loop: Duration,
    pub(super) last_to_peer: Duration,
    pub(super) moved: Moved,
}

/// When bytes of a connection last went anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    /// The loop's side read some.
    pub read: Duration,
    /// Its socket took some.
    pub written: Duration,
    /// It took the end of the stream, which is no byte.
    pub ended: Duration,
    /// The peer took some.
    pub taken: Duration,
}

/// All connections there were.
#[derive(Default)]
pub(crate) struct Net {
    pub(super) links: Vec<Link>,
    pub(super) routes: HashMap<Address, Route>,
    pub(super) ears: Vec<Ear>,
    pub(super) dials: Vec<Option<(Address, Box<dyn Peer>)>>,
    pub(super) sockets: Vec<Socket>,
    pub(super) datagram_peers: HashMap<SocketAddr, Box<dyn DatagramPeer>>,
    pub(super) pipes: Vec<PipeEnd>,
}

impl Net {
    pub(super) fn link(&self, fd: Fd) -> &Link {
        &self.links[fd as usize]
    }

    pub(super) fn link_mut(&mut self, fd: Fd) -> &mut Link {
        &mut self.links[fd as usize]
    }

    pub(super) fn open(&self) -> usize {
        let links = self.links.iter();
        let links = links.filter(|link| link.open && !link.waiting).count();
        links + self.watches().filter(|watch| watch.open).count()
    }

    pub(super) fn is_ready(&self, poller: usize) -> bool {
        self.links.iter().any(|link| link.is_ready(poller))
            || self.watches().any(|watch| watch.is_ready(poller))
    }

    /// What is no connection.
    fn watches(&self) -> impl Iterator<Item = &Watch> {
        let ears = self.ears.iter().map(|ear| &ear.watch);
        let sockets = self.sockets.iter().map(|socket| &socket.watch);
        ears.chain(sockets)
            .chain(self.pipes.iter().map(|pipe| &pipe.watch))
    }

    fn watches_mut(&mut self) -> impl Iterator<Item = &mut Watch> {
        let ears = self.ears.iter_mut().map(|ear| &mut ear.watch);
        let sockets = self.sockets.iter_mut().map(|socket| &mut socket.watch);
        ears.chain(sockets)
            .chain(self.pipes.iter_mut().map(|pipe| &mut pipe.watch))
    }
}

impl Link {
    fn is_ready(&self, poller: usize) -> bool {
        let mine = self.poller.is_some_and(|(id, _)| id == poller);
        mine && (self.readable.set || self.writable.set || self.hangup)
    }

    /// Whether the connect has ended.
    pub(super) fn connected(&mut self) -> io::Result<bool> {
        match self.state {
            State::Connecting => Ok(false),
            State::Up if self.is_broken() => Err(io::ErrorKind::ConnectionReset.into()),
            State::Up => Ok(true),
            State::Failed(kind) => Err(kind.into()),
        }
    }

    /// A new one; what is sent on it arrives as the world says.
    pub(super) fn new(address: Address, local: Address, window: usize) -> Self {
        Self {
            address,
            local,
            state: State::Connecting,
            open: true,
            waiting: false,
            poller: None,
            readable: Edge::default(),
            writable: Edge::default(),
            hangup: false,
            inbound: VecDeque::new(),
            stop: None,
            coming: 0,
            inbound_end: None,
            room: window,
            starved: false,
            fin_sent: false,
            lost: false,
            peer: None,
            peer_out: VecDeque::new(),
            peer_end: None,
            peer_ended: false,
            peer_reads: true,
            unread_by_peer: VecDeque::new(),
            end_for_peer: None,
            peer_told_end: false,
            last_to_loop: Duration::ZERO,
            last_to_peer: Duration::ZERO,
            moved: Moved::default(),
        }
    }

    pub(super) fn peer_addr(&self) -> io::Result<Address> {
        match self.state {
            State::Up => Ok(self.address.clone()),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// A poller that begins to look tells what holds already.
    fn looked_at(&mut self) {
        if self.state == State::Up {
            let ended = self.inbound_end.is_some();
            self.readable = Edge::default();
            self.writable = Edge::default();
            self.readable.set = ended || !self.inbound.is_empty();
            self.writable.set = self.room > 0;
            self.hangup = ended;
        }
    }

    pub(super) fn mark_readable(&mut self, drained_by_short_io: bool) {
        self.readable.mark(drained_by_short_io);
    }

    pub(super) fn mark_writable(&mut self, drained_by_short_io: bool) {
        self.writable.mark(drained_by_short_io);
    }

    /// Cuts a read of so many bytes at the place where it has to stop. `true`: descriptors came along,
    /// as the read tells.
    fn stops_read(&mut self, count: &mut usize) -> bool {
        let Some(stop) = &mut self.stop else {
            return false;
        };
        if stop.after > *count {
            stop.after -= *count;
            return false;
        }
        let ReadStop { after, urgent } = *stop;
        self.stop = None;
        // A read that begins at urgent data goes on behind it.
        if after == 0 {
            return false;
        }
        *count = after;
        !urgent
    }

    pub(super) fn is_broken(&self) -> bool {
        self.inbound_end == Some(End::Reset)
    }
}

/// What the loop's side does.
impl World {
    /// Sets what becomes of connects to that address; without it they are refused.
    pub fn route(&self, address: impl Into<Address>, route: Route) {
        self.net.borrow_mut().routes.insert(address.into(), route);
    }

    pub(super) fn connect(&self, address: &Address) -> io::Result<Fd> {
        if self.chance(|faults| faults.no_fd) {
            self.note(|| format!("connect to {address}: EMFILE"));
            return Err(io::Error::other("EMFILE"));
        }
        let window = self.faults().window;
        let mut net = self.net.borrow_mut();
        let fd = net.links.len() as Fd;
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 40_000 + (fd % 20_000) as u16);
        let link = Link::new(address.clone(), local.into(), window);
        net.links.push(link);
        let (after, outcome) = match net.routes.get(address) {
            Some(Route::Accept(after, _)) => (*after, Ok(())),
            Some(Route::Refuse(after)) => (*after, Err(io::ErrorKind::ConnectionRefused)),
            Some(Route::Hole) => {
                drop(net);
                self.note(|| format!("fd {fd}: connect to {address}, a hole"));
                return Ok(fd);
            }
            None => (Duration::ZERO, Err(io::ErrorKind::ConnectionRefused)),
        };
        drop(net);
        self.note(|| format!("fd {fd}: connect to {address}: {outcome:?} in {after:?}"));
        self.later(after, Happening::Connected(fd, outcome));
        self.may_break(fd, after);
        Ok(fd)
    }

    /// The network may break a connection that is there after that time.
    pub(super) fn may_break(&self, fd: Fd, after: Duration) {
        if self.chance(|faults| faults.reset) {
            let after = after + self.up_to(Duration::from_millis(200));
            self.later(after, Happening::LoopEnd(fd, End::Reset));
            self.later(after, Happening::PeerEnd(fd, End::Reset));
        }
    }

    pub(super) fn register(&self, fd: Fd, poller: usize, key: Key) {
        let mut net = self.net.borrow_mut();
        let link = net.link_mut(fd);
        link.poller = Some((poller, key));
        link.looked_at();
    }

    pub(super) fn deregister(&self, fd: Fd) {
        self.net.borrow_mut().link_mut(fd).poller = None;
    }

    pub(super) fn with_socket<R>(&self, fd: Fd, f: impl FnOnce(&mut Link) -> R) -> R {
        f(self.net.borrow_mut().link_mut(fd))
    }

    /// When its bytes last went anywhere.
    pub fn moved(&self, fd: Fd) -> Moved {
        self.net.borrow().link(fd).moved
    }

    pub(super) fn read(&self, fd: Fd, buf: &mut [u8]) -> io::Result<Got> {
        if self.chance(|faults| faults.interrupted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let drained_by_short_io = self.faults().drained_by_short_io;
        let got = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            if link.inbound.is_empty() {
                return match link.inbound_end {
                    Some(End::Fin) => Ok(Got {
                        bytes: 0,
                        more: false,
                    }),
                    Some(End::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
                    None => {
                        link.readable.used = false;
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                };
            }
            let mut count = buf.len().min(link.inbound.len());
            if !drained_by_short_io && self.chance(|faults| faults.short_read) {
                count = 1 + self.below(count);
            }
            let descriptors = link.stops_read(&mut count);
            for (to, from) in buf.iter_mut().zip(link.inbound.drain(..count)) {
                *to = from;
            }
            link.moved.read = self.elapsed();
            Got {
                bytes: count,
                more: count == buf.len() || descriptors || !drained_by_short_io,
            }
        };
        self.note(|| format!("fd {fd}: read {got:?}"));
        self.transmit(fd);
        Ok(got)
    }

    pub(super) fn write(&self, fd: Fd, buf: &[u8]) -> io::Result<usize> {
        if self.chance(|faults| faults.interrupted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let (count, at) = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            if link.is_broken() || link.fin_sent {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let mut count = buf.len().min(link.room);
            if count == 0 {
                link.starved = true;
                link.writable.used = false;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if self.chance(|faults| faults.short_write) {
                count = 1 + self.below(count);
            }
            link.starved |= count < buf.len();
            link.room -= count;
            link.moved.written = self.elapsed();
            (count, self.arrival(&mut link.last_to_peer))
        };
        self.note(|| format!("fd {fd}: wrote {count} of {}", buf.len()));
        self.at(at, Happening::ToPeer(fd, buf[..count].to_vec()));
        Ok(count)
    }

    pub(super) fn shutdown_write(&self, fd: Fd) -> io::Result<()> {
        let at = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            if link.is_broken() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            if std::mem::replace(&mut link.fin_sent, true) {
                return Ok(());
            }
            link.moved.ended = self.elapsed();
            self.arrival(&mut link.last_to_peer)
        };
        self.note(|| format!("fd {fd}: shutdown"));
        self.at(at, Happening::PeerEnd(fd, End::Fin));
        Ok(())
    }

    /// The descriptor is closed. Unread bytes make it a reset, which may overtake what was sent.
    pub(super) fn close(&self, fd: Fd) {
        let lossy = self.below(2) == 0;
        let end = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            link.open = false;
            link.poller = None;
            if link.state != State::Up || link.is_broken() {
                None
            } else if !link.inbound.is_empty() {
                link.lost = lossy;
                Some((self.now_and(&mut link.last_to_peer, lossy), End::Reset))
            } else if !std::mem::replace(&mut link.fin_sent, true) {
                Some((self.arrival(&mut link.last_to_peer), End::Fin))
            } else {
                None
            }
        };
        self.note(|| format!("fd {fd}: close {end:?}"));
        if let Some((at, end)) = end {
            self.at(at, Happening::PeerEnd(fd, end));
        }
    }

    fn now_and(&self, last: &mut Duration, overtakes: bool) -> Duration {
        if overtakes {
            self.elapsed()
        } else {
            self.arrival(last)
        }
    }

    /// When what is sent now arrives, behind what was sent before.
    pub(super) fn arrival(&self, last: &mut Duration) -> Duration {
        let at = self.elapsed() + self.up_to(self.faults().latency);
        *last = at.max(*last);
        *last
    }

    /// Tells what is ready, in any order.
    pub(super) fn tell(&self, poller: usize, out: &mut Vec<Readiness>) {
        let mut net = self.net.borrow_mut();
        let spurious = self.chance(|faults| faults.spurious);
        let begin = out.len();
        for link in &mut net.links {
            let Some((id, key)) = link.poller else {
                continue;
            };
            if id != poller {
                continue;
            }
            if link.is_ready(poller) && !self.chance(|faults| faults.postponed) {
                let readable = std::mem::take(&mut link.readable.set);
                let writable = std::mem::take(&mut link.writable.set);
                link.readable.used |= readable;
                link.writable.used |= writable;
                out.push(Readiness {
                    key,
                    readable,
                    writable,
                    hangup: std::mem::take(&mut link.hangup),
                    urgent: link.stop.is_some_and(|stop| stop.urgent),
                });
            } else if spurious {
                out.push(Readiness {
                    key,
                    readable: self.below(2) == 0,
                    writable: self.below(2) == 0,
                    hangup: false,
                    urgent: false,
                });
            }
        }
        for watch in net.watches_mut() {
            let Some((_, key)) = watch.poller.filter(|(id, _)| *id == poller) else {
                continue;
            };
            if watch.is_ready(poller) && !self.chance(|faults| faults.postponed) {
                let readable = std::mem::take(&mut watch.readable.set);
                let writable = std::mem::take(&mut watch.writable.set);
                watch.readable.used |= readable;
                watch.writable.used |= writable;
                out.push(Readiness {
                    key,
                    readable,
                    writable,
                    hangup: false,
                    urgent: false,
                });
            } else if spurious {
                out.push(Readiness {
                    key,
                    readable: self.below(2) == 0,
                    writable: self.below(2) == 0,
                    hangup: false,
                    urgent: false,
                });
            }
        }
        for i in (begin + 1..out.len()).rev() {
            out.swap(i, begin + self.below(i + 1 - begin));
        }
    }
}
