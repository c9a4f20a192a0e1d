//! The main job, whole: many WebSocket clients on one loop, and a `stop()` that closes every
//! socket. `cargo run --release --example quickstart`
//!
//! With no argument it starts an echo server of its own, puts 1,000 clients on one
//! `EventLoopThread`, exchanges messages on all of them, calls `stop()` and prints the
//! `ShutdownReport`. Exits 0 only if every socket was closed cleanly, and the server saw each
//! client's Close 1001.

mod server;

use clap::Parser;
use comfy_table::Table;
use hvloop::tls::TlsClientConfig;
use hvloop::{ClientOptions, EventLoopThread, Message, ShutdownReport, WebSocketClient};
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[derive(Parser)]
#[command(about = "Many WebSocket clients on one loop, and a stop() that closes every socket")]
struct Args {
    /// How many clients share the loop.
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// How many messages each client exchanges.
    #[arg(long, default_value_t = 10)]
    messages: usize,
    /// Speak wss, with a certificate made at start.
    #[arg(long)]
    tls: bool,
    /// An echo server of yours, instead of the one in this process.
    #[arg(long, conflicts_with = "tls")]
    url: Option<String>,
}

/// What the clients tell the main thread.
enum Told {
    Echo,
    /// A client has had all of its echoes.
    Done,
    /// A client closed before that.
    Lost(String),
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    // Both ends of every connection are in this process.
    let wanted = (args.clients as u64) * 2 + 64;
    if rlimit::increase_nofile_limit(wanted)? < wanted {
        eprintln!(
            "the limit of open files is too low for {} clients",
            args.clients
        );
    }
    let fds_before = open_fds();

    let mut options = ClientOptions::new().open_timeout(Duration::from_secs(60));
    let server = match &args.url {
        Some(_) => None,
        None => Some(server::EchoServer::start(args.tls)?),
    };
    if let Some(pem) = server.as_ref().and_then(|s| s.certificate()) {
        options = options.tls(
            TlsClientConfig::builder()
                .root_pem(pem.as_bytes())
                .build()?,
        );
    }
    let url = match (&args.url, &server) {
        (Some(url), _) => url.clone(),
        (None, Some(server)) => server.url().to_owned(),
        (None, None) => return Err("no server".into()),
    };

    let thread = EventLoopThread::new()?;
    thread.start()?;
    println!("{} clients on one loop, to {url}", args.clients);
    let (tell, told) = mpsc::channel();
    let closed = Arc::new(AtomicUsize::new(0));
    let clients = (0..args.clients)
        .map(|_| client(&thread, &options, args.messages, &tell, &closed))
        .collect::<Vec<_>>();
    for client in &clients {
        client.open(&url)?;
    }
    drop(tell);
    exchange(&args, &told)?;

    thread.stop();
    let report = thread.join()?;
    drop(clients);
    drop(thread);
    let mut served = None;
    if let Some(server) = server {
        served = Some(server.stop()?);
    }
    let fds_after = open_fds();
    let closed = closed.load(Ordering::Relaxed);
    let gone_away = served.as_ref().map(|(_, gone_away)| *gone_away);
    print_report(&report, closed, gone_away, fds_before, fds_after);
    let all = report.is_clean()
        && report.closed_cleanly == args.clients
        && closed == args.clients
        && served.is_none_or(|(server, gone)| server.is_clean() && gone == args.clients)
        && fds_before == fds_after;
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A client that sends a message, and the next one with each echo.
fn client(
    thread: &EventLoopThread,
    options: &ClientOptions,
    messages: usize,
    tell: &mpsc::Sender<Told>,
    closed: &Arc<AtomicUsize>,
) -> WebSocketClient {
    let client = WebSocketClient::with_options(thread.event_loop(), options.clone());
    let first = tell.clone();
    client.on_open(move |ws, _| {
        if messages == 0 {
            first.send(Told::Done).unwrap_or_default();
        } else if let Err(e) = ws.send_text("hello 1") {
            first.send(Told::Lost(e.to_string())).unwrap_or_default();
        }
    });
    let (tell, lost) = (tell.clone(), tell.clone());
    let mut echoes = 0;
    client.on_message(move |ws, message| {
        let Message::Text(text) = message else { return };
        echoes += 1;
        let say = |what| tell.send(what).unwrap_or_default();
        if text != format!("hello {echoes}") {
            return say(Told::Lost(format!("echo {echoes} is {text:?}")));
        }
        say(Told::Echo);
        if echoes == messages {
            say(Told::Done);
        } else if let Err(e) = ws.send_text(&format!("hello {}", echoes + 1)) {
            say(Told::Lost(e.to_string()));
        }
    });
    let closed = closed.clone();
    client.on_close(move |_, event| {
        closed.fetch_add(1, Ordering::Relaxed);
        // After the stop nobody listens any more.
        lost.send(Told::Lost(event.to_string())).unwrap_or_default();
    });
    client
}

/// Waits for all echoes, with a progress bar.
fn exchange(args: &Args, told: &mpsc::Receiver<Told>) -> Result<(), Box<dyn Error>> {
    let bar = ProgressBar::new((args.clients * args.messages) as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} messages, {per_sec}",
    )?);
    let mut done = 0;
    while done < args.clients {
        match told.recv_timeout(Duration::from_secs(60))? {
            Told::Echo => bar.inc(1),
            Told::Done => done += 1,
            Told::Lost(why) => return Err(format!("a client was lost: {why}").into()),
        }
    }
    bar.finish();
    println!("{} messages echoed", bar.position());
    Ok(())
}

fn print_report(
    report: &ShutdownReport,
    closed: usize,
    gone_away: Option<usize>,
    before: Option<usize>,
    after: Option<usize>,
) {
    let known = |n: Option<usize>| n.map_or("unknown".to_owned(), |n| n.to_string());
    let mut table = Table::new();
    table
        .set_header(["stop()", ""])
        .add_row(["closed cleanly", &report.closed_cleanly.to_string()])
        .add_row(["forced", &report.forced.to_string()])
        .add_row(["failed", &report.failed.to_string()])
        .add_row(["on_close calls", &closed.to_string()]);
    if let Some(gone_away) = gone_away {
        table.add_row(["Close 1001 at the server", &gone_away.to_string()]);
    }
    table
        .add_row(["elapsed", &format!("{:.1?}", report.elapsed)])
        .add_row(["open fds before", &known(before)])
        .add_row(["open fds after", &known(after)]);
    println!("{table}");
}

/// The process's open file descriptors, where the system tells.
fn open_fds() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}
