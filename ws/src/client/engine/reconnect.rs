//! Whether another attempt follows, and when.

use super::Engine;
use crate::client::options::Values;
use crate::client::plan::{Carried, Plan};
use crate::client::retry_after::retry_after;
use crate::events::CloseEvent;
use hvloop_event::{Backoff, LocalLoop, ReconnectPolicy, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The back-off of an `open()` that has one.
pub(super) struct Reconnect {
    /// What each attempt is made of.
    pub(super) plan: Arc<Plan>,
    backoff: RefCell<Backoff>,
    timer: Cell<Option<TimerId>>,
    /// When that is.
    due: Cell<Option<Instant>>,
    /// Begun in an on_close in the place of an attempt that was to wait.
    at_once: bool,
    /// The user has taken the policy away.
    off: Cell<bool>,
}

impl Reconnect {
    /// Goes on with what an on_close left, if that fits; until when the first attempt then waits. `None`: no
    /// attempt follows the first one.
    pub(super) fn new(
        plan: &Arc<Plan>,
        carried: Option<Box<Carried>>,
    ) -> Option<(Box<Self>, Option<Instant>)> {
        let policy = plan.options.all.reconnect.policy?;
        let carried = carried.filter(|c| *c.backoff.policy() == policy);
        // Another place is tried at once, but not one after the other without end.
        let waits = |carried: &Carried| carried.at_once || carried.url == plan.url;
        let until = carried.as_deref().filter(|c| waits(c)).map(|c| c.until);
        let at_once = carried.is_some() && until.is_none();
        let backoff = match carried {
            Some(carried) => carried.backoff,
            None => Backoff::new(policy),
        };
        let reconnect = Self {
            plan: plan.clone(),
            backoff: RefCell::new(backoff),
            timer: Cell::new(None),
            due: Cell::new(None),
            at_once,
            off: Cell::new(false),
        };
        Some((Box::new(reconnect), until))
    }

    /// Goes by that policy from now on, or by none. A wait under way stays as it is.
    pub(super) fn set_policy(&self, policy: Option<ReconnectPolicy>) {
        self.off.set(policy.is_none());
        if let Some(policy) = policy {
            self.backoff.borrow_mut().set_policy(policy);
        }
    }

    /// The attempt became a session.
    pub(super) fn opened(&self, now: Instant) {
        self.backoff.borrow_mut().on_open(now);
    }

    /// How long to wait for the next attempt; `None`: there is none. Whether none may follow, by the user's
    /// will, `is_ended` says.
    pub(super) fn delay(
        &self,
        local: &LocalLoop,
        is_ended: impl Fn() -> bool,
        event: &CloseEvent,
    ) -> Option<Duration> {
        let options = &self.plan.options.all;
        let is_ended = || is_ended() || local.is_stopping() || self.off.get();
        if !makes_sense(local, options, is_ended(), event) {
            return None;
        }
        let mut backoff = self.backoff.borrow_mut();
        let delay = backoff.on_close(local.now(), local.random_u64());
        let delay = delay.filter(|_| !is_ended())?;
        let wanted = retry_after(event, options.reconnect.max_retry_after);
        Some(wanted.map_or(delay, |wanted| wanted.max(delay)))
    }

    /// Has the engine make the next attempt after that time.
    pub(super) fn arm(&self, local: &LocalLoop, engine: &Rc<Engine>, delay: Duration) {
        let (engine, at) = (Rc::downgrade(engine), local.clone());
        let timer = local.set_timeout(delay, move |_| {
            if let Some(engine) = engine.upgrade() {
                engine.retry(&at);
            }
        });
        self.timer.set(Some(timer));
        self.due.set(local.clock_now().checked_add(delay));
    }

    pub(super) fn is_armed(&self) -> bool {
        self.timer.get().is_some()
    }

    /// `false`: it was not armed.
    pub(super) fn disarm(&self, local: &LocalLoop) -> bool {
        let timer = self.timer.take();
        timer.map(|timer| local.kill_timer(timer)).is_some()
    }

    /// What an `open()` in the on_close that announced the back-off goes on with; `failed`: there was no
    /// session.
    pub(super) fn carried(&self, failed: bool) -> Option<Carried> {
        Some(Carried {
            backoff: self.backoff.borrow().clone(),
            until: self.due.get()?,
            url: self.plan.url.clone(),
            at_once: self.at_once && failed,
        })
    }
}

/// Whether another attempt makes sense: the user's to say, else unless the refusal is permanent. What a
/// hook may change before the next attempt is not.
fn makes_sense(local: &LocalLoop, options: &Values, is_ended: bool, event: &CloseEvent) -> bool {
    match &options.reconnect.condition {
        // Its answer would mean nothing.
        Some(_) if is_ended => true,
        Some(f) => local.call_user("reconnect_if", || f(event)) == Some(true),
        None => options.before_connect.is_some() || !event.is_permanent(),
    }
}
