//! A server in a process of its own, so that its sockets do not count against the test's limit of open
//! files, nor its threads and memory against the test's measurements.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::limit::ChildLimit;
use crate::server::Mode;
use crate::stats::Stats;

/// The program's name.
const PROGRAM: &str = "hvloop-peer";

/// A running `hvloop-peer`. It ends when this is dropped, and when the test's process dies.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    _limit: ChildLimit,
    pipes: Mutex<Pipes>,
    port: u16,
    ca_pem: Option<String>,
}

#[derive(Debug)]
struct Pipes {
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Pipes {
    /// The next line of the program.
    fn line(&mut self) -> String {
        self.answers
            .next()
            .expect("hvloop-peer ended early; its error output tells why")
            .expect("read from hvloop-peer")
    }

    /// Sends a command.
    fn send(&mut self, command: &str) {
        let commands = self
            .commands
            .as_mut()
            .expect("commands until it is dropped");
        writeln!(commands, "{command}").expect("write to hvloop-peer");
    }
}

impl Peer {
    /// Starts a server in `mode`, over TLS if `tls`, with a certificate for localhost and 127.0.0.1.
    pub fn start(tls: bool, mode: Mode) -> Self {
        let mut command = Command::new(program());
        command.args(["serve", "--mode", mode.name()]);
        if tls {
            command.arg("--tls");
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start hvloop-peer");
        let limit = ChildLimit::of(&child);
        let answers = child.stdout.take().expect("stdout is piped");
        let mut pipes = Pipes {
            commands: child.stdin.take(),
            answers: BufReader::new(answers).lines(),
        };
        let first = pipes.line();
        let port = first
            .strip_prefix("LISTEN ")
            .and_then(|port| port.parse().ok())
            .unwrap_or_else(|| panic!("hvloop-peer said: {first}"));
        let ca_pem = tls.then(|| read_pem(&mut pipes));
        Self {
            child,
            _limit: limit,
            pipes: Mutex::new(pipes),
            port,
            ca_pem,
        }
    }

    /// `ws://127.0.0.1:port/`, or `wss` under TLS.
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "wss" } else { "ws" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate in PEM that a client has to trust; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// What it has seen so far.
    pub fn stats(&self) -> Stats {
        let line = self.ask("stats");
        Stats::from_line(&line).unwrap_or_else(|| panic!("hvloop-peer said: {line}"))
    }

    /// Waits in the server until every condition (such as `open=0` or `close.1001>=10`, keys as of
    /// [`Stats::get`]) holds; panics with the counters after [`crate::DEADLINE`]. Answers the counters.
    #[track_caller]
    pub fn wait_until(&self, conditions: &[&str]) -> Stats {
        self.wait_until_for(crate::DEADLINE, conditions)
    }

    /// Like [`Peer::wait_until`] with a limit of one's own, in whole seconds.
    #[track_caller]
    pub fn wait_until_for(&self, limit: Duration, conditions: &[&str]) -> Stats {
        let answer = self.ask(&format!(
            "wait {} {}",
            limit.as_secs(),
            conditions.join(" ")
        ));
        let stats = self.stats();
        assert!(
            answer == "yes",
            "{conditions:?} after {limit:?}: {answer}: {stats:#?}"
        );
        stats
    }

    /// Sends a Close frame on every connection that is open now.
    pub fn close_all(&self, code: u16) {
        self.ask(&format!("close {code}"));
    }

    /// Drops every connection that is open now without a word.
    pub fn abort_all(&self) {
        self.ask("abort");
    }

    fn ask(&self, command: &str) -> String {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.send(command);
        pipes.line()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let pipes = self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The program ends when its input does.
        pipes.commands = None;
        let _ = self.child.wait();
    }
}

fn read_pem(pipes: &mut Pipes) -> String {
    pipes.send("ca");
    let mut pem = String::new();
    while !pem.contains("-----END") {
        pem.push_str(&pipes.line());
        pem.push('\n');
    }
    pem
}

/// Finds the program; builds it if the tests of another package were built without it.
fn program() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os(format!("CARGO_BIN_EXE_{PROGRAM}")) {
            return path.into();
        }
        let test = std::env::current_exe().expect("the test has a path");
        let profile = profile_folder(&test);
        let path = profile.join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
        if !path.is_file() {
            build(profile);
        }
        assert!(path.is_file(), "{} was not built", path.display());
        path
    })
}

/// The folder `target/<profile>` of a test, which lies in `deps` or `examples` below it or in it.
fn profile_folder(test: &Path) -> &Path {
    let folder = test.parent().expect("a file lies in a folder");
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("deps" | "examples") => folder.parent().expect("deps lies in a profile's folder"),
        _ => folder,
    }
}

fn build(profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "-p",
        "hvloop-test-support",
        "--bin",
        PROGRAM,
    ]);
    if let Some(target) = profile.parent() {
        command.arg("--target-dir").arg(target);
    }
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("run cargo");
    assert!(status.success(), "cargo could not build {PROGRAM}");
}
