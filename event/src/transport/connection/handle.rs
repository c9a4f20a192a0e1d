//! What can be asked of a connection, and told to it.

use super::parts::{HeldUp, Timer};
use super::{Call, Conn, close, deadlines, leave, write};
use crate::conn::{ConnId, SendBudget};
use crate::core::LocalLoop;
use crate::core::entity::Role;
use crate::error::CloseReason;
use crate::machine::lifecycle::Lifecycle;
use crate::machine::write_side::WriteSide;
use crate::sys::{Address, ShortAddress, clock};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl<'a> Conn<'a> {
    /// Its name.
    pub fn id(&self) -> ConnId {
        ConnId(self.core().own(self.place().key()))
    }

    /// Its loop.
    pub fn local(&self) -> &'a LocalLoop {
        self.local
    }

    /// The peer's address, once connected; also in `on_close`.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer()?.inet()
    }

    /// This side's address, once connected; also in `on_close`.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_address()?.inet()
    }

    /// The peer's address, which may be that of a Unix socket.
    pub fn peer(&self) -> Option<Address> {
        self.state().socket.peer.as_ref().map(ShortAddress::get)
    }

    /// This side's address, which may be that of a Unix socket.
    pub fn local_address(&self) -> Option<Address> {
        self.state().socket.local.as_ref().map(ShortAddress::get)
    }

    /// The number of its descriptor, once connected, for logs and options that the library does not know. Not to
    /// be read, written or closed.
    #[cfg(all(unix, not(hvloop_sim)))]
    pub fn fd(&self) -> Option<std::os::fd::RawFd> {
        Some(self.state().socket.stream.as_ref()?.fd())
    }

    /// The account of its send queue, for handles.
    pub fn budget(&self) -> Option<Arc<SendBudget>> {
        let there = self.place().role() == Role::Connection;
        there.then(|| self.state().settings.budget.clone())
    }

    /// The application protocol that TLS agreed on (ALPN).
    #[cfg(feature = "tls")]
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.state().tls.as_ref()?.alpn()
    }

    /// The name that the client asked for (SNI), of a connection that was accepted with TLS.
    #[cfg(feature = "tls")]
    pub fn server_name(&self) -> Option<String> {
        self.state().tls.as_ref()?.client_asked_for()
    }

    /// The version of TLS that was agreed on, once the handshake is done.
    #[cfg(feature = "tls")]
    pub fn tls_version(&self) -> Option<crate::tls::TlsVersion> {
        self.state().tls.as_ref()?.version()
    }

    /// The peer's certificate chain in DER, its own first, once TLS has seen it.
    #[cfg(feature = "tls")]
    pub fn peer_certificates(&self) -> Option<Vec<Vec<u8>>> {
        self.state().tls.as_ref()?.peer_certificates()
    }

    /// Bytes queued on this connection that the socket has not taken.
    pub fn unsent(&self) -> usize {
        self.state().unsent()
    }

    /// When the socket last took some of what was queued here; before that, when the first of it was
    /// queued. Now, if the connection has gone.
    pub fn write_progress(&self) -> Instant {
        self.state().write.progress
    }

    /// When bytes last came from the peer, whatever they were: under TLS also those of a record that is
    /// not whole yet. Before that, when the connection was made. Now, if it has gone.
    pub fn last_read(&self) -> Instant {
        self.state().read.last
    }

    /// Tries to write what is queued although the system did not tell of room, which it does late: before
    /// a peer is said to take nothing. Calls no handler.
    pub fn try_to_write(&self) {
        write::try_to_write(self);
    }

    /// In `on_close`: bytes accepted for sending, on whatever thread, that the socket never took. What it
    /// took may still not have arrived.
    pub fn lost(&self) -> usize {
        self.state().lost()
    }

    /// The protocol above is open: ends the time-out of the connect.
    pub fn opened(&self) {
        let opens = {
            let mut state = self.state();
            let opens = !state.was_open && state.life.opened();
            state.was_open |= opens;
            opens
        };
        if opens {
            self.disarm(Timer::Open);
        }
    }

    /// Begins the time-out of the connect anew, with another limit than the connection's own if one is given: for a
    /// protocol above that is not open yet, and has what it waited for.
    /// [`Handler::on_open_timeout`](crate::conn::Handler::on_open_timeout) is told.
    pub fn restart_open_timeout(&self, limit: Option<Duration>) {
        let limit = {
            let state = self.state();
            let opening = state.life == Lifecycle::Opening;
            opening.then(|| limit.unwrap_or(state.settings.open_timeout))
        };
        if let Some(limit) = limit {
            self.arm(Timer::Open, limit);
        }
    }

    /// Closes the connection, as the protocol above took too long to open.
    pub fn open_timed_out(&self) {
        deadlines::open_timed_out(self);
    }

    /// Writes what is queued, as far as the socket takes it, instead of at the end of this turn.
    pub fn flush(&self) {
        write::flush(self);
    }

    /// A buffer with room for `size` bytes of what came and is not whole: one of those that the loop keeps from one
    /// message to the next, with room for `ideal` ones, if it has one. What is in it is of no meaning. To be
    /// given back by [`give_buffer`](Conn::give_buffer).
    pub fn take_buffer(&self, size: usize, ideal: usize) -> Vec<u8> {
        self.core().buffers.take_spare(size, ideal)
    }

    /// Gives a buffer to the loop, for whatever connection needs one next. The loop keeps a few, and those
    /// not for long without need (`docs/limits.md`).
    pub fn give_buffer(&self, buffer: Vec<u8>) {
        self.core().buffers.give_spare(buffer);
    }

    /// Says how many bytes of memory this protocol holds of what came on the connection and was not handed
    /// on: unfinished messages, and what a pause holds back. They count for
    /// [`LoopOptions::memory_limit`](crate::LoopOptions::memory_limit).
    pub fn set_gathered(&self, bytes: usize) {
        let core = self.core();
        let mut state = self.state();
        if !state.life.is_closed() {
            state.held.gathered = bytes;
            state.charge(&core.memory);
        }
    }

    /// Bytes of memory that the send queue takes, those aside that other queues hold, too.
    pub fn queue_memory(&self) -> usize {
        let state = self.state();
        state.held.charged - state.held.gathered
    }

    /// Whether the connection is up and not finishing.
    pub fn is_up(&self) -> bool {
        self.state().life.is_up()
    }

    /// Calls [`Handler::on_call`](crate::conn::Handler::on_call) from the loop's own frame, in this turn
    /// or the next one; once, however often it was asked for.
    pub fn call_handler(&self) {
        if self.is_up() && !self.connection.is_called.replace(true) {
            self.defer(Call::Handler);
        }
    }

    /// Takes `cost` off what the connection that is being read may bring in this turn, in bytes: for what a
    /// handler makes of the bytes that it was given, such as messages and inflated bytes. `false`: that
    /// was all, or the turn has to end since the loop stops; the handler keeps the rest, and asks for
    /// [`read_later`](Conn::read_later). To be asked between any two messages, and between portions of a
    /// long one.
    pub fn spend(&self, cost: usize) -> bool {
        self.core().spend(cost)
    }

    /// The handler has kept some of what it was given: its
    /// [`on_call`](crate::conn::Handler::on_call) goes on with it in the next turn, before more is read.
    pub fn read_later(&self) {
        self.state().read.behind = true;
        self.mark_ready();
    }

    /// Reads no further for now: what comes stays with the system, whose window then holds the peer
    /// back. What was read already still comes. A connection that is told to finish reads on.
    ///
    /// libhv: `hio_read_stop`.
    pub fn pause_reading(&self) {
        self.state().read.paused = true;
    }

    /// Reads again.
    ///
    /// libhv: `hio_read_start`.
    pub fn resume_reading(&self) {
        let paused = {
            let mut state = self.state();
            state.read.last = clock::now();
            std::mem::take(&mut state.read.paused)
        };
        // Readiness was told once, while nobody read.
        if paused {
            self.mark_ready();
        }
    }

    /// Whether it is not read for now since the connections of its server hold too much: nobody would notice
    /// what the peer says.
    pub fn is_held_up(&self) -> bool {
        self.state().read.held_up == HeldUp::Yes
    }

    /// What comes from now on is not kept: it is read whatever the connections of its server hold.
    pub fn never_hold_up(&self) {
        let held_up = std::mem::replace(&mut self.state().read.held_up, HeldUp::Never);
        if held_up == HeldUp::Yes {
            self.mark_ready();
        }
    }

    /// Whether reading is paused.
    pub fn is_reading_paused(&self) -> bool {
        self.state().read.paused
    }

    /// See [`Connect::read_timeout`](crate::Connect::read_timeout); counted from now.
    pub fn set_read_timeout(&self, timeout: impl Into<Option<Duration>>) {
        let timeout = timeout.into();
        deadlines::set_quiet(self, |settings| settings.read_timeout = timeout);
    }

    /// See [`Connect::idle_timeout`](crate::Connect::idle_timeout); counted from now.
    pub fn set_idle_timeout(&self, timeout: impl Into<Option<Duration>>) {
        let timeout = timeout.into();
        deadlines::set_quiet(self, |settings| settings.idle_timeout = timeout);
    }

    /// See [`Connect::write_timeout`](crate::Connect::write_timeout); counted from now.
    pub fn set_write_timeout(&self, timeout: impl Into<Option<Duration>>) {
        write::set_stall(self, timeout.into());
    }

    /// The limit to a queue that nobody takes anything of; `None`: there is none.
    pub fn write_timeout(&self) -> Option<Duration> {
        self.state().settings.stall_limit()
    }

    /// Ends this side alone, behind what is queued (half close): nothing more can be sent, what the
    /// peer sends still comes, and its end ends the connection. Where the peer has ended its side already
    /// it is the end of both. TLS 1.2 peers may take it for the end of both sides (RFC 5246 section 7.2.1).
    pub fn shutdown(&self) {
        let (first, both) = {
            let mut state = self.state();
            if !state.life.is_up() {
                return;
            }
            let both = state.read.side.has_ended();
            let first = !both && state.write.side.close();
            (first, both)
        };
        if both {
            self.finish(CloseReason::Peer);
        } else if first {
            self.mark_dirty();
        }
    }

    /// For [`Handler::on_end`](crate::conn::Handler::on_end): finishes this side, too, unless it may stay half
    /// open ([`Listen::allow_half_open`](crate::Listen::allow_half_open)) and has not ended before.
    pub fn end_with_peer(&self) {
        let stays = {
            let state = self.state();
            state.settings.allow_half_open && state.write.side == WriteSide::Open
        };
        if !stays {
            self.finish(CloseReason::Peer);
        }
    }

    /// See [`Listen::allow_half_open`](crate::Listen::allow_half_open). Turned off when the peer has ended
    /// its side, it ends this side, too, behind what is queued.
    pub fn set_allow_half_open(&self, on: bool) {
        let ends = {
            let mut state = self.state();
            state.settings.allow_half_open = on;
            !on && state.read.side.has_ended() && state.life.is_up()
        };
        if ends {
            self.finish(CloseReason::Peer);
        }
    }

    /// Whether the peer has ended its side, and this was read.
    pub fn has_peer_ended(&self) -> bool {
        self.state().read.side.has_ended()
    }

    /// Takes the connection off this loop, for another one: at the end of this turn the handler's
    /// [`on_leave`](crate::conn::Handler::on_leave) gets the socket, unless the connection or the loop
    /// ends before. What this turn has read is handled here. `false`: it is not open, or is
    /// finishing, or the loop is stopping.
    ///
    /// libhv: `hio_detach`.
    pub fn leave(&self) -> bool {
        let may = leave::may(self);
        if may {
            // Not here: a read may be under way, and what TLS has of it would be lost.
            self.defer(Call::Leave);
        }
        may
    }

    /// Ends the connection in order: writes out what was accepted, for as long as the peer takes some of it
    /// within [`Connect::write_timeout`](crate::Connect::write_timeout), ends TLS (`close_notify`), shuts
    /// the write side, waits for the peer's end, and closes; by force if that end does not come within
    /// [`Connect::close_timeout`](crate::Connect::close_timeout) of the last byte. What comes in meanwhile is
    /// discarded, and not read without end (`docs/limits.md`). A connection that is not up is
    /// closed at once. Only the first call counts.
    pub fn finish(&self, reason: CloseReason) {
        close::finish(self, reason, false);
    }

    /// Like [`finish`](Conn::finish), for when the peer has agreed to the end: once all that was
    /// accepted is written, `reason` is what `on_close` is told, whatever happens to the transport.
    pub fn finish_agreed(&self, reason: CloseReason) {
        close::finish(self, reason, true);
    }

    /// Like [`finish`](Conn::finish), for what this side found wrong in the input: what was accepted
    /// before goes out, and `reason` is what `on_close` is told, whatever the peer or the transport does
    /// meanwhile.
    pub fn fail(&self, reason: CloseReason) {
        close::fail(self, reason);
    }

    /// Ends the connection at the end of this turn, without writing out what is queued.
    pub fn close_now(&self, reason: CloseReason) {
        close::now(self, reason);
    }
}
