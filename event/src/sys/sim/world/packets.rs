//! Datagrams under way, and the peers that send them.

use super::{Happening, World};
use crate::sys::Key;
use crate::sys::sim::watch::Watch;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// Datagrams that a socket keeps unread; more are lost.
const UNREAD: usize = 200;
/// Datagrams of a socket that may be under way, at most; a send of one more is `WouldBlock`.
const UNDER_WAY: usize = 400;

/// A datagram socket of the loop's side.
pub(in crate::sys::sim) struct Socket {
    pub(in crate::sys::sim) watch: Watch,
    address: SocketAddr,
    peer: Option<SocketAddr>,
    inbox: VecDeque<(Vec<u8>, SocketAddr)>,
    /// Nobody was there: the next call says so.
    refused: bool,
    room: usize,
    /// The room of one on whose way nothing is.
    whole: usize,
    starved: bool,
}

/// Somebody who sends and receives datagrams, on no thread of the library's.
pub trait DatagramPeer {
    /// A datagram came.
    fn on_datagram(&mut self, io: &mut DatagramIo, data: &[u8], from: SocketAddr);

    /// A timer of [`DatagramIo::timer`].
    fn on_timer(&mut self, io: &mut DatagramIo, tag: u64) {
        let (_, _) = (io, tag);
    }
}

/// What a [`DatagramPeer`] can do, during a call.
pub struct DatagramIo {
    world: Rc<World>,
    address: SocketAddr,
}

impl DatagramIo {
    /// Sends a datagram.
    pub fn send_to(&mut self, data: &[u8], to: SocketAddr) {
        send_to_socket(&self.world, to, self.address, data);
    }

    /// Calls [`DatagramPeer::on_timer`] later.
    pub fn timer(&mut self, after: Duration, tag: u64) {
        let happening = Happening::DatagramTimer(self.address, tag);
        self.world.later(after, happening);
    }
}

/// From now on somebody is at that address.
pub(in crate::sys::sim) fn datagram_peer(
    world: &World,
    address: SocketAddr,
    peer: Box<dyn DatagramPeer>,
) {
    let mut net = world.net.borrow_mut();
    net.datagram_peers.insert(address, peer);
}

/// Sends a datagram to a socket of the loop's side.
pub(in crate::sys::sim) fn send_to_socket(
    world: &World,
    to: SocketAddr,
    from: SocketAddr,
    data: &[u8],
) {
    for _ in 0..copies(world) {
        let after = world.up_to(world.faults().latency);
        world.later(after, Happening::ToSocket(to, from, data.to_vec()));
    }
}

/// How often a datagram arrives.
fn copies(world: &World) -> usize {
    if world.chance(|faults| faults.datagram_lost) {
        return 0;
    }
    1 + usize::from(world.chance(|faults| faults.datagram_twice))
}

pub(in crate::sys::sim) fn call_datagram_peer(
    world: &World,
    address: SocketAddr,
    f: impl FnOnce(&mut dyn DatagramPeer, &mut DatagramIo),
) -> bool {
    let peer = world.net.borrow_mut().datagram_peers.remove(&address);
    let Some(mut peer) = peer else { return false };
    let mut io = DatagramIo {
        world: World::here(),
        address,
    };
    f(&mut *peer, &mut io);
    world.net.borrow_mut().datagram_peers.insert(address, peer);
    true
}

pub(in crate::sys::sim) fn at_datagram_peer(
    world: &World,
    socket: usize,
    to: SocketAddr,
    data: &[u8],
) {
    let from = world.net.borrow().sockets[socket].address;
    let there = call_datagram_peer(world, to, |peer, io| peer.on_datagram(io, data, from));
    if !there {
        let short = world.faults().drained_by_short_io;
        let mut net = world.net.borrow_mut();
        let socket = &mut net.sockets[socket];
        if socket.peer == Some(to) {
            socket.refused = true;
            socket.watch.readable.mark(short);
        }
    }
}

pub(in crate::sys::sim) fn has_room(world: &World, socket: usize) {
    let short = world.faults().drained_by_short_io;
    let mut net = world.net.borrow_mut();
    let socket = &mut net.sockets[socket];
    socket.room += 1;
    // As Linux does: an event for half the buffer, and not for each datagram that has left.
    if socket.starved && socket.room >= socket.whole.div_ceil(2) {
        socket.starved = false;
        socket.watch.writable.mark(short);
    }
}

