//! Sockets that were made elsewhere.
use crate::common::loops::{Answers, on_loop, started, started_with, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::socket_path::SocketPath;
use crate::common::tcp_client::Recorded as Client;
use crate::common::tcp_server::{Recorded as Server, inet};
use crate::over_tcp_and_tls;
use hvloop::{
    Address, CloseReason, Connect, EventLoop, EventLoopThread, EventLoopThreadPool, Listen,
    ListenErrorKind, Listening, LoopOptions, ReconnectPolicy, TcpClient, TcpServer,
};
use hvloop_test_support::{DEADLINE, Monitor, wait_for};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

over_tcp_and_tls! {
    /// A socket that was bound and set up elsewhere is the one that is connected.
    connects_a_given_socket => connects;
    /// So is one that is connected already.
    takes_a_connected_socket => takes_connected;
    /// A listener of std's, with what waits in its backlog.
    listens_on_a_given_listener => listens;
}

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Not connected, at an address of its own.
fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&local().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn connects(transport: Transport) {
    let net = Net::new(transport);
    let server = net.echo();
    let thread = started();
    let client = Client::new(thread.event_loop());
    let (socket, address) = bound();
    let other = socket.try_clone().unwrap();
    client.connect(net.to(&server).with_socket(socket));
    let channel = client.client.channel().unwrap();
    assert_eq!(channel.local_addr(), Some(address));
    assert!(other.tcp_nodelay().unwrap(), "set up as others are");
    assert_eq!(channel.peer_addr(), Some(server.addr()));
    client.client.send(&[7; 50_000]).unwrap();
    client.wait("the echo", |seen| seen.bytes.len() == 50_000);
    drop(other);
    client.client.close();
    assert!(matches!(client.only_close(), CloseReason::Local));
    server.wait_finished(1);
    stop_clean(&thread);
}

fn takes_connected(transport: Transport) {
    let net = Net::new(transport);
    let server = net.echo();
    let thread = started();
    let client = Client::new(thread.event_loop());
    let stream = TcpStream::connect(server.addr()).unwrap();
    let address = stream.local_addr().unwrap();
    // Where it leads is not asked.
    let connect = net.to_host("127.0.0.1", 1);
    client.connect(connect.with_socket(stream));
    let channel = client.client.channel().unwrap();
    let both = (channel.local_addr(), channel.peer_addr());
    assert_eq!(both, (Some(address), Some(server.addr())));
    client.client.send(b"hello").unwrap();
    client.wait("the echo", |seen| seen.bytes == b"hello");
    client.client.close();
    client.only_close();
    stop_clean(&thread);
}

/// A client over a Unix socket, and what it saw: addresses, then bytes, and its end.
type Told = Monitor<(Option<Address>, Vec<u8>, Vec<CloseReason>)>;

fn unix_client(event_loop: &EventLoop) -> (TcpClient, Told) {
    let (client, told) = (TcpClient::new(event_loop), Told::default());
    let t = told.clone();
    client.on_connect(move |channel| t.update(|told| told.0 = channel.local_address().cloned()));
    let t = told.clone();
    client.on_message(move |_, data| t.update(|told| told.1.extend_from_slice(data)));
    let t = told.clone();
    client.on_close(move |_, reason| t.update(|told| told.2.push(reason.clone())));
    (client, told)
}

/// The other end of a `socketpair`, and a Unix socket that has no name.
#[test]
fn takes_one_end_of_a_pair() {
    let thread = started();
    let (client, told) = unix_client(thread.event_loop());
    let (mut here, there) = UnixStream::pair().unwrap();
    here.set_read_timeout(Some(DEADLINE)).unwrap();
    here.write_all(b"before").unwrap();
    client
        .connect(Connect::unix("/nowhere").with_socket(there))
        .unwrap();
    assert!(told.wait(DEADLINE, |told| told.1 == b"before"));
    client.send(b"and after").unwrap();
    let mut got = [0; 9];
    here.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"and after");
    drop(here);
    assert!(told.wait(DEADLINE, |told| matches!(told.2[..], [CloseReason::Peer])));
    stop_clean(&thread);
}

