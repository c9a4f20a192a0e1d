//! Our server and clients that are not ours: Python `websockets`, Node `ws`, Chromium.

use crate::common::loops::stop_clean;
use crate::common::net::{Net, Transport};
use crate::our_server::{Conn, Kept, OurServer, STAYING, Seen};
use hvloop::ws::Initiator;
use hvloop_test_support::{
    ClientClose, ClientReport, DEADLINE, ForeignClient, Language, ModeReport, Monitor,
};
use std::time::Duration;

/// An interpreter or a browser beside other processes, and a debug build.
const LIMIT: Duration = DEADLINE.saturating_mul(4);
const MIB: usize = 1 << 20;

/// A way to be connected: the service, and what became of permessage-deflate.
#[derive(Clone, Copy)]
struct Mode {
    path: &'static str,
    offer: bool,
    deflate: bool,
}

const DECLINED: Mode = Mode {
    path: "/plain",
    offer: true,
    deflate: false,
};
const AGREED: Mode = Mode {
    path: "/deflate",
    offer: true,
    deflate: true,
};
const NOT_OFFERED: Mode = Mode {
    path: "/deflate",
    offer: false,
    deflate: false,
};

/// How the connections of a mode end, in the order in which they do: who begins it, the code and the
/// reason.
const ENDS: [(Initiator, u16, &str); 7] = [
    (Initiator::Remote, 4001, "wir gehören €"),
    (Initiator::Remote, 1000, ""),
    (Initiator::Remote, 1005, ""),
    (Initiator::Local, 4000, "später €"),
    (Initiator::Local, 1000, ""),
    (Initiator::Local, 1011, "a fault"),
    (Initiator::Loop, 1001, ""),
];

/// What a mode's first connection sends, and has echoed.
fn messages() -> Vec<Kept> {
    let hardly_compresses = |n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8;
    let big_text = "aé€𝄞".repeat(104_857) + "ending";
    let big_binary: Vec<u8> = (0..MIB as u32).map(hardly_compresses).collect();
    assert_eq!((big_text.len(), big_binary.len()), (MIB, MIB));
    vec![
        Kept::Text("héllo wörld €".into()),
        Kept::Text(String::new()),
        Kept::Binary(vec![0, 1, 254, 255]),
        Kept::Binary(Vec::new()),
        Kept::Text(big_text),
        Kept::Binary(big_binary),
        Kept::Text(STAYING.into()),
    ]
}

/// What a client that found all right reports.
fn expected_report(modes: &[Mode]) -> ClientReport {
    let close = |(initiator, code, reason): (Initiator, u16, &str)| ClientClose {
        code,
        // We answer a Close with its code alone.
        reason: match initiator {
            Initiator::Remote => String::new(),
            _ => reason.to_owned(),
        },
        clean: true,
    };
    let report = |mode: &Mode| ModeReport {
        path: mode.path.to_owned(),
        offer: mode.offer,
        deflate: mode.deflate,
        closes: ENDS.map(close).to_vec(),
    };
    ClientReport {
        error: None,
        modes: modes.iter().map(report).collect(),
    }
}

/// `conn` was of that mode, sent that, and ended like that.
fn check(conn: &Conn, mode: Mode, end: (Initiator, u16, &str), sent: &[Kept]) {
    let (initiator, code, reason) = end;
    let path = match initiator {
        Initiator::Local => "close",
        _ => "echo",
    };
    assert_eq!(conn.path, format!("{}/{path}", mode.path));
    assert_eq!((conn.offer, conn.deflate), (mode.offer, mode.deflate));
    assert!(conn.messages == sent, "{} at {}", code, conn.path);
    let event = conn.closed.as_ref().unwrap();
    assert!(event.clean && event.error.is_none(), "{event:?}");
    assert_eq!((event.initiator, event.code), (initiator, code));
    // They may answer a Close without its reason.
    assert!(
        event.reason == reason || (initiator != Initiator::Remote && event.reason.is_empty()),
        "{event:?}"
    );
}

/// Runs the scenario of README.md with the client that `start` starts; it reports to the monitor.
fn talk_to<C>(
    transport: Transport,
    modes: &[Mode],
    start: impl FnOnce(&Net, &OurServer, Monitor<Seen>) -> C,
) {
    let net = Net::new(transport);
    let server = OurServer::start(&net);
    let seen = &server.seen;
    let _client = start(&net, &server, seen.clone());
    let ready = |seen: &Seen| seen.only_staying(modes.len()) || seen.report.is_some();
    assert!(seen.wait(LIMIT, ready), "the client never came so far");
    seen.read(|seen| assert_eq!(seen.report, None, "the client ended early"));

    let report = stop_clean(&server.thread);
    assert_eq!(report.closed_cleanly, modes.len(), "{report}");
    assert!(seen.wait(LIMIT, |seen| seen.report.is_some()), "no report");
    seen.read(|seen| {
        assert_eq!(seen.report, Some(expected_report(modes)));
        assert!(seen.failed.is_empty(), "{:?}", seen.failed);
        assert_eq!(seen.connections.len(), modes.len() * ENDS.len());
        for (mode, connections) in modes.iter().zip(seen.connections.chunks(ENDS.len())) {
            let (closing, stop) = ENDS.split_at(ENDS.len() - 1);
            check(&connections[0], *mode, stop[0], &messages());
            for (conn, end) in connections[1..].iter().zip(closing) {
                let sent = match end.0 {
                    Initiator::Local => vec![Kept::Text(format!("{} {}", end.1, end.2))],
                    _ => Vec::new(),
                };
                check(conn, *mode, *end, &sent);
            }
        }
    });
}

fn talk_to_library(language: Language, transport: Transport) {
    let modes = [DECLINED, AGREED, NOT_OFFERED];
    talk_to(transport, &modes, |net, server, seen| {
        let ca = (transport == Transport::Tls).then_some(&net.ca);
        ForeignClient::start(language, ca, &server.url, move |report| {
            seen.update(|seen| seen.report = Some(report));
        })
    });
}

/// A browser always offers permessage-deflate.
#[cfg(unix)]
fn talk_to_chromium(transport: Transport) {
    talk_to(transport, &[DECLINED, AGREED], |net, server, seen| {
        let page = crate::page::Page::serve(net, &server.url, seen);
        let browser = hvloop_test_support::Chromium::open(&page.url, &net.ca);
        // They end in this order.
        (browser, page)
    });
}

#[test]
fn python_client_ws() {
    talk_to_library(Language::Python, Transport::Tcp);
}

#[test]
fn python_client_wss() {
    talk_to_library(Language::Python, Transport::Tls);
}

#[test]
fn node_client_ws() {
    talk_to_library(Language::Node, Transport::Tcp);
}

#[test]
fn node_client_wss() {
    talk_to_library(Language::Node, Transport::Tls);
}

#[cfg(unix)]
#[test]
fn chromium_ws() {
    talk_to_chromium(Transport::Tcp);
}

#[cfg(unix)]
#[test]
fn chromium_wss() {
    talk_to_chromium(Transport::Tls);
}
