//! WebSocket clients in other languages, `tests/interop`, as child processes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

use serde::Deserialize;

use crate::certs::TestCa;
use crate::programs::{Language, TempFolder};

/// A running client of `tests/interop`; the README there says what it does. It ends when this is dropped.
#[derive(Debug)]
pub struct ForeignClient {
    child: Child,
    reader: Option<JoinHandle<()>>,
    _certificates: Option<TempFolder>,
}

/// What a foreign client saw.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ClientReport {
    /// What was not as it should be; nothing else is reported then.
    pub error: Option<String>,
    /// One for each mode that it tried, in order.
    pub modes: Vec<ModeReport>,
}

/// What a foreign client saw in one mode.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ModeReport {
    /// The first part of the path that was asked for.
    pub path: String,
    /// Whether it offered permessage-deflate.
    pub offer: bool,
    /// Whether permessage-deflate was agreed on.
    pub deflate: bool,
    /// How its connections ended, in that order.
    pub closes: Vec<ClientClose>,
}

/// How a connection ended, as a foreign client saw it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ClientClose {
    /// The code that the server sent; 1005 for a Close frame without a code, 1006 for no Close frame.
    pub code: u16,
    /// The reason that the server sent.
    pub reason: String,
    /// Whether both Close frames were exchanged.
    pub clean: bool,
}

impl ClientReport {
    /// The report in a line of JSON.
    pub fn parse(line: &str) -> Self {
        serde_json::from_str(line)
            .unwrap_or_else(|error| Self::failed(format!("{error} in {line:?}")))
    }

    fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            modes: Vec::new(),
        }
    }
}

impl ForeignClient {
    /// Starts a client of the server at `url` (without a path), which trusts `ca` alone if that is given.
    /// `on_report` is called with its report, on a thread of its own.
    pub fn start(
        language: Language,
        ca: Option<&TestCa>,
        url: &str,
        on_report: impl FnOnce(ClientReport) + Send + 'static,
    ) -> Self {
        let mut command = language.program("client");
        let certificates = ca.map(TempFolder::with_certificates);
        if let Some(folder) = &certificates {
            command.arg("--ca").arg(folder.path("ca.pem"));
        }
        let mut child = command
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start the {language:?} client: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let reader = std::thread::spawn(move || {
            on_report(match BufReader::new(stdout).lines().next() {
                Some(Ok(line)) => ClientReport::parse(&line),
                Some(Err(error)) => ClientReport::failed(format!("read from the client: {error}")),
                None => ClientReport::failed("it ended early; its error output tells why".into()),
            });
        });
        Self {
            child,
            reader: Some(reader),
            _certificates: certificates,
        }
    }
}

impl Drop for ForeignClient {
    fn drop(&mut self) {
        // It has ended by itself if it has reported.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
