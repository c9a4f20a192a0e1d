//! Lookups that users ask for (`resolve_dns`); those of connects are in `transport::connection`.

use super::calls::Deferred;
use super::slots::OwnKey;
use super::{LocalLoop, LoopCore};
use crate::sys::Key;
use crate::sys::{JobToken, literal};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// A callback for the answer, whose ports say nothing.
pub(crate) type OnAnswer = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>)>;

/// A lookup under way.
pub(crate) struct Lookup {
    answer: OnAnswer,
    job: Option<JobToken>,
}

/// Names a lookup; see [`EventLoop::resolve_dns`](crate::EventLoop::resolve_dns) and [`LocalLoop::resolve_dns`].
#[derive(Debug, Clone)]
pub struct DnsQuery(Arc<OnceLock<Option<OwnKey>>>);

/// Whether both name the same lookup.
impl PartialEq for DnsQuery {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for DnsQuery {}

impl DnsQuery {
    /// One that the loop has.
    pub(crate) fn of(key: OwnKey) -> Self {
        Self(Arc::new(OnceLock::from(Some(key))))
    }

    /// One that is on its way to its loop.
    pub(crate) fn posted() -> Self {
        Self(Arc::default())
    }

    /// The loop has it now, unless it was given up before.
    pub(crate) fn begun(&self, by: &DnsQuery) -> bool {
        by.0.get().is_some_and(|key| self.0.set(*key).is_ok())
    }

    /// Whether it was given up before the loop had it.
    pub(crate) fn is_given_up(&self) -> bool {
        self.0.get().is_some_and(Option::is_none)
    }

    /// Gives it up, if the loop does not have it yet; else its name there.
    pub(crate) fn give_up(&self) -> Option<OwnKey> {
        *self.0.get_or_init(|| None)
    }
}

/// Asks the resolver; `f` gets its answer on the loop, unless that has closed, which wants none.
pub(crate) fn ask(
    core: &LoopCore,
    host: String,
    f: impl FnOnce(&LocalLoop, io::Result<Vec<SocketAddr>>) + Send + 'static,
) -> io::Result<JobToken> {
    let shared = core.shared.clone();
    let done = Box::new(move |answer| {
        if let Some(permit) = shared.inbox.reserve() {
            permit.send(Box::new(move |local: &LocalLoop| f(local, answer)));
        }
    });
    core.shared.dns.submit(host, done)
}

/// See [`LocalLoop::resolve_dns`].
pub(crate) fn begin(core: &LoopCore, host: &str, answer: OnAnswer) -> io::Result<Key> {
    let lookups = &core.users.lookups;
    let key = lookups.borrow_mut().insert(Lookup { answer, job: None });
    if let Some(address) = literal(host, 0) {
        let answer = address.map(|address| vec![address]);
        let call = move |local: &LocalLoop| answered(local.core(), key, answer);
        core.defer(Deferred::Call(Box::new(call)));
        return Ok(key);
    }
    let answered = move |local: &LocalLoop, answer| answered(local.core(), key, answer);
    match ask(core, host.to_owned(), answered) {
        Ok(job) => {
            if let Some(lookup) = lookups.borrow_mut().get_mut(key) {
                lookup.job = Some(job);
            }
            Ok(key)
        }
        Err(e) => {
            let lookup = lookups.borrow_mut().remove(key);
            core.drop_user(lookup);
            Err(e)
        }
    }
}

fn answered(core: &LoopCore, key: Key, answer: io::Result<Vec<SocketAddr>>) {
    let lookup = core.users.lookups.borrow_mut().remove(key);
    if let Some(lookup) = lookup {
        core.call_user("dns", || (lookup.answer)(answer));
    }
}

/// See [`LocalLoop::cancel_dns`].
pub(crate) fn cancel(core: &LoopCore, key: Key) -> bool {
    let lookup = core.users.lookups.borrow_mut().remove(key);
    let existed = lookup.is_some();
    if let Some(Lookup { answer, job }) = lookup {
        if let Some(job) = job {
            job.cancel();
        }
        core.drop_user(answer);
    }
    existed
}

/// Gives every lookup up: the loop is draining.
pub(super) fn cancel_all(core: &LoopCore) {
    let keys = core.users.lookups.borrow().keys();
    for key in keys {
        cancel(core, key);
    }
}
