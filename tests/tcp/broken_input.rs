//! Input that breaks the rule: what was accepted before it goes out first, and the end says why.

use crate::common::loops::{started, stop_clean};
use crate::common::net::End;
use crate::common::net::{Net, Transport};
use crate::common::tcp_server::inet;
use hvloop::{Channel, CloseReason, Connect, LengthField, TcpClient, TcpServer, Unpack};
use hvloop_test_support::{DEADLINE, Monitor};
use rustls::ClientConnection;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

crate::over_tcp_and_tls! {
    /// Whatever the rule is.
    answers_before_a_broken_rule => rules_scenario;
    /// Also where the answers are more than the system takes at once.
    long_answers_before_a_broken_rule => long_scenario;
    /// Also of reads that are asked for one at a time.
    answers_before_a_line_too_long => line_scenario;
    /// The reason is that of the end, although the peer goes on sending or has gone.
    broken_rule_is_the_reason => reason_scenario;
}

fn delimited() -> Unpack {
    Unpack::delimiter(b"\n").max_size(20).build().unwrap()
}

/// A server that answers each package with itself, and the reasons of its ends.
fn server(
    thread: &hvloop::EventLoopThread,
    unpack: Option<Unpack>,
    answer: impl Fn(&Channel, &[u8]) + Send + Sync + 'static,
) -> (TcpServer, Monitor<Vec<CloseReason>>) {
    let server = TcpServer::new(thread.event_loop());
    server.set_unpack(unpack);
    server.on_message(move |channel, data| answer(channel, data));
    let closed = Monitor::new(Vec::new());
    let c = closed.clone();
    server.on_close(move |_, reason| c.update(|closed| closed.push(reason.clone())));
    (server, closed)
}

fn echo(channel: &Channel, data: &[u8]) {
    channel.send(data).unwrap();
}

fn rules_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let field = LengthField::new().body_offset(2).offset(0).bytes(2);
    let head_first = LengthField::new().body_offset(4).offset(0).bytes(4);
    let rules: [(Unpack, &[u8], &[u8]); 4] = [
        (delimited(), b"one\ntwo\n", b"a line that has no end at all"),
        (
            Unpack::length_field(field).max_size(20).build().unwrap(),
            b"\0\x01a\0\x02bc",
            b"\0\x60",
        ),
        (
            Unpack::length_field(head_first)
                .max_size(20)
                .build()
                .unwrap(),
            b"\0\0\0\x01a",
            b"\xff\xff\xff\xff",
        ),
        (
            Unpack::delimiter(b"\r\n").max_size(5).build().unwrap(),
            b"one\r\n\r\n",
            b"four\r\n",
        ),
    ];
    for (rule, good, bad) in rules {
        let (server, closed) = server(&thread, Some(rule), echo);
        let address = inet(server.listen(net.listen()).unwrap());
        let mut peer = net.connect(address);
        peer.send(&[good, bad].concat());
        assert_eq!(peer.rest(), (good.to_vec(), End::Clean));
        assert!(closed.wait(DEADLINE, |closed| closed.len() == 1));
        closed.read(|closed| {
            assert!(matches!(closed[0], CloseReason::Unpack(_)), "{}", closed[0]);
        });
    }
    stop_clean(&thread);
}

fn long_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let long: Arc<[u8]> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let l = long.clone();
    let (server, closed) = server(&thread, Some(delimited()), move |channel, _| {
        channel.send(&l).unwrap();
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    peer.send(b"one\ntwo\nand this one is far too long");
    // Nobody reads until the rule is broken for sure.
    let (got, end) = peer.rest();
    assert!(
        got == [&long[..], &long[..]].concat(),
        "{} bytes",
        got.len()
    );
    assert_eq!(end, End::Clean);
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 1));
    assert!(closed.read(|closed| matches!(closed[0], CloseReason::Unpack(_))));
    stop_clean(&thread);
}

fn line_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, closed) = server(&thread, None, |channel, data| {
        channel.send(data).unwrap();
        channel.read_bytes(3_000_000);
    });
    server.on_connection(|channel| channel.read_line());
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    peer.send(b"a line\nmore");
    assert_eq!(peer.rest(), (b"a line\n".to_vec(), End::Clean));
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 1));
    assert!(closed.read(|closed| matches!(closed[0], CloseReason::Unpack(_))));
    stop_clean(&thread);
}

