//! A WebSocket server with a page for it: echoes of text and binary, close codes, and what goes through
//! the server, drawn as it changes.
//!
//! `cargo run --release --example websocket_server -- 127.0.0.1:8080` serves until Ctrl-C: open
//! http://127.0.0.1:8080/ in a browser. Without an address it plays its own peers, and ends.

mod demo;
mod pages;
mod services;
mod traffic;

use clap::Parser;
use hvloop::{EventLoop, Listen, WebSocketServer, signal};
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use traffic::Traffic;

/// A WebSocket server with a page for it.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
}

/// How often those who watch are told the figures.
const TELL_EVERY: Duration = Duration::from_millis(250);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let event_loop = EventLoop::new()?;
    event_loop.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;

    let traffic = Arc::new(Traffic::new());
    let server = Arc::new(WebSocketServer::new(&event_loop));
    server.route("/echo", services::echo(&traffic));
    server.route("/live", services::live(&traffic));
    server.on_http(pages::pages()?);
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = Listen::tcp(args.address.unwrap_or(demo)).send_limit(services::SEND_LIMIT);
    let address = server.listen(listen)?;
    println!("listening: open http://{address}/ in a browser");

    let (publisher, told) = (server.clone(), traffic.clone());
    event_loop.set_interval(TELL_EVERY, move |_| {
        let reached = publisher.publish_text(services::LIVE, &told.to_json());
        told.count_sent(reached);
    })?;

    let peers = match (args.address, address.inet()) {
        (None, Some(at)) => {
            let stop = event_loop.clone();
            Some(thread::spawn(move || {
                let played = demo::play(at, &stop).map_err(|e| e.to_string());
                stop.stop(); // also if something went wrong
                played
            }))
        }
        _ => None,
    };
    let report = event_loop.run()?;
    println!("{report}");
    match peers.map(thread::JoinHandle::join) {
        None | Some(Ok(Ok(()))) => {}
        Some(Ok(Err(e))) => return Err(e.into()),
        Some(Err(_)) => return Err("the peers panicked".into()),
    }
    Ok(match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
