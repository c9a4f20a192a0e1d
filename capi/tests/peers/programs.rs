//! The programs in C++, with sanitizers, and how they are talked with.

use crate::support::compiler::{Language, SANITIZERS, first};
use crate::support::library::{made, package};
use hvloop_test_support::{ChildLimit, TestCa};
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `client` or `server`, made at its first use.
fn program(name: &'static str, made_at: &'static OnceLock<PathBuf>) -> Command {
    let path = made_at.get_or_init(|| {
        let program = made().join(format!("peer-{name}"));
        let source = package(&format!("tests/peers/{name}.cpp"));
        first(Language::Cpp).link("c++11", SANITIZERS, &[&source], &program);
        program
    });
    Command::new(path)
}

/// A client of the server at that URL, which trusts that authority.
pub fn client(url: &str, ca: Option<&Files>) -> Command {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let mut command = program("client", &MADE);
    command.arg(url);
    command.args(ca.map(|files| &files.ca));
    command
}

/// Certificates in files, which go with this.
pub struct Files {
    folder: PathBuf,
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Files {
    pub fn of(ca: &TestCa) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = made().join(format!("peer-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the directory for tests");
        let (chain, key) = ca.server_pem(&["localhost", "127.0.0.1"]);
        let file = |name: &str, pem: String| {
            let path = folder.join(name);
            std::fs::write(&path, pem).expect("the directory for tests");
            path
        };
        Self {
            ca: file("ca.pem", ca.ca_pem()),
            cert: file("cert.pem", chain),
            key: file("key.pem", key),
            folder,
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Nothing but disk space depends on it.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A server that runs.
pub struct Server {
    child: Child,
    limit: ChildLimit,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    pub url: String,
}

impl Server {
    pub fn start(certificates: Option<&Files>) -> Self {
        static MADE: OnceLock<PathBuf> = OnceLock::new();
        let mut command = program("server", &MADE);
        if let Some(files) = certificates {
            command.args([&files.cert, &files.key]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server");
        let output = child.stdout.take().expect("it is piped");
        let mut server = Self {
            limit: ChildLimit::of(&child),
            input: child.stdin.take(),
            lines: BufReader::new(output).lines(),
            child,
            url: String::new(),
        };
        let said = server.line().expect("it says where it listens");
        let port = said.strip_prefix("listens ").expect("the port");
        let scheme = certificates.map_or("ws", |_| "wss");
        server.url = format!("{scheme}://127.0.0.1:{port}");
        server
    }

    /// What it says next; `None` at its end.
    pub fn line(&mut self) -> Option<String> {
        self.lines.next().map(|line| line.expect("UTF-8"))
    }

    /// Lets it stop, and end: what it still said, but for the last line.
    #[track_caller]
    pub fn stop(mut self) -> Vec<String> {
        self.input = None;
        let mut said: Vec<String> = std::iter::from_fn(|| self.line()).collect();
        let status = self.child.wait().expect("its end");
        assert!(status.success(), "it ended with {status}: {said:?}");
        assert_eq!(said.pop().as_deref(), Some("stopped"), "{said:?}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.limit;
    }
}
