//! The arguments of a client and of a server.

use crate::tls::Files;
use crate::{Error, Result};
use clap::Parser;
use std::net::SocketAddr;

/// An echo client: it opens all its connections, then each keeps messages in flight for as long as it runs.
#[derive(Parser, Clone)]
pub struct ClientArgs {
    /// How many connections.
    #[arg(long, default_value_t = 100)]
    pub connections: usize,
    /// Messages of a connection that are on their way at a time; none: it stays idle.
    #[arg(long, default_value_t = 1)]
    pub in_flight: usize,
    /// Bytes in a message.
    #[arg(long, default_value_t = 128)]
    pub bytes: usize,
    /// The server's port on 127.0.0.1.
    #[arg(long)]
    pub port: u16,
    /// The CPU to run on.
    #[arg(long)]
    pub cpu: Option<usize>,
    /// Collects answers that come together, and writes them at once; where a library leaves the choice.
    #[arg(long)]
    pub batched: bool,
    /// Compresses (permessage-deflate); where a library can.
    #[arg(long)]
    pub deflate: bool,
    /// Loops, each with its thread; where a library has more than one.
    #[arg(long, default_value_t = 1)]
    pub loops: usize,
    /// wss.
    #[command(flatten)]
    pub tls: Files,
}

impl ClientArgs {
    /// Reads them, and makes the process ready.
    pub fn get() -> Result<Self> {
        let args = Self::parse();
        prepare(args.connections, args.cpu)?;
        Ok(args)
    }

    /// Where the server is.
    pub fn server(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_set() { "wss" } else { "ws" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// What each message holds.
    pub fn payload(&self) -> Vec<u8> {
        crate::frames::payload(self.bytes)
    }
}

/// An echo server, on 127.0.0.1.
#[derive(Parser, Clone)]
pub struct ServerArgs {
    /// How many connections to be ready for.
    #[arg(long, default_value_t = 100)]
    pub connections: usize,
    /// Bytes in a message; for the servers that do not look.
    #[arg(long, default_value_t = 128)]
    pub bytes: usize,
    /// The CPU to run on.
    #[arg(long)]
    pub cpu: Option<usize>,
    /// Compresses (permessage-deflate); where a library can.
    #[arg(long)]
    pub deflate: bool,
    /// Loops, each with its thread; where a library has more than one.
    #[arg(long, default_value_t = 1)]
    pub loops: usize,
    /// wss.
    #[command(flatten)]
    pub tls: Files,
}

impl ServerArgs {
    /// Reads them, and makes the process ready.
    pub fn get() -> Result<Self> {
        let args = Self::parse();
        prepare(args.connections, args.cpu)?;
        Ok(args)
    }
}

/// The level of compression, of all programs.
pub const DEFLATE_LEVEL: u32 = 6;

fn prepare(connections: usize, cpu: Option<usize>) -> Result<()> {
    let wanted = connections as u64 + 64;
    if rlimit::increase_nofile_limit(wanted)? < wanted {
        return Err(format!("the limit of open files is below {wanted}").into());
    }
    cpu.map_or(Ok(()), pin)
}

/// Keeps this thread, and those that it starts from now on, on one CPU.
pub fn pin(cpu: usize) -> Result<()> {
    match core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        true => Ok(()),
        false => Err(Error::from(format!("CPU {cpu} cannot be had"))),
    }
}