fn reason_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, closed) = server(&thread, Some(delimited()), echo);
    let linger = std::time::Duration::from_millis(100);
    let address = inet(server.listen(net.listen().close_timeout(linger)).unwrap());
    // It never ends its side.
    let mut open = net.connect(address);
    open.send(b"one\nand this one is far too long");
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 1));
    assert_eq!(open.expect(4), b"one\n");
    // It goes on sending until it cannot.
    let mut floods = net.connect(address);
    let junk = [b'x'; 10_000];
    floods.stream.set_nonblocking(false).unwrap();
    while floods.stream.write(&junk).is_ok() && closed.read(Vec::len) < 2 {}
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 2));
    // It is gone.
    let mut gone = net.connect(address);
    gone.send(b"and this one is far too long");
    drop(gone);
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 3));
    closed.read(|closed| {
        let expected = |reason: &CloseReason| match transport {
            Transport::Tcp => matches!(reason, CloseReason::Unpack(_)),
            // What floods is no TLS.
            Transport::Tls => matches!(reason, CloseReason::Unpack(_) | CloseReason::Tls(_)),
        };
        assert!(closed.iter().all(expected), "{closed:?}");
    });
    stop_clean(&thread);
}

/// What the records hold, one by one until the error.
fn decrypt(tls: &mut ClientConnection, mut cipher: &[u8]) -> (Vec<u8>, Option<rustls::Error>) {
    let mut plain = Vec::new();
    while !cipher.is_empty() {
        let len = 5 + usize::from(u16::from_be_bytes([cipher[3], cipher[4]]));
        let (mut record, rest) = cipher.split_at(len);
        while !record.is_empty() {
            tls.read_tls(&mut record).unwrap();
            if let Err(e) = tls.process_new_packets() {
                return (plain, Some(e));
            }
        }
        // The error is that nothing more is there.
        let _ = tls.reader().read_to_end(&mut plain);
        cipher = rest;
    }
    (plain, None)
}

/// Over TLS, what was accepted goes out before the alert; the reason is TLS's.
#[test]
fn answers_before_what_is_no_tls() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let long: Arc<[u8]> = vec![7; 2_000_000].into();
    for answer in [Arc::from(&b"short"[..]), long] {
        let a: Arc<[u8]> = answer.clone();
        let (server, closed) = server(&thread, None, move |channel, _| channel.send(&a).unwrap());
        let address = inet(server.listen(net.listen()).unwrap());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut tls = net.client_tls("localhost");
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).unwrap();
        }
        // In one go: the request, and what is no record.
        let mut request = Vec::new();
        tls.writer().write_all(b"request").unwrap();
        while tls.wants_write() {
            tls.write_tls(&mut request).unwrap();
        }
        request.extend([0xff; 100]);
        stream.write_all(&request).unwrap();
        let mut cipher = Vec::new();
        stream.read_to_end(&mut cipher).unwrap();
        let (plain, end) = decrypt(&mut tls, &cipher);
        assert!(plain == *answer, "{} bytes, then {end:?}", plain.len());
        assert!(
            matches!(end, Some(rustls::Error::AlertReceived(_))),
            "{end:?}"
        );
        drop(stream);
        assert!(closed.wait(DEADLINE, |closed| closed.len() == 1));
        closed.read(|closed| assert!(matches!(closed[0], CloseReason::Tls(_)), "{}", closed[0]));
    }
    stop_clean(&thread);
}

/// A client says first what it has to say, too.
#[test]
fn client_finds_the_rule_broken() {
    let thread = started();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpClient::new(thread.event_loop());
    client.set_unpack(Some(delimited()));
    client.on_message(|channel, data| channel.send(data).unwrap());
    let closed = Monitor::new(None);
    let c = closed.clone();
    client.on_close(move |_, reason| c.update(|closed| *closed = Some(reason.clone())));
    let port = listener.local_addr().unwrap().port();
    client.connect(Connect::to("127.0.0.1", port)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.write_all(b"one\ntwo\nand this one is far too long")
        .unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"one\ntwo\n");
    drop(peer);
    assert!(closed.wait(DEADLINE, |closed| matches!(
        closed,
        Some(CloseReason::Unpack(_))
    )));
    stop_clean(&thread);
}
