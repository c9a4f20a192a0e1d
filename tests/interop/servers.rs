//! Our client and servers that are not ours: Python `websockets` and Node `ws`.

use hvloop::event::tls::TlsClientConfig;
use hvloop::ws::Initiator;
use hvloop::{ClientOptions, CloseEvent, EventLoopThread, Message, WebSocketClient};
use hvloop_test_support::{DEADLINE, ForeignServer, Language, Monitor, TestCa};
use std::time::Duration;

/// 16 MiB of a pattern that no shift maps to itself.
fn big() -> Vec<u8> {
    (0..16 * 1024 * 1024u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

#[derive(Default)]
struct Seen {
    opened: bool,
    texts: Vec<String>,
    binaries: Vec<Vec<u8>>,
    closed: Option<CloseEvent>,
}

fn client(
    thread: &EventLoopThread,
    options: ClientOptions,
    url: &str,
) -> (WebSocketClient, Monitor<Seen>) {
    let client = WebSocketClient::with_options(thread.event_loop(), options);
    let seen = Monitor::new(Seen::default());
    let s = seen.clone();
    client.on_open(move |_, _| s.update(|seen| seen.opened = true));
    let s = seen.clone();
    client.on_message(move |_, message| {
        s.update(|seen| match message {
            Message::Text(text) => seen.texts.push(text.to_owned()),
            Message::Binary(bytes) => seen.binaries.push(bytes.to_vec()),
        });
    });
    let s = seen.clone();
    client.on_close(move |_, event| s.update(|seen| seen.closed = Some(event.clone())));
    client.open(url).unwrap();
    (client, seen)
}

#[track_caller]
fn wait(seen: &Monitor<Seen>, what: &str, until: impl Fn(&Seen) -> bool) {
    let limit = 4 * DEADLINE; // 16 MiB through an interpreter in a debug build
    assert!(
        seen.wait(limit, until),
        "never: {what}; {:?}",
        seen.read(|s| s.closed.clone())
    );
}

fn talk_to(language: Language, tls: bool) {
    let ca = TestCa::new();
    let mut server = ForeignServer::start(language, tls.then_some(&ca));
    let config = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    let options = ClientOptions::new()
        .tls(config.build().unwrap())
        .send_limit(32 * 1024 * 1024)
        .limits(
            hvloop::ws::protocol::Limits::new()
                .max_frame(32 * 1024 * 1024)
                .max_message(64 * 1024 * 1024),
        )
        .close_timeout(Duration::from_secs(30));
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();

    // Text, binary, and a code of ours.
    let (ws, seen) = client(&thread, options.clone(), &server.url("/echo"));
    wait(&seen, "open", |seen| seen.opened);
    ws.send_text("héllo wörld €").unwrap();
    ws.send_binary(&[0, 1, 254, 255]).unwrap();
    ws.send_text("").unwrap();
    wait(&seen, "the echoes", |seen| {
        seen.texts.len() == 2 && seen.binaries.len() == 1
    });
    seen.read(|seen| {
        assert_eq!(seen.texts, ["héllo wörld €", ""]);
        assert_eq!(seen.binaries, [[0, 1, 254, 255]]);
    });
    ws.close(4001, "we are done").unwrap();
    wait(&seen, "close", |seen| seen.closed.is_some());
    seen.read(|seen| {
        let event = seen.closed.as_ref().unwrap();
        assert!(event.clean && event.code == 4001, "{event:?}");
        assert_eq!(event.initiator, Initiator::Local);
    });

    // 16 MiB both ways.
    let (ws, seen) = client(&thread, options.clone(), &server.url("/big"));
    wait(&seen, "open", |seen| seen.opened);
    let sent = big();
    ws.send_binary(&sent).unwrap();
    wait(&seen, "16 MiB", |seen| !seen.binaries.is_empty());
    assert!(
        seen.read(|seen| seen.binaries[0] == sent),
        "changed on the way"
    );
    ws.close(1000, "").unwrap();
    wait(&seen, "close", |seen| seen.closed.is_some());

    // Fragments with Pings between them.
    let (ws, seen) = client(&thread, options.clone(), &server.url("/fragments"));
    wait(&seen, "the messages", |seen| {
        !seen.texts.is_empty() && !seen.binaries.is_empty()
    });
    seen.read(|seen| {
        assert_eq!(seen.texts, ["héllo wörld €"]);
        let expected: Vec<u8> = (0..3000u32).map(|n| (n % 256) as u8).collect();
        assert!(seen.binaries == [expected]);
    });
    ws.close(1000, "").unwrap();
    wait(&seen, "close", |seen| seen.closed.is_some());

    // The server closes first.
    let (_ws, seen) = client(
        &thread,
        options.clone(),
        &server.url("/close?code=4000&reason=later"),
    );
    wait(&seen, "close", |seen| seen.closed.is_some());
    seen.read(|seen| {
        let event = seen.closed.as_ref().unwrap();
        assert!(
            event.clean && event.code == 4000 && event.reason == "later",
            "{event:?}"
        );
        assert_eq!(event.initiator, Initiator::Remote);
    });

    // stop() says 1001.
    let (_ws, seen) = client(&thread, options, &server.url("/echo"));
    wait(&seen, "open", |seen| seen.opened);
    thread.stop();
    assert_eq!(thread.join().unwrap().closed_cleanly, 1);

    let report = server.report(5);
    assert_eq!((report.open, report.pongs), (0, 6), "{report:?}");
    let of = |path: &str, code: u16| {
        let found = report
            .closes
            .iter()
            .find(|c| c.path.starts_with(path) && c.code == code);
        let close = found.unwrap_or_else(|| panic!("no {path} {code} in {report:?}"));
        assert!(close.clean, "{close:?}");
        close.reason.clone()
    };
    assert_eq!(of("/echo", 4001), "we are done");
    of("/big", 1000);
    of("/fragments", 1000);
    of("/close", 4000);
    of("/echo", 1001);
}

#[test]
fn python_websockets_ws() {
    talk_to(Language::Python, false);
}

#[test]
fn python_websockets_wss() {
    talk_to(Language::Python, true);
}

#[test]
fn node_ws_ws() {
    talk_to(Language::Node, false);
}

#[test]
fn node_ws_wss() {
    talk_to(Language::Node, true);
}
