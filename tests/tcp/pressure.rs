//! Peers that flood, and peers that do not read.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::tcp_server::{Recorded, inet};
use hvloop::{CloseReason, SendError, TcpServer};
use hvloop_test_support::{DEADLINE, Event, Monitor, wait_for};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

crate::over_tcp_and_tls! {
    /// One that does not read costs the others nothing, and no more memory than its limit.
    broadcast_with_stalled_peer => stalled_scenario;
    slow_peer_bounded_memory => slow_scenario;
    /// What is sent in bursts all comes, with no event left to tell of the rest.
    edge_drain => edge_scenario;
    backpressure_policies => policy_scenario;
}

fn stalled_scenario(transport: Transport) {
    const LIMIT: usize = 512 * 1024;
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen().send_limit(LIMIT).write_timeout(None));
    let stalled = net.connect(address);
    let mut readers: Vec<_> = (0..4).map(|_| net.connect(address)).collect();
    server.wait("all up", |seen| seen.opened == 5);
    // Not for the readers, who may be slow on a busy machine.
    server.server.for_each_channel(|channel| {
        if channel.peer_addr() == stalled.stream.local_addr().ok() {
            channel.set_write_timeout(Some(300 * MS));
        }
    });
    let block = |n: usize| vec![n as u8; 64 * 1024];
    const BLOCKS: usize = 200;
    let reading: Vec<_> = readers
        .drain(..)
        .map(|mut reader| {
            std::thread::spawn(move || {
                for n in 0..BLOCKS {
                    assert_eq!(reader.expect(64 * 1024), vec![n as u8; 64 * 1024]);
                }
                reader
            })
        })
        .collect();
    let mut most = 0;
    for n in 0..BLOCKS {
        // Each reader gets every block: whoever has no room yet is asked again.
        let mut left = 4;
        let data: Arc<[u8]> = block(n).into();
        let mut done = Vec::new();
        while left > 0 {
            server.server.for_each_channel(|channel| {
                let slow = channel.peer_addr() == stalled.stream.local_addr().ok();
                most = most.max(channel.buffered_amount());
                if slow {
                    let _ = channel.send_shared(&data);
                } else if !done.contains(&channel.id()) && channel.send_shared(&data).is_ok() {
                    done.push(channel.id());
                    left -= 1;
                }
            });
            std::thread::yield_now();
        }
    }
    let mut readers: Vec<_> = reading.into_iter().map(|r| r.join().unwrap()).collect();
    assert!(most <= LIMIT, "{most} bytes were queued");
    server.wait("the stalled one's end", |seen| !seen.closed.is_empty());
    assert!(
        server
            .seen
            .read(|s| matches!(s.closed[..], [CloseReason::WriteTimedOut(_)]))
    );
    assert_eq!(server.server.broadcast(b"bye"), 4);
    for reader in &mut readers {
        assert_eq!(reader.expect(3), b"bye");
        reader.end();
        reader.rest();
    }
    drop(stalled);
    stop_clean(&thread);
}

fn slow_scenario(transport: Transport) {
    const LIMIT: usize = 256 * 1024;
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    let most = Arc::new(AtomicUsize::new(0));
    // Echoes with back-pressure: reads no further while much is queued.
    let m = most.clone();
    server.on_message(move |channel, data| {
        channel.send(data).unwrap();
        m.fetch_max(channel.buffered_amount(), Ordering::Relaxed);
        if channel.buffered_amount() > LIMIT / 4 {
            channel.pause_reading();
        }
    });
    server.on_write_complete(|channel, _| channel.resume_reading());
    let address = inet(server.listen(net.listen().send_limit(LIMIT)).unwrap());
    let peer = net.connect(address);
    let total = 20_000_000;
    let data: Vec<u8> = (0..total).map(|n: usize| (n / 7) as u8).collect();
    let mut peer = peer;
    match transport {
        Transport::Tcp => {
            let mut writer = peer.stream.try_clone().unwrap();
            let sent = data.clone();
            let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
            assert!(peer.expect(total) == data, "all of it, in order");
            writing.join().unwrap();
        }
        // One thread has both directions of rustls.
        Transport::Tls => {
            for piece in data.chunks(500_000) {
                let mut back = Vec::new();
                for part in piece.chunks(10_000) {
                    peer.send(part);
                    back.extend(peer.expect(part.len()));
                }
                assert!(back == piece);
            }
        }
    }
    let most = most.load(Ordering::Relaxed);
    assert!(most <= LIMIT, "{most} bytes were queued");
    peer.end();
    assert_eq!(peer.rest().1, End::Clean);
    stop_clean(&thread);
}

