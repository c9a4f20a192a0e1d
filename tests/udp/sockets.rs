//! UDP sockets.

use crate::common::loops::{MS, started, stop_clean};
use hvloop::event::{ConnectError, DatagramError};
use hvloop::{
    CloseReason, EventLoopThread, ListenErrorKind, SocketOptions, UdpClient, UdpOptions, UdpServer,
};
use hvloop_test_support::{DEADLINE, Event, Latch, Monitor, own_ip, wait_for};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn echo(thread: &EventLoopThread) -> (UdpServer, SocketAddr) {
    let server = UdpServer::new(thread.event_loop());
    server.on_message(|socket, data, from| socket.send_to(data, from).unwrap());
    let address = server.bind(local(), UdpOptions::new()).unwrap();
    (server, address)
}

fn peer() -> UdpSocket {
    let socket = UdpSocket::bind(local()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// Of every size there is, and not one byte more.
#[test]
fn udp_echo_of_every_size() {
    let thread = started();
    let (server, address) = echo(&thread);
    let socket = peer();
    let mut buffer = vec![0; 70_000];
    for size in [0, 1, 1_400, 9_000, 65_507] {
        let data: Vec<u8> = (0..size).map(|n: usize| n as u8).collect();
        socket.send_to(&data, address).unwrap();
        let (n, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..n], from), (&data[..], address));
    }
    let too_long = server.send_to(&[0; 65_508], address);
    assert!(matches!(
        too_long,
        Err(DatagramError::TooLong {
            limit: 65_507,
            size: 65_508
        })
    ));
    let socket = server.channel().unwrap();
    assert!(wait_for(DEADLINE.as_secs(), || socket.buffered_amount() == 0));
    stop_clean(&thread);
    assert!(matches!(
        server.send_to(b"late", address),
        Err(DatagramError::NotOpen)
    ));
}

/// A client hears its peer alone, from eight threads at once; and is told when nobody is there.
#[test]
fn udp_client() {
    let thread = started();
    let (_server, address) = echo(&thread);
    let client = Arc::new(UdpClient::new(thread.event_loop()));
    let (opened, got) = (Event::new(), Monitor::new(0));
    let o = opened.clone();
    client.on_open(move |_| o.set());
    let g = got.clone();
    client.on_message(move |_, data, from| {
        assert_eq!((data.len(), from), (100, address));
        g.update(|got| *got += 1);
    });
    let closed = Latch::new(1);
    let c = closed.clone();
    client.on_close(move |reason| {
        assert!(matches!(reason, CloseReason::Local), "{reason:?}");
        c.count_down();
    });
    assert!(matches!(client.send(b"early"), Err(DatagramError::NotOpen)));
    client
        .open("localhost", address.port(), UdpOptions::new())
        .unwrap_or_default();
    let again = client.open("127.0.0.1", address.port(), UdpOptions::new());
    assert_eq!(again, Err(ConnectError::AlreadyOpen));
    opened.expect("the socket");
    if client.channel().unwrap().peer_addr() == Some(address) {
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                std::thread::spawn(move || (0..10).for_each(|_| client.send(&[7; 100]).unwrap()))
            })
            .collect();
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(got.wait(DEADLINE, |got| *got == 80));
    }
    client.close();
    closed.expect("one end");

    // Nobody at that port: told, and the socket goes on.
    let free = UdpSocket::bind((own_ip(), 0)).unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let (refused, o) = (Event::new(), Event::new());
    let (r, opened) = (refused.clone(), o.clone());
    client.on_open(move |_| opened.set());
    client.on_error(move |_, e, _| {
        assert_eq!(e.kind(), io::ErrorKind::ConnectionRefused);
        r.set();
    });
    client
        .open(&nobody.ip().to_string(), nobody.port(), UdpOptions::new())
        .unwrap();
    o.expect("the socket");
    client.send(b"anyone?").unwrap();
    refused.expect("what the system said");
    assert!(client.channel().unwrap().is_open());
    stop_clean(&thread);
}

