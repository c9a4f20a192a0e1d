//! Lookups that the world answers: at once, late, with an error, or never.

use super::super::dns::{Done, Resolver};
use super::world::World;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The "thread" that answers lookups.
const WORKER: u64 = 1_000_000;

/// Names a lookup, to give it up.
#[must_use = "without it the lookup cannot be cancelled"]
pub(crate) struct JobToken(Arc<Mutex<Option<Done>>>);

impl JobToken {
    /// Gives the lookup up: its callback is dropped here, unless it was called already.
    pub(crate) fn cancel(&self) {
        drop(take(&self.0));
    }
}

/// The twin of the pool of lookup threads.
pub(crate) struct DnsPool;

impl DnsPool {
    /// The world answers, whoever the resolver is.
    pub(crate) fn new(_resolver: Arc<dyn Resolver>) -> Self {
        Self
    }

    /// Puts the answer on the agenda.
    ///
    /// # Errors
    ///
    /// The world has no thread to give, by its seed.
    pub(crate) fn submit(&self, host: String, done: Done) -> io::Result<JobToken> {
        let world = World::here();
        if world.chance(|faults| faults.no_thread) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let answer = world.look_up(&host);
        let done = Arc::new(Mutex::new(Some(done)));
        let waiting = done.clone();
        if let Some(after) = answer.after {
            world.note(|| format!("dns {host}: an answer in {after:?}"));
            world.call_later(after, WORKER, move || {
                let Some(done) = take(&waiting) else { return };
                done(match answer.addresses {
                    none if none.is_empty() => Err(io::ErrorKind::NotFound.into()),
                    addresses => {
                        let addresses = addresses.into_iter();
                        Ok(addresses.map(|ip| SocketAddr::new(ip, 0)).collect())
                    }
                });
            });
        } else {
            world.note(|| format!("dns {host}: no answer, ever"));
        }
        Ok(JobToken(done))
    }
}

fn take(done: &Mutex<Option<Done>>) -> Option<Done> {
    done.lock().unwrap_or_else(PoisonError::into_inner).take()
}
