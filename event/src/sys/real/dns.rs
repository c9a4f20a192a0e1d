//! Looking up host names off the loop's thread.
//!
//! The system's resolver blocks, for half a minute if a name server does not answer, and cannot be
//! interrupted. So lookups run on threads of their own, which nobody ever waits for: cancelling a
//! lookup drops its callback and leaves the thread to finish by itself.
//!
//! A name that hangs costs those who ask for it: a call has a thread of its own as long as there may be
//! one more (see [`DnsPool`]), lookups of one name share a call, and what nobody wants any more leaves the
//! queue.

use super::super::dns::{Done, Resolver};
use super::{clock, thread};
use crate::log;
use std::any::Any;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// Threads that each loop may have, whatever others have.
const OWN: usize = 4;

/// Threads that one loop may have.
const MOST: usize = 128;

/// Threads that all loops of the process may have beyond their own ones.
const EXTRA: usize = 512;

/// Calls for one name at a time: the second one is for who asks when the first has hung for a while, as
/// behind a name server that was out of reach and is back.
const CALLS_OF_A_NAME: usize = 2;

/// How old a call may be for others to wait for its answer, while there may be another one.
const FRESH: Duration = Duration::from_secs(1);

/// Extra threads there are in the process.
static EXTRA_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Names a lookup of a [`DnsPool`], to give it up. Dropping it changes nothing.
#[must_use = "without it the lookup cannot be cancelled"]
pub(crate) struct JobToken {
    workers: Arc<Workers>,
    call: u64,
    asker: u64,
}

impl JobToken {
    /// Gives the lookup up: its callback is dropped here, unless it is being called right now or
    /// was before. If nobody else wants the answer and no thread has begun, none will.
    pub(crate) fn cancel(&self) {
        let mut state = lock(&self.workers.state);
        let done = state.give_up(self.call, self.asker);
        drop(state);
        drop(done); // with no lock held: it is foreign
    }
}

/// What the threads and the pool share.
struct Workers {
    resolver: Arc<dyn Resolver>,
    limits: Limits,
    state: Mutex<PoolState>,
    /// A call waits for a thread, or the pool is gone.
    work: Condvar,
}

/// How many threads there may be, and for how long.
#[derive(Debug, Clone, Copy)]
struct Limits {
    own: usize,
    most: usize,
    idle: Duration,
}

#[derive(Default)]
struct PoolState {
    /// By number, and so in the order in which they were asked for.
    calls: HashMap<u64, Question>,
    /// Those for each name, at most [`CALLS_OF_A_NAME`], the oldest first.
    names: HashMap<String, Vec<u64>>,
    /// Those that wait for a thread.
    waiting: BTreeSet<u64>,
    threads: usize,
    /// Threads that wait for work, or are on their way to it.
    idle: usize,
    /// Numbers given to calls and to those who ask.
    numbers: u64,
    closed: bool,
}

/// One question to the resolver.
struct Question {
    host: String,
    /// Who wants the answer. Nobody: it was given up while the resolver hangs.
    askers: Askers,
    /// Since when a thread is at it.
    began: Option<Instant>,
}

/// The callbacks of lookups, in their order.
type Askers = BTreeMap<u64, Done>;

impl PoolState {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The call whose answer a new lookup of that name may wait for.
    fn shared(&self, host: &str, now: Instant) -> Option<u64> {
        let calls = self.names.get(host)?;
        let last = *calls.last()?;
        let call = self.calls.get(&last)?;
        let age = call.began.map(|began| now.saturating_duration_since(began));
        let fresh = age.is_none_or(|age| age < FRESH) && !call.askers.is_empty();
        (fresh || calls.len() >= CALLS_OF_A_NAME).then_some(last)
    }

    /// A call that waits for a thread.
    fn add(&mut self, host: String, asker: u64, done: Done) -> u64 {
        let number = self.number();
        self.names.entry(host.clone()).or_default().push(number);
        let call = Question {
            host,
            askers: Askers::from([(asker, done)]),
            began: None,
        };
        self.calls.insert(number, call);
        self.waiting.insert(number);
        number
    }

    /// The callback of that lookup, if it is still there. A call that nobody wants any more is not begun.
    fn give_up(&mut self, number: u64, asker: u64) -> Option<Done> {
        let call = self.calls.get_mut(&number)?;
        let done = call.askers.remove(&asker)?;
        if call.askers.is_empty() && call.began.is_none() {
            self.remove(number);
        }
        Some(done)
    }

    /// The next call for a thread.
    fn begin(&mut self) -> Option<(u64, String)> {
        let number = self.waiting.pop_first()?;
        let call = self.calls.get_mut(&number)?;
        call.began = Some(clock::now());
        Some((number, call.host.clone()))
    }

    /// The call is over, or never begins: who wants to know.
    fn remove(&mut self, number: u64) -> Askers {
        self.waiting.remove(&number);
        let Some(call) = self.calls.remove(&number) else {
            return Askers::new();
        };
        if let Entry::Occupied(mut calls) = self.names.entry(call.host) {
            calls.get_mut().retain(|other| *other != number);
            if calls.get().is_empty() {
                calls.remove();
            }
        }
        call.askers
    }
}

/// The threads that look up names for one loop. None runs until there is work, and each leaves
/// when it had none for a while. Used from any thread.
///
/// A loop has a thread for each call that is under way, up to 4 as it likes, and up to 128 as long as
/// the loops of the process have fewer than 512 such extra ones. A thread that hangs in a call that was
/// given up counts until it comes back. Beyond that calls wait, in the order in which they were asked for.
///
/// Dropping the pool never blocks: lookups that wait are dropped with their callbacks, one under
/// way still calls its own, and its thread ends after that.
pub(crate) struct DnsPool(Arc<Workers>);

