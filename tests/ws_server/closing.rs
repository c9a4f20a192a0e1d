//! The end of a connection, from either side.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame, frame};
use crate::common::ws_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::ws::protocol::{Limits, ProtocolError};
use hvloop::ws::{CloseError, ConnectionError, Initiator};
use hvloop::{ServiceOptions, WebSocketServer};
use hvloop_test_support::opcode;

over_tcp_and_tls! {
    /// Codes and reasons both ways, and both ends know them.
    server_close_handshake_both_sides => both_sides_scenario;
    /// What a relay was told of an end without a code closes without one.
    server_relayed_close_codes => relayed_scenario;
    /// What breaks the protocol is answered by its code, and hurts nobody else.
    server_fail_codes => fail_codes_scenario;
    /// A peer that goes without a word is 1006, a callback that panics 1011.
    server_abnormal_ends => abnormal_scenario;
}

fn both_sides_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    // The peer begins.
    for (payload, code, reason) in [
        (close_frame(1000, "bye"), 1000, "bye"),
        (close_frame(4321, ""), 4321, ""),
        (frame(opcode::CLOSE, true, b""), 1005, ""),
    ] {
        let before = server.seen.read(|seen| seen.closed.len());
        let mut peer = WsPeer::open(&net, to, "/");
        peer.peer.send(&payload);
        let answer = peer.frame();
        assert_eq!(answer.opcode, opcode::CLOSE);
        assert_eq!(answer.close_code(), (code != 1005).then_some(code));
        peer.expect_end();
        server.wait("closed", |seen| seen.closed.len() == before + 1);
        let event = server.seen.read(|seen| seen.closed[before].clone());
        assert_eq!((event.code, event.reason.as_str()), (code, reason));
        assert!(event.clean && event.error.is_none(), "{event}");
        assert_eq!(event.initiator, Initiator::Remote);
    }
    // The server begins, behind what is queued; what still comes is discarded.
    let before = server.seen.read(|seen| seen.closed.len());
    let mut peer = WsPeer::open(&net, to, "/");
    server.wait("open", |seen| seen.opened == 4);
    server.server.for_each_channel(|channel| {
        channel.send_text("last words").unwrap();
        channel.close(3000, "enough").unwrap();
        assert!(
            channel.send_text("too late").is_err() || !channel.event_loop().is_in_loop_thread()
        );
    });
    assert_eq!(peer.frame().payload, b"last words");
    let mut frames = vec![peer.frame()];
    if frames[0].payload == b"too late" {
        frames.push(peer.frame()); // accepted on another thread, before the loop had the close
    }
    let close = frames.pop().unwrap();
    assert_eq!(
        (close.close_code(), &close.payload[2..]),
        (Some(3000), &b"enough"[..])
    );
    peer.send(opcode::TEXT, b"nobody listens");
    peer.peer.send(&close_frame(3000, "agreed"));
    peer.expect_end();
    server.wait("closed", |seen| seen.closed.len() == before + 1);
    let event = server.seen.read(|seen| seen.closed[before].clone());
    assert_eq!((event.code, event.reason.as_str()), (3000, "agreed"));
    assert!(event.clean, "{event}");
    assert_eq!(event.initiator, Initiator::Local);
    assert!(server.seen.read(|seen| seen.messages.is_empty()));
    stop_clean(&thread);
}

fn relayed_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    for (before, code) in [1005, 1006, 1015].into_iter().enumerate() {
        let mut peer = WsPeer::open(&net, to, "/");
        server.wait("open", |seen| seen.opened == before + 1);
        server.server.for_each_channel(|channel| {
            for bad in [0, 1004, 2000, 5000] {
                assert_eq!(channel.close(bad, ""), Err(CloseError::BadCode(bad)));
            }
            channel.close(code, "not to be sent").unwrap();
        });
        let close = peer.frame();
        assert_eq!((close.opcode, close.payload.len()), (opcode::CLOSE, 0));
        peer.peer.send(&frame(opcode::CLOSE, true, b""));
        peer.expect_end();
        server.wait("closed", |seen| seen.closed.len() == before + 1);
        let event = server.seen.read(|seen| seen.closed[before].clone());
        assert!(event.clean && event.code == 1005, "{event:?}");
        assert_eq!(event.initiator, Initiator::Local);
    }
    stop_clean(&thread);
}

