//! A connect to a local port at which nobody listens, from that very port: the system lets it succeed
//! (simultaneous open, RFC 9293 section 3.5), and the client would talk to itself. A client that
//! reconnects to a port of the ephemeral range comes upon it by chance.

use crate::common::loops::{MS, resolving, started, started_with, stop_without_panic};
use crate::common::tcp_client::Recorded;
use hvloop::event::ReconnectPolicy;
use hvloop::{CloseReason, Connect, SocketOptions};
use hvloop_test_support::{ReservedPort, own_ip};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// How many sockets the kernel has that are connected to themselves at that port, those that wait out their
/// time included.
#[cfg(target_os = "linux")]
fn left_at(port: u16) -> usize {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines());
    let to_itself = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().take(3).collect();
        let [_, local, peer] = fields[..] else {
            return false;
        };
        local == peer && local.ends_with(&format!(":{port:04X}"))
    };
    lines.filter(to_itself).count()
}

/// It is refused, in whatever form the address is written, and leaves the port free.
#[test]
fn connect_to_itself_is_refused() {
    let thread = started();
    for (host, from) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.9", "127.0.0.9"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ("::ffff:127.0.0.1", "::"),
        ("127.0.0.1", "0.0.0.0"),
    ] {
        let Ok(reserved) = ReservedPort::on(host.parse().unwrap()) else {
            eprintln!("no {host} here");
            continue;
        };
        let port = reserved.addr().port();
        let from = SocketAddr::new(from.parse().unwrap(), port);
        let client = Recorded::new(thread.event_loop());
        let options = Connect::to(host, port).socket(SocketOptions::new().bind(from));
        client.client.connect(options).unwrap();
        match client.only_close() {
            CloseReason::Connect(Some(to), e) => {
                assert_eq!((to.ip().to_string(), to.port()), (host.to_owned(), port));
                assert_eq!(e.kind(), ErrorKind::ConnectionRefused, "{host}: {e}");
                assert!(e.to_string().contains("itself"), "{e}");
            }
            other => panic!("{host} from {from}: {other:?}"),
        }
        assert_eq!(client.seen.read(|seen| seen.connected), 0, "{host}");
        #[cfg(target_os = "linux")]
        assert_eq!(left_at(port), 0, "{host}: the server cannot have its port");
    }
    stop_without_panic(&thread);
}

/// One of several addresses leads back: the next one is tried at once, and wins.
#[test]
fn race_goes_on_behind_a_connect_to_itself() {
    // Whose ports nobody else has.
    let both = [(); 2].map(|()| IpAddr::from(own_ip()));
    if both[0] == both[1] {
        eprintln!("one address alone here");
        return;
    }
    let listener = TcpListener::bind((both[1], 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let thread = started_with(resolving(move |_| Ok(both.to_vec())));
    let client = Recorded::new(thread.event_loop());
    let from = SocketAddr::new(both[0], to.port());
    client.connect(Connect::to("two.test", to.port()).socket(SocketOptions::new().bind(from)));
    let (peer, address) = listener.accept().unwrap();
    assert_eq!(address, from);
    let channel = client.client.channel().unwrap();
    assert_eq!(channel.peer_addr(), Some(to));
    client.client.close();
    drop(peer);
    client.only_close();
    stop_without_panic(&thread);
}

/// A client that reconnects gets to its server when that is there, and not to itself before.
#[test]
fn reconnects_past_itself() {
    let reserved = ReservedPort::new();
    let (ip, port) = (reserved.addr().ip(), reserved.addr().port());
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    let policy = ReconnectPolicy::fixed(MS);
    client.client.set_reconnect(Some(policy)).unwrap();
    let from = SocketAddr::new(ip, port);
    client
        .client
        .connect(Connect::to("127.0.0.1", port).socket(SocketOptions::new().bind(from)))
        .unwrap();
    client.wait("three attempts", |seen| seen.closed.len() >= 3);
    assert_eq!(client.seen.read(|seen| seen.connected), 0);
    client.client.close();
    let server = TcpListener::bind((ip, port));
    assert!(server.is_ok(), "{server:?}");
    stop_without_panic(&thread);
}
