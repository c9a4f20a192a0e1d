//! What is under way between the two ends of a connection, and the calls of the peers.

use super::backlog;
use super::fd::{End, Fd};
use super::link::{LinkState, ReadStop};
use super::net::{Net, Route};
use super::packets;
use super::peer::{Peer, PeerIo};
use super::{Happening, World};
use std::io;
use std::time::Duration;

impl World {
    pub(in crate::sys::sim) fn network(&self, happening: Happening) {
        match happening {
            Happening::Connected(fd, outcome) => self.connect_ends(fd, outcome),
            Happening::ToLoop(fd, data) => self.arrives(fd, &data),
            Happening::LoopEnd(fd, end) => self.ends(fd, end),
            Happening::ToPeer(fd, data) => {
                let lost = self.net.borrow().link(fd).lost;
                if !lost {
                    self.net
                        .borrow_mut()
                        .link_mut(fd)
                        .unread_by_peer
                        .extend(data);
                    self.peer_takes(fd, usize::MAX, false);
                }
            }
            Happening::PeerEnd(fd, end) => {
                {
                    let mut net = self.net.borrow_mut();
                    let link = net.link_mut(fd);
                    if end == End::Reset {
                        link.unread_by_peer.clear();
                        link.lost = true;
                    }
                    if link.end_for_peer != Some(End::Reset) {
                        link.end_for_peer = Some(end);
                    }
                }
                self.peer_takes(fd, usize::MAX, false);
            }
            Happening::Sip(fd, most) => self.peer_takes(fd, most, true),
            Happening::PeerTimer(fd, tag) => self.call_peer(fd, |peer, io| peer.on_timer(io, tag)),
            Happening::Dialed(dial) => backlog::dialed(self, dial),
            Happening::ToDatagramPeer(socket, to, data) => {
                packets::at_datagram_peer(self, socket, to, &data)
            }
            Happening::ToSocket(to, from, data) => packets::at_socket(self, to, from, data),
            Happening::Room(socket) => packets::has_room(self, socket),
            Happening::DatagramTimer(peer, tag) => {
                packets::call_datagram_peer(self, peer, |peer, io| peer.on_timer(io, tag));
            }
            Happening::Call(..) | Happening::Wake(_) => {}
        }
    }

    fn connect_ends(&self, fd: Fd, outcome: Result<(), io::ErrorKind>) {
        let accepted = {
            let mut net = self.net.borrow_mut();
            let Net { links, routes, .. } = &mut *net;
            let link = &mut links[fd as usize];
            if !link.open || link.state != LinkState::Connecting {
                return;
            }
            link.writable.set = true;
            link.hangup |= outcome.is_err();
            match (outcome, routes.get_mut(&link.address)) {
                (Ok(()), Some(Route::Accept(_, accept))) => {
                    link.state = LinkState::Up;
                    link.peer = Some(accept(fd));
                    true
                }
                (Ok(()), _) => false,
                (Err(kind), _) => {
                    link.state = LinkState::Failed(kind);
                    false
                }
            }
        };
        if accepted {
            self.note(|| format!("fd {fd}: accepted"));
            self.call_peer(fd, |peer, io| peer.on_connect(io));
        }
    }

