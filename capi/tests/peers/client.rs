//! The client in C++, and servers that are not.

use crate::programs::{Files, client};
use crate::support::library::package;
use crate::support::run::run;
use crate::support::script::{Script, Step};
use hvloop::event::tls::{TlsIdentities, TlsServerConfig};
use hvloop::ws::Initiator;
use hvloop::{
    CloseEvent, EventLoopThread, Listen, Message, ServiceOptions, WebSocketChannel,
    WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, ForeignServer, Language, Monitor, TestCa};

/// Does what `client.script` says.
fn talk_to(url: &str, files: Option<&Files>) {
    let script = Script::read(&package("tests/peers/client.script"));
    run(client(url, files), &script).expect("the client");
}

/// How the connections of the script end: who begins, at which path, and the client's code and reason.
const ENDS: [(Initiator, &str, u16, &str); 5] = [
    (Initiator::Remote, "/echo", 4001, "we are done €"),
    (Initiator::Remote, "/fragments", 1000, ""),
    (Initiator::Local, "/close", 4000, ""),
    (Initiator::Remote, "/echo", 1000, ""),
    (Initiator::Remote, "/echo", 1000, ""),
];

fn python(tls: bool) {
    let ca = TestCa::new();
    let files = Files::of(&ca);
    let mut server = ForeignServer::start(Language::Python, tls.then_some(&ca));
    talk_to(&server.url(""), tls.then_some(&files));
    let report = server.report(ENDS.len());
    assert_eq!((report.open, report.messages), (0, 6), "{report:#?}");
    assert_eq!(report.pongs, 6, "one for each part but the last");
    for (close, (initiator, path, code, reason)) in report.closes.iter().zip(ENDS) {
        assert!(close.clean, "{report:#?}");
        let client_first = initiator == Initiator::Remote;
        assert_eq!(
            (
                close.path.as_str(),
                close.code,
                close.reason.as_str(),
                close.client_first
            ),
            (path, code, reason, client_first)
        );
    }
}

#[test]
fn python_websockets_ws() {
    python(false);
}

#[test]
fn python_websockets_wss() {
    python(true);
}

type Ends = Monitor<Vec<(String, CloseEvent)>>;

/// Begins so, then echoes, and keeps how its connections end.
fn service(
    ends: &Ends,
    path: &'static str,
    begin: impl Fn(&WebSocketChannel, &str) + Send + Sync + 'static,
) -> WebSocketService {
    let ends = ends.clone();
    WebSocketService::new()
        .options(ServiceOptions::new().close_timeout(DEADLINE))
        .on_open(move |channel, request| begin(channel, request.query.as_deref().unwrap_or("")))
        .on_message(|channel, message| channel.send(message).expect("it is open"))
        .on_close(move |_, event| ends.update(|ends| ends.push((path.to_owned(), event.clone()))))
}

fn rust(tls: bool) {
    let ca = TestCa::new();
    let files = Files::of(&ca);
    let thread = EventLoopThread::new().expect("a loop");
    thread.start().expect("a thread");
    let server = WebSocketServer::new(thread.event_loop());
    let ends = Ends::new(Vec::new());
    server.route("/echo", service(&ends, "/echo", |_, _| {}));
    let fragments = |channel: &WebSocketChannel, _: &str| {
        channel.send_text("héllo wörld €").expect("it is open");
        let bytes: Vec<u8> = (0..3000_u32).map(|n| n as u8).collect();
        channel.send(Message::Binary(&bytes)).expect("it is open");
    };
    server.route("/fragments", service(&ends, "/fragments", fragments));
    let close = |channel: &WebSocketChannel, query: &str| {
        assert_eq!(query, "code=4000&reason=later");
        channel.close(4000, "later").expect("it is open");
    };
    server.route("/close", service(&ends, "/close", close));
    let mut listen = Listen::tcp(([127, 0, 0, 1], 0));
    if tls {
        let identities = TlsIdentities::new().pem_files(&files.cert, &files.key);
        listen = listen.with_tls(TlsServerConfig::new(identities).expect("a certificate"));
    }
    let address = server.listen(listen).expect("a port");
    let scheme = if tls { "wss" } else { "ws" };
    talk_to(&format!("{scheme}://{address}"), tls.then_some(&files));
    assert!(ends.wait(DEADLINE, |ends| ends.len() == ENDS.len()));
    ends.read(|ends| {
        for ((at, event), (initiator, path, code, reason)) in ends.iter().zip(ENDS) {
            assert!(event.clean && event.error.is_none(), "{at}: {event:?}");
            assert_eq!(
                (at.as_str(), event.initiator, event.code, &*event.reason),
                (path, initiator, code, reason)
            );
        }
    });
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

/// Options that are all zero verify: an authority that is not that of the server, and no authority at all.
#[test]
fn a_server_is_verified() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let server = ForeignServer::start(Language::Python, Some(&ca));
    let script = Script {
        steps: vec![
            Step::Told("open /echo".to_owned()),
            Step::Says("close".to_owned()),
        ],
        peer: false,
    };
    for files in [Some(Files::of(&other)), None] {
        run(client(&server.url(""), files.as_ref()), &script).expect("it is refused");
    }
}