impl DnsPool {
    /// A pool that asks this resolver. Starts no thread.
    pub(crate) fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self::with_limits(
            resolver,
            Limits {
                own: OWN,
                most: MOST,
                idle: IDLE,
            },
        )
    }

    fn with_limits(resolver: Arc<dyn Resolver>, limits: Limits) -> Self {
        Self(Arc::new(Workers {
            resolver,
            limits,
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// Queues a lookup; `done` is called with the answer on a worker thread.
    ///
    /// # Errors
    ///
    /// The system had no thread to give, and the pool has none. `done` was dropped.
    pub(crate) fn submit(&self, host: String, done: Done) -> io::Result<JobToken> {
        let workers = &self.0;
        // The lock is released before `done`, which is foreign, is dropped on an error.
        let mut state = lock(&workers.state);
        let asker = state.number();
        let token = |call| JobToken {
            workers: workers.clone(),
            call,
            asker,
        };
        if let Some(number) = state.shared(&host, clock::now())
            && let Some(call) = state.calls.get_mut(&number)
        {
            call.askers.insert(asker, done);
            return Ok(token(number));
        }
        if state.idle <= state.waiting.len()
            && let Err(e) = Workers::add_thread(workers, &mut state)
        {
            if state.threads == 0 {
                drop(state);
                return Err(e);
            }
            log::warn!("hvloop: a lookup waits, no thread could be started: {e}");
        }
        let number = state.add(host, asker, done);
        drop(state);
        workers.work.notify_one();
        Ok(token(number))
    }
}

impl Drop for DnsPool {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let dropped: Vec<_> = waiting.into_iter().map(|call| state.remove(call)).collect();
        drop(state);
        self.0.work.notify_all();
        for askers in dropped {
            answer(askers, None);
        }
    }
}

impl Workers {
    /// Starts a thread, if there may be one more.
    fn add_thread(workers: &Arc<Self>, state: &mut PoolState) -> io::Result<()> {
        let Limits { own, most, .. } = workers.limits;
        if state.threads >= most {
            return Ok(());
        }
        let extra = match state.threads < own {
            true => None,
            false => match ExtraThread::take() {
                Some(extra) => Some(extra),
                None => return Ok(()),
            },
        };
        let here = workers.clone();
        thread::spawn("hvloop-dns", None, move || here.run(extra))?;
        state.threads += 1;
        // It is on its way to the queue.
        state.idle += 1;
        Ok(())
    }

    /// What a thread does.
    fn run(&self, extra: Option<ExtraThread>) {
        let mut state = lock(&self.state);
        loop {
            if let Some((number, host)) = state.begin() {
                state.idle -= 1;
                drop(state);
                let found = self.look_up(&host);
                state = lock(&self.state);
                let askers = state.remove(number);
                // Before the callbacks: whoever they tell may ask for more, of this very thread.
                state.idle += 1;
                drop(state);
                answer(askers, Some(found));
                state = lock(&self.state);
                continue;
            }
            if state.closed {
                break;
            }
            let waited = self.work.wait_timeout(state, self.limits.idle);
            let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = again;
            if timeout.timed_out() && state.waiting.is_empty() {
                break;
            }
        }
        // Under the lock under which calls are queued, so that none is left behind.
        state.idle -= 1;
        state.threads -= 1;
        drop(extra);
    }

    /// Asks the resolver.
    fn look_up(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let resolve = AssertUnwindSafe(|| self.resolver.resolve_scoped(host));
        catch_unwind(resolve).unwrap_or_else(|payload| {
            let text = discard(payload);
            Err(io::Error::other(format!("the resolver panicked: {text}")))
        })
    }
}

/// The place of one thread among the extra ones of the process.
struct ExtraThread;

impl ExtraThread {
    fn take() -> Option<Self> {
        let more = |threads| (threads < EXTRA).then_some(threads + 1);
        EXTRA_THREADS
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Self)
    }
}

impl Drop for ExtraThread {
    fn drop(&mut self) {
        EXTRA_THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Calls the callbacks with the answer; drops them if there is none. A panic of theirs ends here: the
/// thread is needed for the next call, and the others for their answer.
fn answer(askers: Askers, mut found: Option<io::Result<Vec<SocketAddr>>>) {
    let mut askers = askers.into_values().peekable();
    while let Some(done) = askers.next() {
        let own = match (askers.peek(), &found) {
            (Some(_), Some(found)) => Some(again(found)),
            _ => found.take(),
        };
        let call = AssertUnwindSafe(move || match own {
            Some(own) => done(own),
            None => drop(done),
        });
        if let Err(payload) = catch_unwind(call) {
            let text = discard(payload);
            log::error!("hvloop: the callback of a lookup panicked: {text}");
        }
    }
}

/// The same answer for another one who asked.
fn again(found: &io::Result<Vec<SocketAddr>>) -> io::Result<Vec<SocketAddr>> {
    match found {
        Ok(addresses) => Ok(addresses.clone()),
        Err(e) => Err(match e.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(e.kind(), e.to_string()),
        }),
    }
}

/// Drops what a panic threw and says what it said.
fn discard(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned();
    // Even a panic's payload may panic when dropped.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    text
}

/// Locks. Nothing panics while one of these locks is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
