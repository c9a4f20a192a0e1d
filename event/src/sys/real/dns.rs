//! Looking up host names off the loop's thread.
//!
//! The system's resolver blocks, for seconds if a name server does not answer, and cannot be
//! interrupted. So lookups run on a few threads of their own, which nobody ever waits for:
//! cancelling a lookup drops its callback and leaves the thread to finish by itself.

use super::super::dns::{Done, Resolver};
use super::thread;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::any::Any;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// A callback that either the worker calls or [`JobToken::cancel`] drops, whoever is first.
type DoneCell = Arc<Mutex<Option<Done>>>;

/// Names a lookup of a [`DnsPool`], to give it up. Dropping it changes nothing.
#[must_use = "without it the lookup cannot be cancelled"]
pub(crate) struct JobToken(DoneCell);

impl JobToken {
    /// Gives the lookup up: its callback is dropped here, unless it is being called right now or
    /// was before. If no thread has begun it, none will.
    pub(crate) fn cancel(&self) {
        let done = lock(&self.0).take();
        drop(done);
    }
}

/// A lookup that waits for a thread.
struct Job {
    host: String,
    done: DoneCell,
}

/// What the threads and the pool share.
struct Workers {
    resolver: Arc<dyn Resolver>,
    jobs: Receiver<Job>,
    count: Mutex<Count>,
    idle: Duration,
}

/// As long as there are fewer threads than may be, there is one for every unfinished job.
#[derive(Debug, Default)]
struct Count {
    threads: usize,
    /// Jobs queued or under way.
    unfinished: usize,
}

/// The threads that look up names for one loop. None runs until there is work, and each leaves
/// when it had none for a while. Used from any thread.
///
/// Dropping the pool never blocks: lookups that wait are dropped with their callbacks, one under
/// way still calls its own, and its thread ends after that.
pub(crate) struct DnsPool {
    workers: Arc<Workers>,
    /// The threads end when it is gone.
    queue: Sender<Job>,
    max_threads: usize,
}

impl DnsPool {
    /// A pool of at most `max_threads` threads, at least one. Starts none.
    pub(crate) fn new(resolver: Arc<dyn Resolver>, max_threads: usize) -> Self {
        Self::with_idle(resolver, max_threads, IDLE)
    }

    fn with_idle(resolver: Arc<dyn Resolver>, max_threads: usize, idle: Duration) -> Self {
        let (queue, jobs) = crossbeam_channel::unbounded();
        Self {
            workers: Arc::new(Workers {
                resolver,
                jobs,
                count: Mutex::default(),
                idle,
            }),
            queue,
            max_threads: max_threads.max(1),
        }
    }

    /// Queues a lookup; `done` is called with the answer on a worker thread.
    ///
    /// # Errors
    ///
    /// The system had no thread to give, and the pool has none. `done` was dropped.
    pub(crate) fn submit(&self, host: String, done: Done) -> io::Result<JobToken> {
        let done = Arc::new(Mutex::new(Some(done)));
        let job = Job {
            host,
            done: done.clone(),
        };
        // A thread leaves under this lock and only if the queue is empty, so that no job is left
        // behind. On an error it is released before `done`, which is foreign, is dropped.
        let mut count = lock(&self.workers.count);
        if count.threads <= count.unfinished && count.threads < self.max_threads {
            let workers = self.workers.clone();
            match thread::spawn("hvloop-dns", move || workers.run()) {
                Ok(_detached) => count.threads += 1,
                Err(e) if count.threads == 0 => {
                    drop(count);
                    return Err(e);
                }
                Err(e) => log::warn!("hvloop: a lookup waits, no thread could be started: {e}"),
            }
        }
        count.unfinished += 1;
        let sent = self.queue.send(job);
        drop(count);
        match sent {
            Ok(()) => Ok(JobToken(done)),
            // The receiver is in `workers`.
            Err(_) => Err(io::Error::other("the queue of lookups is closed")),
        }
    }
}

impl Drop for DnsPool {
    fn drop(&mut self) {
        while let Ok(job) = self.workers.jobs.try_recv() {
            // The job's token may live on; its callback does not.
            job.answer(None);
        }
    }
}

impl Workers {
    /// What a thread does.
    fn run(&self) {
        loop {
            match self.jobs.recv_timeout(self.idle) {
                Ok(job) => {
                    let answer = self.look_up(&job);
                    // Before the callback: whoever it tells may ask for more, of this very thread.
                    lock(&self.count).unfinished -= 1;
                    job.answer(answer);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let mut count = lock(&self.count);
                    if self.jobs.is_empty() {
                        count.threads -= 1;
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Asks the resolver. `None`: the job was cancelled.
    fn look_up(&self, job: &Job) -> Option<io::Result<Vec<IpAddr>>> {
        if lock(&job.done).is_none() {
            return None;
        }
        let resolve = AssertUnwindSafe(|| self.resolver.resolve(&job.host));
        let answer = catch_unwind(resolve).unwrap_or_else(|payload| {
            let text = discard(payload);
            Err(io::Error::other(format!("the resolver panicked: {text}")))
        });
        Some(answer)
    }
}

impl Job {
    /// Calls the callback, if there is an answer and nobody cancelled meanwhile; drops it if not.
    /// Its panic ends here: the thread is needed for the next job.
    fn answer(self, answer: Option<io::Result<Vec<IpAddr>>>) {
        let call = AssertUnwindSafe(|| {
            let done = lock(&self.done).take();
            if let (Some(done), Some(answer)) = (done, answer) {
                done(answer);
            }
        });
        if let Err(payload) = catch_unwind(call) {
            let text = discard(payload);
            log::error!("hvloop: the callback of a lookup panicked: {text}");
        }
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