/// The ends: by the user, by the loop, before the loop runs, during the lookup; each once.
#[test]
fn udp_ends() {
    // Does not ask the machine's own, which may take its time.
    struct Nobody;
    impl hvloop::event::Resolver for Nobody {
        fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            Err(io::ErrorKind::NotFound.into())
        }
    }
    let options = hvloop::LoopOptions::new()
        .drain_timeout(DEADLINE)
        .resolver(Arc::new(Nobody));
    let thread = EventLoopThread::with_loop(hvloop::EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    let own: SocketAddr = (own_ip(), 0).into();
    let closed = Monitor::new(Vec::new());
    let server = UdpServer::new(thread.event_loop());
    let record = |closed: &Monitor<Vec<CloseReason>>| {
        let c = closed.clone();
        move |reason: &CloseReason| c.update(|closed| closed.push(reason.clone()))
    };
    server.on_close(record(&closed));
    let address = server.bind(own, UdpOptions::new()).unwrap();
    let twice = server.bind(local(), UdpOptions::new());
    assert_eq!(twice.unwrap_err().kind(), ListenErrorKind::AlreadyOpen);
    let used = UdpServer::new(thread.event_loop()).bind(address, UdpOptions::new());
    assert_eq!(used.unwrap_err().kind(), ListenErrorKind::AddressInUse);
    server.close();
    assert!(closed.wait(DEADLINE, |c| c.len() == 1));
    assert!(matches!(closed.read(|c| c[0].clone()), CloseReason::Local));
    server.on_close(record(&closed));
    assert_eq!(
        server.bind(address, UdpOptions::new()).unwrap(),
        address,
        "bound again at once"
    );

    let client = UdpClient::new(thread.event_loop());
    client.on_close(record(&closed));
    client
        .open("no.such.host.invalid", 9, UdpOptions::new())
        .unwrap();
    assert!(closed.wait(DEADLINE, |c| c.len() == 2));
    assert!(matches!(closed.read(|c| c[1].clone()), CloseReason::Dns(_)));
    stop_clean(&thread);
    assert!(matches!(
        closed.read(|c| c[2..].to_vec())[..],
        [CloseReason::Stopped]
    ));
    assert!(UdpSocket::bind(address).is_ok());

    let event_loop = hvloop::EventLoop::new().unwrap();
    let server = UdpServer::new(&event_loop);
    closed.update(Vec::clear);
    server.on_close(record(&closed));
    server.bind(local(), UdpOptions::new()).unwrap();
    server.close();
    event_loop.stop();
    assert!(event_loop.run().unwrap().is_clean());
    assert_eq!(closed.read(Vec::len), 1);
}

/// A burst is read to its end, whatever its size and the budget of a turn.
#[test]
fn udp_edge_drain() {
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    let got = Monitor::new(0);
    let g = got.clone();
    server.on_message(move |_, _, _| g.update(|got| *got += 1));
    let address = server.bind(local(), UdpOptions::new()).unwrap();
    let socket = peer();
    for burst in [1, 31, 32, 33, 64, 100] {
        let before = got.read(|got| *got);
        thread.event_loop().pause();
        for _ in 0..burst {
            socket.send_to(b"x", address).unwrap();
        }
        thread.event_loop().resume();
        assert!(
            got.wait(DEADLINE, |got| *got == before + burst),
            "a burst of {burst}"
        );
    }
    stop_clean(&thread);
}

/// A flood of datagrams keeps no timer waiting.
#[test]
fn fairness_flood_udp() {
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    server.on_message(|_, _, _| {});
    let address = server.bind(local(), UdpOptions::new()).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|_| {
            let over = over.clone();
            std::thread::spawn(move || {
                let socket = peer();
                while !over.load(Ordering::Relaxed) {
                    let _ = socket.send_to(&[0; 1000], address);
                }
            })
        })
        .collect();
    assert!(wait_for(DEADLINE.as_secs(), || thread
        .event_loop()
        .metrics()
        .bytes_in
        > 1_000_000));
    let ticks = Monitor::new(0);
    let t = ticks.clone();
    thread
        .event_loop()
        .set_interval(20 * MS, move |_| t.update(|t| *t += 1))
        .unwrap();
    assert!(
        ticks.wait(DEADLINE, |ticks| *ticks >= 10),
        "a 20 ms timer starves"
    );
    over.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.join().unwrap();
    }
    stop_clean(&thread);
}

/// A panic costs its datagram alone.
#[test]
fn udp_callback_panics() {
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    server.on_message(|socket, data, from| {
        assert!(data != b"panic", "on purpose");
        socket.send_to(data, from).unwrap();
    });
    let address = server.bind(local(), UdpOptions::new()).unwrap();
    let socket = peer();
    socket.send_to(b"panic", address).unwrap();
    socket.send_to(b"fine", address).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(socket.recv(&mut buffer).unwrap(), 4);
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(thread.event_loop().metrics().panics, 1);
}

