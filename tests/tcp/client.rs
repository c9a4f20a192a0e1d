//! `TcpClient`: bytes there and back, over TCP and TLS.

use crate::common::loops::{HOUR, MS, Told, on_loop, started, stop_without_panic};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded;
use crate::over_tcp_and_tls;
use hvloop::event::conn::SendBudget;
use hvloop::event::{ConnectError, Turn};
use hvloop::{CloseReason, EventLoop, EventLoopThread, LoopStatus, SendError, TcpClient};
use hvloop_test_support::{DEADLINE, Event, Latch, Monitor, ThreadLog, wait_for};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

over_tcp_and_tls! {
    tcp_echo => echo;
    /// More than any buffer of the system's, there and back, with `on_write_complete` at the end.
    big_transfer => big;
    /// Several threads send; each one's bytes keep their order.
    tcp_cross_thread_send => cross_thread;
    /// The send queue is bounded in bytes, and refuses the whole of what does not fit.
    tcp_send_limit => limit;
    /// A peer that takes nothing: closed when its time is up.
    tcp_write_stall => stall;
    /// Asked for before the loop runs: it works once it does.
    tcp_attach_before_run => before_run;
    /// A peer that floods gets four reads a turn, and no more for having more.
    read_budget_of_a_turn => budget;
    /// A stop writes what was accepted, and ends in order.
    tcp_stop_delivers => stop_delivers;
}

fn echo(transport: Transport) {
    let net = Net::new(transport);
    let server = net.echo();
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    assert_eq!(client.client.send(b"early"), Err(SendError::NotOpen));
    assert!(!client.client.is_connected() && client.client.channel().is_none());
    client.connect(net.to(&server));
    let twice = client.client.connect(net.to(&server));
    assert_eq!(twice, Err(ConnectError::AlreadyOpen));
    let channel = client.client.channel().unwrap();
    assert_eq!(channel.peer_addr(), Some(server.addr()));
    for n in 1..=50 {
        client.client.send(&[n; 100]).unwrap();
        client.wait("the echo", |seen| seen.bytes.len() == 100 * usize::from(n));
    }
    assert_eq!(channel.buffered_amount(), 0);
    client.client.close();
    client.client.close();
    assert!(matches!(client.only_close(), CloseReason::Local));
    assert!(!channel.is_connected() && channel.send(b"late") == Err(SendError::NotOpen));
    assert_eq!(channel.peer_addr(), Some(server.addr()), "stays readable");
    let thread_of_it = on_loop(thread.event_loop(), |_| std::thread::current().id());
    client.threads.assert_all_on(thread_of_it);
    server.wait_finished(1);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
    assert_eq!(server.accepted(), 1);
    stop_without_panic(&thread);
}

fn big(transport: Transport) {
    const SIZE: usize = 12 * 1024 * 1024;
    let net = Net::new(transport);
    let server = net.echo();
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    let completes = Monitor::new(Vec::new());
    let c = completes.clone();
    client.client.on_write_complete(move |channel, bytes| {
        c.update(|completes| completes.push((channel.buffered_amount(), bytes)));
    });
    client.connect(net.to(&server));
    let data: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    client.client.send(&data).unwrap();
    client.wait("all bytes", |seen| seen.bytes.len() >= SIZE);
    assert!(client.seen.read(|seen| seen.bytes == data));
    assert!(wait_for(30, || completes.read(Vec::len) == 1));
    // Once for the one send, when nothing was left.
    assert_eq!(completes.read(Clone::clone), [(0, SIZE)]);
    client.client.send(b"more").unwrap();
    assert!(completes.wait(DEADLINE, |c| c[1..] == [(0, 4)]));
    let metrics = thread.event_loop().metrics();
    assert!(metrics.bytes_in >= SIZE as u64 && metrics.bytes_out >= SIZE as u64);
    assert_eq!(stop_without_panic(&thread).closed_cleanly, 1);
}

