//! What users keep on a loop.

use super::attachments::Attachment;
use super::given_up::GivenUp;
use super::idle::Idles;
use super::lookup::{DnsQuery, Lookup};
use super::slots::Slots;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// See the module.
#[derive(Default)]
pub(crate) struct Users {
    pub(crate) attachments: RefCell<Slots<Rc<dyn Attachment>>>,
    /// For [`LocalLoop::context`](super::LocalLoop::context).
    pub(crate) context: RefCell<Option<Rc<dyn Any>>>,
    pub(super) idles: Idles,
    pub(crate) given_up: GivenUp,
    pub(super) lookups: RefCell<BTreeMap<DnsQuery, Lookup>>,
}

impl Users {
    /// The attachments that are there, for a walk in which some come and go.
    pub(super) fn attached(&self) -> Vec<Rc<dyn Attachment>> {
        let attachments = self.attachments.borrow();
        attachments.iter().map(|(_, one)| one.clone()).collect()
    }

    pub(super) fn is_unborrowed(&self) -> bool {
        self.attachments.try_borrow_mut().is_ok()
            && self.context.try_borrow_mut().is_ok()
            && self.idles.is_unborrowed()
            && self.given_up.is_unborrowed()
            && self.lookups.try_borrow_mut().is_ok()
    }

    #[cfg(hvloop_sim)]
    pub(super) fn check_invariants(&self) -> Result<(), String> {
        self.attachments.borrow().check_invariants()
    }
}
