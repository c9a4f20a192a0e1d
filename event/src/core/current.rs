//! The loops that belong to this thread, and the one that is in a tick.

use super::LoopCore;
use super::shared::LoopShared;
use crate::local_loop::LocalLoop;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    /// Usually none or one; more where a host drives several loops by `run_once`.
    static OWNED: RefCell<Vec<Rc<LoopCore>>> = const { RefCell::new(Vec::new()) };
}

/// This thread's half of the loop, if this thread owns it.
pub(crate) fn find(shared: &Arc<LoopShared>) -> Option<LocalLoop> {
    OWNED
        .try_with(|owned| {
            let owned = owned.borrow();
            owned
                .iter()
                .find(|core| Arc::ptr_eq(&core.shared, shared) && core.is_mine())
                .map(|core| LocalLoop::new(Rc::clone(core)))
        })
        .ok()
        .flatten()
}

/// The loop that is in a tick on this thread.
pub(crate) fn ticking() -> Option<LocalLoop> {
    OWNED
        .try_with(|owned| {
            let owned = owned.borrow();
            owned
                .iter()
                .find(|core| core.is_ticking() && core.is_mine())
                .map(|core| LocalLoop::new(Rc::clone(core)))
        })
        .ok()
        .flatten()
}

/// Gives this thread a loop.
pub(crate) fn own(core: Rc<LoopCore>) {
    // Fails only while the thread's locals are destroyed; then nothing runs the loop any more,
    // and dropping it closes what it has.
    let _ = OWNED.try_with(|owned| owned.borrow_mut().push(core));
}

/// Takes the loop from this thread.
pub(crate) fn disown(shared: &Arc<LoopShared>) {
    let core = OWNED.try_with(|owned| {
        let mut owned = owned.borrow_mut();
        let at = owned.iter().position(|c| Arc::ptr_eq(&c.shared, shared))?;
        Some(owned.remove(at))
    });
    drop(core); // outside the borrow: it may hold closures of the user's
}

/// Drops the loops that a history left unfinished.
#[cfg(hvloop_sim)]
pub fn forget_all() {
    let owned = OWNED.with(|owned| std::mem::take(&mut *owned.borrow_mut()));
    drop(owned);
}
