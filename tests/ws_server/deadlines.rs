//! When a server's limits of time begin, and what puts them off.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::pace::Pace;
use crate::common::ws_peer::{WsPeer, close_frame, frame, request};
use crate::common::ws_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::ws::handshake::HttpResponse;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{
    CloseReason, EventLoop, EventLoopThread, LoopOptions, Message, ServiceOptions, SocketOptions,
    WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, Event, FrameReader, Monitor, opcode, wait_for};
use std::time::{Duration, Instant};

over_tcp_and_tls! {
    server_pings_while_one_is_unanswered => pings;
    server_closes_behind_a_long_queue => close_behind;
    end_with_the_request_lets_the_answer_out => end_in_the_same_read;
    page_reaches_a_slow_reader => slow_page;
    page_that_was_cut_is_told => cut_page;
    end_in_the_request_is_answered_in_order => end_in_request;
    end_without_close_is_the_reason_of_what_is_given_up => given_up;
}

fn pings(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (interval, deadline) = (100 * MS, 1_500 * MS);
    let options = ServiceOptions::new()
        .ping_interval(Some(interval))
        .pong_timeout(deadline);
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
    let mut peer = WsPeer::open(&net, server.listen(&net), "/");
    let mut pings = 0;
    while let Some(frame) = peer.try_frame() {
        assert_eq!(frame.opcode, opcode::PING);
        pings += 1;
    }
    server.wait("the end", |seen| !seen.closed.is_empty());
    let error = server.seen.read(|seen| seen.closed[0].error.clone());
    let Some(ConnectionError::PongTimedOut(silent)) = error else {
        panic!("{error:?}");
    };
    assert!(silent >= interval + deadline, "{silent:?}");
    // No more than intervals, and more than one a deadline.
    assert!(
        pings > 1 && interval * pings <= silent,
        "{pings} Pings in {silent:?}"
    );
    stop_clean(&thread);
}

/// The peer ended its side without a Close, and then the server gave up what was queued for it.
fn given_up(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let (opened, closed) = (Monitor::new(None), Monitor::new(None));
    let (o, c) = (opened.clone(), closed.clone());
    let service = WebSocketService::new()
        .on_open(move |channel, _| {
            for _ in 0..128 {
                channel.send(Message::Binary(&[7; 64 * 1024])).unwrap();
            }
            o.update(|opened| *opened = Some(channel.clone()));
        })
        .on_close(move |_, event| c.update(|closed| *closed = Some(event.clone())));
    server.route("/", service);
    let listen = net
        .listen()
        .socket(SocketOptions::new().send_buffer(64 * 1024));
    let to = server.listen(listen).unwrap().inet().unwrap();
    let mut peer = WsPeer::open(&net, to, "/");
    peer.peer.keep_little();
    peer.peer.end();
    assert!(opened.wait(DEADLINE, Option::is_some));
    let channel = opened.read(Clone::clone).unwrap();
    assert!(wait_for(30, || !channel.is_connected()), "the end is read");
    channel.close_now();
    assert!(closed.wait(DEADLINE, Option::is_some));
    let event = closed.read(Clone::clone).unwrap();
    assert!(
        matches!(
            event.error,
            Some(ConnectionError::Transport(CloseReason::Peer))
        ),
        "{event:?}"
    );
    assert_eq!(
        (event.code, event.clean, event.initiator),
        (1006, false, Initiator::Remote)
    );
    assert!(event.lost > 0, "{event:?}");
    stop_clean(&thread);
}

fn close_behind(transport: Transport) {
    const EACH: usize = 64 * 1024;
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let closed = Monitor::new(None);
    let c = closed.clone();
    let service = WebSocketService::new()
        .on_open(|channel, _| {
            for _ in 0..128 {
                channel.send(Message::Binary(&[7; EACH])).unwrap();
            }
            channel.close(1000, "done").unwrap();
        })
        .on_close(move |_, event| c.update(|closed| *closed = Some(event.clone())))
        .options(ServiceOptions::new().close_timeout(Duration::from_secs(3)));
    server.route("/", service);
    let to = server.listen(net.listen().close_timeout(Duration::from_secs(3)));
    let mut peer = WsPeer::open(&net, to.unwrap().inet().unwrap(), "/");
    // What the system keeps for it has to be read within the time, too.
    peer.peer.keep_little();
    let (mut pace, mut frames) = (Pace::new(1 << 20), FrameReader::default());
    let mut got = 0;
    'open: loop {
        let bytes = pace.read(&mut peer.peer).unwrap();
        assert!(!bytes.is_empty(), "it ended after {got} bytes");
        frames.push(&bytes);
        while let Some(frame) = frames.next_frame() {
            match frame.opcode {
                opcode::BINARY => got += frame.payload.len(),
                other => {
                    assert_eq!((other, frame.close_code()), (opcode::CLOSE, Some(1000)));
                    break 'open;
                }
            }
        }
    }
    assert_eq!(got, 128 * EACH);
    peer.peer.send(&close_frame(1000, ""));
    peer.expect_end();
    assert!(closed.wait(DEADLINE, Option::is_some));
    let event = closed.update(Option::take).unwrap();
    assert!(event.clean && event.error.is_none(), "{event:?}");
    stop_clean(&thread);
}

