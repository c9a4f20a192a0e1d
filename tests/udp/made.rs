//! Sockets that were made elsewhere.

use crate::common::loops::{started, stop_clean};
use hvloop::event::ConnectError;
use hvloop::{
    CloseReason, EventLoop, EventLoopThread, ListenErrorKind, UdpClient, UdpOptions, UdpServer,
};
use hvloop_test_support::{DEADLINE, Event, Monitor};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(local()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// What came before the server had the socket waits in it.
#[test]
fn server_has_what_waited_in_the_socket() {
    let thread = started();
    let (made, peer) = (socket(), socket());
    let address = made.local_addr().unwrap();
    for n in 0..5 {
        peer.send_to(&[n; 10], address).unwrap();
    }
    let server = UdpServer::new(thread.event_loop());
    server.on_message(|socket, data, from| socket.send_to(data, from).unwrap());
    let options = || UdpOptions::new().broadcast(true);
    assert_eq!(server.open(made, options()).unwrap(), address);
    let mut buffer = [0; 100];
    for n in 0..5 {
        let (size, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..size], from), (&[n; 10][..], address));
    }
    let again = server.open(socket(), options()).unwrap_err();
    assert_eq!(again.kind(), ListenErrorKind::AlreadyOpen);
    stop_clean(&thread);
    UdpSocket::bind(address).unwrap();
    let late = server.open(socket(), options()).unwrap_err();
    assert_eq!(late.kind(), ListenErrorKind::LoopClosed);
}

/// The peer is the socket's own.
#[test]
fn client_has_the_sockets_peer() {
    let thread = started();
    let (made, peer) = (socket(), socket());
    let (address, to) = (made.local_addr().unwrap(), peer.local_addr().unwrap());
    made.connect(to).unwrap();
    let client = UdpClient::new(thread.event_loop());
    let (got, closed) = (Monitor::new(Vec::new()), Monitor::new(Vec::new()));
    let g = got.clone();
    client.on_message(move |_, data, from| g.update(|got| got.push((data.to_vec(), from))));
    let opened = Event::new();
    let o = opened.clone();
    client.on_open(move |channel| {
        assert_eq!(channel.local_addr(), address);
        assert_eq!(channel.peer_addr(), Some(to));
        channel.send(b"hello").unwrap();
        o.set();
    });
    let c = closed.clone();
    client.on_close(move |reason| c.update(|closed| closed.push(reason.clone())));
    client.open_socket(made, UdpOptions::new()).unwrap();
    opened.expect("the open");
    let mut buffer = [0; 100];
    let (size, from) = peer.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..size], from), (&b"hello"[..], address));
    peer.send_to(b"answer", address).unwrap();
    assert!(got.wait(DEADLINE, |got| *got == [(b"answer".to_vec(), to)]));
    let twice = connected_to(to);
    let twice = client.open_socket(twice, UdpOptions::new());
    assert_eq!(twice, Err(ConnectError::AlreadyOpen));
    client.close();
    assert!(closed.wait(DEADLINE, |closed| matches!(
        closed[..],
        [CloseReason::Local]
    )));
    stop_clean(&thread);
    UdpSocket::bind(address).unwrap();
}

fn connected_to(to: SocketAddr) -> UdpSocket {
    let made = socket();
    made.connect(to).unwrap();
    made
}

/// What is no UDP socket, or has no peer, is refused at once.
#[test]
fn wrong_sockets_are_refused() {
    let thread = started();
    let wrong = || -> [OwnedFd; 3] {
        [
            std::fs::File::open("/dev/null").unwrap().into(),
            TcpListener::bind(local()).unwrap().into(),
            UnixDatagram::pair().unwrap().0.into(),
        ]
    };
    for fd in wrong() {
        let what = format!("{fd:?}");
        let server = UdpServer::new(thread.event_loop());
        let e = server.open(fd, UdpOptions::new()).expect_err(&what);
        assert_eq!(e.kind(), ListenErrorKind::Other, "{what}: {e}");
        assert!(server.channel().is_none());
    }
    let client = UdpClient::new(thread.event_loop());
    for fd in wrong() {
        let refused = client.open_socket(fd, UdpOptions::new());
        assert!(
            matches!(refused, Err(ConnectError::Socket(_))),
            "{refused:?}"
        );
    }
    let alone = client.open_socket(socket(), UdpOptions::new());
    assert_eq!(alone, Err(ConnectError::Socket(ErrorKind::NotConnected)));
    stop_clean(&thread);
}

/// What is sent before the loop has the socket waits for it.
#[test]
fn sent_before_the_loop_runs() {
    let event_loop = EventLoop::new().unwrap();
    let peer = socket();
    let client = UdpClient::new(&event_loop);
    let made = connected_to(peer.local_addr().unwrap());
    let address = made.local_addr().unwrap();
    client.open_socket(made, UdpOptions::new()).unwrap();
    let channel = client.channel().expect("the socket");
    assert_eq!(channel.local_addr(), address);
    client.send(b"early").unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    let mut buffer = [0; 100];
    let (size, from) = peer.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..size], from), (&b"early"[..], address));
    stop_clean(&thread);
    assert!(!channel.is_open());
}

/// A socket on its way to a loop that does not run is closed at once, and its one `on_close` comes when it does.
#[test]
fn closed_on_its_way() {
    let event_loop = EventLoop::new().unwrap();
    let peer = socket();
    let made = connected_to(peer.local_addr().unwrap());
    let address = made.local_addr().unwrap();
    let client = UdpClient::new(&event_loop);
    let closed = Monitor::new(Vec::new());
    let c = closed.clone();
    client.on_close(move |reason| c.update(|closed| closed.push(reason.clone())));
    client.open_socket(made, UdpOptions::new()).unwrap();
    let channel = client.channel().expect("the socket");
    client.close();
    let again = UdpSocket::bind(address).unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    assert!(closed.wait(DEADLINE, |closed| matches!(
        closed[..],
        [CloseReason::Local]
    )));
    assert!(!channel.is_open());
    again.connect(peer.local_addr().unwrap()).unwrap();
    client.open_socket(again, UdpOptions::new()).unwrap();
    stop_clean(&thread);
}
