//! The close handshake.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::{ClientState, CloseError, ConnectionError, Initiator, PingError};
use hvloop::{Message, ReconnectPolicy, SendError, SocketOptions};
use hvloop_test_support::{
    DEADLINE, Latch, Mode, Monitor, ScriptServer, encode_frame, opcode, upgrade_response,
};
use std::time::Duration;

over_both! {
    close_handshake_both_sides => both_sides;
    close_code_reported => codes;
    relayed_close_codes => relayed;
    close_reason_123 => long_reason;
    close_after_send_delivers_all => delivers_all;
    answered_close_is_clean => answered;
    clean_means_written => written;
    reply_close_is_flushed => reply;
    fail_codes => failures;
    send_after_close => sends_after;
    send_before_open => sends_before;
    read_after_error => reads_after;
    close_in_onmessage => in_onmessage;
    no_rst_on_clean_close => no_reset;
    eof_without_close_frame => abrupt;
    close_now_in_each_state => at_once;
    long_ping_is_refused => long_ping;
}

fn both_sides(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    // We begin.
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.close(1000, "done").unwrap();
    let event = client.only_close();
    assert!(
        event.clean && event.code == 1000 && event.error.is_none(),
        "{event:?}"
    );
    assert_eq!(event.initiator, Initiator::Local);
    // The server begins.
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    server.close_all(1012, "restart");
    let event = client.only_close();
    assert!(
        event.clean && event.code == 1012 && event.reason == "restart",
        "{event:?}"
    );
    assert_eq!(event.initiator, Initiator::Remote);
    let stats = server.wait_until(|stats| stats.open == 0);
    assert_eq!(
        (stats.clean, stats.abrupt, stats.truncated),
        (2, 0, 0),
        "{stats:?}"
    );
}

fn codes(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    for (code, reason) in [(1000, "ok"), (1001, ""), (3000, "é"), (4999, "x")] {
        let server = ScriptServer::close_first(net.tls(), code, reason);
        let client = Recorded::new(thread.event_loop(), net.options());
        client.client.open(&server.url()).unwrap();
        let event = client.only_close();
        assert_eq!((event.code, event.reason.as_str()), (code, reason));
        assert!(event.clean, "{event:?}");
    }
    // A Close without a body is 1005, and is answered by one.
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.send_frame(opcode::CLOSE, true, b"")?;
        assert!(conn.read_close()?.payload.is_empty());
        conn.finish()
    });
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(event.code == 1005 && event.clean, "{event:?}");
}

/// What a relay was told of an end without a code closes without one; what no end has is refused.
fn relayed(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    for code in [1005, 1006, 1015] {
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.accept_upgrade()?;
            let close = conn.read_frame()?.expect("a Close");
            assert_eq!((close.opcode, close.payload.len()), (opcode::CLOSE, 0));
            conn.send_frame(opcode::CLOSE, true, b"")?;
            conn.finish()
        });
        let client = Recorded::new(thread.event_loop(), net.options());
        client.client.open(&server.url()).unwrap();
        client.wait_open();
        for bad in [0, 999, 1004, 1016, 2999, 5000, u16::MAX] {
            assert_eq!(client.client.close(bad, ""), Err(CloseError::BadCode(bad)));
        }
        assert!(client.client.is_connected());
        client.client.close(code, "not to be sent").unwrap();
        let event = client.only_close();
        assert!(event.clean && event.code == 1005, "{event:?}");
        assert_eq!(event.initiator, Initiator::Local, "{code}");
        server.wait_finished(1);
        assert!(server.errors().is_empty(), "{:?}", server.errors());
    }
}

fn long_reason(transport: Transport) {
    let net = Net::new(transport);
    let reasons = Monitor::new(Vec::new());
    let got = reasons.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        let close = conn.read_close()?;
        got.update(|got| got.push(String::from_utf8(close.payload[2..].to_vec()).unwrap()));
        conn.send_close(1000, "")?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    // 122 bytes, then a character of two: the cut is before it.
    let reason = format!("{}é and more", "x".repeat(122));
    client.client.close(4000, &reason).unwrap();
    client.only_close();
    assert!(reasons.wait(DEADLINE, |got| *got == ["x".repeat(122)]));
}