    fn arrives(&self, fd: Fd, data: &[u8]) {
        let short = self.faults().drained_by_short_io;
        let stops = !data.is_empty() && self.chance(|faults| faults.read_stop);
        let at = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            link.coming -= data.len();
            if link.open {
                if !link.is_broken() {
                    if link.stop.is_none() && stops {
                        let after = link.inbound.len() + self.below(data.len());
                        let urgent = self.below(2) == 0;
                        link.stop = Some(ReadStop { after, urgent });
                    }
                    link.inbound.extend(data);
                    link.mark_readable(short);
                }
                None
            } else {
                // Nobody is there any more.
                Some(self.arrival(&mut link.last_to_peer))
            }
        };
        if let Some(at) = at {
            self.at(at, Happening::PeerEnd(fd, End::Reset));
        }
    }

    fn ends(&self, fd: Fd, end: End) {
        let short = self.faults().drained_by_short_io;
        let mut net = self.net.borrow_mut();
        let link = net.link_mut(fd);
        if link
            .inbound_end
            .is_some_and(|old| old == End::Reset || end == End::Fin)
            || !link.open
        {
            return;
        }
        self.note(|| format!("fd {fd}: {end:?} from the peer"));
        if link.state == LinkState::Connecting {
            link.state = LinkState::Failed(io::ErrorKind::ConnectionReset);
        }
        link.inbound_end = Some(end);
        link.hangup = true;
        link.mark_readable(short);
        if end == End::Reset {
            link.mark_writable(short);
        }
    }

    /// The peer reads what has come, at most so much, and then the end. `sips`: although it does not read
    /// what comes by itself.
    fn peer_takes(&self, fd: Fd, most: usize, sips: bool) {
        let data = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            if link.state != LinkState::Up || !(link.peer_reads || sips) {
                // A reset is noticed by who does not read, too.
                if link.end_for_peer != Some(End::Reset) {
                    return;
                }
            }
            let count = most.min(link.unread_by_peer.len());
            link.unread_by_peer.drain(..count).collect::<Vec<_>>()
        };
        if !data.is_empty() {
            let faults = self.faults();
            let short = faults.drained_by_short_io;
            {
                let mut net = self.net.borrow_mut();
                let link = net.link_mut(fd);
                link.room += data.len();
                link.moved.taken = self.elapsed();
                let told = !faults.room_told_late || link.room >= faults.window / 3;
                if link.open && told && std::mem::take(&mut link.starved) {
                    link.mark_writable(short);
                }
            }
            self.call_peer(fd, |peer, io| peer.on_data(io, &data));
        }
        let end = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            match link.end_for_peer {
                Some(End::Reset) if link.peer.is_some() => link.end_for_peer.take(),
                Some(End::Fin)
                    if link.unread_by_peer.is_empty()
                        && !std::mem::replace(&mut link.peer_told_end, true) =>
                {
                    Some(End::Fin)
                }
                _ => None,
            }
        };
        match end {
            Some(End::Fin) => self.call_peer(fd, |peer, io| peer.on_end(io)),
            Some(End::Reset) => {
                self.call_peer(fd, |peer, io| peer.on_reset(io));
                let mut net = self.net.borrow_mut();
                let link = net.link_mut(fd);
                link.peer = None;
                link.peer_out.clear();
            }
            None => {}
        }
    }

    pub(in crate::sys::sim) fn call_peer(
        &self,
        fd: Fd,
        f: impl FnOnce(&mut dyn Peer, &mut PeerIo),
    ) {
        let peer = self.net.borrow_mut().link_mut(fd).peer.take();
        let Some(mut peer) = peer else { return };
        let mut io = PeerIo::new(World::here(), fd);
        f(&mut *peer, &mut io);
        self.net.borrow_mut().link_mut(fd).peer = Some(peer);
    }

    pub(in crate::sys::sim) fn peer_sends(&self, fd: Fd, data: &[u8]) {
        {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            if link.peer_end.is_some() {
                return;
            }
            link.peer_out.extend(data);
        }
        self.transmit(fd);
    }

    pub(in crate::sys::sim) fn peer_ends(&self, fd: Fd, end: End) {
        {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            if link.peer_end.is_none() || end == End::Reset {
                link.peer_end = Some(end);
            }
            if end == End::Reset {
                link.peer_out.clear();
                link.peer_ended = false;
            }
        }
        self.transmit(fd);
    }

    pub(in crate::sys::sim) fn peer_reads(&self, fd: Fd, on: bool) {
        self.net.borrow_mut().link_mut(fd).peer_reads = on;
        if on {
            // From the agenda: the peer is in a call.
            self.later(Duration::ZERO, Happening::ToPeer(fd, Vec::new()));
        }
    }

    pub(in crate::sys::sim) fn peer_sips(&self, fd: Fd) {
        let most = self.faults().window.div_ceil(20);
        // From the agenda: the peer is in a call.
        self.later(Duration::ZERO, Happening::Sip(fd, most));
    }

    pub(in crate::sys::sim) fn peer_timer(&self, fd: Fd, after: Duration, tag: u64) {
        self.later(after, Happening::PeerTimer(fd, tag));
    }

    /// Puts what the peer sent on its way, as far as there is room, and its end behind that.
    pub(in crate::sys::sim) fn transmit(&self, fd: Fd) {
        let window = self.faults().window;
        let (data, emptied) = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            let room = window.saturating_sub(link.inbound.len() + link.coming);
            let count = room.min(link.peer_out.len());
            if count == 0 {
                (None, false)
            } else {
                link.coming += count;
                let data: Vec<u8> = link.peer_out.drain(..count).collect();
                let at = self.arrival(&mut link.last_to_loop);
                (Some((at, data)), link.peer_out.is_empty())
            }
        };
        if let Some((at, data)) = data {
            self.at(at, Happening::ToLoop(fd, data));
        }
        let end = {
            let mut net = self.net.borrow_mut();
            let link = net.link_mut(fd);
            let ends = link.peer_out.is_empty() && link.peer_end.is_some();
            (ends && !std::mem::replace(&mut link.peer_ended, true))
                .then(|| (self.arrival(&mut link.last_to_loop), link.peer_end))
        };
        if let Some((at, Some(end))) = end {
            self.at(at, Happening::LoopEnd(fd, end));
        }
        if emptied && self.net.borrow().link(fd).peer.is_some() {
            self.call_peer(fd, |peer, io| peer.on_room(io));
        }
    }
}
