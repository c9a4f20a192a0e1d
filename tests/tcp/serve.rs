//! What a server does while it serves.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::tcp_server::{Recorded, inet};
use hvloop::{CloseReason, Connect, LengthField, SocketOptions, TcpClient, TcpServer, Unpack};
use hvloop_test_support::{DEADLINE, Event, Monitor, ReservedPort, wait_for};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

crate::over_tcp_and_tls! {
    echo => echo_scenario;
    /// This side's end goes out behind what is queued, and the peer's bytes still come.
    half_close => half_close_scenario;
    quiet_connections_end => quiet_scenario;
    /// Packages come whole, however the stream is cut.
    packages_in_every_split => split_scenario;
    one_read_at_a_time => once_scenario;
    callbacks_that_panic => panic_scenario;
    heartbeat_and_context => heartbeat_scenario;
    /// A paused connection takes nothing, and loses nothing.
    pause_and_resume => pause_scenario;
}

fn echo_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..20).map(|_| net.connect(address)).collect();
    let big = vec![7; 1_000_000];
    for (n, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("hello {n}").as_bytes());
        assert_eq!(
            peer.expect(format!("hello {n}").len()),
            format!("hello {n}").into_bytes()
        );
    }
    let mut reader = peers.pop().unwrap();
    // Writes and reads by turns, since nobody reads meanwhile.
    for piece in big.chunks(50_000) {
        reader.send(piece);
        assert_eq!(reader.expect(piece.len()), piece);
    }
    assert_eq!(server.server.connection_num(), 20);
    let ids: Vec<_> = {
        let ids = Monitor::new(Vec::new());
        server
            .server
            .for_each_channel(|channel| ids.update(|ids| ids.push(channel.id())));
        ids.read(Clone::clone)
    };
    assert_eq!(ids.len(), 20);
    assert!(
        ids.iter()
            .all(|id| server.server.channel_by_id(*id).is_some())
    );
    for peer in &mut peers {
        peer.end();
        assert_eq!(peer.rest().0, b"");
    }
    server.wait("19 ends", |seen| seen.closed.len() == 19);
    assert!(
        server
            .seen
            .read(|s| s.closed.iter().all(|r| matches!(r, CloseReason::Peer)))
    );
    drop(reader);
    server.wait("20 ends", |seen| seen.closed.len() == 20);
    assert_eq!(server.server.connection_num(), 0);
    stop_clean(&thread);
    let one = server
        .seen
        .read(|s| s.threads.iter().all(|t| *t == s.threads[0]));
    assert!(one, "callbacks on several threads");
}

fn half_close_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    let got = Monitor::new(Vec::new());
    let closed = Event::new();
    server.on_connection(|channel| {
        channel.send(&[1; 300_000]).unwrap();
        channel.shutdown();
        assert!(channel.send(b"more").is_err(), "this side has ended");
    });
    let g = got.clone();
    server.on_message(move |_, data| g.update(|got| got.extend_from_slice(data)));
    let c = closed.clone();
    server.on_close(move |_, reason| {
        assert!(matches!(reason, CloseReason::Peer), "{reason:?}");
        c.set();
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    let (mut count, mut buffer) = (0, [0; 4096]);
    loop {
        match peer.read(&mut buffer).unwrap() {
            0 => break,
            n => count += n,
        }
    }
    assert_eq!(count, 300_000, "all before the end");
    peer.send(&[2; 100_000]);
    assert!(got.wait(DEADLINE, |got| got.len() == 100_000));
    peer.end();
    closed.expect("the end of both sides");
    stop_clean(&thread);
}

fn quiet_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let silent = Recorded::on(&thread);
    let address = silent.listen(net.listen().read_timeout(Some(50 * MS)));
    let mut peer = net.connect(address);
    silent.wait("silence", |seen| !seen.closed.is_empty());
    assert!(
        silent
            .seen
            .read(|s| matches!(s.closed[0], CloseReason::ReadTimedOut(t) if t == 50 * MS))
    );
    peer.rest();

    let idle = Recorded::on(&thread);
    let address = idle.listen(net.listen().idle_timeout(Some(80 * MS)));
    let mut peer = net.connect(address);
    // Kept up by what goes out alone.
    for _ in 0..4 {
        std::thread::park_timeout(40 * MS);
        idle.server.broadcast(b"x");
    }
    idle.wait("idleness", |seen| !seen.closed.is_empty());
    assert!(
        idle.seen
            .read(|s| matches!(s.closed[0], CloseReason::IdleTimedOut(t) if t == 80 * MS))
    );
    peer.rest();

    let mute = Recorded::on(&thread);
    let address = mute.listen(net.listen().open_timeout(50 * MS));
    let raw = std::net::TcpStream::connect(address).unwrap();
    match transport {
        Transport::Tls => {
            mute.wait("a handshake too late", |seen| !seen.failed.is_empty());
            let late = mute
                .seen
                .read(|s| matches!(s.failed[0], CloseReason::OpenTimedOut { .. }));
            assert!(late);
        }
        Transport::Tcp => mute.wait("no handshake to wait for", |seen| seen.opened == 1),
    }
    drop(raw);
    stop_clean(&thread);
}