/// 800 messages of 64 KiB towards slow readers, then close: all arrive, then the Close. Once with
/// readers that only read, once with readers that echo all the while.
fn delivers_all(transport: Transport) {
    const EACH: usize = 200;
    let net = Net::new(transport);
    for echo in [false, true] {
        let got = Monitor::new((0, 0));
        let g = got.clone();
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.accept_upgrade()?;
            loop {
                let Some(frame) = conn.read_frame()? else {
                    return Ok(()); // no Close: the counts tell
                };
                match frame.opcode {
                    opcode::BINARY if frame.payload.len() == 64 * 1024 => {
                        g.update(|(messages, _)| *messages += 1);
                        if echo {
                            conn.send_frame(opcode::BINARY, true, &frame.payload)?;
                        }
                    }
                    opcode::CLOSE => {
                        g.update(|(_, closes)| *closes += 1);
                        conn.send_close(1000, "")?;
                        return conn.finish();
                    }
                    other => panic!("opcode {other}"),
                }
            }
        });
        let thread = patient();
        let options = net
            .options()
            .close_timeout(DEADLINE)
            .send_limit(EACH * 80 * 1024);
        let clients: Vec<_> = (0..4)
            .map(|_| Recorded::new(thread.event_loop(), options.clone()))
            .collect();
        for client in &clients {
            client.client.open(&server.url()).unwrap();
            client.wait_open();
        }
        let message = vec![0x5a; 64 * 1024];
        for client in &clients {
            for _ in 0..EACH {
                client.client.send_binary(&message).unwrap();
            }
        }
        // Half by their own close, half by the loop's stop.
        clients[0].client.close(1000, "").unwrap();
        clients[1].client.close(1000, "").unwrap();
        thread.stop();
        let report = thread.join().unwrap();
        assert!(report.is_clean(), "echo {echo}: {report}");
        for client in &clients {
            assert!(client.only_close().clean);
        }
        got.read(|got| assert_eq!(*got, (4 * EACH, 4), "echo {echo}"));
    }
}

/// The peer answers our Close and then keeps its side open for longer than it may: the close
/// handshake is done, and the time-out for the answer has nothing to say any more.
fn answered(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.read_close()?;
        conn.send_close(1000, "")?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let options = net.options().close_timeout(Duration::from_secs(2));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.close(1000, "").unwrap();
    let event = client.only_close();
    assert!(event.clean && event.error.is_none(), "{event:?}");
    server.release();
}

/// The peer closes and reads nothing any more, with messages of ours in the queue: they are lost, and
/// the end is not called clean.
fn written(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.read_request_head()?;
        // In one piece, so that the Close is there before anything can stall.
        let mut bytes = conn.upgrade_response(&[]).into_bytes();
        bytes.extend(encode_frame(opcode::CLOSE, true, b"\x03\xe8enough"));
        conn.send(&bytes)?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .socket(SocketOptions::new().send_buffer(64 * 1024))
        .write_timeout(Some(Duration::from_millis(100)));
    let client = Recorded::new(thread.event_loop(), options);
    client
        .client
        .on_open(|ws, _| ws.send_binary(&vec![0; 15 << 20]).unwrap());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert_eq!((event.code, event.reason.as_str()), (1000, "enough"));
    assert!(!event.clean && event.error.is_some(), "{event:?}");
    assert!(event.lost > 0, "{event:?}");
    server.release();
}

/// The answer to the peer's Close goes out although the user sends nothing more.
fn reply(transport: Transport) {
    let net = Net::new(transport);
    let answered = Latch::new(1);
    let a = answered.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        conn.send_close(4010, "")?;
        assert_eq!(conn.read_close()?.close_code(), Some(4010));
        a.count_down();
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    answered.expect("the answer");
    assert!(client.only_close().clean);
}

