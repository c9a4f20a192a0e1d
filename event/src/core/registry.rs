//! The entities of a loop, and the lists that say what is to be done for them.

use super::entity::{Entity, Place, Role};
use super::load::Load;
use super::shared::LoopShared;
use super::slots::Slots;
use crate::error::CloseReason;
use crate::sys::Key;
use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// How many entities are looked at for borrows.
const FEW: usize = 32;

/// See the module.
pub(crate) struct Registry {
    shared: Arc<LoopShared>,
    pub(super) entities: RefCell<Slots<Rc<dyn Entity>>>,
    /// What has something to write in step 9.
    pub(super) dirty: RefCell<Vec<Key>>,
    /// What is to be looked at again in the next tick: its budget ended a read early.
    pub(super) ready: RefCell<Vec<Key>>,
    /// What waits for its turn with something that takes long (a TLS handshake), in that order. Marked as
    /// those of `ready` are.
    pub(super) costly: RefCell<VecDeque<Key>>,
    /// What ends in step 10.
    pub(super) closing: RefCell<VecDeque<(Key, CloseReason)>>,
    pub(crate) load: Load,
}

impl Registry {
    pub(super) fn new(shared: Arc<LoopShared>) -> Self {
        Self {
            shared,
            entities: RefCell::new(Slots::default()),
            dirty: RefCell::default(),
            ready: RefCell::default(),
            costly: RefCell::default(),
            closing: RefCell::default(),
            load: Load::default(),
        }
    }

    /// Counts one more on the loop (I8). `false`: it takes none.
    pub(crate) fn admit(&self, role: Role) -> bool {
        match role {
            Role::Background => !self.shared.has_closed(),
            Role::Connection | Role::Source => {
                !self.shared.is_stopping() && self.shared.gate.acquire()
            }
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
        let removed = self.remove(place.key());
        place.closing.set(true);
        drop(removed);
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

    /// Lets what takes long wait for its turn: first come, first served.
    pub(crate) fn queue_costly(&self, place: &Place) {
        if !place.ready.replace(true) {
            self.costly.borrow_mut().push_back(place.key());
        }
    }

    /// Takes it out. Its hold is [released](Self::release) when it has been dropped.
    pub(super) fn remove(&self, key: Key) -> Option<Rc<dyn Entity>> {
        let removed = self.entities.borrow_mut().remove(key)?;
        self.count(removed.place().role(), -1);
        Some(removed)
    }

    /// Gives its count back.
    pub(super) fn release(&self, role: Role) {
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

    /// Whether anything is on a list.
    pub(super) fn has_work(&self) -> bool {
        !self.ready.borrow().is_empty()
            || !self.costly.borrow().is_empty()
            || !self.dirty.borrow().is_empty()
            || !self.closing.borrow().is_empty()
    }

    /// Whether no borrow is alive, of the first entities either: they are looked at with each callback of a
    /// debug build.
    pub(super) fn is_unborrowed(&self) -> bool {
        let entities = self.entities.try_borrow_mut();
        entities.is_ok_and(|entities| entities.first(FEW).all(|entity| entity.is_unborrowed()))
            && self.dirty.try_borrow_mut().is_ok()
            && self.ready.try_borrow_mut().is_ok()
            && self.costly.try_borrow_mut().is_ok()
            && self.closing.try_borrow_mut().is_ok()
    }
}

/// Takes a list for a walk in which it may grow anew.
pub(super) fn take(list: &RefCell<Vec<Key>>) -> Vec<Key> {
    std::mem::take(&mut *list.borrow_mut())
}

/// Keeps the capacity of a list that was taken and has been walked.
pub(super) fn give_back(list: &RefCell<Vec<Key>>, mut walked: Vec<Key>) {
    walked.clear();
    let mut list = list.borrow_mut();
    if list.is_empty() {
        *list = walked;
    }
}
