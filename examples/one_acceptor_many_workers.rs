//! One loop accepts, and the connections live on the loops of a pool (libhv:
//! `examples/multi-thread/one-acceptor-multi-workers.c`).
//!
//! `cargo run --example one_acceptor_many_workers -- 127.0.0.1:1234` serves until Ctrl-C; without an
//! address it plays its own clients, and ends.

use clap::Parser;
use hvloop::{EventLoop, EventLoopThreadPool, Listen, LoadBalance, TcpServer, signal};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One loop accepts, and a pool serves.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
    /// How many loops serve.
    #[arg(long, default_value_t = 4)]
    workers: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let acceptor = EventLoop::new()?;
    acceptor.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let workers = EventLoopThreadPool::with_threads(args.workers)?;
    workers.start()?;
    let server = TcpServer::with_workers(&acceptor, &workers);
    server.set_load_balance(LoadBalance::LeastConnections);
    server.on_message(|channel, data| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("?").to_owned();
        println!("{} bytes on {name}", data.len());
        channel.send(data).unwrap_or_else(|e| eprintln!("{e}"));
    });
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.listen(Listen::tcp(args.address.unwrap_or(demo)))?;
    println!("listening at {address}");
    let clients = match (args.address, address.inet()) {
        (None, Some(at)) => {
            let stop = acceptor.clone();
            Some(std::thread::spawn(move || {
                let played = play(at, 2 * args.workers);
                stop.stop();
                played
            }))
        }
        _ => None,
    };
    // This thread accepts, until it is stopped; then the workers finish side by side.
    let report = acceptor.run()?;
    println!("acceptor: {report}");
    workers.stop();
    for (n, report) in workers.join()?.iter().enumerate() {
        println!("worker {n}: {report}");
    }
    if let Some(clients) = clients {
        clients.join().map_err(|_| "a client failed")??;
    }
    Ok(())
}

/// What the demonstration's clients do.
fn play(address: SocketAddr, clients: usize) -> std::io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..clients {
        streams.push(TcpStream::connect(address)?);
    }
    for stream in &mut streams {
        stream.write_all(b"hello")?;
        stream.read_exact(&mut [0; 5])?;
    }
    Ok(())
}