/// What breaks the protocol is answered with its code on the wire.
fn failures(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let masked = [0x81, 0x81, 1, 2, 3, 4, b'x' ^ 1];
    let cases: [(&str, u16, Vec<u8>); 8] = [
        ("masked frame", 1002, masked.to_vec()),
        ("reserved bit", 1002, vec![0xc1, 0x00]),
        ("reserved opcode", 1002, vec![0x83, 0x00]),
        (
            "long Ping",
            1002,
            [vec![0x89, 126, 0, 126], vec![0; 126]].concat(),
        ),
        ("orphan continuation", 1002, vec![0x80, 0x00]),
        ("bad UTF-8", 1007, vec![0x81, 0x02, 0xc3, 0x28]),
        ("bad close code", 1002, vec![0x88, 0x02, 0x03, 0xed]),
        // huge_length_header: 2^62 bytes are announced, and none is allocated.
        ("too big", 1009, vec![0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (what, code, bytes) in cases {
        let codes = Monitor::new(Vec::new());
        let got = codes.clone();
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.accept_upgrade()?;
            conn.send(&bytes)?;
            conn.send_frame(opcode::TEXT, true, b"must not be delivered")?;
            let close = conn.read_close()?;
            got.update(|got| got.push(close.close_code()));
            conn.finish()
        });
        let client = Recorded::new(thread.event_loop(), net.options());
        client.client.open(&server.url()).unwrap();
        let event = client.only_close();
        assert!(!event.clean && event.code == 1006, "{what}: {event:?}");
        let broken =
            matches!(event.error, Some(ConnectionError::Protocol(e)) if e.close_code() == code);
        assert!(broken, "{what}: {event:?}");
        assert!(client.seen.read(|seen| seen.messages.is_empty()), "{what}");
        assert!(
            codes.wait(DEADLINE, |got| *got == [Some(code)]),
            "{what}: {:?}",
            codes.read(Clone::clone)
        );
    }
}

fn sends_after(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.close(1000, "").unwrap();
    client.only_close();
    assert_eq!(client.client.send_text("late"), Err(SendError::NotOpen));
    assert_eq!(client.client.buffered_amount(), 0);
    assert_eq!(server.stop().messages, 0);
}

/// What is sent before the upgrade is done is refused, and no byte of it gets into the handshake.
fn sends_before(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        conn.wait_for_release();
        conn.send(upgrade_response(&head, &[]).as_bytes())?;
        let first = conn.read_frame()?.expect("a frame");
        assert_eq!(
            (first.opcode, &first.payload[..]),
            (opcode::TEXT, &b"now"[..])
        );
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    let refused = || {
        assert_eq!(client.client.send_text("early"), Err(SendError::NotOpen));
        assert_eq!(client.client.ping(b"early"), Err(SendError::NotOpen.into()));
    };
    refused();
    assert_eq!(client.client.buffered_amount(), 0);
    client.client.open(&server.url()).unwrap();
    refused();
    server.wait_accepted(1);
    refused();
    client.client.on_open(|ws, _| ws.send_text("now").unwrap());
    server.release();
    assert!(client.only_close().clean);
}

/// The first error ends the reading for good: a peer that goes on sending keeps no loop busy, and
/// there is one close.
fn reads_after(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        // A reserved opcode, and then on and on, past the Close it gets for it.
        let mut batch = encode_frame(0x3, true, b"");
        (0..500).for_each(|_| batch.extend(encode_frame(opcode::TEXT, true, b"more")));
        while conn.send(&batch).is_ok() {}
        Ok(())
    });
    let thread = patient();
    let options = net.options().close_timeout(Duration::from_millis(200));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(
        matches!(event.error, Some(ConnectionError::Protocol(_))),
        "{event:?}"
    );
    server.wait_finished(1);
    settle(thread.event_loop());
    let metrics = thread.event_loop().metrics();
    assert_eq!((metrics.connections, metrics.timers), (0, 0));
    client.only_close();
    assert!(client.seen.read(|seen| seen.messages.is_empty()));
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// What stands behind a close() in the same batch is not delivered.
fn in_onmessage(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        let mut batch = Vec::new();
        for _ in 0..100 {
            batch.extend(encode_frame(opcode::TEXT, true, b"x"));
        }
        conn.send(&batch)?;
        conn.read_close()?;
        conn.send_close(1000, "")?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    let seen = client.seen.clone();
    client.client.on_message(move |ws, _| {
        seen.update(|seen| seen.messages.push(Vec::new()));
        ws.close(1000, "").unwrap();
        assert_eq!(ws.send_text("late"), Err(SendError::NotOpen));
    });
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
    assert_eq!(client.seen.read(|seen| seen.messages.len()), 1);
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

/// The peer sends on and on while we close: it still reads all that we sent, and no reset.
fn no_reset(transport: Transport) {
    let net = Net::new(transport);
    let result = Monitor::new(None);
    let r = result.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        conn.send_frame(opcode::BINARY, true, &vec![1; 300_000])?;
        let mut texts = 0;
        loop {
            match conn.read_frame() {
                Ok(Some(frame)) if frame.opcode == opcode::TEXT => texts += 1,
                Ok(Some(frame)) if frame.opcode == opcode::CLOSE => {
                    conn.send_frame(opcode::BINARY, true, &vec![2; 100_000])?;
                    conn.send_close(1000, "")?;
                    let end = conn.finish();
                    r.update(|r| *r = Some((texts, end.is_ok())));
                    return Ok(());
                }
                other => {
                    r.update(|r| *r = Some((texts, false)));
                    panic!("{other:?}");
                }
            }
        }
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.on_open(|ws, _| {
        for _ in 0..50 {
            ws.send_text(&"y".repeat(1000)).unwrap();
        }
        ws.close(1000, "").unwrap();
    });
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
    assert!(
        result.wait(DEADLINE, |r| *r == Some((50, true))),
        "{:?}",
        result.read(|r| *r)
    );
}

/// A peer that vanishes without a Close is 1006, whatever TLS said.
fn abrupt(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    for orderly in [true, false] {
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.accept_upgrade()?;
            conn.send_frame(opcode::TEXT, true, b"last words")?;
            if orderly {
                conn.shutdown_write()?;
            } else {
                conn.reset()?;
            }
            Ok(())
        });
        let client = Recorded::new(
            thread.event_loop(),
            net.options().close_timeout(Duration::from_secs(1)),
        );
        client.client.open(&server.url()).unwrap();
        let event = client.only_close();
        assert!(
            !event.clean && event.code == 1006 && event.error.is_some(),
            "{event:?}"
        );
        assert_eq!(event.initiator, Initiator::Remote, "{event:?}");
    }
}

