//! A WebSocket echo server on any path; compresses for clients that offer permessage-deflate.
//!
//! `cargo run --release --example echo_server -- 127.0.0.1:9001` serves until Ctrl-C;
//! without an address it plays its own client, and ends.

use clap::Parser;
use hvloop::{
    DeflateOptions, EventLoop, Listen, Message, ServiceOptions, WebSocketClient, WebSocketServer,
    WebSocketService, signal,
};
use std::error::Error;
use std::net::SocketAddr;

/// A WebSocket echo server on any path.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
    /// Compress every message for clients that offer it, also where that does not make it shorter.
    #[arg(long)]
    compress_all: bool,
}

impl Args {
    fn deflate(&self) -> DeflateOptions {
        match self.compress_all {
            true => DeflateOptions::new().threshold(0).always(true),
            false => DeflateOptions::new(),
        }
    }
}

/// Bytes queued towards a peer over which it is told to go: it reads less than it sends.
const SEND_LIMIT: usize = 64 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let event_loop = EventLoop::new()?;
    let server = WebSocketServer::new(&event_loop);
    let quiet = args.address.is_some();
    let echo = WebSocketService::new()
        .options(ServiceOptions::new().deflate(Some(args.deflate())))
        .on_open(move |channel, request| {
            if !quiet {
                println!("{:?} asked for {}", channel.peer_addr(), request.path);
            }
        })
        .on_message(|channel, message| {
            if let Err(e) = channel.send(message) {
                eprintln!("{:?}: {e}", channel.peer_addr());
                // 1013: try again later.
                let _only_a_bad_code_fails = channel.close(1013, "too slow");
            }
        })
        .on_close(move |channel, event| {
            if !quiet {
                println!("{:?}: {event}", channel.peer_addr());
            }
        });
    server.route("*", echo);
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = Listen::tcp(args.address.unwrap_or(demo)).send_limit(SEND_LIMIT);
    let address = server.listen(listen)?;
    println!("listening at ws://{address}/");
    event_loop.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let client = match args.address {
        Some(_) => None,
        None => Some(play(&event_loop, &format!("ws://{address}/demo"))?),
    };
    let report = event_loop.run()?;
    println!("{report}");
    drop(client);
    Ok(())
}

/// Says hello, closes at the echo, and stops the loop.
fn play(event_loop: &EventLoop, url: &str) -> Result<WebSocketClient, Box<dyn Error>> {
    let client = WebSocketClient::new(event_loop);
    client.on_open(|ws, _| {
        if let Err(e) = ws.send_text("hello") {
            eprintln!("{e}");
        }
    });
    client.on_message(|ws, message| {
        if let Message::Text(text) = message {
            println!("the echo: {text}");
        }
        let _only_a_bad_code_fails = ws.close(1000, "that is all");
    });
    let stop = event_loop.clone();
    client.on_close(move |_, event| {
        println!("closed: {event}");
        stop.stop();
    });
    client.open(url)?;
    Ok(client)
}
