//! Lookups that users ask for (`resolve_dns`); those of connects are in `transport::connection`.

use super::calls::Deferred;
use super::shared::next_id;
use super::{LocalLoop, LoopCore};
use crate::sys::{JobToken, literal};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;

/// A callback for the answer, whose ports say nothing.
pub(crate) type OnAnswer = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>)>;

/// A lookup under way.
pub(crate) struct Lookup {
    answer: OnAnswer,
    job: Option<JobToken>,
}

/// Names a lookup among all of the process; see [`EventLoop::resolve_dns`](crate::EventLoop::resolve_dns) and
/// [`LocalLoop::resolve_dns`]. Never names another one, also when it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsQuery(NonZeroU64);

number_id!(DnsQuery);

impl DnsQuery {
    /// The name of one that nobody knows yet.
    pub(crate) fn next() -> Self {
        Self(next_id())
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
pub(crate) fn begin(
    core: &LoopCore,
    query: DnsQuery,
    host: &str,
    answer: OnAnswer,
) -> io::Result<()> {
    let lookups = &core.users.lookups;
    let lookup = Lookup { answer, job: None };
    lookups.borrow_mut().insert(query, lookup);
    if let Some(address) = literal(host, 0) {
        let answer = address.map(|address| vec![address]);
        let call = move |local: &LocalLoop| answered(local.core(), query, answer);
        core.defer(Deferred::Call(Box::new(call)));
        return Ok(());
    }
    let answered = move |local: &LocalLoop, answer| answered(local.core(), query, answer);
    match ask(core, host.to_owned(), answered) {
        Ok(job) => {
            if let Some(lookup) = lookups.borrow_mut().get_mut(&query) {
                lookup.job = Some(job);
            }
            Ok(())
        }
        Err(e) => {
            let lookup = lookups.borrow_mut().remove(&query);
            core.drop_user(lookup);
            Err(e)
        }
    }
}

fn answered(core: &LoopCore, query: DnsQuery, answer: io::Result<Vec<SocketAddr>>) {
    let lookup = core.users.lookups.borrow_mut().remove(&query);
    if let Some(lookup) = lookup {
        core.call_user("dns", || (lookup.answer)(answer));
    }
}

/// See [`LocalLoop::cancel_dns`].
pub(crate) fn cancel(core: &LoopCore, query: DnsQuery) -> bool {
    let lookup = core.users.lookups.borrow_mut().remove(&query);
    let existed = lookup.is_some();
    if !existed {
        core.users.given_up.note(&core.shared, query.raw());
    }
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
    let queries: Vec<_> = core.users.lookups.borrow().keys().copied().collect();
    for query in queries {
        cancel(core, query);
    }
}
