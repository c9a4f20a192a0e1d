//! Reads that are short although more is there: TCP's urgent data, descriptors on a Unix socket.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::socket_path::SocketPath;
use crate::common::tcp_server::{Recorded, inet};
use hvloop::{Connect, EventLoop, EventLoopThread, Listen, SocketOptions, TcpClient};
use hvloop_test_support::{DEADLINE, Event, Monitor};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use socket2::SockRef;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

crate::over_tcp_and_tls! {
    /// Whatever is urgent, and wherever it lies, all else comes.
    urgent_data => urgent_scenario;
}

/// What a peer sends in one go.
#[derive(Clone, Copy)]
enum Piece {
    Plain(&'static str),
    /// One urgent byte, `!`, which is no part of the stream.
    Urgent,
}

use Piece::{Plain, Urgent};

const STREAMS: [&[Piece]; 9] = [
    &[Urgent, Plain("behind")],
    &[Plain("before"), Urgent],
    &[Plain("before"), Urgent, Plain("behind")],
    &[Plain("a"), Urgent, Urgent, Plain("b")],
    &[Plain("a"), Urgent, Plain("b"), Urgent, Plain("c")],
    &[Urgent, Plain("a"), Urgent],
    &[Urgent],
    &[
        Plain("a"),
        Urgent,
        Plain("b"),
        Urgent,
        Urgent,
        Plain("c"),
        Urgent,
        Plain("d"),
    ],
    &[Plain("all")],
];

/// The loop does nothing until the event is set: so what was sent meanwhile is read in one turn.
fn occupy(event_loop: &EventLoop) -> Event {
    let (busy, over) = (Event::new(), Event::new());
    let (b, o) = (busy.clone(), over.clone());
    let wait = move || {
        b.set();
        o.expect("the end of the pause");
    };
    event_loop.queue_in_loop(wait).unwrap();
    busy.expect("the pause");
    over
}

/// Everything that was received but urgent bytes, which some orders leave in the stream.
fn plain(messages: &[Vec<u8>]) -> String {
    let text = String::from_utf8(messages.concat()).unwrap();
    text.replace('!', "")
}

fn send_raw(mut stream: &TcpStream, pieces: &[Piece]) {
    for piece in pieces {
        match piece {
            Plain(text) => stream.write_all(text.as_bytes()).unwrap(),
            Urgent => {
                SockRef::from(stream).send_out_of_band(b"!").unwrap();
            }
        }
    }
}

fn urgent_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    for pieces in STREAMS {
        // Of two at a time the system leaves the first in the stream, which TLS cannot do with.
        let urgent = pieces.iter().filter(|p| matches!(p, Urgent)).count();
        if transport == Transport::Tls && urgent > 1 {
            continue;
        }
        let server = Recorded::on(&thread);
        let address = server.listen(net.listen());
        let mut peer = net.connect(address);
        server.wait("the connection", |seen| seen.opened == 1);
        let mut expected = String::new();
        for round in 1..=3 {
            let over = occupy(thread.event_loop());
            for piece in pieces {
                match piece {
                    Plain(text) => {
                        peer.send(text.as_bytes());
                        expected.push_str(text);
                    }
                    Urgent => send_raw(&peer.stream, &[Urgent]),
                }
            }
            over.set();
            server.wait(&format!("round {round}: {expected}"), |seen| {
                plain(&seen.messages) == expected
            });
        }
        peer.end();
        server.wait("the end", |seen| seen.closed.len() == 1);
        server.server.stop();
    }
    stop_clean(&thread);
}

/// A client reads on, too.
#[test]
fn urgent_data_for_a_client() {
    let thread = started();
    for pieces in STREAMS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpClient::new(thread.event_loop());
        let got = Monitor::new(Vec::new());
        let g = got.clone();
        client.on_message(move |_, data| g.update(|got| got.push(data.to_vec())));
        let address = listener.local_addr().unwrap();
        client
            .connect(Connect::to("127.0.0.1", address.port()))
            .unwrap();
        let (peer, _) = listener.accept().unwrap();
        let over = occupy(thread.event_loop());
        send_raw(&peer, pieces);
        over.set();
        let expected: String = pieces.iter().map(text).collect();
        assert!(
            got.wait(DEADLINE, |got| plain(got) == expected),
            "{expected}"
        );
    }
    stop_clean(&thread);
}

fn text(piece: &Piece) -> &'static str {
    match piece {
        Plain(text) => text,
        Urgent => "",
    }
}

