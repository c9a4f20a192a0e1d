//! Each loop of a pool accepts for itself: the system shares the connections among them (libhv:
//! `examples/multi-thread/multi-acceptor-threads.c`).
//!
//! `cargo run --example many_acceptors -- 127.0.0.1:1234` serves until Ctrl-C; without an address it
//! plays its own clients, and ends.

use clap::Parser;
use hvloop::{EventLoop, EventLoopThreadPool, Listen, TcpServer, signal};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Each loop of a pool accepts for itself.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
    /// How many loops accept and serve.
    #[arg(long, default_value_t = 4)]
    loops: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let pool = EventLoopThreadPool::with_threads(args.loops)?;
    pool.start()?;
    let server = TcpServer::per_loop(&pool);
    server.on_message(|channel, data| {
        channel.send(data).unwrap_or_else(|e| eprintln!("{e}"));
    });
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.listen(Listen::tcp(args.address.unwrap_or(demo)))?;
    println!("{} listeners at {address}", args.loops);
    match (args.address, address.inet()) {
        (None, Some(at)) => play(at)?,
        _ => {
            // Nothing but signals is on this one.
            let signals = EventLoop::new()?;
            signals.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
            signals.run()?;
        }
    }
    for (n, event_loop) in pool.event_loops().enumerate() {
        println!("loop {n} has accepted {}", event_loop.metrics().accepted);
    }
    pool.stop();
    for report in pool.join()? {
        println!("{report}");
    }
    Ok(())
}

/// What the demonstration's clients do.
fn play(address: SocketAddr) -> std::io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(TcpStream::connect(address)?);
    }
    for stream in &mut streams {
        stream.write_all(b"hello")?;
        stream.read_exact(&mut [0; 5])?;
    }
    Ok(())
}
