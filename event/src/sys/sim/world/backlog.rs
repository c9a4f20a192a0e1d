//! Listeners, and connections that wait for them.

use super::fd::{End, Fd};
use super::link::{Link, LinkState};
use super::peer::Peer;
use super::{Happening, World};
use crate::sys::Address;
use crate::sys::Key;
use crate::sys::sim::watch::Watch;
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A listener.
pub(in crate::sys::sim) struct Ear {
    pub(in crate::sys::sim) watch: Watch,
    address: Address,
    backlog: usize,
    reuse_port: bool,
    waiting: VecDeque<Fd>,
    /// No descriptors until then.
    exhausted_until: Duration,
}

/// The errors of an accept, as the twin of the operating system's numbers.
pub(in crate::sys::sim) const EXHAUSTED: &str = "EMFILE";

/// After that time a peer connects to whatever listens there. If nothing does, or its backlog
/// is full, the peer is dropped unconnected.
pub(in crate::sys::sim) fn dial(world: &World, to: Address, after: Duration, peer: Box<dyn Peer>) {
    let number = {
        let mut net = world.net.borrow_mut();
        net.dials.push(Some((to, peer)));
        net.dials.len() - 1
    };
    world.later(after, Happening::Dialed(number));
}

/// Whether something listens there.
pub(in crate::sys::sim) fn listens(world: &World, at: &Address) -> bool {
    let net = world.net.borrow();
    net.ears
        .iter()
        .any(|ear| ear.watch.open && ear.address == *at)
}

pub(in crate::sys::sim) fn dialed(world: &World, dial: usize) {
    let Some((to, peer)) = world.net.borrow_mut().dials[dial].take() else {
        return;
    };
    let window = world.faults().window;
    let short = world.faults().drained_by_short_io;
    let fd = {
        let mut net = world.net.borrow_mut();
        let takes =
            |ear: &&mut Ear| ear.watch.open && ear.address == to && ear.waiting.len() < ear.backlog;
        let count = net.ears.iter_mut().filter(takes).count();
        if count == 0 {
            drop(net);
            return world.note(|| format!("connect of a peer to {to}: refused"));
        }
        let chosen = world.below(count);
        let fd = net.links.len() as Fd;
        if let Some(ear) = net.ears.iter_mut().filter(takes).nth(chosen) {
            ear.waiting.push_back(fd);
            ear.watch.readable.mark(short);
        }
        let from = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 20_000 + (fd % 20_000) as u16);
        let mut link = Link::new(from.into(), to.clone(), window);
        link.state = LinkState::Up;
        link.waiting = true;
        link.peer = Some(peer);
        net.links.push(link);
        fd
    };
    world.note(|| format!("fd {fd}: a peer connects to {to}"));
    world.may_break(fd, Duration::ZERO);
    world.call_peer(fd, |peer, io| peer.on_connect(io));
}

pub(in crate::sys::sim) fn listen(
    world: &World,
    address: &Address,
    backlog: u32,
    reuse_port: bool,
) -> io::Result<usize> {
    if world.chance(|faults| faults.no_fd) {
        return Err(io::Error::other(EXHAUSTED));
    }
    let mut net = world.net.borrow_mut();
    let id = net.ears.len();
    let mut address = address.clone();
    if let Address::Inet(inet) = &mut address
        && inet.port() == 0
    {
        inet.set_port(50_000 + (id % 10_000) as u16);
    }
    let mut there = net.ears.iter().filter(|ear| ear.watch.open);
    if there.any(|ear| ear.address == address && !(ear.reuse_port && reuse_port)) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    net.ears.push(Ear {
        watch: Watch::opened(),
        address,
        backlog: backlog as usize,
        reuse_port,
        waiting: VecDeque::new(),
        exhausted_until: Duration::ZERO,
    });
    Ok(id)
}

pub(in crate::sys::sim) fn ear_address(world: &World, id: usize) -> Address {
    world.net.borrow().ears[id].address.clone()
}

pub(in crate::sys::sim) fn register_ear(world: &World, id: usize, at: Option<(usize, Key)>) {
    let mut net = world.net.borrow_mut();
    let ear = &mut net.ears[id];
    ear.watch.poller = at;
    ear.watch.readable.set |= !ear.waiting.is_empty();
}

pub(in crate::sys::sim) fn accept(world: &World, id: usize) -> io::Result<(Fd, Address)> {
    if world.chance(|faults| faults.interrupted) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let now = world.elapsed();
    let begins = world.chance(|faults| faults.accept_exhausted);
    let gone = world.chance(|faults| faults.accept_gone);
    let lasts = world.up_to(Duration::from_millis(if begins { 200 } else { 0 }));
    let mut net = world.net.borrow_mut();
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
        turn_away_waiting(world, fd);
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    world.note(|| format!("fd {fd}: accepted by the loop"));
    let mut net = world.net.borrow_mut();
    let link = net.link_mut(fd);
    link.waiting = false;
    Ok((fd, link.address.clone()))
}

/// As with a descriptor in reserve: takes one that waits, and closes it.
pub(in crate::sys::sim) fn turn_away(world: &World, id: usize) -> bool {
    let fd = world.net.borrow_mut().ears[id].waiting.pop_front();
    if let Some(fd) = fd {
        turn_away_waiting(world, fd);
    }
    fd.is_some()
}

fn turn_away_waiting(world: &World, fd: Fd) {
    {
        let mut net = world.net.borrow_mut();
        let link = net.link_mut(fd);
        link.open = false;
        link.waiting = false;
    }
    world.note(|| format!("fd {fd}: turned away"));
    world.later(Duration::ZERO, Happening::PeerEnd(fd, End::Reset));
}

pub(in crate::sys::sim) fn close_ear(world: &World, id: usize) {
    let waiting = {
        let mut net = world.net.borrow_mut();
        let ear = &mut net.ears[id];
        ear.watch.close();
        std::mem::take(&mut ear.waiting)
    };
    for fd in waiting {
        turn_away_waiting(world, fd);
    }
}