fn cross_thread(transport: Transport) {
    const SENDERS: u8 = 4;
    const EACH: usize = 2_000;
    let net = Net::new(transport);
    let server = net.echo();
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to(&server));
    let channel = client.client.channel().unwrap();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let channel = channel.clone();
            std::thread::spawn(move || {
                for n in 0..EACH {
                    let n = (n as u16).to_be_bytes();
                    channel.send(&[sender, n[0], n[1]]).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    let all = usize::from(SENDERS) * EACH * 3;
    client.wait("all bytes", |seen| seen.bytes.len() == all);
    let bytes = client.seen.read(|seen| seen.bytes.clone());
    let mut next = [0; SENDERS as usize];
    for part in bytes.chunks(3) {
        let expected = &mut next[usize::from(part[0])];
        assert_eq!(u16::from_be_bytes([part[1], part[2]]), *expected);
        *expected += 1;
    }
    assert!(wait_for(30, || channel.buffered_amount() == 0));
    stop_without_panic(&thread);
}

fn limit(transport: Transport) {
    const LIMIT: usize = 100_000;
    let net = Net::new(transport);
    let go = Event::new();
    let g = go.clone();
    let received = Arc::new(AtomicUsize::new(0));
    let r = received.clone();
    let server = net.peer(move |conn| {
        let mut buffer = [0; 16 * 1024];
        // A byte, so that the handshake is done, and then nothing until it is let go.
        r.fetch_add(conn.read(&mut buffer[..1])?, Ordering::SeqCst);
        g.expect("the limit");
        loop {
            match conn.read(&mut buffer)? {
                0 => return conn.finish(),
                n => r.fetch_add(n, Ordering::SeqCst),
            };
        }
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    let budget = Arc::new(SendBudget::new(LIMIT));
    client.connect(net.to(&server).budget(budget.clone()).write_timeout(None));
    let (mut sent, part) = (0, vec![1; 1000]);
    let full = loop {
        match client.client.send(&part) {
            Ok(()) => sent += part.len(),
            Err(e) => {
                // Full for good once the loop has written all that the socket takes.
                let queued = budget.queued();
                on_loop(thread.event_loop(), |_| {});
                on_loop(thread.event_loop(), |_| {});
                if queued == budget.queued() && queued + 1000 > LIMIT {
                    break e;
                }
            }
        }
        assert!(budget.queued() <= LIMIT);
    };
    match full {
        SendError::QueueFull {
            limit,
            queued,
            size,
        } => {
            assert_eq!((limit, size), (LIMIT, 1000));
            assert!(queued <= LIMIT && queued + size > LIMIT);
        }
        other => panic!("{other:?}"),
    }
    // The same on the loop's own thread.
    let channel = client.client.channel().unwrap();
    let refused = on_loop(thread.event_loop(), move |_| channel.send(&[0; LIMIT]));
    assert!(matches!(
        refused,
        Err(SendError::QueueFull { size: LIMIT, .. })
    ));
    go.set();
    // What was accepted arrives, and nothing else.
    assert!(wait_for(30, || received.load(Ordering::SeqCst) == sent));
    assert!(wait_for(30, || budget.queued() == 0));
    client.client.send(&part).unwrap();
    assert_eq!(stop_without_panic(&thread).closed_cleanly, 1);
    server.wait_finished(1);
    assert_eq!(received.load(Ordering::SeqCst), sent + part.len());
    assert_eq!(budget.queued(), 0);
}

fn stall(transport: Transport) {
    let net = Net::new(transport);
    let server = net.peer(|conn| {
        conn.read_exact(&mut [0; 1])?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    let budget = Arc::new(SendBudget::new(64 * 1024 * 1024));
    let options = net.to(&server).budget(budget.clone());
    client.connect(options.write_timeout(Some(100 * MS)));
    client.client.send(&vec![1; 48 * 1024 * 1024]).unwrap();
    match client.only_close() {
        CloseReason::WriteTimedOut(limit) => assert_eq!(limit, 100 * MS),
        other => panic!("{other:?}"),
    }
    assert_eq!(budget.queued(), 0, "given back");
    let metrics = on_loop(thread.event_loop(), |l| l.event_loop().metrics());
    assert_eq!(metrics.connections, 0);
    server.release();
    stop_without_panic(&thread);
}

fn before_run(transport: Transport) {
    let net = Net::new(transport);
    let server = net.echo();
    let event_loop = EventLoop::new().unwrap();
    let client = Recorded::new(&event_loop);
    client.client.connect(net.to(&server)).unwrap();
    assert_eq!(event_loop.status(), LoopStatus::Idle, "nobody started it");
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    client.wait("connected", |seen| seen.connected == 1);
    assert_eq!(stop_without_panic(&thread).closed_cleanly, 1);
    assert!(matches!(client.only_close(), CloseReason::Stopped));

    // Stopped before it ran: the attempt has its one close all the same.
    let event_loop = EventLoop::new().unwrap();
    let client = Recorded::new(&event_loop);
    client.client.connect(net.to(&server)).unwrap();
    event_loop.stop();
    assert!(event_loop.run().unwrap().is_clean());
    assert!(matches!(client.only_close(), CloseReason::Stopped));
    assert_eq!(client.seen.read(|seen| seen.connected), 0);
    // Closed: nothing begins, and nothing is told.
    let late = Recorded::new(&event_loop);
    let refused = late.client.connect(net.to(&server));
    assert_eq!(refused, Err(ConnectError::LoopClosed));
    assert!(late.seen.read(|seen| seen.closed.is_empty()));
}

fn stop_delivers(transport: Transport) {
    const SIZE: usize = 8 * 1024 * 1024;
    let net = Net::new(transport);
    let received = Monitor::new(0);
    let r = received.clone();
    let server = net.peer(move |conn| {
        let mut all = Vec::new();
        conn.read_to_end(&mut all)?;
        r.update(|received| *received = all.len());
        conn.finish()
    });
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to(&server).close_timeout(HOUR));
    client.client.send(&vec![5; SIZE]).unwrap();
    let report = stop_without_panic(&thread);
    assert_eq!(report.closed_cleanly, 1);
    assert!(matches!(client.only_close(), CloseReason::Stopped));
    server.wait_finished(1);
    assert_eq!(received.read(|received| *received), SIZE);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
}

/// Callbacks go, on the loop's thread, right after `on_close`; so does a client's last handle.
#[test]
fn tcp_callbacks_are_dropped_after_the_close() {
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let thread = started();
    let loop_thread = on_loop(thread.event_loop(), |_| std::thread::current().id());
    let client = TcpClient::new(thread.event_loop());
    let (told, dropped) = Told::new();
    let (threads, closed) = (ThreadLog::new(), Latch::new(1));
    client.on_message(move |_, _| {
        let _captured = &told;
    });
    let opened = Event::new();
    let o = opened.clone();
    client.on_connect(move |_| o.set());
    let (t, c) = (threads.clone(), closed.clone());
    client.on_close(move |channel, reason| {
        t.record();
        assert!(channel.is_some() && matches!(reason, CloseReason::Local));
        c.count_down();
    });
    client.connect(net.to(&server)).unwrap();
    opened.expect("connected");
    assert!(dropped.read(Vec::is_empty));
    drop(client); // means: close
    closed.expect("the close");
    assert!(dropped.wait(DEADLINE, |d| d.len() == 1));
    dropped.read(|dropped| assert_eq!(dropped[..], [loop_thread]));
    threads.assert_all_on(loop_thread);
    server.wait_finished(1);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
    stop_without_panic(&thread);
}

fn budget(transport: Transport) {
    const BUDGET: u64 = 4 * 128 * 1024;
    let net = Net::new(transport);
    let server = net.peer(|conn| {
        conn.read_exact(&mut [0; 1])?;
        let data = vec![7; 1024 * 1024];
        // As fast as it can, until the client has gone.
        while conn.send(&data).is_ok() {}
        Ok(())
    });
    // Turn by turn, on this thread.
    let event_loop = EventLoop::new().unwrap();
    let client = TcpClient::new(&event_loop);
    client.on_connect(|channel| channel.send(b"x").unwrap());
    client.connect(net.to(&server)).unwrap();
    let (mut before, mut full) = (0, 0);
    let over = std::time::Instant::now() + 4 * DEADLINE;
    while full < 50 {
        assert!(std::time::Instant::now() < over, "{full} full turns");
        // The peer has its time to fill the socket again.
        std::thread::yield_now();
        assert_eq!(event_loop.run_once(Some(DEADLINE)).unwrap(), Turn::Continue);
        let read = event_loop.metrics().bytes_in - before;
        before += read;
        assert!(read <= BUDGET, "{read} bytes in a turn");
        full += usize::from(read > BUDGET / 2);
    }
    drop(client);
    event_loop.stop_with(std::time::Duration::ZERO);
    event_loop.run().unwrap();
}
