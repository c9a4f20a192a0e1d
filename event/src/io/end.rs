//! Ending connections: finishing in order, deadlines, and the closing phase.

use super::conn::ConnTimer;
use crate::conn::Conn;
use crate::core::LoopCore;
use crate::error::{CloseReason, ConnectPhase};
use crate::local_loop::LocalLoop;
use crate::machine::lifecycle::{Finish, Lifecycle};
use crate::mutant::mutant;
use crate::sys::Key;
use crate::sys::clock;

impl LoopCore {
    /// See [`Conn::finish`] and [`Conn::finish_agreed`].
    pub(crate) fn finish_connection(&self, key: Key, reason: CloseReason, agreed: bool) {
        let finish = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            let finish = slot.life.finish();
            if finish == Finish::Flush {
                slot.end_reason = Some(Box::new(reason.clone()));
                slot.settled = agreed;
                if slot.settings.stall_limit().is_none() {
                    // It could stand for as long as it liked until now.
                    slot.last_progress = clock::now();
                }
                slot.begin_discarding();
            }
            finish
        };
        match finish {
            Finish::Nothing => {}
            Finish::CloseNow => self.begin_close(key, reason),
            Finish::Flush if mutant!("close_not_flushed") => self.begin_close(key, reason),
            Finish::Flush => {
                if mutant!("linger_from_the_finish") {
                    self.await_end(key);
                }
                let open_timer = match self.slots.borrow_mut().get_mut(key) {
                    Some(slot) => slot.open_timer.take(),
                    None => None,
                };
                if let Some(timer) = open_timer {
                    self.kill_timer(timer);
                }
                self.mark_dirty(key);
                self.read_what_was_held_back(key);
            }
        }
    }

    /// The last byte is written: gives the peer its time to end its side.
    pub(super) fn await_end(&self, key: Key) {
        let linger = match self.slots.borrow().get(key) {
            Some(slot) if slot.linger_timer.is_none() => slot.settings.linger,
            _ => return,
        };
        let timer = self.arm_conn_timer(None, linger, key, ConnTimer::Linger);
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.linger_timer = timer;
        }
    }

    /// See [`Conn::fail`].
    pub(crate) fn fail_connection(&self, key: Key, reason: CloseReason) {
        self.finish_connection(key, reason.clone(), false);
        if let Some(slot) = self.slots.borrow_mut().get_mut(key)
            && slot.life == Lifecycle::Flushing
            && !slot.settled
        {
            slot.end_reason = Some(Box::new(reason));
            slot.failed = true;
        }
    }

    /// Reading was paused, and is not any more: the peer's end must be noticed.
    fn read_what_was_held_back(&self, key: Key) {
        let held = {
            let slots = self.slots.borrow();
            slots.get(key).is_some_and(|slot| slot.reading_paused)
        };
        if held {
            self.mark_ready(key);
        }
    }

    /// One of a connection's own deadlines. `key` may be stale.
    pub(crate) fn conn_timer(&self, _local: &LocalLoop, key: Key, what: ConnTimer) {
        match what {
            ConnTimer::Race => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(key)
                    && let Some(connecting) = slot.connecting.as_mut()
                {
                    connecting.race_timer = None;
                }
                self.connect_again(key);
                self.drive_race(key);
            }
            ConnTimer::Stall => self.check_stall(key),
            ConnTimer::Quiet => self.check_quiet(key),
            ConnTimer::Flood => self.end_flood(key),
            ConnTimer::Open => {
                let reason = match self.slots.borrow_mut().get_mut(key) {
                    Some(slot) => {
                        slot.open_timer = None;
                        let limit = slot.settings.deadline;
                        phase_of(slot.life).map(|phase| CloseReason::TimedOut { phase, limit })
                    }
                    None => None,
                };
                if let Some(reason) = reason {
                    // A proxy may have refused, and not have said all of why.
                    let refusal = self.tunnel_refusal(key);
                    self.begin_close(key, refusal.unwrap_or(reason));
                }
            }
            ConnTimer::Linger => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                    slot.linger_timer = None;
                }
                let settled = self.settled_reason(key);
                self.begin_close(key, settled.unwrap_or(CloseReason::Forced));
            }
        }
    }

    /// The loop is stopping: what is not up closes, what is up is told to finish.
    pub(crate) fn stop_connection(&self, local: &LocalLoop, key: Key) {
        // One that was adopted in this turn may have something to say.
        self.adopted_up(local, key);
        let life = self.slots.borrow().get(key).map(|slot| slot.life);
        match life {
            Some(life) if life.is_up() => {
                self.with_handler(local, key, |handler, conn| handler.on_stop(conn));
            }
            Some(
                Lifecycle::Resolving
                | Lifecycle::Connecting
                | Lifecycle::Tunnelling
                | Lifecycle::Securing,
            ) => {
                self.begin_close(key, CloseReason::Stopped);
            }
            _ => {}
        }
    }

    /// Step 8: the queue fell to its low mark.
    pub(crate) fn low_water(&self, local: &LocalLoop, key: Key) {
        let up = self.slots.borrow().get(key).is_some_and(|s| s.life.is_up());
        if up {
            self.with_handler(local, key, |handler, conn| handler.on_low_water(conn));
        }
    }

    /// Step 8: what the handler waits for has left the queue.
    pub(crate) fn sent(&self, local: &LocalLoop, key: Key) {
        let up = self.slots.borrow().get(key).is_some_and(|s| s.life.is_up());
        if up {
            self.with_handler(local, key, |handler, conn| handler.on_sent(conn));
        }
    }

    /// Step 8: the handler asked to be called.
    pub(crate) fn call_handler(&self, local: &LocalLoop, key: Key) {
        let up = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) => {
                slot.in_call = false;
                slot.life.is_up()
            }
            None => false,
        };
        if up {
            self.allow();
            self.with_handler(local, key, |handler, conn| handler.on_call(conn));
        }
    }

    /// Step 10 for one connection: off the poller, fd closed, `on_close`, handler dropped, slot
    /// freed, hold released.
    pub(crate) fn end_connection(&self, local: &LocalLoop, key: Key, reason: CloseReason) {
        let transport = self.leaving(key);
        let (sockets, timers, handler, was_open, lost) = {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            let unsent = slot.unsent();
            if transport.is_none() {
                // What other threads have sent, and is on its way here, reaches nobody either.
                slot.lost = slot.settings.budget.queued();
            }
            slot.clear_queues(&self.buffers);
            self.memory.discharge(slot);
            if !mutant!("account_not_settled") {
                slot.settings.budget.release(unsent);
            }
            let mut timers = vec![
                slot.open_timer.take(),
                slot.stall_timer.take(),
                slot.linger_timer.take(),
                slot.quiet_timer.take(),
                slot.flood_timer.take(),
            ];
            let mut sockets: Vec<_> = slot.stream.take().into_iter().collect();
            if let Some(connecting) = slot.connecting.take() {
                timers.push(connecting.race_timer);
                sockets.extend(connecting.sockets.into_iter().map(|(_, _, s)| s));
                if let Some(lookup) = connecting.lookup {
                    lookup.cancel();
                }
            }
            (
                sockets,
                timers,
                slot.handler.take(),
                slot.was_open,
                slot.lost,
            )
        };
        for timer in timers.into_iter().flatten() {
            self.kill_timer(timer);
        }
        self.close_sockets(sockets);
        let conn = Conn::new(local, key);
        match (handler, transport) {
            (Some(handler), Some(transport)) => {
                self.call_user("leave", || handler.on_leave(&conn, transport));
            }
            (handler, _) => {
                self.note_end(was_open, &reason, lost);
                if let Some(handler) = handler {
                    self.call_user("close", || handler.on_close(&conn, reason));
                }
            }
        }
        let slot = self.slots.borrow_mut().remove(key);
        self.drop_user(slot);
        self.count_connections();
        if !mutant!("hold_never_released") {
            self.shared.release();
        }
        if mutant!("hold_released_twice") {
            self.shared.release();
        }
    }
}

/// What is under way in a connection that is not open yet, for time-outs.
fn phase_of(life: Lifecycle) -> Option<ConnectPhase> {
    match life {
        Lifecycle::Resolving => Some(ConnectPhase::Dns),
        Lifecycle::Connecting => Some(ConnectPhase::Connect),
        Lifecycle::Tunnelling => Some(ConnectPhase::Proxy),
        Lifecycle::Securing => Some(ConnectPhase::Tls),
        Lifecycle::Opening => Some(ConnectPhase::Handshake),
        _ => None,
    }
}
