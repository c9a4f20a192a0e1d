//! Reconnects of a `TcpClient`.

use super::client::TcpHandler;
use crate::conn::Connect;
use crate::core::shared::lock;
use crate::core::timers::TimerId;
use crate::error::CloseReason;
use crate::local_loop::{Attachment, AttachmentId, LocalLoop};
use crate::machine::backoff::{Backoff, ReconnectPolicy};
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
        self.backoff.on_open(local.now());
    }

    /// An attempt has ended: waits for the next one, or ends the session.
    pub(super) fn decide(mut handler: Box<TcpHandler>, local: &LocalLoop, reason: &CloseReason) {
        let given_up = lock(&handler.current).given_up;
        let ends = given_up
            || local.is_stopping()
            || matches!(reason, CloseReason::Local | CloseReason::Stopped);
        let retry = handler.retry.as_mut().filter(|_| !ends);
        let delay = retry.and_then(|retry| {
            let random = local.random_u64();
            retry.backoff.on_close(local.now(), random)
        });
        match delay {
            Some(delay) => Waiting::begin(handler, local, delay),
            None => local.drop_user(handler),
        }
    }
}

/// A session between two attempts.
pub(super) struct Waiting {
    handler: RefCell<Option<Box<TcpHandler>>>,
    timer: Cell<Option<TimerId>>,
}

impl Waiting {
    fn begin(handler: Box<TcpHandler>, local: &LocalLoop, delay: Duration) {
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
