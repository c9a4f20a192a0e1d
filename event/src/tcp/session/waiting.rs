//! A session that waits for its next attempt.

use super::Session;
use crate::core::LocalLoop;
use crate::core::attachments::{Attachment, AttachmentId};
use crate::core::timers::TimerId;
use crate::error::CloseReason;
use crate::sync::lock;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// See the module.
pub(in crate::tcp) struct BackOffWait {
    session: RefCell<Option<Box<Session>>>,
    timer: Cell<Option<TimerId>>,
}

impl BackOffWait {
    pub(super) fn begin(session: Box<Session>, local: &LocalLoop, delay: Duration) {
        let (current, again) = (session.current.clone(), session.begun);
        let attempt = session.retry.attempt();
        let waiting = Rc::new(Self {
            session: RefCell::new(Some(session)),
            timer: Cell::new(None),
        });
        let Ok(id) = local.attach(waiting.clone()) else {
            return waiting.give_up(local, CloseReason::Stopped);
        };
        {
            let mut current = lock(&current);
            current.waiting = Some(id);
            current.reconnects = current.reconnects.saturating_add(u32::from(again));
            current.retries = attempt;
            current.next_delay = Some(delay);
        }
        let here = local.clone();
        let timer = local.set_timeout(delay, move |_| Self::connect(&here, id));
        waiting.timer.set(Some(timer));
    }

    fn connect(local: &LocalLoop, id: AttachmentId) {
        let Some(waiting) = local.attachment::<Self>(id) else {
            return;
        };
        local.detach(id);
        let session = waiting.session.borrow();
        let given_up = session.as_ref().is_some_and(|s| s.policy().is_none());
        drop(session);
        if given_up {
            // By another thread, whose call is on its way.
            return waiting.give_up(local, CloseReason::Local);
        }
        if let Some(session) = waiting.take() {
            session.connect(local);
        }
    }

    /// Closed by the user, or not wanted any more: no attempt follows.
    pub(in crate::tcp) fn cancel(local: &LocalLoop, id: AttachmentId) {
        if let Some(waiting) = local.attachment::<Self>(id) {
            local.detach(id);
            waiting.give_up(local, CloseReason::Local);
        }
    }

    fn take(&self) -> Option<Box<Session>> {
        let session = self.session.borrow_mut().take()?;
        let mut current = lock(&session.current);
        current.waiting = None;
        current.next_delay = None;
        drop(current);
        Some(session)
    }

    /// Each attempt has had its `on_close`, but a `connect()` that has begun none yet has had none at all,
    /// and gets it.
    fn give_up(&self, local: &LocalLoop, reason: CloseReason) {
        if let Some(timer) = self.timer.take() {
            local.kill_timer(timer);
        }
        match self.take() {
            Some(session) if session.begun => {
                local.drop_user(session);
            }
            Some(session) => local.refuse_for(session, reason),
            None => {}
        }
    }
}

impl Attachment for BackOffWait {
    fn on_stop(&self, local: &LocalLoop) {
        self.give_up(local, CloseReason::Stopped);
    }

    fn on_loop_end(&self, local: &LocalLoop) {
        self.give_up(local, CloseReason::Stopped);
    }
}
