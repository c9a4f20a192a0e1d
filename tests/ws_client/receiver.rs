//! Events for code that blocks.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Transport};
use crate::over_both;
use hvloop::{ClientEvent, ReconnectPolicy, WebSocketClient};
use hvloop_test_support::{DEADLINE, Event, Mode, Monitor, ScriptServer, encode_frame, opcode};
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::Duration;

over_both! {
    /// Open, messages of both kinds, Close, and then nothing more can come.
    receiver_in_order => in_order;
    /// A consumer that is slow costs the capacity and no more; nothing is lost.
    receiver_slow_consumer_is_bounded => slow;
    /// A stop while it is full ends, with the Close as the last event.
    receiver_full_at_stop => full_at_stop;
    /// Several threads take from the same events.
    receiver_on_several_threads => several;
    /// Dropped while it is full: the connection goes on, and closes cleanly.
    receiver_dropped_while_full => dropped;
    /// Sessions that follow each other come in order, also when it is full all the time.
    receiver_over_reconnects => reconnects;
}

fn in_order(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = WebSocketClient::with_options(thread.event_loop(), net.options());
    let events = client.receiver(10);
    assert!(matches!(events.try_recv(), Err(TryRecvError::Empty)));
    let early = events.recv_timeout(Duration::from_millis(1));
    assert!(matches!(early, Err(RecvTimeoutError::Timeout)));
    client.open(&server.url()).unwrap();
    let ClientEvent::Open(open) = events.recv().unwrap() else {
        panic!("no Open");
    };
    assert_eq!((open.response.status, open.attempt), (101, 1));
    client.send_text("hello").unwrap();
    client.send_binary(&[1, 2, 3]).unwrap();
    let text = events.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(text, ClientEvent::Text(text) if text == "hello"));
    let binary = events.recv().unwrap();
    assert!(matches!(binary, ClientEvent::Binary(data) if data == [1, 2, 3]));
    client.close(1000, "").unwrap();
    let rest: Vec<_> = events.iter().collect();
    let [ClientEvent::Close(close)] = &rest[..] else {
        panic!("{rest:?}");
    };
    assert!(close.clean);
    assert!(events.recv().is_err());
    assert!(matches!(events.try_recv(), Err(TryRecvError::Disconnected)));
    let over = events.recv_timeout(DEADLINE);
    assert!(matches!(over, Err(RecvTimeoutError::Disconnected)));
}

/// A server that sends so many messages of that size, each with its number, then Close.
fn sending(net: &Net, count: u32, size: usize) -> ScriptServer {
    ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        for first in (0..count).step_by(16) {
            let mut wire = Vec::new();
            for n in first..count.min(first + 16) {
                let message = [&n.to_be_bytes()[..], &vec![n as u8; size]].concat();
                wire.extend(encode_frame(opcode::BINARY, true, &message));
            }
            if conn.send(&wire).is_err() {
                return Ok(()); // this side was not to the end
            }
        }
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    })
}

fn number(event: &ClientEvent) -> u32 {
    let ClientEvent::Binary(data) = event else {
        panic!("{event:?}");
    };
    u32::from_be_bytes(data[..4].try_into().unwrap())
}

fn slow(transport: Transport) {
    const COUNT: u32 = 2_000;
    const CAPACITY: usize = 8;
    let net = Net::new(transport);
    let server = sending(&net, COUNT, 10_000);
    let thread = patient();
    let client = WebSocketClient::with_options(thread.event_loop(), net.options());
    let events = client.receiver(CAPACITY);
    client.open(&server.url()).unwrap();
    assert!(matches!(
        events.recv_timeout(DEADLINE).unwrap(),
        ClientEvent::Open(_)
    ));
    for expected in 0..COUNT {
        if expected % 100 == 0 {
            // As slow as it gets: the loop has all the time to do too much.
            for _ in 0..3 {
                settle(thread.event_loop());
            }
            assert!(events.len() <= CAPACITY, "{}", events.len());
        }
        let event = events.recv_timeout(DEADLINE).unwrap();
        assert!(events.len() <= CAPACITY, "{}", events.len());
        assert_eq!(number(&event), expected);
    }
    let last: Vec<_> = events.iter().collect();
    assert!(
        matches!(&last[..], [ClientEvent::Close(event)] if event.clean),
        "{last:?}"
    );
}

