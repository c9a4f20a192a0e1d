//! The server in C++, and clients that are not.

use crate::programs::{Files, Server};
use hvloop::event::tls::TlsClientConfig;
use hvloop::ws::Initiator;
use hvloop::{ClientOptions, CloseEvent, EventLoop, EventLoopThread, Message, WebSocketClient};
use hvloop_test_support::{
    ClientClose, ClientReport, DEADLINE, ForeignClient, Language, ModeReport, Monitor, TestCa,
};
use std::time::Duration;

/// An interpreter, sanitizers and a debug build beside other processes.
const LIMIT: Duration = DEADLINE.saturating_mul(4);
const MIB: usize = 1 << 20;

/// What the scenario of `tests/interop/README.md` reports of a mode against a server that stops at the end.
fn mode(path: &str, offer: bool) -> ModeReport {
    let close = |code: u16, reason: &str| ClientClose {
        code,
        reason: reason.to_owned(),
        clean: true,
    };
    ModeReport {
        path: path.to_owned(),
        offer,
        deflate: false,
        closes: vec![
            // Answers have a code alone.
            close(4001, ""),
            close(1000, ""),
            close(1005, ""),
            close(4000, "später €"),
            close(1000, ""),
            close(1011, "a fault"),
            close(1001, ""),
        ],
    }
}

/// What the server says of it, sorted.
fn connections(paths: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for path in paths {
        // What the server is asked to close with.
        let closes = ["4000 später €", "1000 ", "1011 a fault"];
        for bytes in closes.map(str::len) {
            lines.push(format!(
                "closed {path}/close: 1 texts, 0 binaries, {bytes} bytes"
            ));
        }
        let none = format!("closed {path}/echo: 0 texts, 0 binaries, 0 bytes");
        lines.extend([none.clone(), none.clone(), none]);
        let bytes = "héllo wörld €".len() + 4 + 2 * MIB + "staying".len();
        lines.push(format!(
            "closed {path}/echo: 4 texts, 3 binaries, {bytes} bytes"
        ));
    }
    lines.sort();
    lines
}

fn python(tls: bool) {
    let ca = TestCa::new();
    let files = Files::of(&ca);
    let mut server = Server::start(tls.then_some(&files));
    let report = Monitor::new(None);
    let set = report.clone();
    let ca = tls.then_some(&ca);
    let _client = ForeignClient::start(Language::Python, ca, &server.url, move |told| {
        set.update(|report| *report = Some(told));
    });
    // Each mode keeps one connection, which waits for the stop.
    let (mut said, mut staying) = (Vec::new(), 0);
    while staying < 3 {
        match server.line().expect("it runs").as_str() {
            "stays" => staying += 1,
            line => said.push(line.to_owned()),
        }
        report.read(|report| assert_eq!(*report, None, "the client ended early"));
    }
    said.extend(server.stop());
    said.sort();
    assert_eq!(said, connections(&["/deflate", "/deflate", "/plain"]));
    assert!(report.wait(LIMIT, Option::is_some), "no report");
    let expected = ClientReport {
        error: None,
        modes: vec![
            mode("/plain", true),
            mode("/deflate", true),
            mode("/deflate", false),
        ],
    };
    assert_eq!(report.read(Option::clone), Some(expected));
}

#[test]
fn python_websockets_ws() {
    python(false);
}

#[test]
fn python_websockets_wss() {
    python(true);
}

#[derive(Default)]
struct Seen {
    opened: bool,
    messages: Vec<Result<String, Vec<u8>>>,
    closed: Option<CloseEvent>,
}

fn open(
    event_loop: &EventLoop,
    options: ClientOptions,
    url: &str,
) -> (WebSocketClient, Monitor<Seen>) {
    let client = WebSocketClient::with_options(event_loop, options);
    let seen = Monitor::new(Seen::default());
    let s = seen.clone();
    client.on_open(move |_, _| s.update(|seen| seen.opened = true));
    let s = seen.clone();
    client.on_message(move |_, message| {
        let kept = match message {
            Message::Text(text) => Ok(text.to_owned()),
            Message::Binary(bytes) => Err(bytes.to_vec()),
        };
        s.update(|seen| seen.messages.push(kept));
    });
    let s = seen.clone();
    client.on_close(move |_, event| s.update(|seen| seen.closed = Some(event.clone())));
    client.open(url).expect("a URL");
    wait(&seen, "open", |seen| seen.opened);
    (client, seen)
}

#[track_caller]
fn wait(seen: &Monitor<Seen>, what: &str, until: impl Fn(&Seen) -> bool) {
    let closed = || seen.read(|seen| seen.closed.clone());
    assert!(seen.wait(LIMIT, until), "never: {what}; {:?}", closed());
}

/// Its end: who began it, its code and reason.
#[track_caller]
fn check_end(seen: &Monitor<Seen>, initiator: Initiator, code: u16, reason: &str) {
    wait(seen, "the end", |seen| seen.closed.is_some());
    let event = seen.read(|seen| seen.closed.clone()).expect("it is there");
    assert!(event.clean && event.error.is_none(), "{event:?}");
    assert_eq!(
        (event.initiator, event.code, &*event.reason),
        (initiator, code, reason)
    );
}

fn rust(tls: bool) {
    let ca = TestCa::new();
    let files = Files::of(&ca);
    let server = Server::start(tls.then_some(&files));
    let config = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    let options = ClientOptions::new()
        .tls(config.build().expect("an authority"))
        .close_timeout(DEADLINE);
    let thread = EventLoopThread::new().expect("a loop");
    thread.start().expect("a thread");
    let connect = |path: &str| {
        let url = server.url.clone() + path;
        open(thread.event_loop(), options.clone(), &url)
    };

    let (client, seen) = connect("/echo");
    let big: Vec<u8> = (0..2 * MIB as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    client.send_text("héllo wörld €").expect("it is open");
    client.send_text("").expect("it is open");
    client.send_binary(&big).expect("it is open");
    client.send_text("last").expect("it is open");
    wait(&seen, "the echoes", |seen| seen.messages.len() == 4);
    let expected = [
        Ok("héllo wörld €".to_owned()),
        Ok(String::new()),
        Err(big),
        Ok("last".to_owned()),
    ];
    assert!(seen.read(|seen| seen.messages == expected));
    client.close(4001, "wir gehören €").expect("it is open");
    check_end(&seen, Initiator::Local, 4001, "");

    let (client, seen) = connect("/close?a=query");
    client.send_text("4000 später €").expect("it is open");
    check_end(&seen, Initiator::Remote, 4000, "später €");

    // Its stop.
    let (client, seen) = connect("/echo");
    client.send_text("staying").expect("it is open");
    wait(&seen, "an echo", |seen| !seen.messages.is_empty());
    let mut said = server.stop();
    check_end(&seen, Initiator::Remote, 1001, "");
    said.sort();
    let first = "héllo wörld €last".len() + 2 * MIB;
    assert_eq!(
        said,
        [
            format!(
                "closed /close: 1 texts, 0 binaries, {} bytes",
                "4000 später €".len()
            ),
            "closed /echo: 1 texts, 0 binaries, 7 bytes".to_owned(),
            format!("closed /echo: 3 texts, 1 binaries, {first} bytes"),
            "stays".to_owned(),
        ]
    );
    thread.stop();
    let report = thread.join().expect("its report");
    assert!(report.is_clean(), "{report}");
}

#[test]
fn rust_ws() {
    rust(false);
}

#[test]
fn rust_wss() {
    rust(true);
}
