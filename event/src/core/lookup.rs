//! Lookups that users ask for (`resolve_dns`); those of connects are in `transport::connection`.

use super::LoopCore;
use crate::local_loop::LocalLoop;
use crate::sys::Key;
use crate::sys::{JobToken, literal};
use std::io;
use std::net::SocketAddr;

/// A callback for the answer, whose ports say nothing.
pub(crate) type OnAnswer = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>)>;

/// A lookup under way.
pub(crate) struct Lookup {
    answer: OnAnswer,
    job: Option<JobToken>,
}

impl LoopCore {
    /// See [`LocalLoop::resolve_dns`].
    pub(crate) fn resolve_dns(&self, host: &str, answer: OnAnswer) -> io::Result<Key> {
        let lookup = Lookup { answer, job: None };
        let key = self.lookups.borrow_mut().insert(lookup);
        if let Some(address) = literal(host, 0) {
            let answer = address.map(|address| vec![address]);
            let call = move |local: &LocalLoop| local.core().answered(key, answer);
            self.defer(super::Deferred::Call(Box::new(call)));
            return Ok(key);
        }
        let shared = self.shared.clone();
        let done = Box::new(move |answer: io::Result<Vec<SocketAddr>>| {
            if let Some(permit) = shared.inbox.reserve() {
                permit.send(Box::new(move |local: &LocalLoop| {
                    local.core().answered(key, answer);
                }));
            }
        });
        match self.shared.dns.submit(host.to_owned(), done) {
            Ok(job) => {
                if let Some(lookup) = self.lookups.borrow_mut().get_mut(key) {
                    lookup.job = Some(job);
                }
                Ok(key)
            }
            Err(e) => {
                let lookup = self.lookups.borrow_mut().remove(key);
                self.drop_user(lookup);
                Err(e)
            }
        }
    }

    fn answered(&self, key: Key, answer: io::Result<Vec<SocketAddr>>) {
        let lookup = self.lookups.borrow_mut().remove(key);
        if let Some(lookup) = lookup {
            self.call_user("dns", || (lookup.answer)(answer));
        }
    }

    /// See [`LocalLoop::cancel_dns`].
    pub(crate) fn cancel_dns(&self, key: Key) -> bool {
        let lookup = self.lookups.borrow_mut().remove(key);
        let existed = lookup.is_some();
        if let Some(Lookup { answer, job }) = lookup {
            if let Some(job) = job {
                job.cancel();
            }
            self.drop_user(answer);
        }
        existed
    }

    /// Gives every lookup up: the loop is draining.
    pub(super) fn cancel_lookups(&self) {
        let keys = self.lookups.borrow().keys();
        for key in keys {
            self.cancel_dns(key);
        }
    }
}
