//! Listeners, and connections that wait for them.

use super::net::{End, Fd, Link, State};
use super::peer::Peer;
use super::watch::Watch;
use super::world::{Happening, World};
use crate::sys::Key;
use crate::sys::{Address, ListenSettings};
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A listener.
pub(super) struct Ear {
    pub(super) watch: Watch,
    address: Address,
    backlog: usize,
    reuse_port: bool,
    waiting: VecDeque<Fd>,
    /// No descriptors until then.
    exhausted_until: Duration,
}

/// The errors of an accept, as the twin of the operating system's numbers.
pub(super) const EXHAUSTED: &str = "EMFILE";

impl World {
    /// After that time a peer connects to whatever listens there. If nothing does, or its backlog
    /// is full, the peer is dropped unconnected.
    pub fn dial(&self, to: impl Into<Address>, after: Duration, peer: Box<dyn Peer>) {
        let number = {
            let mut net = self.net.borrow_mut();
            net.dials.push(Some((to.into(), peer)));
            net.dials.len() - 1
        };
        self.later(after, Happening::Dialed(number));
    }

    /// Whether something listens there.
    pub fn listens(&self, at: &Address) -> bool {
        let net = self.net.borrow();
        net.ears
            .iter()
            .any(|ear| ear.watch.open && ear.address == *at)
    }

    pub(super) fn dialed(&self, dial: usize) {
        let Some((to, peer)) = self.net.borrow_mut().dials[dial].take() else {
            return;
        };
        let window = self.faults().window;
        let short = self.faults().drained_by_short_io;
        let fd = {
            let mut net = self.net.borrow_mut();
            let takes = |ear: &&mut Ear| {
                ear.watch.open && ear.address == to && ear.waiting.len() < ear.backlog
            };
            let count = net.ears.iter_mut().filter(takes).count();
            if count == 0 {
                drop(net);
                return self.note(|| format!("connect of a peer to {to}: refused"));
            }
            let chosen = self.below(count);
            let fd = net.links.len() as Fd;
            if let Some(ear) = net.ears.iter_mut().filter(takes).nth(chosen) {
                ear.waiting.push_back(fd);
                ear.watch.readable.mark(short);
            }
            let from = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 20_000 + (fd % 20_000) as u16);
            let mut link = Link::new(from.into(), to.clone(), window);
            link.state = State::Up;
            link.waiting = true;
            link.peer = Some(peer);
            net.links.push(link);
            fd
        };
        self.note(|| format!("fd {fd}: a peer connects to {to}"));
        self.may_break(fd, Duration::ZERO);
        self.call_peer(fd, |peer, io| peer.on_connect(io));
    }

    pub(super) fn listen(&self, address: &Address, settings: &ListenSettings) -> io::Result<usize> {
        if self.chance(|faults| faults.no_fd) {
            return Err(io::Error::other(EXHAUSTED));
        }
        let mut net = self.net.borrow_mut();
        let id = net.ears.len();
        let mut address = address.clone();
        if let Address::Inet(inet) = &mut address
            && inet.port() == 0
        {
            inet.set_port(50_000 + (id % 10_000) as u16);
        }
        let mut there = net.ears.iter().filter(|ear| ear.watch.open);
        if there.any(|ear| ear.address == address && !(ear.reuse_port && settings.reuse_port)) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        net.ears.push(Ear {
            watch: Watch::opened(),
            address,
            backlog: settings.backlog as usize,
            reuse_port: settings.reuse_port,
            waiting: VecDeque::new(),
            exhausted_until: Duration::ZERO,
        });
        Ok(id)
    }

    pub(super) fn ear_address(&self, id: usize) -> Address {
        self.net.borrow().ears[id].address.clone()
    }

    pub(super) fn register_ear(&self, id: usize, at: Option<(usize, Key)>) {
        let mut net = self.net.borrow_mut();
        let ear = &mut net.ears[id];
        ear.watch.poller = at;
        ear.watch.readable.set |= !ear.waiting.is_empty();
    }

    pub(super) fn accept(&self, id: usize) -> io::Result<(Fd, Address)> {
        if self.chance(|faults| faults.interrupted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let now = self.elapsed();
        let begins = self.chance(|faults| faults.accept_exhausted);
        let gone = self.chance(|faults| faults.accept_gone);
        let lasts = self.up_to(Duration::from_millis(if begins { 200 } else { 0 }));
        let mut net = self.net.borrow_mut();
        let ear = &mut net.ears[id];
        if ear.waiting.is_empty() {
            ear.watch.readable.used = false;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if begins {
            ear.exhausted_until = now + lasts;
        }
        if now < ear.exhausted_until {
            return Err(io::Error::other(EXHAUSTED));
        }
        let Some(fd) = ear.waiting.pop_front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        drop(net);
        if gone {
            self.turn_away_waiting(fd);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.note(|| format!("fd {fd}: accepted by the loop"));
        let mut net = self.net.borrow_mut();
        let link = net.link_mut(fd);
        link.waiting = false;
        Ok((fd, link.address.clone()))
    }

    /// As with a descriptor in reserve: takes one that waits, and closes it.
    pub(super) fn turn_away(&self, id: usize) -> bool {
        let fd = self.net.borrow_mut().ears[id].waiting.pop_front();
        if let Some(fd) = fd {
            self.turn_away_waiting(fd);
        }
        fd.is_some()
    }

    fn turn_away_waiting(&self, fd: Fd) {
        {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            link.open = false;
            link.waiting = false;
        }
        self.note(|| format!("fd {fd}: turned away"));
        self.later(Duration::ZERO, Happening::PeerEnd(fd, End::Reset));
    }

    pub(super) fn close_ear(&self, id: usize) {
        let waiting = {
            let mut net = self.net.borrow_mut();
            let ear = &mut net.ears[id];
            ear.watch.close();
            std::mem::take(&mut ear.waiting)
        };
        for fd in waiting {
            self.turn_away_waiting(fd);
        }
    }
}
