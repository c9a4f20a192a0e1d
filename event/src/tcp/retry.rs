//! Reconnects of a `TcpClient`.

use super::session::Session;
use crate::conn::Connect;
use crate::core::shared::lock;
use crate::core::timers::TimerId;
use crate::error::CloseReason;
use crate::local_loop::{Attachment, AttachmentId, LocalLoop};
use crate::machine::backoff::{Backoff, ReconnectPolicy};
use crate::mutant::mutant;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A series of attempts to connect to the same place.
pub(super) struct Retry {
    backoff: Backoff,
    options: Connect,
}

impl Retry {
    pub(super) fn new(policy: ReconnectPolicy, options: Connect) -> Self {
        Self {
            backoff: Backoff::new(policy),
            options,
        }
    }

    /// The connection is up.
    pub(super) fn on_open(&mut self, local: &LocalLoop) {
        self.backoff.on_open(local.clock_now());
    }

    /// An attempt has ended: when the next one follows, unless the user says otherwise.
    pub(super) fn after(&mut self, local: &LocalLoop, reason: &CloseReason) -> Option<Duration> {
        if local.is_stopping() || matches!(reason, CloseReason::Local | CloseReason::Stopped) {
            return None;
        }
        let random = local.random_u64();
        self.backoff.on_close(local.now(), random)
    }

    /// After `on_close`: waits for the next attempt, or ends the session.
    pub(super) fn decide(handler: Box<Session>, local: &LocalLoop, delay: Option<Duration>) {
        let given_up = {
            let current = lock(&handler.current);
            // The callback may have begun another session.
            let given_up = current.given_up && !mutant!("tcp_retries_after_close");
            given_up || current.session != handler.session
        };
        match delay.filter(|_| !given_up) {
            Some(delay) => Waiting::begin(handler, local, delay),
            None => local.drop_user(handler),
        }
    }
}

/// A session between two attempts.
pub(super) struct Waiting {
    handler: RefCell<Option<Box<Session>>>,
    timer: Cell<Option<TimerId>>,
}

impl Waiting {
    fn begin(handler: Box<Session>, local: &LocalLoop, delay: Duration) {
        let current = handler.current.clone();
        let waiting = Rc::new(Self {
            handler: RefCell::new(Some(handler)),
            timer: Cell::new(None),
        });
        let Ok(id) = local.attach(waiting.clone()) else {
            return waiting.give_up(local); // the loop began to stop
        };
        {
            let mut current = lock(&current);
            current.waiting = Some(id);
            current.retries = current.retries.saturating_add(1);
        }
        let here = local.clone();
        let timer = local.set_timeout(delay, move |_| Self::connect(&here, id));
        waiting.timer.set(Some(timer));
    }

    fn connect(local: &LocalLoop, id: AttachmentId) {
        let waiting = local.attachment::<Self>(id);
        local.detach(id);
        let handler = waiting.and_then(|waiting| waiting.handler.borrow_mut().take());
        let Some(handler) = handler else { return };
        lock(&handler.current).waiting = None;
        match handler.retry.as_ref().map(|retry| retry.options.clone()) {
            Some(options) => handler.begin(local, options),
            None => local.drop_user(handler),
        }
    }

    /// Closed by the user: no attempt follows.
    pub(super) fn cancel(local: &LocalLoop, id: AttachmentId) {
        if mutant!("tcp_back_off_survives_close") {
            return;
        }
        if let Some(waiting) = local.attachment::<Self>(id) {
            local.detach(id);
            waiting.give_up(local);
        }
    }

    fn give_up(&self, local: &LocalLoop) {
        if let Some(timer) = self.timer.take() {
            local.kill_timer(timer);
        }
        let handler = self.handler.borrow_mut().take();
        if let Some(handler) = handler {
            lock(&handler.current).waiting = None;
            local.drop_user(handler);
        }
    }
}

impl Attachment for Waiting {
    fn on_stop(&self, local: &LocalLoop) {
        self.give_up(local);
    }

    fn on_loop_end(&self, local: &LocalLoop) {
        self.give_up(local);
    }
}