fn edge_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    let got = Monitor::new(0);
    let g = got.clone();
    server.on_message(move |_, data| g.update(|got| *got += data.len()));
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    let mut sent = 0;
    // Around the sizes of the read buffer, of a TLS record and of a turn's budget.
    for size in [
        1, 16_383, 16_385, 65_535, 65_536, 65_537, 262_144, 262_145, 1_000_000, 1,
    ] {
        peer.send(&vec![1; size]);
        sent += size;
        assert!(
            got.wait(DEADLINE, |got| *got == sent),
            "{size} bytes at a stroke"
        );
    }
    // More connects in one burst than a turn accepts, and no event after it.
    let burst: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(wait_for(DEADLINE.as_secs(), || server.connection_num() == 101));
    drop(burst);
    peer.end();
    peer.rest();
    stop_clean(&thread);
}

/// A sender that is too fast may be told (refused), wait (paused), or be closed.
fn policy_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen().send_limit(100_000));
    let mut peer = net.connect(address);
    server.wait("up", |seen| seen.opened == 1);
    let channel = Monitor::new(None);
    server
        .server
        .for_each_channel(|c| channel.update(|channel| *channel = Some(c.clone())));
    let channel = channel.read(Clone::clone).unwrap();
    // Refused: with the sizes, nothing taken, and from any thread.
    let mut accepted = 0;
    let refused = loop {
        match channel.send(&[5; 30_000]) {
            Ok(()) => accepted += 30_000,
            Err(e) => break e,
        }
    };
    let SendError::QueueFull {
        limit,
        queued,
        size,
    } = refused
    else {
        panic!("{refused:?}");
    };
    assert!((limit, size) == (100_000, 30_000) && queued + size > limit && queued <= limit);
    assert_eq!(
        channel
            .send(&[5; 100_001])
            .map_err(|e| matches!(e, SendError::QueueFull { .. })),
        Err(true)
    );
    // Waits, then goes on.
    peer.expect(accepted);
    assert!(wait_for(DEADLINE.as_secs(), || channel.buffered_amount() == 0));
    channel.send(b"room again").unwrap();
    assert_eq!(peer.expect(10), b"room again");
    // Closed: what was accepted arrives all the same.
    channel.send(&[6; 90_000]).unwrap();
    channel.close();
    let (rest, end) = peer.rest();
    assert_eq!((rest.len(), end), (90_000, End::Clean));
    stop_clean(&thread);
}

/// A flood on one connection keeps neither a timer nor another connection waiting.
#[test]
fn fairness_flood() {
    const FLOOD: u8 = 0xFF;
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = TcpServer::new(thread.event_loop());
    server.on_message(|channel, data| {
        // Not the flood, of which a read may leave a short rest.
        if data[0] != FLOOD {
            channel.send(data).unwrap();
        }
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|_| {
            let (over, mut stream) = (over.clone(), TcpStream::connect(address).unwrap());
            std::thread::spawn(move || {
                let block = vec![FLOOD; 1 << 20];
                while !over.load(Ordering::Relaxed) {
                    stream.write_all(&block).unwrap();
                }
            })
        })
        .collect();
    let before = thread.event_loop().metrics().bytes_in;
    assert!(wait_for(DEADLINE.as_secs(), || {
        thread.event_loop().metrics().bytes_in > before + (8 << 20)
    }));
    let ticks = Monitor::new(0);
    let t = ticks.clone();
    let interval = thread
        .event_loop()
        .set_interval(20 * MS, move |_| t.update(|t| *t += 1));
    let mut peer = net.connect(address);
    for n in 0..50u8 {
        peer.send(&[n]);
        assert_eq!(peer.expect(1), [n]);
    }
    assert!(
        ticks.wait(DEADLINE, |ticks| *ticks >= 10),
        "a 20 ms timer starves"
    );
    over.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.join().unwrap();
    }
    thread.event_loop().kill_timer(interval.unwrap()).unwrap();
    peer.end();
    peer.rest();
    stop_clean(&thread);
}

/// What another thread queues is refused beyond the limit as well, and given back.
#[test]
fn limit_holds_across_threads() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen().send_limit(50_000));
    let peer = net.connect(address);
    server.wait("up", |seen| seen.opened == 1);
    let full = Event::new();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (server, full) = (server.server.clone(), full.clone());
            std::thread::spawn(move || {
                while !full.is_set() {
                    server.for_each_channel(|channel| {
                        assert!(channel.buffered_amount() <= 50_000);
                        if channel.send(&[0; 10_000]).is_err() {
                            full.set();
                        }
                    });
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    drop(peer);
    server.wait("the end", |seen| seen.closed.len() == 1);
    stop_clean(&thread);
}
