//! Many WebSocket clients over the loops of a pool, with flow control: each keeps a window of messages
//! in flight, and waits while its send queue is full. `cargo run --release --example many_clients`
//!
//! With no `--url` it starts an echo server of its own. Exits 0 only if every message came back as it
//! was sent, in order, and every connection was closed in order.

mod client;
mod progress;
mod server;

use clap::Parser;
use client::{Load, Told, Totals};
use comfy_table::Table;
use hvloop::{EventLoopThreadPool, LoadBalance, ShutdownReport, WebSocketClient};
use progress::Progress;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Many WebSocket clients over the loops of a pool, with flow control.
#[derive(Parser)]
struct Args {
    /// How many clients share the pool.
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// How many messages each client exchanges.
    #[arg(long, default_value_t = 200)]
    messages: usize,
    /// Bytes in a message.
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// Messages of a client that may be on their way at a time.
    #[arg(long, default_value_t = 32)]
    window: usize,
    /// Bytes that a client may have queued for sending.
    #[arg(long, default_value_t = 8 * 1024)]
    send_limit: usize,
    /// Loops for the clients, and as many for the server.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// An echo server of yours, instead of the one in this process.
    #[arg(long)]
    url: Option<String>,
}

/// Clients that may be connecting at a time: a listener's backlog has an end.
const CONNECTING: usize = 256;
/// How long nothing at all may happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(100);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let load = Arc::new(Load::new(&args)?);
    // Both ends of every connection are in this process.
    let wanted = (args.clients as u64) * 2 + 64;
    if rlimit::increase_nofile_limit(wanted)? < wanted {
        eprintln!(
            "the limit of open files is too low for {} clients",
            args.clients
        );
    }
    let server = match args.url {
        Some(_) => None,
        None => Some(server::EchoServer::start(args.threads)?),
    };
    let url = match (&args.url, &server) {
        (Some(url), _) => url.as_str(),
        (None, Some(server)) => server.url(),
        (None, None) => return Err("no server".into()),
    };

    let pool = EventLoopThreadPool::with_threads(args.threads)?;
    pool.start()?;
    println!(
        "{} clients on {} loops, to {url}",
        args.clients, args.threads
    );
    let (tell, told) = channel();
    let totals = Arc::new(Totals::default());
    let clients: Vec<_> = (0..args.clients)
        .map(|n| {
            let event_loop = pool.next_loop(LoadBalance::RoundRobin);
            client::new(event_loop, n as u64, &load, &totals, &tell)
        })
        .collect();
    drop(tell);
    let took = exchange(&args, url, &clients, &told, &totals)?;

    pool.stop();
    let reports = pool.join()?;
    let served = server.map(server::EchoServer::stop).transpose()?;
    println!("{}", summary(&args, took, &reports, &totals));
    let clean = |reports: &[ShutdownReport]| reports.iter().all(ShutdownReport::is_clean);
    let closed = totals.closed_cleanly.load(Ordering::Relaxed);
    let all = clean(&reports) && served.is_none_or(|reports| clean(&reports));
    Ok(match all && closed == args.clients {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Opens the clients, and waits until each has had all of its echoes. How long both took.
fn exchange(
    args: &Args,
    url: &str,
    clients: &[WebSocketClient],
    told: &Receiver<Told>,
    totals: &Totals,
) -> Result<(Duration, Duration), Box<dyn Error>> {
    let began = Instant::now();
    let mut progress = Progress::new(args.clients, args.clients * args.messages)?;
    let (mut begun, mut opened, mut done) = (0, 0, 0);
    let mut connected = Duration::ZERO;
    let (mut echoes, mut moved) = (0, Instant::now());
    while done < clients.len() {
        while begun < clients.len() && begun - opened < CONNECTING {
            clients[begun].open(url)?;
            begun += 1;
        }
        match told.recv_timeout(SHOW_EVERY) {
            Ok(Told::Open) => {
                opened += 1;
                connected = began.elapsed();
                moved = Instant::now();
            }
            Ok(Told::Done) => done += 1,
            Ok(Told::Failed(why)) => return Err(why.into()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(e @ RecvTimeoutError::Disconnected) => return Err(e.into()),
        }
        let now = totals.echoes.load(Ordering::Relaxed);
        if now != echoes {
            (echoes, moved) = (now, Instant::now());
        }
        if moved.elapsed() > PATIENCE {
            return Err(format!("nothing happens any more, after {echoes} echoes").into());
        }
        progress.show(opened, echoes)?;
    }
    progress.show(opened, totals.echoes.load(Ordering::Relaxed))?;
    Ok((connected, began.elapsed()))
}

fn summary(
    args: &Args,
    (connected, took): (Duration, Duration),
    reports: &[ShutdownReport],
    totals: &Totals,
) -> Table {
    let echoes = totals.echoes.load(Ordering::Relaxed);
    let rate = |n: usize, time: Duration| format!("{:.0}", n as f64 / time.as_secs_f64());
    let sum = |of: fn(&ShutdownReport) -> usize| reports.iter().map(of).sum::<usize>().to_string();
    let slowest = reports.iter().map(|report| report.elapsed).max();
    let mut table = Table::new();
    table
        .set_header(["many_clients", ""])
        .add_row(["connections", &args.clients.to_string()])
        .add_row(["all open after", &format!("{connected:.1?}")])
        .add_row(["echoes", &echoes.to_string()])
        .add_row(["echoes per second", &rate(echoes, took)])
        .add_row([
            "waits for the send queue",
            &totals.waits.load(Ordering::Relaxed).to_string(),
        ])
        .add_row([
            "clean on_close calls",
            &totals.closed_cleanly.load(Ordering::Relaxed).to_string(),
        ])
        .add_row(["closed cleanly", &sum(|report| report.closed_cleanly)])
        .add_row(["forced", &sum(|report| report.forced)])
        .add_row(["failed", &sum(|report| report.failed)])
        .add_row(["stop took", &format!("{:.1?}", slowest.unwrap_or_default())]);
    table
}
