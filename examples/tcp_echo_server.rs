//! A TCP echo server (libhv: `examples/tcp_echo_server.c`).
//!
//! `cargo run --example tcp_echo_server -- 127.0.0.1:1234` serves until Ctrl-C;
//! without an address it plays its own clients, and ends.

use clap::Parser;
use hvloop::{EventLoop, Listen, TcpServer, signal};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A TCP echo server.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let event_loop = EventLoop::new()?;
    let server = TcpServer::new(&event_loop);
    server.on_connection(|channel| println!("{:?} is here", channel.peer_addr()));
    server.on_message(|channel, data| {
        // A peer that reads slower than it sends is held back, not buffered for.
        if let Err(e) = channel.send(data) {
            eprintln!("{:?}: {e}", channel.peer_addr());
            channel.close();
        } else if channel.buffered_amount() > 1 << 20 {
            channel.pause_reading();
        }
    });
    server.on_write_complete(|channel, _| channel.resume_reading());
    server.on_close(|channel, reason| println!("{:?}: {reason}", channel.peer_addr()));
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.listen(Listen::tcp(args.address.unwrap_or(demo)))?;
    println!("listening at {address}");
    event_loop.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let clients = match (args.address, address.inet()) {
        (None, Some(at)) => Some(std::thread::spawn(move || play(at))),
        _ => None,
    };
    if clients.is_some() {
        // The demonstration is over when its last client has gone.
        let stop = event_loop.clone();
        let left = std::sync::atomic::AtomicUsize::new(CLIENTS);
        server.on_close(move |_, reason| {
            println!("a client has gone: {reason}");
            if left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
                stop.stop();
            }
        });
    }
    let report = event_loop.run()?;
    println!("{report}");
    if let Some(clients) = clients {
        clients.join().map_err(|_| "a client failed")??;
    }
    Ok(())
}

const CLIENTS: usize = 3;

/// What the demonstration's clients do.
fn play(address: SocketAddr) -> std::io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        streams.push(TcpStream::connect(address)?);
    }
    for (n, stream) in streams.iter_mut().enumerate() {
        let text = format!("hello from client {n}");
        stream.write_all(text.as_bytes())?;
        let mut back = vec![0; text.len()];
        stream.read_exact(&mut back)?;
        assert_eq!(back, text.as_bytes());
    }
    Ok(())
}
