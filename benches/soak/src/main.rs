//! Minutes of heavy WebSocket traffic between two processes, of which nothing may be lost:
//! `cargo run --release -p hvloop-soak -- --clients 10000 --seconds 600 --plot soak.svg`
//!
//! Ten thousand clients, half of them over TLS, a third with compression, exchange messages of 32 bytes to
//! a mebibyte with a server in a process of its own. Some read slowly, some leave and come back, and every
//! minute the server closes a tenth of them at once. Each message has a number, so that both sides notice one
//! that is lost, doubled, changed or overtaken; at the end both must have counted the same. Exits 0 only if
//! they have, every stop was clean, and memory has not grown since the first minute.

mod client;
mod report;
mod serve;
mod tally;
mod words;

use clap::Parser;
use client::Common;
use hvloop::event::tls::TlsClientConfig;
use hvloop::{EventLoopThreadPool, LoadBalance, LoopOptions};
use indicatif::{ProgressBar, ProgressStyle};
use report::Sample;
use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tally::Tally;

/// The code of a client that leaves for a while.
pub const CHURN: u16 = 4000;
/// The code of the server's storms.
pub const STORM: u16 = 4001;
/// How much of its memory of the first minute a process may have gained at the end.
const GROWTH: f64 = 1.05;
/// Clients that may be connecting at a time.
const CONNECTING: u64 = 512;

