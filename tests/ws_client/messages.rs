//! Messages in and out.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::Turn;
use hvloop::ws::ConnectionError;
use hvloop::ws::protocol::Limits;
use hvloop::{EventLoop, Message, WebSocketClient};
use hvloop_test_support::{DEADLINE, Event, Mode, Monitor, ScriptServer, encode_frame, opcode};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

over_both! {
    ping_between_fragments => fragments_with_pings;
    pong_echo => pongs;
    fragment_bomb => bomb;
    limit_error_text => limits;
    one_byte_delivery => byte_by_byte;
    large_message_single_frame => one_frame;
    pieces_of_long_messages_keep_their_order => pieces;
    nonce_fresh => masks;
    liveness_counts_data => liveness;
    pong_under_blocked_socket => blocked_pong;
    echo_flood_no_self_block => echo_flood;
    cross_thread_send => cross_thread;
}

fn fragments_with_pings(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.send_frame(opcode::TEXT, false, b"Hel")?;
        conn.send_frame(opcode::PING, true, b"PP")?;
        conn.send_frame(opcode::CONTINUATION, false, b"lo ")?;
        conn.send_frame(opcode::PONG, true, b"")?;
        conn.send_frame(opcode::CONTINUATION, true, b"world")?;
        let pong = conn.read_frame()?.expect("a Pong");
        assert_eq!(
            (pong.opcode, pong.payload.as_slice()),
            (opcode::PONG, &b"PP"[..])
        );
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
    client
        .seen
        .read(|seen| assert_eq!(seen.messages, [b"Hello world"]));
}

fn pongs(transport: Transport) {
    let net = Net::new(transport);
    let asked = Event::new();
    let a = asked.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        for payload in [&b""[..], b"x", &[7; 125]] {
            conn.send_frame(opcode::PING, true, payload)?;
            let pong = conn.read_frame()?.expect("a Pong");
            assert_eq!(
                (pong.opcode, pong.payload.as_slice()),
                (opcode::PONG, payload)
            );
            assert!(pong.mask.is_some());
        }
        a.set();
        let ping = conn.read_frame()?.expect("a Ping");
        assert_eq!(
            (ping.opcode, ping.payload.as_slice()),
            (opcode::PING, &b"ours"[..])
        );
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    assert!(client.client.ping(&[0; 126]).is_err());
    // Behind the Pongs: the server tells when it has read them.
    asked.expect("three Pongs");
    client.client.ping(b"ours").unwrap();
    client.only_close();
}

/// A message of many small fragments is held to the message's limit.
fn bomb(transport: Transport) {
    let net = Net::new(transport);
    let code = Monitor::new(None);
    let c = code.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        conn.send_frame(opcode::BINARY, false, &[0; 1000])?;
        for _ in 0..200 {
            if conn
                .send_frame(opcode::CONTINUATION, false, &[0; 1000])
                .is_err()
            {
                break; // closed already
            }
        }
        let close = conn.read_close()?;
        c.update(|c| *c = close.close_code());
        conn.finish()
    });
    let limits = Limits::new().max_frame(10_000).max_message(50_000);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().limits(limits));
    client.client.open(&server.url()).unwrap();
    client.only_close();
    assert!(code.wait(DEADLINE, |c| *c == Some(1009)));
}

fn limits(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.send_frame(opcode::BINARY, true, &[0; 1001])?;
        conn.read_close()?;
        conn.finish()
    });
    let limits = Limits::new().max_frame(1000).max_message(1000);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().limits(limits));
    client.client.open(&server.url()).unwrap();
    let text = client.only_close().error.unwrap().to_string();
    assert!(text.contains("1000") && text.contains("1001"), "{text}");
}

fn byte_by_byte(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        // The whole session, frames and Close behind the 101, a byte at a time.
        let mut bytes = hvloop_test_support::upgrade_response(&head, &[]).into_bytes();
        bytes.extend(encode_frame(opcode::TEXT, true, "héllo".as_bytes()));
        bytes.extend(encode_frame(opcode::BINARY, false, &[1; 200]));
        bytes.extend(encode_frame(opcode::PING, true, b"p"));
        bytes.extend(encode_frame(opcode::CONTINUATION, true, &[2; 200]));
        bytes.extend(encode_frame(opcode::CLOSE, true, &[0x03, 0xe8, b'o', b'k']));
        conn.send_byte_by_byte(&bytes)?;
        assert_eq!(conn.read_frame()?.expect("a Pong").opcode, opcode::PONG);
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(event.clean && event.reason == "ok", "{event:?}");
    client.seen.read(|seen| {
        let binary = [[1; 200], [2; 200]].concat();
        assert_eq!(seen.messages, ["héllo".as_bytes().to_vec(), binary]);
    });
}

