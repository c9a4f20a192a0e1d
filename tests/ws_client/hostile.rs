//! Servers that want to cost memory or time: what they can make a client do has an end.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::ConnectionError;
use hvloop::{EventLoop, EventLoopThread, LoopOptions, SocketOptions};
use hvloop_test_support::{DEADLINE, Event, Monitor, ScriptServer, encode_frame, opcode};
use socket2::SockRef;
use std::io;

over_both! {
    /// A server that sends Pings and reads nothing is owed one Pong, the latest.
    server_pings_without_reading => pings;
    /// A bounded number of bytes is read of what comes behind a failure.
    server_floods_after_a_failure => flood;
    /// A message within its own limit, over that of the loop's memory.
    long_message_over_the_loops_limit => long_message;
}

/// Which Ping a Pong answers.
fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

fn pings(transport: Transport) {
    const PINGS: u32 = 100_000;
    let net = Net::new(transport);
    let answered = Event::new();
    let a = answered.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        // Not the Pongs of all of them.
        SockRef::from(conn.tcp()).set_recv_buffer_size(64 * 1024)?;
        conn.accept_upgrade()?;
        let mut bytes = Vec::new();
        for n in 0..PINGS {
            let mut payload = [b'.'; 125];
            payload[..4].copy_from_slice(&n.to_be_bytes());
            bytes.extend(encode_frame(opcode::PING, true, &payload));
        }
        bytes.extend(encode_frame(opcode::TEXT, true, b"done"));
        conn.send(&bytes)?;
        conn.wait_for_release();
        let mut got = 0;
        loop {
            let frame = conn.read_frame()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            assert_eq!(frame.opcode, opcode::PONG);
            got += 1;
            if number(&frame.payload) == PINGS - 1 {
                break;
            }
        }
        assert!(got < PINGS, "all of them were kept");
        a.set();
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(
        thread.event_loop(),
        net.options()
            .socket(SocketOptions::new().send_buffer(16 * 1024)),
    );
    let queued = Monitor::new(None);
    let q = queued.clone();
    client
        .client
        .on_message(move |ws, _| q.update(|q| *q = Some(ws.buffered_amount())));
    client.client.open(&server.url()).unwrap();
    assert!(queued.wait(DEADLINE, Option::is_some));
    let queued = queued.read(Clone::clone).unwrap();
    assert!(queued < 256 * 1024, "{queued} bytes of Pongs wait");
    server.release();
    answered.expect("the latest Pong");
    assert!(client.only_close().clean);
}

fn flood(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        conn.send_frame(opcode::TEXT, true, &[0xff])?;
        loop {
            conn.send(&[0; 16 * 1024])?;
        }
    });
    let thread = patient();
    let options = net
        .options()
        .close_timeout(DEADLINE)
        .socket(SocketOptions::new().recv_buffer(32 * 1024));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(
        matches!(event.error, Some(ConnectionError::Protocol(_))),
        "{event}"
    );
    let read = thread.event_loop().metrics().bytes_in;
    assert!(read < 600_000, "{read} bytes were read");
    server.wait_finished(1);
}

fn long_message(transport: Transport) {
    const LIMIT: usize = 1 << 20;
    let net = Net::new(transport);
    let told = Monitor::new(None);
    let t = told.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        let mut head = vec![0x82, 127];
        head.extend(0xff_ffff_u64.to_be_bytes());
        conn.send(&head)?;
        for _ in 0..20 {
            conn.send(&[0; 64 * 1024])?;
        }
        let close = conn.read_close()?;
        t.update(|told| *told = close.close_code());
        conn.finish()
    });
    let options = LoopOptions::new().memory_limit(Some(LIMIT));
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(
        matches!(event.error, Some(ConnectionError::MemoryLimit(LIMIT))),
        "{event}"
    );
    assert!(told.wait(DEADLINE, |told| *told == Some(1009)));
    let metrics = thread.event_loop().metrics();
    assert_eq!(metrics.memory_closes, 1);
}
