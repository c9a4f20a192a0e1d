//! WebSocket servers in other languages, `tests/interop`, as child processes.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;

use crate::certs::{LOCAL_NAMES, TestCa};

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python, `websockets`.
    Python,
    /// Node, `ws`.
    Node,
}

/// A running server of `tests/interop`; the README there says what its paths do. It ends when this is
/// dropped.
#[derive(Debug)]
pub struct ForeignServer {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    scheme: &'static str,
    port: u16,
    certificates: Option<PathBuf>,
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
        set_up();
        let folder = interop_folder();
        let mut command = match language {
            Language::Python => {
                let mut command = Command::new(target_folder().join("interop/venv/bin/python"));
                command.arg(folder.join("python_server.py"));
                command
            }
            Language::Node => {
                let mut command = Command::new("node");
                command.arg(folder.join("node_server.mjs"));
                command
            }
        };
        let certificates = ca.map(|ca| {
            let folder = write_certificates(ca);
            command.arg("--cert").arg(folder.join("cert.pem"));
            command.arg("--key").arg(folder.join("key.pem"));
            folder
        });
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start the {language:?} server: {error}"));
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
            answers,
            scheme: if ca.is_some() { "wss" } else { "ws" },
            port,
            certificates,
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
        if let Some(folder) = &self.certificates {
            // Nothing but disk space depends on it.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn next_line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    lines
        .next()
        .expect("the server ended early; its error output tells why")
        .expect("read from the server")
}

/// The repository's `tests/interop`.
fn interop_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop")
}

/// Where `setup.sh` installs, by the same rule.
fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    )
}

fn set_up() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let status = Command::new(interop_folder().join("setup.sh"))
            .status()
            .expect("run tests/interop/setup.sh");
        assert!(status.success(), "tests/interop/setup.sh failed");
    });
}

/// Writes a server's certificate and key to a folder of their own.
fn write_certificates(ca: &TestCa) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder =
        std::env::temp_dir().join(format!("hvloop-interop-{}-{number}", std::process::id()));
    let (chain, key) = ca.server_pem(&LOCAL_NAMES);
    std::fs::create_dir_all(&folder).expect("create a folder for certificates");
    std::fs::write(folder.join("cert.pem"), chain).expect("write the certificate");
    std::fs::write(folder.join("key.pem"), key).expect("write the key");
    folder
}
