//! A TCP client that sends lines and prints what comes back (libhv: `evpp/TcpClient_test.cpp`).
//!
//! `cargo run --example tcp_echo_client -- 127.0.0.1:1234` sends what is typed, until the end of the
//! input; without an address it talks to an echo server of its own, and ends.

use clap::Parser;
use hvloop::{Connect, EventLoopThread, Listen, ReconnectPolicy, TcpClient, TcpServer, Unpack};
use std::error::Error;
use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

/// A TCP client that sends lines.
#[derive(Parser)]
struct Args {
    /// Where to connect to; without it a demonstration runs.
    address: Option<SocketAddr>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let thread = EventLoopThread::new()?;
    thread.start()?;
    let server = TcpServer::new(thread.event_loop());
    let address = match args.address {
        Some(address) => address,
        None => {
            server.on_message(|channel, data| channel.send(data).unwrap_or_default());
            let at = server.listen(Listen::tcp(([127, 0, 0, 1], 0)))?;
            at.inet().ok_or("no address")?
        }
    };

    let client = TcpClient::new(thread.event_loop());
    // Lines come whole, however the stream is cut.
    client.set_unpack(Some(Unpack::delimiter(b"\n").build()?));
    // A server that goes away is looked for again.
    let second = Duration::from_secs(1);
    client.set_reconnect(Some(ReconnectPolicy::exponential(second, 10 * second)))?;
    let (tell, told) = mpsc::channel();
    let lines = tell.clone();
    client.on_connect(move |channel| {
        println!("connected to {:?}", channel.peer_addr());
        tell.send(None).unwrap_or_default();
    });
    client.on_message(move |_, line| {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        println!("< {line}");
        lines.send(Some(line)).unwrap_or_default();
    });
    client.on_close(|_, reason| println!("closed: {reason}"));
    client.connect(Connect::to(address.ip().to_string(), address.port()))?;

    told.recv()?;
    if args.address.is_some() {
        for line in std::io::stdin().lock().lines() {
            client.send(format!("{}\n", line?).as_bytes())?;
        }
    } else {
        for line in ["one", "two", "three"] {
            client.send(format!("{line}\n").as_bytes())?;
            assert_eq!(told.recv()?.as_deref(), Some(line));
        }
    }
    thread.stop();
    println!("{}", thread.join()?);
    Ok(())
}
