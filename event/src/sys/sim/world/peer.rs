//! The other ends of connections.

use super::World;
use super::fd::{End, Fd};
use std::rc::Rc;
use std::time::Duration;

/// The other end of one connection: told what comes, on no thread of the library's.
pub trait Peer {
    /// The connection is there.
    fn on_connect(&mut self, io: &mut PeerIo) {
        let _ = io;
    }

    /// Bytes came.
    fn on_data(&mut self, io: &mut PeerIo, data: &[u8]);

    /// The loop's side ended its stream, in order.
    fn on_end(&mut self, io: &mut PeerIo) {
        let _ = io;
    }

    /// The connection broke.
    fn on_reset(&mut self, io: &mut PeerIo) {
        let _ = io;
    }

    /// A timer of [`PeerIo::timer`].
    fn on_timer(&mut self, io: &mut PeerIo, tag: u64) {
        let (_, _) = (io, tag);
    }

    /// All that was sent is on its way, and there is room again.
    fn on_room(&mut self, io: &mut PeerIo) {
        let _ = io;
    }
}

/// What a [`Peer`] can do, during a call.
pub struct PeerIo {
    world: Rc<World>,
    fd: Fd,
}

impl PeerIo {
    pub(in crate::sys::sim) fn new(world: Rc<World>, fd: Fd) -> Self {
        Self { world, fd }
    }

    /// The connection's number.
    pub fn id(&self) -> u64 {
        self.fd
    }

    /// Sends, as the loop's side makes room.
    pub fn send(&mut self, data: &[u8]) {
        self.world.peer_sends(self.fd, data);
    }

    /// Bytes that wait for room.
    pub fn unsent(&self) -> usize {
        self.world.net.borrow().link(self.fd).peer_out.len()
    }

    /// Ends the stream behind what was sent.
    pub fn shutdown(&mut self) {
        self.world.peer_ends(self.fd, End::Fin);
    }

    /// Breaks the connection at once.
    pub fn reset(&mut self) {
        self.world.peer_ends(self.fd, End::Reset);
    }

    /// Leaves what comes unread (`false`), so that the loop's side runs out of room, or reads it.
    pub fn read(&mut self, on: bool) {
        self.world.peer_reads(self.fd, on);
    }

    /// Takes a twentieth of what the sockets hold, for a peer that leaves the rest unread.
    pub fn sip(&mut self) {
        self.world.peer_sips(self.fd);
    }

    /// Calls [`Peer::on_timer`] later.
    pub fn timer(&mut self, after: Duration, tag: u64) {
        self.world.peer_timer(self.fd, after, tag);
    }

    /// A line of the trace.
    pub fn note(&self, text: impl FnOnce() -> String) {
        let fd = self.fd;
        self.world.note(|| format!("peer {fd}: {}", text()));
    }
}
