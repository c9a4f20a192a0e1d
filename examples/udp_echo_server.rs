//! A UDP echo server (libhv: `examples/udp_echo_server.c`), and a client for its demonstration.
//!
//! `cargo run --example udp_echo_server -- 127.0.0.1:1234` serves until Ctrl-C; without an address it
//! plays its own client, and ends.

use clap::Parser;
use hvloop::{EventLoop, UdpClient, UdpOptions, UdpServer, signal};
use std::error::Error;
use std::net::SocketAddr;

/// A UDP echo server.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let event_loop = EventLoop::new()?;
    event_loop.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let server = UdpServer::new(&event_loop);
    server.on_message(|socket, data, from| {
        println!("{} bytes from {from}", data.len());
        if let Err(e) = socket.send_to(data, from) {
            eprintln!("{from}: {e}");
        }
    });
    server.on_error(|_, e, to| eprintln!("{to:?}: {e}"));
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.bind(args.address.unwrap_or(demo), UdpOptions::new())?;
    println!("listening at {address}");

    let client = UdpClient::new(&event_loop);
    if args.address.is_none() {
        client.on_open(|socket| {
            for n in 0..3u8 {
                socket.send(&[n; 10]).unwrap_or_else(|e| eprintln!("{e}"));
            }
        });
        let (stop, mut count) = (event_loop.clone(), 0);
        client.on_message(move |_, data, from| {
            assert_eq!((data.len(), from), (10, address));
            count += 1;
            if count == 3 {
                stop.stop();
            }
        });
        client.open(&address.ip().to_string(), address.port(), UdpOptions::new())?;
    }
    println!("{}", event_loop.run()?);
    Ok(())
}
