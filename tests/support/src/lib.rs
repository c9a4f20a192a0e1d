//! What the tests of hvloop need from programs that are not hvloop: WebSocket servers that behave
//! ([`EchoServer`]), servers that misbehave on purpose ([`ScriptServer`]), the same in a process of its
//! own ([`Peer`]), servers and clients in other languages ([`ForeignServer`], [`ForeignClient`]), a
//! browser ([`Chromium`]), certificates ([`TestCa`]), and ways to wait for and to observe a process ([`wait`], [`fds`],
//! [`threads`], [`ctxt`]).
//!
//! Nothing here depends on hvloop, so a fault of the library cannot hide in its own test servers.
//!
//! Helpers panic when a test's premise fails (a port that cannot be bound, a wait that ran into its
//! deadline); the message carries the state that was observed.

mod certs;
mod child;
#[cfg(unix)]
mod chromium;
mod conn;
pub mod ctxt;
mod engine;
pub mod fds;
mod foreign;
mod foreign_client;
mod frame;
mod http;
mod limit;
mod programs;
mod raw;
mod ready_made;
mod script;
mod server;
mod stats;
pub mod threads;
pub mod wait;

pub use certs::{TestCa, ring_provider};
pub use child::Peer;
#[cfg(unix)]
pub use chromium::Chromium;
pub use conn::ScriptConn;
pub use foreign::{ForeignClose, ForeignReport, ForeignServer};
pub use foreign_client::{ClientClose, ClientReport, ForeignClient, ModeReport};
pub use frame::{Frame, FrameReader, encode_frame, opcode};
pub use http::{RequestHead, upgrade_response};
pub use limit::ChildLimit;
pub use programs::Language;
pub use ready_made::{Blackhole, ReservedPort, own_ip, refuse_port};
pub use script::ScriptServer;
pub use server::{EchoServer, Mode, Tls};
pub use stats::Stats;
pub use threads::ThreadLog;
pub use wait::{Event, Latch, Monitor, wait_for};

/// How long a wait may take before it is called a failure. Generous, because the tests also run while
/// other processes keep every core busy; a wait that succeeds never takes longer than it has to.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);