fn fail_codes_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let limits = Limits::new().max_frame(1000).max_message(2000);
    let options = ServiceOptions::new().limits(limits);
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
    let to = server.listen(&net);
    let mut witness = WsPeer::open(&net, to, "/");
    let unmasked = hvloop_test_support::encode_frame(opcode::TEXT, true, b"unmasked");
    let mut reserved = frame(opcode::TEXT, true, b"rsv1");
    reserved[0] |= 0x40;
    let parts = |first| {
        let rest = frame(opcode::CONTINUATION, false, &[b'x'; 900]);
        [frame(opcode::TEXT, false, first), rest.clone(), rest].concat()
    };
    let big = ProtocolError::FrameTooBig {
        limit: 1000,
        size: 1001,
    };
    let long = ProtocolError::MessageTooBig {
        limit: 2000,
        size: 2100,
    };
    let cases = [
        (unmasked, 1002, ProtocolError::UnmaskedFrame),
        (reserved, 1002, ProtocolError::ReservedBits),
        (
            frame(opcode::CONTINUATION, true, b""),
            1002,
            ProtocolError::UnexpectedContinuation,
        ),
        (
            frame(opcode::TEXT, true, b"\xff"),
            1007,
            ProtocolError::InvalidUtf8,
        ),
        (frame(opcode::BINARY, true, &[0; 1001]), 1009, big),
        (parts(&[b'x'; 300]), 1009, long),
        (
            frame(0x3, true, b""),
            1002,
            ProtocolError::ReservedOpcode(3),
        ),
        (
            close_frame(1006, ""),
            1002,
            ProtocolError::BadCloseCode(1006),
        ),
    ];
    for (n, (bytes, code, error)) in cases.into_iter().enumerate() {
        let mut peer = WsPeer::open(&net, to, "/");
        peer.peer.send(&bytes);
        peer.expect_close(code);
        peer.expect_end();
        server.wait("closed", |seen| seen.closed.len() == n + 1);
        let event = server.seen.read(|seen| seen.closed[n].clone());
        assert!(!event.clean && event.code == 1006, "{event}");
        assert_eq!(event.initiator, Initiator::Local, "{event}"); // found here
        assert!(
            matches!(&event.error, Some(ConnectionError::Protocol(e)) if *e == error),
            "{event}"
        );
    }
    witness.send(opcode::TEXT, b"unhurt");
    assert_eq!(witness.frame().payload, b"unhurt");
    witness.close();
    thread.stop();
    thread.join().unwrap();
}

fn abnormal_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let options = ServiceOptions::new().close_timeout(100 * MS);
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
    let to = server.listen(&net);
    let last = |n: usize| {
        server.wait("closed", |seen| seen.closed.len() == n);
        server.seen.read(|seen| seen.closed[n - 1].clone())
    };
    let mut peer = WsPeer::open(&net, to, "/");
    peer.peer.end();
    let event = last(1);
    assert_eq!(
        (event.code, event.clean, event.initiator),
        (1006, false, Initiator::Remote)
    );

    let mut peer = WsPeer::open(&net, to, "/");
    peer.send(opcode::TEXT, b"panic");
    peer.expect_close(1011);
    peer.expect_end();
    let event = last(2);
    assert!(
        matches!(event.error, Some(ConnectionError::CallbackPanicked)),
        "{event}"
    );

    // A peer that does not answer the Close, and one that is cut off.
    for now in [false, true] {
        let mut peer = WsPeer::open(&net, to, "/");
        let opened = if now { 4 } else { 3 };
        server.wait("open", |seen| seen.opened == opened);
        server.server.for_each_channel(|channel| match now {
            true => channel.close_now(),
            false => channel.close(1000, "").unwrap(),
        });
        let event = last(opened);
        assert_eq!(
            (event.code, event.clean, event.initiator),
            (1006, false, Initiator::Local)
        );
        let timed_out = matches!(event.error, Some(ConnectionError::CloseTimedOut(_)));
        assert_eq!(timed_out, !now, "{event}");
        if !now {
            peer.expect_close(1000);
        }
        let (rest, end) = peer.peer.rest();
        assert!(rest.is_empty() && end != End::Clean || transport == Transport::Tcp);
    }
    thread.stop();
    thread.join().unwrap();
    assert_eq!(thread.event_loop().metrics().panics, 1);
}