pub(in crate::sys::sim) fn tells_of_room(world: &World, socket: usize) -> bool {
    let net = world.net.borrow();
    let socket = &net.sockets[socket];
    socket.starved || socket.watch.writable.set
}

pub(in crate::sys::sim) fn at_socket(
    world: &World,
    to: SocketAddr,
    from: SocketAddr,
    data: Vec<u8>,
) {
    let short = world.faults().drained_by_short_io;
    let mut net = world.net.borrow_mut();
    let mut open = net.sockets.iter_mut();
    let socket = open.find(|socket| {
        let hears = socket.peer.is_none_or(|peer| peer == from);
        socket.watch.open && socket.address == to && hears
    });
    if let Some(socket) = socket.filter(|socket| socket.inbox.len() < UNREAD) {
        socket.inbox.push_back((data, from));
        socket.watch.readable.mark(short);
    }
}

pub(in crate::sys::sim) fn open_socket(
    world: &World,
    mut address: SocketAddr,
) -> io::Result<usize> {
    if world.chance(|faults| faults.no_fd) {
        return Err(io::Error::other("EMFILE"));
    }
    let room = 8 + world.below(UNDER_WAY);
    let mut net = world.net.borrow_mut();
    let id = net.sockets.len();
    if address.port() == 0 {
        address.set_port(60_000 + (id % 5_000) as u16);
    }
    let mut open = net.sockets.iter().filter(|socket| socket.watch.open);
    if open.any(|socket| socket.address == address) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    net.sockets.push(Socket {
        watch: Watch::opened(),
        address,
        peer: None,
        inbox: VecDeque::new(),
        refused: false,
        room,
        whole: room,
        starved: false,
    });
    Ok(id)
}

pub(in crate::sys::sim) fn socket_address(world: &World, id: usize) -> SocketAddr {
    world.net.borrow().sockets[id].address
}

pub(in crate::sys::sim) fn socket_peer(world: &World, id: usize) -> Option<SocketAddr> {
    world.net.borrow().sockets[id].peer
}

pub(in crate::sys::sim) fn connect_socket(world: &World, id: usize, to: SocketAddr) {
    world.net.borrow_mut().sockets[id].peer = Some(to);
}

pub(in crate::sys::sim) fn register_socket(world: &World, id: usize, at: Option<(usize, Key)>) {
    let mut net = world.net.borrow_mut();
    let socket = &mut net.sockets[id];
    socket.watch.poller = at;
    socket.watch.readable.set |= !socket.inbox.is_empty() || socket.refused;
    socket.watch.writable.set |= socket.room > 0;
}

pub(in crate::sys::sim) fn receive(
    world: &World,
    id: usize,
    buf: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    if world.chance(|faults| faults.interrupted) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let mut net = world.net.borrow_mut();
    let socket = &mut net.sockets[id];
    if std::mem::take(&mut socket.refused) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    match socket.inbox.pop_front() {
        Some((data, from)) => {
            let n = data.len().min(buf.len());
            buf[..n].copy_from_slice(&data[..n]);
            Ok((n, from))
        }
        None => {
            socket.watch.readable.used = false;
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

pub(in crate::sys::sim) fn send(
    world: &World,
    id: usize,
    data: &[u8],
    to: Option<SocketAddr>,
) -> io::Result<usize> {
    if world.chance(|faults| faults.interrupted) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    if world.chance(|faults| faults.datagram_refused) {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    }
    let room = world.net.borrow().sockets[id].room;
    world.note(|| format!("socket {id}: a send, with room for {room}"));
    let to = {
        let mut net = world.net.borrow_mut();
        let socket = &mut net.sockets[id];
        if std::mem::take(&mut socket.refused) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if socket.room == 0 {
            socket.starved = true;
            socket.watch.writable.used = false;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let to = to.or(socket.peer).ok_or(io::ErrorKind::NotConnected)?;
        socket.room -= 1;
        to
    };
    let after = world.up_to(world.faults().latency);
    world.later(after, Happening::Room(id));
    for _ in 0..copies(world) {
        let after = world.up_to(world.faults().latency);
        world.later(after, Happening::ToDatagramPeer(id, to, data.to_vec()));
    }
    Ok(data.len())
}

pub(in crate::sys::sim) fn close_socket(world: &World, id: usize) {
    world.net.borrow_mut().sockets[id].watch.close();
}
