//! The timer of the heartbeat.

use super::heartbeat::{Beat, Heartbeat, SendProgress, Times};
use super::{Stage, WebSocket};
use crate::events::{ConnectionError, Initiator};
use crate::protocol::OpCode;
use hvloop_event::conn::Conn;
use hvloop_event::{CloseReason, LocalLoop, TimerId};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The heartbeat of a connection, if it has one.
#[derive(Default)]
pub(super) struct Heart(RefCell<Option<(Heartbeat, TimerId)>>);

impl Heart {
    pub(super) fn start(&self, ws: &Rc<WebSocket>, conn: &Conn<'_>) {
        let Some(interval) = ws.options.ping_interval else {
            return;
        };
        let local = conn.local();
        let heartbeat = Heartbeat::new(local.clock_now());
        let (ws, at) = (Rc::downgrade(ws), local.clone());
        let timer = local.set_interval(interval, move |timer| {
            if let Some(ws) = ws.upgrade()
                && let Some(conn) = ws.conn(&at)
            {
                at.reset_timer(timer, ws.heart.beat(&ws, &conn));
            }
        });
        *self.0.borrow_mut() = Some((heartbeat, timer));
    }

    /// The peer counts as alive now: nobody was to hear of it.
    pub(super) fn life(&self, now: Instant) {
        if let Some((heartbeat, _)) = &mut *self.0.borrow_mut() {
            heartbeat.life(now);
        }
    }

    /// The connection has ended.
    pub(super) fn stop(&self, local: &LocalLoop) {
        if let Some((_, timer)) = self.0.take() {
            local.kill_timer(timer);
        }
    }

    /// When to look again.
    fn beat(&self, ws: &WebSocket, conn: &Conn<'_>) -> Option<Duration> {
        if ws.stage() != Stage::Open {
            return None; // the close handshake has a limit of its own
        }
        let local = conn.local();
        if ws.is_paused() || conn.is_held_up() {
            // Nobody would see its Pong.
            self.life(local.clock_now());
            return ws.options.ping_interval;
        }
        // A peer that reads has room, told or not.
        conn.try_to_write();
        let progress = SendProgress {
            busy: conn.unsent() > 0,
            taken: conn.write_progress(),
            read: conn.last_read(),
        };
        let times = Times {
            interval: ws.options.ping_interval?,
            timeout: ws.options.pong_timeout,
        };
        let beat = {
            let mut heart = self.0.borrow_mut();
            let (heartbeat, _) = heart.as_mut()?;
            heartbeat.beat(times, local.now(), progress)
        };
        match beat {
            Beat::Wait(next) => Some(next),
            Beat::Ping(next) => {
                ws.sender.control(conn, OpCode::Ping, b"");
                // Not behind the callbacks of this turn: they may take as long as the peer has.
                conn.try_to_write();
                if let Some((heartbeat, _)) = &mut *self.0.borrow_mut() {
                    heartbeat.pinged(local.clock_now(), conn.unsent() > 0);
                }
                Some(next)
            }
            Beat::Dead(silent) => {
                ws.blame(
                    Initiator::Local,
                    Some(ConnectionError::PongTimedOut(silent)),
                );
                conn.close_now(CloseReason::ReadTimedOut(silent));
                None
            }
        }
    }
}
