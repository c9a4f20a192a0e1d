//! What is sent faster than it is read: limits, refusals, the drain callback.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::{SendError, SocketOptions};
use hvloop_test_support::{DEADLINE, Event, Latch, ScriptServer, opcode};
use std::cell::Cell;
use std::time::Duration;

over_both! {
    send_queue_api => queue;
    write_stall_timeout => stall;
    slow_peer_bounded_memory => stall_is_bounded;
    send_in_drain_1e6 => sends_in_drain;
}

fn queue(transport: Transport) {
    const LIMIT: usize = 4 * 1024 * 1024;
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        while let Some(frame) = conn.read_frame()? {
            if frame.opcode == opcode::CLOSE {
                conn.send_close(1000, "")?;
                return conn.finish();
            }
        }
        Ok(())
    });
    let thread = patient();
    // The system takes little, so that what is full stays so.
    let options = net
        .options()
        .send_limit(LIMIT)
        .socket(SocketOptions::new().send_buffer(64 * 1024));
    let client = Recorded::new(thread.event_loop(), options);
    let drained = Event::new();
    let d = drained.clone();
    client.client.on_drain(move |ws| {
        assert!(ws.buffered_amount() <= LIMIT / 4);
        d.set();
    });
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let message = vec![0; 256 * 1024];
    let full = loop {
        match client.client.send_binary(&message) {
            Ok(()) => assert!(client.client.buffered_amount() <= LIMIT),
            Err(e) => break e,
        }
    };
    let SendError::QueueFull {
        limit,
        queued,
        size,
    } = full
    else {
        panic!("{full}");
    };
    assert_eq!((limit, size), (LIMIT, message.len() + 14));
    assert!(queued <= LIMIT && queued + size > LIMIT);
    assert!(!drained.is_set());
    server.release();
    drained.expect("on_drain");
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
    assert_eq!(client.client.buffered_amount(), 0);
}

/// A peer that reads nothing is given up in the end; what was queued is off the account.
fn stall(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .write_timeout(Some(Duration::from_millis(100)));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client
        .client
        .send_binary(&vec![0; 15 * 1024 * 1024])
        .unwrap();
    let event = client.only_close();
    let text = event.error.unwrap().to_string();
    assert!(text.contains("read nothing"), "{text}");
    assert_eq!(client.client.buffered_amount(), 0);
    server.release();
}

/// A peer that reads nothing costs its queue's limit and no more.
fn stall_is_bounded(transport: Transport) {
    const LIMIT: usize = 1024 * 1024;
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .send_limit(LIMIT)
        .write_timeout(Some(Duration::from_secs(1)));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let mut refused = 0;
    for _ in 0..5_000 {
        refused += usize::from(client.client.send_binary(&[0; 10_000]).is_err());
        assert!(client.client.buffered_amount() <= LIMIT);
    }
    assert!(refused > 0, "50 MB went somewhere");
    client.client.close(1000, "").unwrap();
    assert!(!client.only_close().clean);
    assert_eq!(client.client.buffered_amount(), 0);
    server.release();
}

thread_local! {
    /// How deep this thread is in on_drain.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A million messages, each sent in on_drain (a fifth of that over TLS): it comes from a turn of its
/// own, never from within a send, so that the stack does not grow.
fn sends_in_drain(transport: Transport) {
    let total: usize = match transport {
        Transport::Ws => 1_000_000,
        Transport::Wss => 200_000,
    };
    let net = Net::new(transport);
    let arrived = Latch::new(1);
    let a = arrived.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        let mut messages = 0;
        while let Some(frame) = conn.read_frame()? {
            match frame.opcode {
                opcode::BINARY => messages += usize::from(!frame.payload.is_empty()),
                _ => break,
            }
        }
        assert_eq!(messages, total);
        a.count_down();
        conn.send_close(1000, "")?;
        conn.finish()
    });
    let thread = patient();
    // Small, so that it is full and drained often.
    let client = Recorded::new(thread.event_loop(), net.options().send_limit(16 * 1024));
    let sent = Cell::new(0);
    let fill = move |ws: &hvloop::WebSocketClient| {
        DEPTH.set(DEPTH.get() + 1);
        assert_eq!(DEPTH.get(), 1, "on_drain inside on_drain");
        while sent.get() < total && ws.send_binary(b"0123456789").is_ok() {
            sent.set(sent.get() + 1);
        }
        if sent.get() == total {
            ws.close(1000, "").unwrap();
        }
        DEPTH.set(DEPTH.get() - 1);
    };
    client.client.on_drain(fill);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    // The first filling; the rest is the callback's.
    while client.client.send_binary(b"").is_ok() {}
    assert!(arrived.wait(10 * DEADLINE), "all of them");
    assert!(client.only_close().clean);
}
