//! Sockets, the bytes under way, and what a poller is told of them.

use super::backlog::Ear;
use super::fd::{End, Fd};
use super::link::{Link, LinkState, Moved};
use super::packets::{DatagramPeer, Socket};
use super::peer::Peer;
use super::pipe::PipeEnd;
use super::{Happening, World};
use crate::sys::Key;
use crate::sys::Readiness;
use crate::sys::sim::watch::Watch;
use crate::sys::{Address, Got};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

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

/// All connections there were.
#[derive(Default)]
pub(crate) struct Net {
    pub(in crate::sys::sim) links: Vec<Link>,
    pub(in crate::sys::sim) routes: HashMap<Address, Route>,
    pub(in crate::sys::sim) ears: Vec<Ear>,
    pub(in crate::sys::sim) dials: Vec<Option<(Address, Box<dyn Peer>)>>,
    pub(in crate::sys::sim) sockets: Vec<Socket>,
    pub(in crate::sys::sim) datagram_peers: HashMap<SocketAddr, Box<dyn DatagramPeer>>,
    pub(in crate::sys::sim) pipes: Vec<PipeEnd>,
}

impl Net {
    pub(in crate::sys::sim) fn link(&self, fd: Fd) -> &Link {
        &self.links[fd as usize]
    }

    pub(in crate::sys::sim) fn link_mut(&mut self, fd: Fd) -> &mut Link {
        &mut self.links[fd as usize]
    }

    pub(in crate::sys::sim) fn open(&self) -> usize {
        let links = self.links.iter();
        let links = links.filter(|link| link.open && !link.waiting).count();
        links + self.watches().filter(|watch| watch.open).count()
    }

    pub(in crate::sys::sim) fn is_ready(&self, poller: usize) -> bool {
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

/// What the loop's side does.
/// How often the loop may read a connection in one turn.
const READS: u32 = 4;

impl World {
    /// Sets what becomes of connects to that address; without it they are refused.
    pub fn route(&self, address: impl Into<Address>, route: Route) {
        self.net.borrow_mut().routes.insert(address.into(), route);
    }

    pub(in crate::sys::sim) fn connect(&self, address: &Address) -> io::Result<Fd> {
        let fd = self.socket()?;
        self.connect_socket(fd, address);
        Ok(fd)
    }

    /// A stream that is not connected.
    pub(in crate::sys::sim) fn socket(&self) -> io::Result<Fd> {
        if self.chance(|faults| faults.no_fd) {
            self.note(|| "a socket: EMFILE".to_owned());
            return Err(io::Error::other("EMFILE"));
        }
        let window = self.faults().window;
        let mut net = self.net.borrow_mut();
        let fd = net.links.len() as Fd;
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 40_000 + (fd % 20_000) as u16);
        let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        net.links
            .push(Link::new(nowhere.into(), local.into(), window));
        Ok(fd)
    }

    /// Begins to connect it.
    pub(in crate::sys::sim) fn connect_socket(&self, fd: Fd, address: &Address) {
        let mut net = self.net.borrow_mut();
        net.link_mut(fd).address = address.clone();
        let (after, outcome) = match net.routes.get(address) {
            Some(Route::Accept(after, _)) => (*after, Ok(())),
            Some(Route::Refuse(after)) => (*after, Err(io::ErrorKind::ConnectionRefused)),
            Some(Route::Hole) => {
                drop(net);
                return self.note(|| format!("fd {fd}: connect to {address}, a hole"));
            }
            None => (Duration::ZERO, Err(io::ErrorKind::ConnectionRefused)),
        };
        drop(net);
        self.note(|| format!("fd {fd}: connect to {address}: {outcome:?} in {after:?}"));
        self.later(after, Happening::Connected(fd, outcome));
        self.may_break(fd, after);
    }

    /// The network may break a connection that is there after that time.
    pub(in crate::sys::sim) fn may_break(&self, fd: Fd, after: Duration) {
        if self.chance(|faults| faults.reset) {
            let after = after + self.up_to(Duration::from_millis(200));
            self.later(after, Happening::LoopEnd(fd, End::Reset));
            self.later(after, Happening::PeerEnd(fd, End::Reset));
        }
    }

    pub(in crate::sys::sim) fn register(&self, fd: Fd, poller: usize, key: Key) {
        let mut net = self.net.borrow_mut();
        let link = net.link_mut(fd);
        link.poller = Some((poller, key));
        link.looked_at();
    }

    pub(in crate::sys::sim) fn deregister(&self, fd: Fd) {
        self.net.borrow_mut().link_mut(fd).poller = None;
    }

    pub(in crate::sys::sim) fn with_socket<R>(&self, fd: Fd, f: impl FnOnce(&mut Link) -> R) -> R {
        f(self.net.borrow_mut().link_mut(fd))
    }

    /// When its bytes last went anywhere.
    pub fn moved(&self, fd: Fd) -> Moved {
        self.net.borrow().link(fd).moved
    }

    pub(in crate::sys::sim) fn read(&self, fd: Fd, buf: &mut [u8]) -> io::Result<Got> {
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
            if link.reads.0 != self.polls() {
                link.reads = (self.polls(), 0);
            }
            link.reads.1 += 1;
            if link.reads.1 > READS {
                self.violation(format!(
                    "I12: fd {fd} was read {} times in a turn",
                    link.reads.1
                ));
            }
            Got {
                bytes: count,
                more: count == buf.len() || descriptors || !drained_by_short_io,
            }
        };
        self.note(|| format!("fd {fd}: read {got:?}"));
        self.transmit(fd);
        Ok(got)
    }

    pub(in crate::sys::sim) fn write(&self, fd: Fd, buf: &[u8]) -> io::Result<usize> {
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

    pub(in crate::sys::sim) fn shutdown_write(&self, fd: Fd) -> io::Result<()> {
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
    pub(in crate::sys::sim) fn close(&self, fd: Fd) {
        let lossy = self.below(2) == 0;
        let end = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            link.open = false;
            link.poller = None;
            if link.state != LinkState::Up || link.is_broken() {
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
    pub(in crate::sys::sim) fn arrival(&self, last: &mut Duration) -> Duration {
        let at = self.elapsed() + self.up_to(self.faults().latency);
        *last = at.max(*last);
        *last
    }

    /// Tells what is ready, in any order.
    pub(in crate::sys::sim) fn tell(&self, poller: usize, out: &mut Vec<Readiness>) {
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