/// A connect that was begun elsewhere goes on.
#[test]
fn connect_under_way_goes_on() {
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let thread = started();
    let client = Client::new(thread.event_loop());
    let (socket, address) = bound();
    socket.set_nonblocking(true).unwrap();
    let begun = socket.connect(&server.addr().into());
    assert!(begun.is_ok() || begun.is_err_and(|e| e.raw_os_error() == Some(115)));
    client.connect(net.to(&server).with_socket(socket));
    assert_eq!(client.client.channel().unwrap().local_addr(), Some(address));
    client.client.close();
    client.only_close();
    stop_clean(&thread);
}

/// There is one: the reconnect opens its own.
#[test]
fn reconnect_opens_its_own() {
    let net = Net::new(Transport::Tcp);
    let server = net.peer(|conn| {
        let mut byte = [0];
        conn.read_exact(&mut byte)?;
        conn.finish()
    });
    let thread = started();
    let client = Client::new(thread.event_loop());
    let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
    client.client.set_reconnect(policy).unwrap();
    let (socket, address) = bound();
    client.connect(net.to(&server).with_socket(socket));
    assert_eq!(client.client.channel().unwrap().local_addr(), Some(address));
    client.client.send(b"x").unwrap();
    client.wait("connected again", |seen| seen.connected == 2);
    let again = client.client.channel().unwrap().local_addr();
    assert!(again.is_some() && again != Some(address));
    client.client.close();
    stop_clean(&thread);
}

