//! Connections that are quiet for too long.

use super::conn::ConnTimer;
use super::settings::ConnSettings;
use crate::core::LoopCore;
use crate::error::CloseReason;
use crate::sys::Key;
use std::time::Duration;

impl LoopCore {
    /// Arms the deadline, if the connection has one. One timer looks again and again, so that a
    /// read costs no more than noting its time.
    pub(super) fn watch_quiet(&self, key: Key) {
        let first = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) if slot.quiet_timer.is_none() => {
                slot.last_read = self.clock_now();
                slot.settings.quiet_limits().map(|(limit, _)| limit).min()
            }
            _ => None,
        };
        self.arm_quiet(key, first);
    }

    /// Changes the limits, counted from now.
    pub(crate) fn set_quiet(&self, key: Key, change: impl FnOnce(&mut ConnSettings)) {
        let timer = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) => {
                change(&mut slot.settings);
                slot.quiet_timer.take()
            }
            None => return,
        };
        if let Some(timer) = timer {
            self.kill_timer(timer);
        }
        self.watch_quiet(key);
    }

    fn arm_quiet(&self, key: Key, after: Option<Duration>) {
        if let Some(after) = after {
            let timer = self.arm_conn_timer(None, after, key, ConnTimer::Quiet);
            if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                slot.quiet_timer = timer;
            }
        }
    }

    /// The deadline: closes, or waits on if something came or went meanwhile.
    pub(super) fn check_quiet(&self, key: Key) {
        self.try_to_write(key);
        let now = self.now();
        let mut next: Option<Duration> = None;
        let mut reason = None;
        {
            let mut slots = self.slots.borrow_mut();
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            slot.quiet_timer = None;
            if !slot.life.is_up() {
                return; // finishing: that has a deadline of its own
            }
            if slot.reading_paused {
                slot.last_read = now;
            }
            for (limit, reads_only) in slot.settings.quiet_limits() {
                let last = match reads_only {
                    true => slot.last_read,
                    false => slot.last_read.max(slot.last_progress),
                };
                let quiet = now.saturating_duration_since(last);
                match limit.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
                    Some(rest) => next = Some(next.map_or(rest, |next| next.min(rest))),
                    None if reads_only => reason = Some(CloseReason::Silent(limit)),
                    None => reason = Some(CloseReason::Idle(limit)),
                }
            }
        }
        match reason {
            Some(reason) => self.begin_close(key, reason),
            None => self.arm_quiet(key, next),
        }
    }
}
