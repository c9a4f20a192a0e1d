//! The loops that belong to this thread, and the one that is in a tick.

use super::LocalLoop;
use super::LoopCore;
use super::shared::LoopShared;
use crate::sys::thread;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    /// Usually none or one; more where a host drives several loops by `run_once`.
    static OWNED: Owned = const { Owned(RefCell::new(Vec::new())) };
}

struct Owned(RefCell<Vec<Rc<LoopCore>>>);

impl Drop for Owned {
    /// The thread ends. What is left was not stopped, and may be kept by its own timers and callbacks.
    fn drop(&mut self) {
        let left = std::mem::take(self.0.get_mut());
        left.iter().for_each(|core| core.give_up());
    }
}

/// This thread's half of the loop, if this thread owns it.
pub(crate) fn find(shared: &Arc<LoopShared>) -> Option<LocalLoop> {
    first(|core| Arc::ptr_eq(&core.shared, shared))
}

/// The loop that is in a tick on this thread.
pub(crate) fn ticking() -> Option<LocalLoop> {
    first(|core| core.turn.ticking.get())
}

/// The first such loop that is this thread's own (I1), as all are, but where threads are simulated.
fn first(wanted: impl Fn(&LoopCore) -> bool) -> Option<LocalLoop> {
    let found = OWNED.try_with(|owned| {
        let owned = owned.0.borrow();
        let mut mine = owned
            .iter()
            .filter(|core| wanted(core) && core.shared.gate.owner() == thread::token());
        mine.next().cloned().map(LocalLoop::new)
    });
    found.ok().flatten()
}

/// Gives this thread a loop.
pub(crate) fn own(core: Rc<LoopCore>) {
    // Fails only while the thread's locals are destroyed; then nothing runs the loop any more,
    // and dropping it closes what it has.
    let _ = OWNED.try_with(|owned| owned.0.borrow_mut().push(core));
}

/// Takes the loop from this thread.
pub(crate) fn disown(shared: &Arc<LoopShared>) {
    let core = OWNED.try_with(|owned| {
        let mut owned = owned.0.borrow_mut();
        let at = owned.iter().position(|c| Arc::ptr_eq(&c.shared, shared))?;
        Some(owned.remove(at))
    });
    drop(core); // outside the borrow: it may hold closures of the user's
}

/// Ends a loop of this thread that unwinds out of it.
pub(crate) fn give_up(shared: &Arc<LoopShared>) {
    if let Some(local) = find(shared) {
        disown(shared);
        local.core().give_up();
    }
}

/// Drops the loops that a history left unfinished.
#[cfg(hvloop_sim)]
pub fn forget_all() {
    let owned = OWNED.with(|owned| std::mem::take(&mut *owned.0.borrow_mut()));
    owned.iter().for_each(|core| core.give_up());
}
