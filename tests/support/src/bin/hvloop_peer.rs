//! A WebSocket server in a process of its own, driven over stdin and stdout.
//!
//! `hvloop-peer serve [--tls] [--mode echo|mute|never-close|flood] [--port N]` prints `LISTEN <port>`, then answers each line of
//! its input: `stats` (one line of `key=value`), `ca` (the certificate to trust, in PEM),
//! `wait <seconds> <key=value|key>=value>...` (`yes` or `no`), `close <code>` and `abort` (`done`). `quit` or the end of the input ends it.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use hvloop_test_support::{EchoServer, Mode, Stats, TestCa, Tls};

/// What the command line asks for.
struct Options {
    tls: bool,
    mode: Mode,
    port: u16,
}

fn main() -> ExitCode {
    let outcome = parse(std::env::args().skip(1)).and_then(|options| {
        run(&options).map_err(|error| format!("cannot talk to the caller: {error}"))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hvloop-peer: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    if words.next().as_deref() != Some("serve") {
        return Err(
            "usage: hvloop-peer serve [--tls] [--mode echo|mute|never-close|flood] [--port N]"
                .to_owned(),
        );
    }
    let mut options = Options {
        tls: false,
        mode: Mode::Echo,
        port: 0,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--tls" => options.tls = true,
            "--mode" => options.mode = value()?.parse()?,
            "--port" => options.port = value()?.parse().map_err(|_| "--port needs a number")?,
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> std::io::Result<()> {
    let ca = options.tls.then(TestCa::new);
    let tls = ca.as_ref().map_or(Tls::Off, Tls::On);
    let server = EchoServer::start_with(tls, options.mode, options.port);
    let mut out = std::io::stdout().lock();
    writeln!(out, "LISTEN {}", server.port())?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        match words.next() {
            Some("stats") => writeln!(out, "{}", server.stats().to_line())?,
            Some("ca") => match &ca {
                Some(ca) => write!(out, "{}", ca.ca_pem())?,
                None => writeln!(out, "error: no TLS")?,
            },
            Some("wait") => writeln!(out, "{}", wait(&server, words))?,
            Some("close") => match words.next().and_then(|code| code.parse().ok()) {
                Some(code) => {
                    server.close_all(code, "");
                    writeln!(out, "done")?;
                }
                None => writeln!(out, "error: close needs a code")?,
            },
            Some("abort") => {
                server.abort_all();
                writeln!(out, "done")?;
            }
            Some("quit") => break,
            _ => writeln!(out, "error: unknown command: {line}")?,
        }
        out.flush()?;
    }
    Ok(())
}

/// A condition on one counter.
struct Condition<'a> {
    key: &'a str,
    at_least: bool,
    value: u64,
}

impl<'a> Condition<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (key, value) = text.split_once('=')?;
        let (key, at_least) = match key.strip_suffix('>') {
            Some(key) => (key, true),
            None => (key, false),
        };
        let value = value.parse().ok()?;
        Stats::default().get(key)?;
        Some(Self {
            key,
            at_least,
            value,
        })
    }

    fn holds(&self, stats: &Stats) -> bool {
        stats.get(self.key).is_some_and(|now| {
            if self.at_least {
                now >= self.value
            } else {
                now == self.value
            }
        })
    }
}

fn wait<'a>(server: &EchoServer, mut words: impl Iterator<Item = &'a str>) -> &'static str {
    let Some(seconds) = words.next().and_then(|seconds| seconds.parse().ok()) else {
        return "error: wait needs a number of seconds";
    };
    let Some(conditions) = words.map(Condition::parse).collect::<Option<Vec<_>>>() else {
        return "error: a condition is key=value or key>=value";
    };
    let held = server.reaches(Duration::from_secs(seconds), |stats| {
        conditions.iter().all(|condition| condition.holds(stats))
    });
    if held { "yes" } else { "no" }
}