fn one_frame(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        let frame = conn.read_frame()?.expect("the message");
        assert!(frame.fin && frame.opcode == opcode::BINARY);
        assert_eq!(frame.payload.len(), 1024 * 1024);
        conn.send_frame(opcode::BINARY, true, &frame.payload)?;
        conn.read_close()?;
        conn.send_close(1000, "")?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.on_message(|ws, message| {
        let Message::Binary(bytes) = message else {
            panic!("not binary")
        };
        assert!(bytes.iter().enumerate().all(|(n, b)| *b == (n % 251) as u8));
        ws.close(1000, "").unwrap();
    });
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let bytes: Vec<u8> = (0..1024 * 1024).map(|n| (n % 251) as u8).collect();
    client.client.send_binary(&bytes).unwrap();
    assert!(client.only_close().clean);
}

/// Long messages go out in pieces of 128 KiB while the socket takes all of them: with short ones before and
/// behind them, more than the socket takes, from the loop's thread and from another one.
fn pieces(transport: Transport) {
    const PIECE: usize = 128 * 1024;
    const SIZES: [usize; 10] = [
        5,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        70_000,
        2 * PIECE + 3,
        125,
        3 * 1024 * 1024 + 2,
        PIECE + 2,
        0,
    ];
    let payload = |size: usize| -> Vec<u8> { (0..size).map(|n| (n % 251) as u8).collect() };
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        for round in 0..2 {
            for size in SIZES {
                let frame = conn.read_frame()?.expect("a message");
                assert!(frame.fin && frame.opcode == opcode::BINARY);
                assert!(
                    frame.payload == payload(size),
                    "round {round}, {size} bytes"
                );
            }
        }
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    let sent = Event::new();
    let s = sent.clone();
    client.client.on_open(move |ws, _| {
        for size in SIZES {
            ws.send_binary(&payload(size)).unwrap();
        }
        s.set();
    });
    client.client.open(&server.url()).unwrap();
    sent.expect("the messages of on_open");
    for size in SIZES {
        client.client.send_binary(&payload(size)).unwrap();
    }
    assert!(client.only_close().clean);
    assert_eq!(client.client.buffered_amount(), 0);
}

/// Keys and masks are never used twice, over frames and over sessions.
fn masks(transport: Transport) {
    const SESSIONS: usize = 10;
    const FRAMES: usize = 50;
    let net = Net::new(transport);
    let seen = Monitor::new((HashSet::new(), HashSet::new()));
    let s = seen.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        let head = conn.read_request_head()?;
        let key = head.header("Sec-WebSocket-Key").unwrap().to_owned();
        s.update(|(keys, _)| assert!(keys.insert(key), "a key twice"));
        let answer = hvloop_test_support::upgrade_response(&head, &[]);
        conn.send(answer.as_bytes())?;
        while let Some(frame) = conn.read_frame()? {
            let mask = frame.mask.expect("masked");
            s.update(|(_, masks)| assert!(masks.insert(mask), "a mask twice"));
            if frame.opcode == opcode::CLOSE {
                conn.send_close(1000, "")?;
                return conn.finish();
            }
        }
        Ok(())
    });
    let thread = patient();
    for _ in 0..SESSIONS {
        let client = Recorded::new(thread.event_loop(), net.options());
        client.client.on_open(|ws, _| {
            for _ in 0..FRAMES {
                ws.send_text("").unwrap();
            }
            ws.close(1000, "").unwrap();
        });
        client.client.open(&server.url()).unwrap();
        assert!(client.only_close().clean);
    }
    let counts = seen.read(|(keys, masks)| (keys.len(), masks.len()));
    assert_eq!(counts, (SESSIONS, SESSIONS * (FRAMES + 1)));
}

/// A peer that sends data but never a Pong is alive; one that sends nothing is not.
fn liveness(transport: Transport) {
    let net = Net::new(transport);
    let pinged = Event::new();
    let p = pinged.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        // Data for longer than an interval and the deadline together, no Pong.
        for _ in 0..50 {
            conn.send_frame(opcode::TEXT, true, b"tick")?;
            if conn.released_within(Duration::from_millis(60)) {
                break;
            }
        }
        // Then silence: a Ping comes, and the end.
        while let Some(frame) = conn.read_frame()? {
            if frame.opcode == opcode::PING {
                p.set();
            }
        }
        Ok(())
    });
    let options = net
        .options()
        .ping_interval(Some(Duration::from_millis(100)))
        .pong_timeout(Duration::from_secs(2));
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert_eq!(client.seen.read(|seen| seen.messages.len()), 50);
    let silent = matches!(event.error, Some(ConnectionError::PongTimedOut(_)));
    assert!(silent && !event.clean, "{event:?}");
    pinged.expect("a Ping before the end");
}

