//! A server that SIGTERM stops in order: what was accepted is delivered, every connection ends with a
//! goodbye, and only then does the program (libhv: `hsignal_add`).
//!
//! `cargo run --example graceful_shutdown -- 127.0.0.1:1234` serves until SIGTERM or Ctrl-C (twice: by
//! force); without an address it connects clients of its own, and sends itself the signal.

use clap::Parser;
use hvloop::{EventLoop, Listen, LoopOptions, TcpServer, signal};
use std::error::Error;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// A server that SIGTERM stops in order.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
}

/// What each client is owed when the signal comes.
const OWED: usize = 1_000_000;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let options = LoopOptions::new().drain_timeout(Duration::from_secs(10));
    let event_loop = EventLoop::with_options(options)?;
    event_loop.stop_on_signals(&[signal::SIGTERM, signal::SIGINT])?;
    let server = TcpServer::new(&event_loop);
    server.on_connection(|channel| {
        channel
            .send(&[0; OWED])
            .unwrap_or_else(|e| eprintln!("{e}"));
    });
    server.on_close(|channel, reason| println!("{:?}: {reason}", channel.peer_addr()));
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.listen(Listen::tcp(args.address.unwrap_or(demo)))?;
    println!("process {} listens at {address}", std::process::id());
    let clients = match (args.address, address.inet()) {
        (None, Some(at)) => Some(std::thread::spawn(move || play(at))),
        _ => None,
    };
    let report = event_loop.run()?;
    println!("{report}");
    if let Some(clients) = clients {
        let got = clients.join().map_err(|_| "the clients failed")?;
        assert_eq!(got.map_err(|e| e.to_string())?, 5 * OWED, "bytes were lost");
    }
    Ok(match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Five clients that have read nothing yet when the signal comes, and then read all they are owed.
fn play(address: SocketAddr) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(address)?;
        stream.read_exact(&mut [0])?; // it is accepted, and served
        streams.push(stream);
    }
    let pid = std::process::id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status()?;
    let mut got = streams.len();
    for stream in &mut streams {
        got += stream.read_to_end(&mut Vec::new())?;
    }
    Ok(got)
}