/// At once and without a Close, wherever the client is; and no attempt follows.
fn at_once(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let options = || {
        let options = net.options().close_timeout(10 * DEADLINE);
        options.reconnect(ReconnectPolicy::new())
    };
    for close_first in [false, true] {
        let said = Monitor::new((Vec::new(), false));
        let s = said.clone();
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.accept_upgrade()?;
            while let Ok(Some(frame)) = conn.read_frame() {
                s.update(|(opcodes, _)| opcodes.push(frame.opcode)); // no Close is answered
            }
            s.update(|(_, ended)| *ended = true);
            Ok(())
        });
        let client = Recorded::new(thread.event_loop(), options());
        client.client.open(&server.url()).unwrap();
        client.wait_open();
        let mut expected = Vec::new();
        if close_first {
            client.client.close(1000, "").unwrap();
            assert!(said.wait(DEADLINE, |(opcodes, _)| !opcodes.is_empty()));
            expected.push(opcode::CLOSE);
        }
        client.client.close_now();
        let event = client.only_close();
        assert!(!event.clean && event.code == 1006, "{event:?}");
        assert!(event.was_open && event.error.is_none(), "{event:?}");
        assert_eq!(
            (event.initiator, event.reconnect_in),
            (Initiator::Local, None)
        );
        assert!(said.wait(DEADLINE, |(_, ended)| *ended));
        assert_eq!(said.read(|(opcodes, _)| opcodes.clone()), expected);
    }
    // While it connects, or waits to connect again; and where there is nothing to close.
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.wait_for_release(); // and answers nothing
        Ok(())
    });
    let client = Recorded::new(thread.event_loop(), options());
    client.client.close_now();
    client.client.open(&server.url()).unwrap();
    server.wait_accepted(1);
    client.client.close_now();
    let event = client.only_close();
    assert!(
        event.initiator == Initiator::Local && !event.was_open,
        "{event:?}"
    );
    assert_eq!(event.reconnect_in, None);
    server.release();
    let nobody = server.url();
    drop(server);
    let client = Recorded::new(thread.event_loop(), options());
    client.client.open(&nobody).unwrap();
    assert!(client.only_close().reconnect_in.is_some());
    client.client.close_now();
    let is_closed = || client.client.state() == ClientState::Closed;
    settle(thread.event_loop());
    assert!(is_closed());
    client.only_close();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// Longer than a control frame may be: that is no want of room.
fn long_ping(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let long = Err(PingError::TooLong { size: 126 });
    assert_eq!(client.client.ping(&[7; 126]), long);
    assert_eq!(client.client.ping(&[7; 125]), Ok(()));
    client.client.send(Message::Text("still open")).unwrap();
    client.wait("the echo", |seen| !seen.messages.is_empty());
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
}