/// The end of the stream right behind urgent data is noticed.
#[test]
fn urgent_data_before_the_end() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    for pieces in STREAMS {
        let server = Recorded::on(&thread);
        let address = server.listen(net.listen());
        let mut peer = net.connect(address);
        server.wait("the connection", |seen| seen.opened == 1);
        let over = occupy(thread.event_loop());
        send_raw(&peer.stream, pieces);
        peer.end();
        over.set();
        server.wait("the end", |seen| seen.closed.len() == 1);
        let expected: String = pieces.iter().map(text).collect();
        assert_eq!(server.seen.read(|seen| plain(&seen.messages)), expected);
        server.server.stop();
    }
    stop_clean(&thread);
}

/// Sends these bytes with a descriptor.
fn send_with(stream: &UnixStream, data: &[u8], fd: &impl AsFd) {
    let fds = [fd.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let sent = sendmsg(
        stream,
        &[IoSlice::new(data)],
        &mut control,
        SendFlags::empty(),
    );
    assert_eq!(sent.unwrap(), data.len());
}

/// A Unix server and a peer of it.
fn unix(thread: &EventLoopThread) -> (SocketPath, Recorded, UnixStream) {
    let path = SocketPath::new();
    let server = Recorded::on(thread);
    server.server.listen(Listen::unix(&path.0)).unwrap();
    let peer = UnixStream::connect(&path.0).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    server.wait("the connection", |seen| seen.opened == 1);
    (path, server, peer)
}

/// Descriptors that come along make reads short. They are not kept: what they lead to ends.
#[test]
fn descriptors_come_along() {
    let thread = started();
    let (_path, server, mut peer) = unix(&thread);
    let mut expected = Vec::new();
    for round in 0..20_u8 {
        let over = occupy(thread.event_loop());
        let mut ends = Vec::new();
        for n in 0..=round % 3 {
            let (mine, theirs) = UnixStream::pair().unwrap();
            mine.set_read_timeout(Some(DEADLINE)).unwrap();
            send_with(&peer, &[round, n], &theirs);
            expected.extend([round, n]);
            ends.push(mine);
        }
        if round % 2 == 0 {
            peer.write_all(b"behind").unwrap();
            expected.extend(b"behind");
        }
        over.set();
        server.wait(&format!("round {round}"), |seen| {
            seen.messages.concat() == expected
        });
        for mut end in ends {
            // Its other end is open nowhere any more.
            assert_eq!(end.read(&mut [0; 1]).unwrap(), 0);
        }
    }
    let mut back = vec![0; expected.len()];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(back, expected);
    drop(peer);
    server.wait("the end", |seen| seen.closed.len() == 1);
    stop_clean(&thread);
}

/// The end of the stream right behind a descriptor is noticed.
#[test]
fn descriptor_before_the_end() {
    let thread = started();
    let (_path, server, peer) = unix(&thread);
    let over = occupy(thread.event_loop());
    send_with(&peer, b"last", &peer);
    drop(peer);
    over.set();
    server.wait("the end", |seen| seen.closed.len() == 1);
    assert_eq!(server.seen.read(|seen| seen.messages.concat()), b"last");
    stop_clean(&thread);
}

/// A Unix socket's own urgent data, where the system has it.
#[test]
fn urgent_data_on_a_unix_socket() {
    let thread = started();
    for pieces in STREAMS {
        let (_path, server, mut peer) = unix(&thread);
        let over = occupy(thread.event_loop());
        for piece in pieces {
            match piece {
                Plain(text) => peer.write_all(text.as_bytes()).unwrap(),
                Urgent => match SockRef::from(&peer).send_out_of_band(b"!") {
                    Ok(sent) => assert_eq!(sent, 1),
                    Err(e) => {
                        eprintln!("no urgent data on Unix sockets here: {e}");
                        over.set();
                        stop_clean(&thread);
                        return;
                    }
                },
            }
        }
        over.set();
        let expected: String = pieces.iter().map(text).collect();
        server.wait(&expected, |seen| plain(&seen.messages) == expected);
        drop(peer);
        server.wait("the end", |seen| seen.closed.len() == 1);
    }
    stop_clean(&thread);
}

/// The system gives less room than is asked for, again and again: all is written all the same.
#[test]
fn short_writes() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = hvloop::TcpServer::new(thread.event_loop());
    let data: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    let d = data.clone();
    server.on_connection(move |channel| channel.send(&d).unwrap());
    let listen = net.listen().socket(SocketOptions::new().send_buffer(4096));
    let address = inet(server.listen(listen).unwrap());
    let mut peer = net.connect(address);
    assert!(peer.expect(data.len()) == data);
    peer.end();
    stop_clean(&thread);
}
