//! WebSocket servers in other languages, `tests/interop`, as child processes.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde::Deserialize;

use crate::certs::TestCa;
use crate::limit::ChildLimit;
use crate::programs::{Language, TempFolder};

/// A running server of `tests/interop`; the README there says what its paths do. It ends when this is
/// dropped.
#[derive(Debug)]
pub struct ForeignServer {
    child: Child,
    _limit: ChildLimit,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    scheme: &'static str,
    port: u16,
    _certificates: Option<TempFolder>,
}

/// What a foreign server saw.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ForeignReport {
    /// Connections open now.
    pub open: usize,
    /// Messages received.
    pub messages: usize,
    /// Pongs received.
    pub pongs: usize,
    /// Ends of connections, in order.
    pub closes: Vec<ForeignClose>,
}

/// How a connection ended, as a foreign server saw it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ForeignClose {
    /// The path that was asked for, without the query.
    pub path: String,
    /// The code that the client sent; 1005 for a Close frame without a code, 1006 for no Close frame.
    pub code: u16,
    /// The reason that the client sent.
    pub reason: String,
    /// Whether both Close frames were exchanged.
    pub clean: bool,
    /// Whether the client sent its Close frame first.
    pub client_first: bool,
}

impl ForeignServer {
    /// Starts a server, over TLS if there is an authority. Installs the programs at the first use, for
    /// which Python and Node must be there.
    pub fn start(language: Language, ca: Option<&TestCa>) -> Self {
        let mut command = language.program("server");
        let certificates = ca.map(TempFolder::with_certificates);
        if let Some(folder) = &certificates {
            command.arg("--cert").arg(folder.path("cert.pem"));
            command.arg("--key").arg(folder.path("key.pem"));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start the {language:?} server: {error}"));
        let limit = ChildLimit::of(&child);
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut answers = BufReader::new(stdout).lines();
        let first = next_line(&mut answers);
        let port = first
            .strip_prefix("LISTEN ")
            .and_then(|port| port.parse().ok())
            .unwrap_or_else(|| panic!("the {language:?} server said: {first}"));
        Self {
            commands: child.stdin.take(),
            child,
            _limit: limit,
            answers,
            scheme: if ca.is_some() { "wss" } else { "ws" },
            port,
            _certificates: certificates,
        }
    }

    /// The URL of `path_and_query`, such as `/close?code=4000`.
    pub fn url(&self, path_and_query: &str) -> String {
        format!("{}://127.0.0.1:{}{path_and_query}", self.scheme, self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it saw, once `ended` connections have ended; panics when they have not after 30 s.
    #[track_caller]
    pub fn report(&mut self, ended: usize) -> ForeignReport {
        let commands = self
            .commands
            .as_mut()
            .expect("commands until it is dropped");
        writeln!(commands, "report {ended}").expect("write to the server");
        let line = next_line(&mut self.answers);
        let report: ForeignReport =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            report.closes.len() >= ended,
            "{ended} expected: {report:#?}"
        );
        report
    }
}

impl Drop for ForeignServer {
    fn drop(&mut self) {
        // The server ends when its input does.
        self.commands = None;
        let _ = self.child.wait();
    }
}

fn next_line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    lines
        .next()
        .expect("the server ended early; its error output tells why")
        .expect("read from the server")
}