/// The request, a message and the end in one segment: the 101 and the answer go out, short or long.
fn end_in_the_same_read(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    for (n, size) in [10, 3 << 20].into_iter().enumerate() {
        let mut peer = WsPeer::mute(&net, to);
        let mut bytes = request("/", "").into_bytes();
        bytes.extend(frame(opcode::BINARY, true, &vec![1; size]));
        peer.peer.send(&bytes);
        peer.peer.end();
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(peer.frame().payload.len(), size);
        peer.expect_end();
        server.wait("the end", |seen| seen.closed.len() == n + 1);
    }
    stop_clean(&thread);
}

/// A page of 8 MB, read at 1 MB a second: the time for the peer's end begins with the last byte.
fn slow_page(transport: Transport) {
    const SIZE: usize = 8 << 20;
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    server
        .server
        .on_http(|_| HttpResponse::html("x".repeat(SIZE)));
    let listen = net.listen().close_timeout(Duration::from_secs(3));
    let to = server.server.listen(listen).unwrap().inet().unwrap();
    let mut peer = WsPeer::mute(&net, to);
    peer.peer.keep_little();
    peer.peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.head();
    let mut pace = Pace::new(1 << 20);
    while !pace.read(&mut peer.peer).unwrap().is_empty() {}
    assert_eq!(pace.total(), SIZE);
    peer.peer.end();
    stop_clean(&thread);
    assert!(server.seen.read(|seen| seen.failed.is_empty()));
}

/// Nobody reads it: `on_failed` is told, by whichever limit it was cut.
fn cut_page(transport: Transport) {
    for by_stall in [true, false] {
        let net = Net::new(transport);
        let options = LoopOptions::new().drain_timeout(300 * MS);
        let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
        thread.start().unwrap();
        let server = Recorded::on(&thread);
        let asked = Monitor::new(false);
        let a = asked.clone();
        server.server.on_http(move |_| {
            a.update(|asked| *asked = true);
            HttpResponse::html("x".repeat(15 << 20))
        });
        let stall = by_stall.then_some(300 * MS);
        let listen = net.listen().write_timeout(stall).close_timeout(DEADLINE);
        let listen = listen.socket(SocketOptions::new().send_buffer(64 * 1024));
        let to = server.server.listen(listen).unwrap().inet().unwrap();
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(asked.wait(DEADLINE, |asked| *asked));
        if !by_stall {
            thread.stop();
        }
        server.wait("told", |seen| !seen.failed.is_empty());
        let error = server.seen.read(|seen| seen.failed[0].clone());
        match error {
            ConnectionError::Transport(CloseReason::WriteTimedOut(_)) if by_stall => {}
            ConnectionError::Transport(CloseReason::Forced) if !by_stall => {}
            other => panic!("{other:?}"),
        }
        thread.stop();
        thread.join().unwrap();
    }
}

fn end_in_request(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let mut peer = WsPeer::mute(&net, server.listen(&net));
    peer.peer.send(b"GET / HTTP/1.1\r\n");
    peer.peer.end();
    let (rest, end) = peer.peer.rest();
    assert_eq!((rest.len(), end), (0, End::Clean));
    server.wait("told", |seen| {
        matches!(seen.failed[..], [ConnectionError::UpgradeInterrupted])
    });
    stop_clean(&thread);
}

/// The deadline of the handshakes is one: TLS does not begin it anew.
#[test]
fn accept_deadline_covers_tls_and_the_request() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let server = WebSocketServer::new(thread.event_loop());
    let (after, late) = (Monitor::new(None), Event::new());
    let (a, l) = (after.clone(), late.clone());
    server.on_failed(move |_, _| a.update(|after| *after = Some(l.is_set())));
    let listen = net.listen().open_timeout(3_000 * MS);
    let to = server.listen(listen).unwrap().inet().unwrap();
    let began = Instant::now();
    let mut stream = std::net::TcpStream::connect(to).unwrap();
    assert!(wait_for(30, || server.connection_num() == 1));
    // A loop's timers come in the order in which they are due, however busy the machine is: the deadline is
    // before this one, and behind it if TLS begins it anew.
    let l = late.clone();
    let timer = move |_| l.set();
    thread.event_loop().set_timeout(4_000 * MS, timer).unwrap();
    std::thread::sleep(2_000 * MS);
    let mut tls = net.client_tls("localhost");
    // Where this takes a second, the time is over before.
    while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
    assert!(after.wait(DEADLINE, Option::is_some), "timed out");
    let took = began.elapsed();
    assert!(took >= 3_000 * MS, "{took:?}");
    assert_eq!(after.read(|after| *after), Some(false), "{took:?}");
    stop_clean(&thread);
}
