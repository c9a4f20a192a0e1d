//! The operating system, and nothing else.
//!
//! This is the only module that names mio, std's sockets, `Instant::now` and threads. What the rest
//! of the crate needs of the world goes through the names re-exported here: [`real`] is the
//! operating system, `sim` (under `cfg(hvloop_sim)`) a seeded world in memory, and nothing above
//! can tell which of the two it runs on.

mod address;
mod dns;
mod got;
mod key;
mod readiness;
#[cfg(not(hvloop_sim))]
mod real;
#[cfg(hvloop_sim)]
pub(crate) mod sim;
mod socket_options;
mod wait;

#[cfg(not(hvloop_sim))]
use real as world;
#[cfg(hvloop_sim)]
use sim as world;

#[cfg(all(unix, not(hvloop_sim)))]
pub(crate) use address::abstract_name;
#[cfg(unix)]
pub(crate) use address::unix_name;
pub use address::{Address, Interface};
pub(crate) use address::{DatagramSettings, MulticastOut, ShortAddress, same_endpoint};
pub use dns::{Resolver, SystemResolver};
pub(crate) use dns::{literal, split_zone};
pub(crate) use got::Got;
pub(crate) use key::Key;
pub(crate) use readiness::Readiness;
pub use socket_options::SocketOptions;
pub(crate) use wait::Wait;
pub(crate) use world::clock;
pub(crate) use world::datagram::Datagrams;
pub(crate) use world::dns::{DnsPool, JobToken};
pub(crate) use world::entropy::random_seed;
pub(crate) use world::foreign;
pub use world::foreign::{ForeignSource, Interest};
pub(crate) use world::listener::{AcceptError, Listener};
pub(crate) use world::made;
pub use world::made::OwnedSocket;
pub(crate) use world::poller::{LoopWaker, Poller};
#[cfg(all(unix, not(hvloop_sim)))]
pub(crate) use world::signal::SignalPipe;
#[cfg(all(unix, not(hvloop_sim)))]
pub use world::signal::numbers as signal_numbers;
pub(crate) use world::stream::Stream;
pub(crate) use world::thread;