fn split_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let field = LengthField::new().body_offset(2).offset(0).bytes(2);
    let rules = [
        (
            Unpack::fixed(5),
            vec![b"abcde".to_vec(), b"fghij".to_vec(), b"klmno".to_vec()],
        ),
        (
            Unpack::delimiter(b"\r\n"),
            vec![b"a\r\n".to_vec(), b"\r\n".to_vec(), b"b\rc\n\r\n".to_vec()],
        ),
        (
            Unpack::length_field(field),
            vec![b"\0\x01a".to_vec(), b"\0\0".to_vec(), b"\0\x03bcd".to_vec()],
        ),
    ];
    for (rule, packages) in rules {
        let server = TcpServer::new(thread.event_loop());
        server.set_unpack(Some(rule.build().unwrap()));
        let got = Monitor::new(Vec::new());
        let g = got.clone();
        server
            .on_message(move |_, data| g.update(|got: &mut Vec<Vec<u8>>| got.push(data.to_vec())));
        let address = inet(server.listen(net.listen()).unwrap());
        let stream = packages.concat();
        for split in 0..=stream.len() {
            got.update(Vec::clear);
            let mut peer = net.connect(address);
            let (first, second) = stream.split_at(split);
            peer.send(first);
            // The first part was read apart: its packages are there.
            let mut ends = Vec::new();
            packages.iter().fold(0, |at, p| {
                ends.push(at + p.len());
                at + p.len()
            });
            let whole = ends.iter().filter(|end| **end <= split).count();
            assert!(got.wait(DEADLINE, |got| got.len() == whole));
            peer.send(second);
            assert!(
                got.wait(DEADLINE, |got| *got == packages),
                "split at {split}"
            );
            peer.end();
            peer.rest();
        }
        // Too long: closed, with the reason.
        let closed = Monitor::new(None);
        let c = closed.clone();
        server.on_close(move |_, reason| c.update(|closed| *closed = Some(reason.clone())));
        let tiny = Unpack::delimiter(b"\n").max_size(10).build().unwrap();
        server.set_unpack(Some(tiny));
        let mut peer = net.connect(address);
        peer.send(&[b'x'; 11]);
        // The end of the one before may be told behind its last byte.
        assert!(closed.wait(DEADLINE, |c| matches!(c, Some(CloseReason::Unpack(_)))));
        peer.rest();
    }
    stop_clean(&thread);
}

fn once_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    let got = Monitor::new(Vec::<Vec<u8>>::new());
    server.on_connection(|channel| channel.read_line());
    let g = got.clone();
    server.on_message(move |channel, data| {
        let count = g.update(|got| {
            got.push(data.to_vec());
            got.len()
        });
        match count {
            1 => channel.read_bytes(3),
            2 => channel.read_until(b';'),
            3 => {} // asked for from another thread
            4 => channel.resume_reading(),
            _ => {}
        }
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    peer.send(b"a line\nxyzup to;and a string\0then");
    let first: [&[u8]; 3] = [b"a line\n", b"xyz", b"up to;"];
    assert!(got.wait(DEADLINE, |got| *got == first));
    let channel = Monitor::new(None);
    server.for_each_channel(|c| channel.update(|channel| *channel = Some(c.clone())));
    channel.read(|c| c.as_ref().unwrap().read_string());
    assert!(got.wait(DEADLINE, |got| got.len() >= 4
        && got[3] == b"and a string\0"));
    peer.send(b" the rest");
    let rest = |got: &Vec<Vec<u8>>| got[4..].concat() == b"then the rest";
    assert!(got.wait(DEADLINE, |got| got.len() > 4 && rest(got)));
    peer.end();
    peer.rest();
    stop_clean(&thread);
}

fn panic_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    let closed = Monitor::new(Vec::new());
    let opened = Arc::new(AtomicUsize::new(0));
    let o = opened.clone();
    server.on_connection(move |_| {
        assert!(
            o.fetch_add(1, Ordering::Relaxed) != 0,
            "on purpose, in on_connection"
        );
    });
    server.on_message(|channel, data| {
        assert!(data != b"panic", "on purpose, in on_message");
        channel.send(data).unwrap();
    });
    let c = closed.clone();
    server.on_close(move |_, reason| {
        c.update(|closed| closed.push(reason.clone()));
        assert!(
            !matches!(reason, CloseReason::Panicked),
            "on purpose, in on_close"
        );
    });
    let address = inet(server.listen(net.listen()).unwrap());
    // The first one falls in its on_connection, the second by what it says.
    let mut first = net.connect(address);
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 1));
    let mut other = net.connect(address);
    let mut second = net.connect(address);
    second.send(b"panic");
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 2));
    assert!(closed.read(|c| c.iter().all(|r| matches!(r, CloseReason::Panicked))));
    other.send(b"still here");
    assert_eq!(other.expect(10), b"still here");
    first.rest();
    second.rest();
    other.end();
    other.rest();
    stop_clean(&thread);
}

