//! A world in memory that takes the place of the operating system, for the tests of
//! `tests/simulation`: seeded, on one thread, in virtual time.
//!
//! | module | holds |
//! |---|---|
//! | `world` | the clock, the agenda of what will happen, who the calling "thread" is |
//! | `faults` | how much the world misbehaves |
//! | `watch` | edges of readiness |
//! | `world/net`, `link` | connections, and what a poller is told of them |
//! | `world/wire` | the bytes under way, and the calls of the peers |
//! | `world/peer` | the other ends of connections, which the tests write |
//! | `world/backlog` | listeners, and connections that wait for them |
//! | `world/packets` | datagrams, and the peers that send them |
//! | `world/pipe` | a descriptor of a user's |
//! | `poller`, `stream`, `listener`, `datagram`, `made`, `foreign`, `dns`, `clock`, `entropy`, `thread` | the twins of `sys::real` |
//!
//! Every choice is drawn from the world's seed, so that a history can be run again. Nothing sleeps:
//! a poll moves the clock to the next thing on the agenda. What "other threads" do is on the agenda
//! too, and happens while the loop is in its poll, asleep or about to be.

pub(crate) mod clock;
pub(crate) mod datagram;
pub(crate) mod dns;
pub(crate) mod entropy;
mod faults;
pub(crate) mod foreign;
pub(crate) mod listener;
pub(crate) mod made;
pub(crate) mod poller;
pub(crate) mod stream;
pub(crate) mod thread;
mod watch;
mod world;

pub use faults::Faults;
pub use world::{
    Answer, Backlog, DatagramIo, DatagramPeer, Moved, Peer, PeerIo, Pipe, Route, World,
    mutant_is_on,
};