/// Of a name's addresses those of the socket's family count, and the first of them alone.
#[test]
fn one_address_of_the_sockets_family() {
    let good = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = good.local_addr().unwrap().port();
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let dead = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let answers = Answers(move |host: &str| {
        let four = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Ok(match host {
            "good" => vec![six, four, dead],
            "bad" => vec![six, dead, four],
            _ => vec![six],
        })
    });
    let thread = started_with(LoopOptions::new().resolver(Arc::new(answers)));
    let client = Client::new(thread.event_loop());
    client.connect(Connect::to("good", port).with_socket(bound().0));
    drop(good.accept().unwrap());
    client.client.close();
    client.only_close();
    let failed = |host: &str| {
        let client = Client::new(thread.event_loop());
        let connect = Connect::to(host, port).with_socket(bound().0);
        client.client.connect(connect).unwrap();
        match client.only_close() {
            CloseReason::Connect(_, e) | CloseReason::Dns(e) => e.kind(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failed("bad"), ErrorKind::ConnectionRefused);
    assert_eq!(failed("six"), ErrorKind::InvalidInput);
    stop_clean(&thread);
}

/// What is no socket, or of another kind, ends the attempt; nothing is left open.
#[test]
fn wrong_sockets_end_the_attempt() {
    let listener = TcpListener::bind(local()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = started();
    let wrong: [OwnedFd; 4] = [
        std::fs::File::open("/dev/null").unwrap().into(),
        UdpSocket::bind(local()).unwrap().into(),
        UnixDatagram::unbound().unwrap().into(),
        Socket::new(Domain::IPV6, Type::STREAM, None)
            .unwrap()
            .into(),
    ];
    for socket in wrong {
        let what = format!("{socket:?}");
        let client = Client::new(thread.event_loop());
        let connect = Connect::to("127.0.0.1", port).with_socket(socket);
        client.client.connect(connect).unwrap();
        let reason = client.only_close();
        let refused = matches!(reason, CloseReason::Connect(..) | CloseReason::Dns(_));
        assert!(refused, "{what}: {reason:?}");
    }
    stop_clean(&thread);
}

/// A full backlog of a Unix socket is waited for with the very socket.
#[test]
fn given_socket_waits_for_a_full_backlog() {
    let path = SocketPath::new();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let at = socket2::SockAddr::unix(&path.0).unwrap();
    listener.bind(&at).unwrap();
    listener.listen(0).unwrap();
    let first = UnixStream::connect(&path.0).unwrap();
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let own = path.0.with_extension("own");
    socket
        .bind(&socket2::SockAddr::unix(&own).unwrap())
        .unwrap();
    let thread = started();
    let (client, told) = unix_client(thread.event_loop());
    let connect = Connect::unix(&path.0).open_timeout(DEADLINE);
    client.connect(connect.with_socket(socket)).unwrap();
    on_loop(thread.event_loop(), |_| {});
    assert_eq!(told.read(|told| told.0.clone()), None);
    let one = listener.accept().unwrap();
    let own = Some(Address::Unix(Some(own)));
    assert!(told.wait(DEADLINE, |told| told.0 == own));
    drop(listener.accept().unwrap());
    assert!(told.wait(DEADLINE, |told| matches!(told.2[..], [CloseReason::Peer])));
    drop((one, first));
    stop_clean(&thread);
}

fn listens(transport: Transport) {
    let net = Net::new(transport);
    let thread = started();
    let server = Server::on(&thread);
    let listener = TcpListener::bind(local()).unwrap();
    let address = listener.local_addr().unwrap();
    let kept = listener.try_clone().unwrap();
    // In the backlog before anybody serves it.
    let early = TcpStream::connect(address).unwrap();
    let listening = Listening::from_listener(listener, net.listen()).unwrap();
    assert_eq!(listening.address(), &Address::Inet(address));
    assert_eq!(inet(server.server.listen_on(listening).unwrap()), address);
    let mut peer = net.connect(address);
    peer.send(b"hello");
    assert_eq!(peer.expect(5), b"hello");
    assert!(wait_for(DEADLINE.as_secs(), || server
        .server
        .connection_num()
        == 2));
    drop((early, peer));
    server.server.stop();
    // It was closed, and not the other one's: that goes on.
    assert!(kept.local_addr().is_ok());
    stop_clean(&thread);
    drop(kept);
    TcpListener::bind(address).unwrap();
}

/// `createsocket` and, later, `start`: the descriptor is there before the loop has it.
#[test]
fn descriptor_before_the_server_starts() {
    let thread = started();
    let server = Server::on(&thread);
    let listening = Listen::tcp(local()).backlog(3).bind().unwrap();
    assert!(SockRef::from(&listening.as_fd()).is_listener().unwrap());
    let address = inet(listening.address().clone());
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    server.server.listen_on(listening).unwrap();
    peer.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
    drop(peer);
    stop_clean(&thread);
}

/// The certificate is known only after the address was taken; the file of a listener of ours goes with it.
#[test]
fn treated_in_another_way_once_it_is_bound() {
    let net = Net::new(Transport::Tls);
    let thread = started();
    let server = Server::on(&thread);
    let listening = Listen::tcp(local()).bind().unwrap();
    let address = inet(listening.address().clone());
    let listening = listening.with(net.listen());
    assert_eq!(inet(server.server.listen_on(listening).unwrap()), address);
    let mut peer = net.connect(address);
    peer.send(b"hello");
    assert_eq!(peer.expect(5), b"hello");
    drop(peer);
    let path = SocketPath::new();
    let listening = Listen::unix(&path.0).bind().unwrap();
    let listening = listening.with(Listen::unix("/elsewhere"));
    let address = server.server.listen_on(listening).unwrap();
    assert_eq!(address, Address::Unix(Some(path.0.clone())));
    drop(UnixStream::connect(&path.0).unwrap());
    stop_clean(&thread);
    assert!(!path.0.exists());
}

/// The file of a listener that was made elsewhere is not ours.
#[test]
fn file_of_a_given_unix_listener_stays() {
    let path = SocketPath::new();
    let thread = started();
    let server = Server::on(&thread);
    let listener = UnixListener::bind(&path.0).unwrap();
    let listening = Listening::from_listener(listener, Listen::unix("/elsewhere")).unwrap();
    let address = server.server.listen_on(listening).unwrap();
    assert_eq!(address, Address::Unix(Some(path.0.clone())));
    let mut peer = UnixStream::connect(&path.0).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    peer.read_exact(&mut back).unwrap();
    drop(peer);
    stop_clean(&thread);
    assert!(path.0.exists());
    let refused = UnixStream::connect(&path.0).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// Several loops share one listener, and each connection is served once.
#[test]
fn several_loops_share_a_listener() {
    for unix in [false, true] {
        let path = SocketPath::new();
        let pool = EventLoopThreadPool::with_threads(3).unwrap();
        pool.start().unwrap();
        let server = Server::new(TcpServer::per_loop(&pool));
        let listening = match unix {
            true => Listen::unix(&path.0).bind().unwrap(),
            false => {
                Listening::from_listener(TcpListener::bind(local()).unwrap(), Listen::tcp(local()))
                    .unwrap()
            }
        };
        let address = server.server.listen_on(listening).unwrap();
        for n in 0..20 {
            let data = [n; 100];
            let mut back = [0; 100];
            match &address {
                Address::Inet(address) => {
                    let mut peer = TcpStream::connect(address).unwrap();
                    peer.set_read_timeout(Some(DEADLINE)).unwrap();
                    peer.write_all(&data).unwrap();
                    peer.read_exact(&mut back).unwrap();
                }
                _ => {
                    let mut peer = UnixStream::connect(&path.0).unwrap();
                    peer.set_read_timeout(Some(DEADLINE)).unwrap();
                    peer.write_all(&data).unwrap();
                    peer.read_exact(&mut back).unwrap();
                }
            }
            assert_eq!(back, data);
        }
        server.server.close_listeners();
        pool.stop();
        assert!(pool.join().unwrap().iter().all(|report| report.is_clean()));
        assert!(!path.0.exists(), "the file that the library made goes");
    }
}

/// What does not listen is refused at once, and closed.
#[test]
fn what_does_not_listen_is_refused() {
    let connected = TcpListener::bind(local()).unwrap();
    let to = connected.local_addr().unwrap();
    let wrong: [OwnedFd; 5] = [
        std::fs::File::open("/dev/null").unwrap().into(),
        UdpSocket::bind(local()).unwrap().into(),
        bound().0.into(),
        TcpStream::connect(to).unwrap().into(),
        UnixStream::pair().unwrap().0.into(),
    ];
    for socket in wrong {
        let what = format!("{socket:?}");
        let refused = Listening::from_listener(socket, Listen::tcp(local()));
        let e = refused.expect_err(&what);
        assert!(
            e.kind() == ListenErrorKind::Other && e.cause().is_some(),
            "{what}: {e}"
        );
    }
}

/// A loop that has stopped takes none: it is closed.
#[test]
fn listener_for_a_stopped_loop_is_closed() {
    let thread = started();
    let server = Server::on(&thread);
    stop_clean(&thread);
    let listener = TcpListener::bind(local()).unwrap();
    let address = listener.local_addr().unwrap();
    let listening = Listening::from_listener(listener, Listen::tcp(local())).unwrap();
    let e = server.server.listen_on(listening).unwrap_err();
    assert_eq!(e.kind(), ListenErrorKind::LoopClosed);
    TcpListener::bind(address).unwrap();
}

/// A listener that is closed on its way to a loop that does not run is closed at once.
#[test]
fn given_listener_closed_on_its_way() {
    let event_loop = EventLoop::new().unwrap();
    let server = TcpServer::new(&event_loop);
    let listener = TcpListener::bind(local()).unwrap();
    let address = listener.local_addr().unwrap();
    let listening = Listening::from_listener(listener, Listen::tcp(local())).unwrap();
    server.listen_on(listening).unwrap();
    server.close_listeners();
    TcpListener::bind(address).unwrap();
}

/// A connect that is given up before its loop runs closes the socket with its one `on_close`.
#[test]
fn given_socket_of_a_connect_that_is_given_up() {
    let event_loop = EventLoop::new().unwrap();
    let client = Client::new(&event_loop);
    let (here, there) = UnixStream::pair().unwrap();
    let connect = Connect::unix("/nowhere").with_socket(there);
    client.client.connect(connect).unwrap();
    client.client.close();
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    assert!(matches!(client.only_close(), CloseReason::Local));
    here.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut rest = Vec::new();
    (&here).read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    stop_clean(&thread);
}
