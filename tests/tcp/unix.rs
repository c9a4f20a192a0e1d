//! Unix sockets.

use crate::common::loops::{started, stop_clean};
use crate::common::socket_path::SocketPath as Path;
use crate::common::tcp_server::Recorded;
use hvloop::{Address, Connect, Listen, TcpClient};
use hvloop_test_support::{DEADLINE, Monitor, wait_for};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(&path.0).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Echo, addresses, and the file that goes with the listener.
#[test]
fn unix_echo_and_file() {
    let (path, thread) = (Path::new(), started());
    let server = Recorded::on(&thread);
    let address = server.server.listen(Listen::unix(&path.0)).unwrap();
    assert_eq!(address, Address::Unix(Some(path.0.clone())));
    let mut peer = connect(&path);
    let data = vec![3; 300_000];
    for piece in data.chunks(30_000) {
        peer.write_all(piece).unwrap();
        let mut back = vec![0; piece.len()];
        peer.read_exact(&mut back).unwrap();
        assert_eq!(back, piece);
    }
    let told = Monitor::new(None);
    let client = TcpClient::new(thread.event_loop());
    let t = told.clone();
    client.on_connect(move |channel| {
        t.update(|told| *told = Some((channel.peer().cloned(), channel.peer_addr())));
        channel.send(b"by our own client").unwrap();
    });
    let answer = Monitor::new(Vec::new());
    let a = answer.clone();
    client.on_message(move |_, data| a.update(|answer| answer.extend_from_slice(data)));
    client.connect(Connect::unix(&path.0)).unwrap();
    assert!(answer.wait(DEADLINE, |answer| answer == b"by our own client"));
    let expected = (Some(Address::Unix(Some(path.0.clone()))), None);
    assert_eq!(told.read(Clone::clone), Some(expected));
    drop(peer);
    stop_clean(&thread);
    assert!(!path.0.exists(), "the file went with the listener");
}

/// One that is left behind is taken over; one that is alive is not.
#[test]
fn stale_socket_file() {
    let (path, thread) = (Path::new(), started());
    drop(UnixListener::bind(&path.0).unwrap());
    assert!(path.0.exists());
    let server = Recorded::on(&thread);
    server.server.listen(Listen::unix(&path.0)).unwrap();
    let second = Recorded::on(&thread);
    let e = second.server.listen(Listen::unix(&path.0)).unwrap_err();
    assert_eq!(e.kind(), hvloop::ListenErrorKind::AddressInUse);
    let mut peer = connect(&path);
    peer.write_all(b"x").unwrap();
    peer.read_exact(&mut [0]).unwrap();
    // A file that came in its place is not ours to remove.
    std::fs::remove_file(&path.0).unwrap();
    let other = UnixListener::bind(&path.0).unwrap();
    server.server.stop();
    drop(peer);
    server.wait("the end", |seen| seen.closed.len() == 1);
    assert!(path.0.exists());
    drop(other);
    stop_clean(&thread);
}

/// The path can be bound again as soon as the stop has taken effect.
#[test]
fn rebind_after_stop_unix() {
    let (path, thread) = (Path::new(), started());
    let server = Recorded::on(&thread);
    for round in 0..10 {
        server.server.listen(Listen::unix(&path.0)).unwrap();
        let mut peer = connect(&path);
        peer.write_all(b"x").unwrap();
        peer.read_exact(&mut [0]).unwrap();
        server.server.stop();
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).unwrap();
        drop(peer);
        server.wait("the end", |seen| seen.closed.len() == round + 1);
        assert!(wait_for(DEADLINE.as_secs(), || !path.0.exists()));
    }
    stop_clean(&thread);
}

/// Nobody there, and no file there: each its error.
#[test]
fn unix_connect_errors() {
    let (path, thread) = (Path::new(), started());
    let refused = |expected: io::ErrorKind| {
        let client = TcpClient::new(thread.event_loop());
        let kind = Monitor::new(None);
        let k = kind.clone();
        client.on_close(move |_, reason| {
            if let hvloop::CloseReason::Connect(None, e) = reason {
                k.update(|kind| *kind = Some(e.kind()));
            }
        });
        client.connect(Connect::unix(&path.0)).unwrap();
        assert!(kind.wait(DEADLINE, |kind| *kind == Some(expected)));
    };
    refused(io::ErrorKind::NotFound);
    drop(UnixListener::bind(&path.0).unwrap());
    refused(io::ErrorKind::ConnectionRefused);
    stop_clean(&thread);
}
