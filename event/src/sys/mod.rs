//! The operating system, and nothing else.
//!
//! This is the only module that names mio, std's sockets, `Instant::now` and threads. What the rest
//! of the crate needs of the world goes through the types re-exported here, so that a simulated
//! world can take the place of `real` without a change above it.

mod dns;
mod real;

pub(crate) use dns::{DnsPool, JobToken};
pub use dns::{Resolver, SystemResolver};
pub(crate) use real::clock;
pub(crate) use real::entropy::random_seed;
pub(crate) use real::poller::{LoopWaker, Poller, Readiness};
pub(crate) use real::tcp::{SHORT_IO_MEANS_DRAINED, TcpStream};
pub(crate) use real::thread;