/// Members of a group hear what is sent to it, until they leave.
#[test]
fn udp_multicast_on_loopback() {
    let group: IpAddr = [239, 255, 77, 1].into();
    let on = hvloop::event::Interface::Address([127, 0, 0, 1].into());
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    let (got, failed) = (Monitor::new(0), Event::new());
    let (g, f) = (got.clone(), failed.clone());
    server.on_message(move |_, _, _| g.update(|got| *got += 1));
    server.on_error(move |_, _, _| f.set());
    let any: SocketAddr = ([0, 0, 0, 0], 0).into();
    let address = server
        .bind(any, UdpOptions::new().reuse_address(true))
        .unwrap();
    let socket = server.channel().unwrap();
    socket.join_multicast(group, on).unwrap();
    let sender = UdpServer::new(thread.event_loop());
    let f = failed.clone();
    sender.on_error(move |_, _, _| f.set());
    sender.bind(local(), UdpOptions::new()).unwrap();
    let out = sender.channel().unwrap();
    out.set_multicast_interface(on).unwrap();
    out.set_multicast_loop(true).unwrap();
    out.set_multicast_ttl(1).unwrap();
    let to = SocketAddr::new(group, address.port());
    // Until one arrives: another machine's rules may lose some.
    let heard = wait_for(DEADLINE.as_secs(), || {
        let _ = out.send_to(b"to all", to);
        failed.is_set() || got.wait(20 * MS, |got| *got > 0)
    });
    if failed.is_set() {
        eprintln!("this machine has no multicast on its loopback");
        return;
    }
    assert!(heard);
    socket.leave_multicast(group, on).unwrap();
    stop_clean(&thread);
}

/// IPv6 takes 20 bytes more than IPv4 (RFC 768, RFC 8200); what the system does not take is an error with
/// its limit, on whatever thread.
#[test]
fn udp_sizes_of_ipv6() {
    let any: SocketAddr = "[::1]:0".parse().unwrap();
    let Ok(socket) = UdpSocket::bind(any) else {
        eprintln!("this machine has no IPv6");
        return;
    };
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    server.on_message(|socket, data, from| socket.send_to(data, from).unwrap());
    let address = server.bind(any, UdpOptions::new()).unwrap();
    let mut buffer = vec![0; 70_000];
    for size in [65_507, 65_508, 65_520, 65_527] {
        let data: Vec<u8> = (0..size).map(|n: usize| n as u8).collect();
        socket.send_to(&data, address).unwrap();
        assert_eq!(socket.recv(&mut buffer).unwrap(), size);
        assert_eq!(buffer[..size], data);
        // From another thread, too.
        server.send_to(&data, socket.local_addr().unwrap()).unwrap();
        assert_eq!(socket.recv(&mut buffer).unwrap(), size);
    }
    let too_long = |result| {
        matches!(
            result,
            Err(DatagramError::TooLong {
                limit: 65_527,
                size: 65_528
            })
        )
    };
    assert!(too_long(server.send_to(&[0; 65_528], address)));
    let told = Event::new();
    let (t, out) = (told.clone(), server.channel().unwrap());
    let check = move || {
        assert!(too_long(out.send_to(&[0; 65_528], address)));
        t.set();
    };
    thread.event_loop().queue_in_loop(check).unwrap();
    told.expect("the same on the loop's thread");
    // IPv4 inside IPv6 has the limit of IPv4.
    let mapped: SocketAddr = "[::ffff:127.0.0.1]:9".parse().unwrap();
    let too_long = server.send_to(&[0; 65_508], mapped);
    assert!(matches!(
        too_long,
        Err(DatagramError::TooLong {
            limit: 65_507,
            size: 65_508
        })
    ));
    let client = UdpClient::new(thread.event_loop());
    let opened = Event::new();
    let o = opened.clone();
    client.on_open(move |_| o.set());
    let port = socket.local_addr().unwrap().port();
    client.open("::1", port, UdpOptions::new()).unwrap();
    opened.expect("the client");
    client.send(&[6; 65_527]).unwrap();
    assert_eq!(socket.recv(&mut buffer).unwrap(), 65_527);
    assert!(client.send(&[6; 65_528]).is_err());
    stop_clean(&thread);
}