/// Minutes of heavy WebSocket traffic between two processes, of which nothing may be lost.
#[derive(Parser)]
struct Args {
    /// How many clients; both processes need as many open files.
    #[arg(long, default_value_t = 10_000)]
    clients: u64,
    /// How long the traffic goes on, in seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// The mean pause of a client between two bursts, in milliseconds.
    #[arg(long, default_value_t = 4_000)]
    think: u64,
    /// Loops of each process.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// A file for a plot of memory, messages and sessions (SVG).
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Is the server's process.
    #[arg(long, hide = true)]
    serve: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    rlimit::increase_nofile_limit(args.clients + 64)?;
    if args.serve {
        serve::run(args.threads)?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(match soak(&args)? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The server's process.
struct Server {
    child: Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts it. The URLs of ws and wss, and the certificate to trust.
    fn start(args: &Args) -> Result<(Self, [String; 2], String), Box<dyn Error>> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .args(["--clients", &args.clients.to_string()])
            .args(["--threads", &args.threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut commands = child.stdin.take().ok_or("no input")?;
        write!(commands, "{chain}\n.\n{key}\n.\n")?;
        let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let mut server = Self {
            child,
            commands,
            lines,
        };
        let ready = server.line()?;
        let ports: Vec<&str> = ready.split(' ').collect();
        let [_, ws, wss] = ports[..] else {
            return Err(format!("the server said {ready:?}").into());
        };
        let urls = [
            format!("ws://127.0.0.1:{ws}/"),
            format!("wss://127.0.0.1:{wss}/"),
        ];
        Ok((server, urls, chain))
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        Ok(self.lines.next().ok_or("the server is gone")??)
    }

    /// Closes `n` of its connections at once.
    fn storm(&mut self, n: u64) -> Result<(), Box<dyn Error>> {
        writeln!(self.commands, "storm {n}")?;
        self.line()?;
        Ok(())
    }

    fn stop(mut self) -> Result<Tally, Box<dyn Error>> {
        writeln!(self.commands, "stop")?;
        let tally = Tally::parse(&self.line()?)?;
        self.child.wait()?;
        Ok(tally)
    }
}

fn soak(args: &Args) -> Result<bool, Box<dyn Error>> {
    let (mut server, urls, certificate) = Server::start(args)?;
    let tls = TlsClientConfig::builder()
        .root_pem(certificate.as_bytes())
        .build()?;
    let options = LoopOptions::new().drain_timeout(Duration::from_secs(60));
    let pool = EventLoopThreadPool::with_options(args.threads, &options)?;
    pool.start()?;
    let common = Arc::new(Common {
        tally: Tally::default(),
        words: words::Words::default(),
        think: Duration::from_millis(args.think),
        stay: false.into(),
        open: 0.into(),
        opened: 0.into(),
        echoes: 0.into(),
        bytes: 0.into(),
        away: 0.into(),
    });
    let mut clients = Vec::new();
    for n in 0..args.clients {
        let event_loop = pool.next_loop(LoadBalance::RoundRobin);
        let (client, url) = client::new(event_loop, n, &urls, &tls, &common);
        wait_for("connections", || {
            n < CONNECTING + common.opened.load(Ordering::Relaxed)
        })?;
        client.open(&url)?;
        clients.push(client);
    }
    wait_for("the last connections", || {
        common.opened.load(Ordering::Relaxed) >= args.clients
    })?;
    let samples = traffic(args, &common, &mut server)?;

    // Nobody is under way at the stop, so that all sessions end by it.
    common.stay.store(true, Ordering::Relaxed);
    wait_for_all("those who are away", args, &common)?;
    pool.stop();
    let reports = pool.join()?;
    for report in reports.iter().filter(|report| !report.is_clean()) {
        common
            .tally
            .violation(&format!("the clients' stop: {report}"));
    }
    drop(clients);
    let served = server.stop()?;
    if let Some(path) = &args.plot {
        let title = format!("{} clients, {} s", args.clients, args.seconds);
        report::draw(path, &samples, &title)?;
    }
    Ok(verdict(&common, &served, &samples))
}

/// Waits until every client has an open session, and none is about to leave.
fn wait_for_all(what: &str, args: &Args, common: &Common) -> Result<(), String> {
    let away = || common.away.load(Ordering::Relaxed);
    let open = || common.open.load(Ordering::Relaxed);
    wait_for(what, || away() == 0 && open() == args.clients)
        .map_err(|e| format!("{e}: {} are away, {} open", away(), open()))
}

/// Waits until something is so; two minutes at most.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > Duration::from_secs(120) {
            return Err(format!("waited too long for {what}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Lets the clients do their part, with a storm each minute, and takes a sample each second.
fn traffic(
    args: &Args,
    common: &Common,
    server: &mut Server,
) -> Result<Vec<Sample>, Box<dyn Error>> {
    let bar = ProgressBar::new(args.seconds);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} s, {msg}",
    )?);
    let began = Instant::now();
    let mut samples = Vec::with_capacity(args.seconds as usize + 1);
    let count = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed) as f64;
    let mut before = (0.0, 0.0, count(&common.opened));
    for second in 1..=args.seconds {
        // In the last seconds of a minute nobody leaves; when all are there, the storm comes.
        match second % 60 {
            50 => common.stay.store(true, Ordering::Relaxed),
            55 => {
                wait_for_all("those who are away", args, common)?;
                server.storm(args.clients / 10)?;
            }
            59 => {
                wait_for_all("those whom the storm met", args, common)?;
                common.stay.store(false, Ordering::Relaxed);
            }
            _ => {}
        }
        let next = Duration::from_secs(second);
        std::thread::sleep(next.saturating_sub(began.elapsed()));
        let now = (
            count(&common.echoes),
            count(&common.bytes),
            count(&common.opened),
        );
        let sample = Sample {
            at: began.elapsed().as_secs_f64(),
            clients_mib: report::resident_mib(std::process::id())?,
            server_mib: report::resident_mib(server.child.id())?,
            echoes: now.0 - before.0,
            mib: (now.1 - before.1) / f64::from(1 << 20),
            sessions: now.2 - before.2,
        };
        before = now;
        samples.push(sample);
        bar.set_position(second);
        bar.set_message(format!(
            "{:.0} echoes/s, {:.0} MiB/s, clients {:.0} MiB, server {:.0} MiB, {} violations",
            sample.echoes,
            sample.mib,
            sample.clients_mib,
            sample.server_mib,
            common.tally.violations()
        ));
    }
    bar.finish();
    Ok(samples)
}

/// Whether all is as it must be; prints the figures.
fn verdict(common: &Common, served: &Tally, samples: &[Sample]) -> bool {
    let clients = &common.tally;
    let mut good = clients.violations() == 0 && served.violations() == 0;
    let sides = [
        (
            "closed by clients",
            &clients.by_client,
            &served.by_client,
            true,
        ),
        (
            "closed by the server",
            &clients.by_server,
            &served.by_server,
            false,
        ),
        (
            "closed by the stop",
            &clients.by_stop,
            &served.by_stop,
            true,
        ),
    ];
    for (what, client, server, by_client) in sides {
        let [sessions, received, sent] = client.read();
        let [their_sessions, their_received, their_sent] = server.read();
        let (accepted, arrived) = match by_client {
            true => (sent, their_received),
            false => (their_sent, received),
        };
        good &= sessions == their_sessions && accepted == arrived;
        println!(
            "{what}: {sessions} sessions ({their_sessions} at the server), \
             {accepted} messages accepted, {arrived} arrived"
        );
    }
    println!(
        "{} echoes, {:.1} GiB; violations: {} at the clients, {} at the server",
        common.echoes.load(Ordering::Relaxed),
        common.bytes.load(Ordering::Relaxed) as f64 / f64::from(1 << 30),
        clients.violations(),
        served.violations()
    );
    /// Whose memory, and where a sample has it.
    type Memory = (&'static str, fn(&Sample) -> f64);
    let memory: [Memory; 2] = [("clients", |s| s.clients_mib), ("server", |s| s.server_mib)];
    for (who, of) in memory {
        let Some((first, last)) = report::at_and_at_the_end(samples, 60.0, of) else {
            println!("{who}: too short to say how memory grows");
            continue;
        };
        println!("{who}: {first:.0} MiB resident after a minute, {last:.0} MiB at the end");
        good &= last <= first * GROWTH;
    }
    println!(
        "{}",
        if good {
            "nothing lost"
        } else {
            "NOT as it must be"
        }
    );
    good
}
