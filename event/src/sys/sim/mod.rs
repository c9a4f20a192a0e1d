//! A world in memory that takes the place of the operating system, for the tests of
//! `tests/simulation`: seeded, on one thread, in virtual time.
//!
//! | module | holds |
//! |---|---|
//! | `world` | the clock, the agenda of what will happen, who the calling "thread" is |
//! | `faults` | how much the world misbehaves |
//! | `net` | sockets, and what a poller is told of them |
//! | `watch` | edges of readiness |
//! | `wire` | the bytes under way, and the calls of the peers |
//! | `peer` | the other ends of connections, which the tests write |
//! | `backlog` | listeners, and connections that wait for them |
//! | `packets` | datagrams, and the peers that send them |
//! | `pipe` | a descriptor of a user's |
//! | `poller`, `stream`, `listener`, `datagram`, `foreign`, `dns`, `clock`, `entropy`, `thread` | the twins of `sys::real` |
//!
//! Every choice is drawn from the world's seed, so that a history can be run again. Nothing sleeps:
//! a poll moves the clock to the next thing on the agenda. What "other threads" do is on the agenda
//! too, and happens while the loop is in its poll, asleep or about to be.

mod backlog;
pub(crate) mod clock;
pub(crate) mod datagram;
pub(crate) mod dns;
pub(crate) mod entropy;
mod faults;
pub(crate) mod foreign;
pub(crate) mod listener;
mod net;
mod packets;
mod peer;
mod pipe;
pub(crate) mod poller;
pub(crate) mod stream;
pub(crate) mod thread;
mod watch;
mod wire;
mod world;

pub use dns::Answer;
pub use faults::Faults;
pub use net::{Backlog, Moved, Route};
pub use packets::{DatagramIo, DatagramPeer};
pub use peer::{Peer, PeerIo};
pub use pipe::Pipe;
pub use world::{World, mutant_is_on};