/// A client sends from the address that it was given, if that is of the peer's family.
#[test]
fn udp_client_has_the_address_that_it_was_given() {
    let thread = started();
    let (_server, to) = echo(&thread);
    let opened = |from: SocketAddr| {
        let client = UdpClient::new(thread.event_loop());
        let told = Monitor::new((None, None));
        let (open, closed) = (told.clone(), told.clone());
        client.on_open(move |channel| open.update(|told| told.0 = Some(channel.local_addr())));
        client.on_close(move |reason| closed.update(|told| told.1 = Some(reason.clone())));
        let options = UdpOptions::new().socket(SocketOptions::new().bind(from));
        client.open("127.0.0.1", to.port(), options).unwrap();
        assert!(told.wait(DEADLINE, |told| told.0.is_some() || told.1.is_some()));
        told.read(Clone::clone)
    };
    // All of 127/8 is this host on Linux.
    let last = if cfg!(target_os = "linux") { 9 } else { 1 };
    let (from, _) = opened(([127, 0, 0, last], 0).into());
    assert_eq!(from.unwrap().ip(), IpAddr::from([127, 0, 0, last]));
    let (none, reason) = opened(([0, 0, 0, 0, 0, 0, 0, 1], 0).into());
    assert!(none.is_none());
    assert!(
        matches!(reason, Some(CloseReason::Connect(..))),
        "{reason:?}"
    );
    stop_clean(&thread);
}

/// What need not wait is not held against the limit of what waits.
#[test]
fn udp_limit_is_of_what_waits() {
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    let options = UdpOptions::new().send_limit(100);
    server.bind(local(), options).unwrap();
    let socket = peer();
    let (out, to, told) = (
        server.channel().unwrap(),
        socket.local_addr().unwrap(),
        Event::new(),
    );
    let t = told.clone();
    let send = move || {
        out.send_to(&[5; 1_000], to).unwrap();
        assert_eq!(out.buffered_amount(), 0);
        t.set();
    };
    thread.event_loop().queue_in_loop(send).unwrap();
    told.expect("the send");
    assert_eq!(socket.recv(&mut [0; 2_000]).unwrap(), 1_000);
    stop_clean(&thread);
}

/// Answers when it is let.
struct Hanging(Event, Event);

impl hvloop::event::Resolver for Hanging {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.set();
        self.1.expect("the test's end");
        Ok(vec![[127, 0, 0, 1].into()])
    }
}

/// `close()` during the lookup ends the open at once; the next one is not hit by it.
#[test]
fn udp_close_during_lookup() {
    let (asked, over) = (Event::new(), Event::new());
    let resolver = Arc::new(Hanging(asked.clone(), over.clone()));
    let options = hvloop::LoopOptions::new()
        .drain_timeout(DEADLINE)
        .resolver(resolver);
    let thread = EventLoopThread::with_loop(hvloop::EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    let client = UdpClient::new(thread.event_loop());
    let closed = Monitor::new(Vec::new());
    for round in 1..=3 {
        let c = closed.clone();
        client.on_close(move |reason| c.update(|closed| closed.push(reason.clone())));
        client.open("slow.test", 9, UdpOptions::new()).unwrap();
        if round == 1 {
            asked.expect("the lookup");
        }
        client.close();
        assert!(closed.wait(DEADLINE, |closed| closed.len() == round));
    }
    closed.read(|closed| {
        assert!(
            closed
                .iter()
                .all(|reason| matches!(reason, CloseReason::Local)),
            "{closed:?}"
        );
    });
    // Dropped instead of closed.
    let c = closed.clone();
    client.on_close(move |reason| c.update(|closed| closed.push(reason.clone())));
    client.open("slow.test", 9, UdpOptions::new()).unwrap();
    drop(client);
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 4));
    over.set();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(closed.read(Vec::len), 4);
}

/// A turn takes 32 datagrams, however many wait.
#[test]
fn datagram_budget_of_a_turn() {
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    let (got, next_turn) = (Monitor::new(0_usize), Monitor::new(None));
    let (g, n) = (got.clone(), next_turn.clone());
    let event_loop = thread.event_loop().clone();
    server.on_message(move |_, _, _| {
        if g.update(|got| std::mem::replace(got, *got + 1)) == 0 {
            let (g, n) = (g.clone(), n.clone());
            let look = move || n.update(|n| *n = Some(g.read(|got| *got)));
            event_loop.queue_in_loop(look).unwrap();
        }
    });
    let address = server.bind(local(), UdpOptions::new()).unwrap();
    let (busy, over) = (Event::new(), Event::new());
    let (b, o) = (busy.clone(), over.clone());
    let wait = move || {
        b.set();
        o.expect("the datagrams");
    };
    thread.event_loop().queue_in_loop(wait).unwrap();
    busy.expect("the pause");
    let socket = peer();
    for _ in 0..80 {
        socket.send_to(&[1], address).unwrap();
    }
    over.set();
    assert!(next_turn.wait(DEADLINE, |got| got.is_some()));
    let taken = next_turn.read(|got| got.unwrap());
    assert!(taken <= 32, "{taken} in one turn");
    assert!(got.wait(DEADLINE, |got| *got == 80));
    stop_clean(&thread);
}