fn full_at_stop(transport: Transport) {
    let net = Net::new(transport);
    let server = sending(&net, 100_000, 1_000);
    let thread = patient();
    let client = WebSocketClient::with_options(
        thread.event_loop(),
        net.options().close_timeout(Duration::from_millis(100)),
    );
    let events = client.receiver(4);
    client.open(&server.url()).unwrap();
    assert!(hvloop_test_support::wait_for(DEADLINE.as_secs(), || events
        .len()
        == 4));
    thread.stop();
    thread.join().unwrap();
    let all: Vec<_> = events.iter().collect();
    assert!(matches!(all[0], ClientEvent::Open(_)));
    let (last, messages) = all[1..].split_last().unwrap();
    assert!(matches!(last, ClientEvent::Close(_)));
    let numbers: Vec<_> = messages.iter().map(number).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

fn several(transport: Transport) {
    const COUNT: u32 = 5_000;
    let net = Net::new(transport);
    let server = sending(&net, COUNT, 100);
    let thread = patient();
    let client = WebSocketClient::with_options(thread.event_loop(), net.options());
    let events = client.receiver(3);
    client.open(&server.url()).unwrap();
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let events = events.clone();
            std::thread::spawn(move || {
                let mut got = Vec::new();
                let mut ends = 0;
                for event in &events {
                    match event {
                        ClientEvent::Binary(_) => got.push(number(&event)),
                        _ => ends += 1,
                    }
                }
                assert!(got.is_sorted(), "each thread sees them in order");
                (got, ends)
            })
        })
        .collect();
    let (mut all, mut ends) = (Vec::new(), 0);
    for taker in takers {
        let (got, other) = taker.join().unwrap();
        all.extend(got);
        ends += other;
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..COUNT));
    assert_eq!(ends, 2, "Open and Close");
}

fn dropped(transport: Transport) {
    let net = Net::new(transport);
    let sent = Event::new();
    let s = sent.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        // Far more than the buffers of both systems: it is over only if somebody reads.
        for _ in 0..1_000 {
            conn.send_frame(opcode::BINARY, true, &[0; 50_000])?;
        }
        s.set();
        conn.read_close()?;
        conn.send_close(1000, "")?;
        conn.finish()
    });
    let thread = patient();
    let client = WebSocketClient::with_options(thread.event_loop(), net.options());
    let events = client.receiver(4);
    client.open(&server.url()).unwrap();
    assert!(hvloop_test_support::wait_for(DEADLINE.as_secs(), || events
        .len()
        == 4));
    let other = events.clone();
    drop(events);
    assert_eq!(other.len(), 4, "a clone keeps it");
    drop(other);
    sent.expect("all of it read");
    assert!(client.is_connected());
    let closed = Monitor::new(None);
    let c = closed.clone();
    client.on_close(move |_, event| c.update(|closed| *closed = Some(event.clean)));
    client.close(1000, "").unwrap();
    assert!(closed.wait(DEADLINE, |closed| *closed == Some(true)));
}

fn reconnects(transport: Transport) {
    let net = Net::new(transport);
    let server = sending(&net, 20, 100);
    let thread = patient();
    let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
    let client =
        WebSocketClient::with_options(thread.event_loop(), net.options().reconnect(Some(policy)));
    let events = client.receiver(1);
    client.open(&server.url()).unwrap();
    for session in 1..=3 {
        let open = events.recv_timeout(DEADLINE).unwrap();
        assert!(
            matches!(&open, ClientEvent::Open(open) if open.attempt == session),
            "{open:?}"
        );
        for n in 0..20 {
            assert_eq!(number(&events.recv_timeout(DEADLINE).unwrap()), n);
        }
        let close = events.recv_timeout(DEADLINE).unwrap();
        assert!(
            matches!(&close, ClientEvent::Close(close) if close.clean),
            "{close:?}"
        );
    }
    client.close(1000, "").unwrap();
    let last = events.iter().last();
    assert!(last.is_none_or(|event| matches!(event, ClientEvent::Close(_))));
}
