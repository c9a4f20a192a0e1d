//! The entities of a loop, and the lists that say what is to be done for them.

use super::LocalLoop;
use super::entity::{Entity, Place, Role};
use super::timers::TimerId;
use super::{Deferred, LoopCore, TimerAction};
use crate::error::CloseReason;
use crate::sys::{Key, clock};
use std::any::Any;
use std::rc::Rc;
use std::time::Duration;

impl LoopCore {
    /// Counts one more on the loop (I8). `false`: it takes none.
    pub(crate) fn admit(&self, role: Role) -> bool {
        match role {
            Role::Background => !self.has_closed(),
            Role::Connection | Role::Source => !self.is_stopping() && self.shared.gate.acquire(),
        }
    }

    /// Puts on the loop what was admitted.
    pub(crate) fn put<E: Entity>(&self, role: Role, make: impl FnOnce(Place) -> E) -> Rc<E> {
        let mut made = None;
        self.entities.borrow_mut().insert_with(|key| {
            let entity = Rc::new(make(Place::new(key, role)));
            made.insert(entity).clone()
        });
        self.count(role, 1);
        match made {
            Some(entity) => entity,
            None => unreachable!("what is inserted is made"),
        }
    }

    /// Takes something off the loop that was never told of anything, since it could not be registered.
    pub(crate) fn withdraw(&self, place: &Place) {
        let removed = self.entities.borrow_mut().remove(place.key());
        place.closing.set(true);
        drop(removed);
        self.count(place.role(), -1);
        self.release(place.role());
    }

    /// What has that key.
    pub(crate) fn find(&self, key: Key) -> Option<Rc<dyn Entity>> {
        self.entities.borrow().get(key).cloned()
    }

    /// What has that key, if it is an `E`.
    pub(crate) fn find_as<E: Entity>(&self, key: Key) -> Option<Rc<E>> {
        let any: Rc<dyn Any> = self.find(key)?;
        any.downcast().ok()
    }

    /// All that are there, for a walk in which some come and go.
    pub(super) fn all(&self, of: impl Fn(Role) -> bool) -> Vec<Rc<dyn Entity>> {
        let entities = self.entities.borrow();
        let all = entities.iter().map(|(_, entity)| entity);
        all.filter(|e| of(e.place().role())).cloned().collect()
    }

    /// Marks it for the flush of step 9.
    pub(crate) fn mark_dirty(&self, place: &Place) {
        if !place.dirty.replace(true) {
            self.dirty.borrow_mut().push(place.key());
            self.tell_host();
        }
    }

    /// Marks it to be looked at in the next tick without waiting for the poller.
    pub(crate) fn mark_ready(&self, place: &Place) {
        if !place.ready.replace(true) {
            self.ready.borrow_mut().push(place.key());
            self.tell_host();
        }
    }

    /// Lets what takes long wait for its turn: first come, first served.
    pub(crate) fn queue_costly(&self, place: &Place) {
        if !place.ready.replace(true) {
            self.costly.borrow_mut().push_back(place.key());
        }
    }

    /// Begins the end of what has that key.
    pub(crate) fn begin_close(&self, local: &LocalLoop, key: Key, reason: CloseReason) {
        if let Some(entity) = self.find(key) {
            entity.close(local, reason);
        }
    }

    /// Puts it on the list of step 10, which ends and frees it. Only the first reason counts.
    pub(crate) fn list_closing(&self, place: &Place, reason: CloseReason) {
        if !place.closing.replace(true) {
            self.closing.borrow_mut().push_back((place.key(), reason));
            self.tell_host();
        }
    }

    /// Puts one of its own calls off to step 8 of this tick, or of the next one.
    pub(crate) fn defer_for(&self, place: &Place, which: u8) {
        self.defer(Deferred::Entity(place.key(), which));
    }

    /// Arms one of its own timers. `None`: too far away for the clock to express, which is no limit.
    pub(crate) fn arm_for(&self, place: &Place, after: Duration, which: u8) -> Option<TimerId> {
        let id = self.shared.next_timer_id();
        let deadline = clock::now().checked_add(after)?;
        let action = TimerAction::Entity(place.key(), which);
        self.arm(id, Some(deadline), None, Some(1), action);
        Some(id)
    }

    /// Step 10 for one of them: ended, freed, its hold released.
    pub(super) fn end(&self, local: &LocalLoop, key: Key, reason: CloseReason) {
        let Some(entity) = self.find(key) else { return };
        let role = entity.place().role();
        entity.end(local, reason);
        let removed = self.entities.borrow_mut().remove(key);
        self.drop_user(removed);
        self.count(role, -1);
        self.release(role);
    }

    fn release(&self, role: Role) {
        if role != Role::Background {
            self.shared.release();
        }
    }

    /// Counts the connections that there are.
    fn count(&self, role: Role, more: i64) {
        if role == Role::Connection {
            self.load.add(&self.shared, more);
        }
    }
}