fn heartbeat_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    struct Dropped(Event);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set();
        }
    }
    let dropped = Event::new();
    let d = dropped.clone();
    let closed = Monitor::new(None);
    let c = closed.clone();
    server.on_close(move |_, reason| c.update(|closed| *closed = Some(reason.clone())));
    server.on_connection(move |channel| {
        channel.set_context(AtomicUsize::new(0));
        let guard = Dropped(d.clone());
        channel.set_heartbeat(MS, move |channel| {
            let _guard = &guard;
            let beats = channel.context::<AtomicUsize>().unwrap();
            let _ = channel.send(&[beats.fetch_add(1, Ordering::Relaxed) as u8]);
        });
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    assert_eq!(peer.expect(5), [0, 1, 2, 3, 4]);
    let channel = Monitor::new(None);
    server.for_each_channel(|c| channel.update(|channel| *channel = Some(c.clone())));
    let channel = channel.read(Clone::clone).unwrap();
    assert!(channel.context::<String>().is_none(), "of another type");
    channel.clear_heartbeat();
    dropped.expect("the callback goes when it is taken off");
    // From now on it is quiet, and limits may be set on what is up.
    channel.set_write_timeout(None);
    channel.set_idle_timeout(Some(DEADLINE));
    channel.set_read_timeout(Some(20 * MS));
    peer.rest();
    assert!(wait_for(DEADLINE.as_secs(), || !channel.is_connected()));
    let silent =
        |c: &Option<CloseReason>| matches!(c, Some(CloseReason::ReadTimedOut(t)) if *t == 20 * MS);
    assert!(closed.wait(DEADLINE, silent));
    stop_clean(&thread);
}

fn pause_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    let line = Unpack::delimiter(b"\n").build().unwrap();
    server.set_unpack(Some(line));
    let got = Monitor::new(Vec::<Vec<u8>>::new());
    let g = got.clone();
    server.on_message(move |channel, data| {
        g.update(|got| got.push(data.to_vec()));
        channel.pause_reading();
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    let lines: Vec<_> = (0..100)
        .map(|n| format!("line {n}\n").into_bytes())
        .collect();
    peer.send(&lines.concat());
    for n in 1..=lines.len() {
        assert!(got.wait(DEADLINE, |got| got.len() == n));
        server.for_each_channel(|channel| channel.resume_reading());
    }
    assert!(got.read(|got| *got == lines), "one at a time, in order");
    peer.end();
    peer.rest();
    stop_clean(&thread);
}

/// From a local address of the user's choice; and what a client says through it comes back.
#[test]
fn client_binds_its_address() {
    let thread = started();
    let server = TcpServer::new(thread.event_loop());
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = inet(server.listen(Net::new(Transport::Tcp).listen()).unwrap());
    let port = ReservedPort::new();
    let local: SocketAddr = port.addr();
    let client = TcpClient::new(thread.event_loop());
    let told = Monitor::new(None);
    client.on_connect(|channel| channel.send(b"ping").unwrap());
    let t = told.clone();
    client.on_message(move |channel, _| t.update(|told| *told = channel.local_addr()));
    let connect = Connect::to("127.0.0.1", address.port())
        .socket(SocketOptions::new().bind(local).keepalive(60_000 * MS));
    client.connect(connect).unwrap();
    assert!(told.wait(DEADLINE, |told| *told == Some(local)));
    stop_clean(&thread);
}