/// The answer to a Ping waits behind a full socket and is not lost.
fn blocked_pong(transport: Transport) {
    const MIB: usize = 1024 * 1024;
    let net = Net::new(transport);
    let full = Event::new();
    let f = full.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        f.expect("the client to fill the socket");
        conn.send_frame(opcode::PING, true, b"here?")?;
        let mut bytes = 0;
        loop {
            let frame = conn.read_frame()?.expect("more");
            match frame.opcode {
                opcode::BINARY => bytes += frame.payload.len(),
                opcode::PONG => break assert_eq!(frame.payload, b"here?"),
                other => panic!("opcode {other}"),
            }
        }
        assert_eq!(bytes, 12 * MIB);
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    for _ in 0..12 {
        client.client.send_binary(&vec![3; MIB]).unwrap();
    }
    full.set();
    assert!(client.only_close().clean);
}

/// A handler that sends ten for each that comes does not block its own loop.
fn echo_flood(transport: Transport) {
    const ROUNDS: usize = 3_000;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let event_loop = EventLoop::new().unwrap();
    let client = WebSocketClient::with_options(&event_loop, net.options());
    let got = Arc::new(AtomicUsize::new(0));
    client.on_open(|ws, _| (0..100).for_each(|_| ws.send_text("seed").unwrap()));
    let g = got.clone();
    client.on_message(move |ws, _| {
        if g.fetch_add(1, Ordering::Relaxed) < ROUNDS {
            (0..3).for_each(|_| ws.send_text("more").unwrap());
        }
    });
    client.open(&server.url()).unwrap();
    // On this thread, turn by turn.
    let over = Instant::now() + 4 * DEADLINE;
    while got.load(Ordering::Relaxed) < 100 + 3 * ROUNDS {
        assert!(Instant::now() < over, "it has come to rest");
        assert_eq!(event_loop.run_once(Some(DEADLINE)).unwrap(), Turn::Continue);
    }
    event_loop.stop();
    assert!(event_loop.run().unwrap().is_clean());
    assert_eq!(got.load(Ordering::Relaxed), 100 + 3 * ROUNDS);
}

/// Eight threads on one connection: each one's messages arrive, whole and in its order.
fn cross_thread(transport: Transport) {
    const EACH: usize = 500;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let ws = client.client.clone();
            std::thread::spawn(move || {
                for n in 0..EACH {
                    ws.send_text(&format!("{sender} {n}")).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    client.wait("all echoes", |seen| seen.messages.len() == 8 * EACH);
    client.seen.read(|seen| {
        for sender in 0..8 {
            let own = format!("{sender} ");
            let of_it = seen
                .messages
                .iter()
                .filter(|m| m.starts_with(own.as_bytes()));
            let order: Vec<String> = of_it.map(|m| String::from_utf8_lossy(m).into()).collect();
            let expected: Vec<String> = (0..EACH).map(|n| format!("{sender} {n}")).collect();
            assert_eq!(order, expected);
        }
    });
    client.threads.assert_one_thread();
}

/// Many threads send, pings among it, while TLS writes and reads: one thread touches the session,
/// so that no record is torn. The peer's flood keeps it reading all the while.
#[test]
fn cross_thread_send_tls() {
    const EACH: usize = 200;
    let net = Net::new(Transport::Wss);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        let mut next = [0; 8];
        while next != [EACH; 8] {
            // As much as it takes, so that both directions are busy.
            conn.send_frame(opcode::BINARY, true, &[7; 20_000])?;
            let frame = conn.read_frame()?.expect("a message");
            if frame.opcode == opcode::BINARY {
                let sender = usize::from(frame.payload[0]);
                assert_eq!(frame.payload, vec![sender as u8; 1 + 97 * next[sender]]);
                next[sender] += 1;
            }
        }
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().send_limit(64 << 20));
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let senders: Vec<_> = (0..8u8)
        .map(|sender| {
            let ws = client.client.clone();
            std::thread::spawn(move || {
                for n in 0..EACH {
                    ws.send_binary(&vec![sender; 1 + 97 * n]).unwrap();
                    if n % 50 == 0 {
                        ws.ping(b"").unwrap();
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    let event = client.only_close();
    assert!(event.clean, "{event:?}");
    client.threads.assert_one_thread();
}
