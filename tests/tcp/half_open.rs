//! Connections of which one side has ended.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::End;
use crate::common::net::{Net, Peer, Transport};
use crate::common::tcp_server::inet;
use hvloop::{
    Channel, CloseReason, Connect, EventLoopThread, Listen, TcpClient, TcpServer, Unpack,
};
use hvloop_test_support::{DEADLINE, Monitor};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::Duration;

crate::over_tcp_and_tls! {
    /// The peer ends its side behind its request; the answer comes when it is there.
    answer_comes_late => late_scenario;
    /// By default the peer's end ends both sides, behind what is sent when it is told.
    ends_with_the_peer => default_scenario;
    /// The second of both ends is the end, whichever side's it is.
    second_end_is_the_end => second_scenario;
    /// A stop lets out what was accepted, and does not wait for more.
    half_open_stops => stop_scenario;
    /// Limits to being quiet go on.
    half_open_and_quiet => quiet_scenario;
    /// The end is told once, wherever the connection goes.
    half_open_moves => move_scenario;
    /// A reset is noticed, although nothing is read any more.
    half_open_breaks => reset_scenario;
    /// Each connection has its own setting.
    half_open_by_connection => setting_scenario;
    /// The end comes behind what waits for the user to read on.
    end_waits_for_reading => paused_scenario;
}

#[derive(Default)]
struct Seen {
    messages: Vec<Vec<u8>>,
    ends: usize,
    closed: Vec<CloseReason>,
    channel: Option<Channel>,
}

fn recorded(thread: &EventLoopThread) -> (TcpServer, Monitor<Seen>) {
    let server = TcpServer::new(thread.event_loop());
    let seen = Monitor::new(Seen::default());
    let s = seen.clone();
    server.on_connection(move |channel| s.update(|seen| seen.channel = Some(channel.clone())));
    let s = seen.clone();
    server.on_message(move |_, data| s.update(|seen| seen.messages.push(data.to_vec())));
    let s = seen.clone();
    server.on_end(move |_| s.update(|seen| seen.ends += 1));
    let s = seen.clone();
    server.on_close(move |_, reason| s.update(|seen| seen.closed.push(reason.clone())));
    (server, seen)
}

/// A server's connection whose peer has sent a request and ended its side.
fn half_open(
    net: &Net,
    server: &TcpServer,
    seen: &Monitor<Seen>,
    listen: Listen,
) -> (Peer, Channel) {
    let address: SocketAddr = inet(server.listen(listen.allow_half_open(true)).unwrap());
    let mut peer = net.connect(address);
    peer.send(b"request");
    peer.end();
    assert!(seen.wait(DEADLINE, |seen| seen.ends == 1));
    let channel = seen.update(|seen| seen.channel.take()).unwrap();
    (peer, channel)
}

#[track_caller]
fn only_close(seen: &Monitor<Seen>) -> CloseReason {
    assert!(seen.wait(DEADLINE, |seen| !seen.closed.is_empty()));
    seen.read(|seen| {
        assert_eq!((seen.closed.len(), seen.ends), (1, 1), "{:?}", seen.closed);
        seen.closed[0].clone()
    })
}

fn late_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    for size in [1, 5_000_000] {
        let (server, seen) = recorded(&thread);
        let (mut peer, channel) = half_open(&net, &server, &seen, net.listen());
        assert_eq!(seen.read(|seen| seen.messages.concat()), b"request");
        // Long after the end, as loops go.
        assert!(!seen.wait(100 * MS, |seen| !seen.closed.is_empty()));
        let answer = vec![4; size];
        channel.send(&answer).unwrap();
        channel.send(b"!").unwrap();
        channel.close();
        let (got, end) = peer.rest();
        assert!(got == [&answer[..], b"!"].concat(), "{} bytes", got.len());
        assert_eq!(end, End::Clean);
        assert!(matches!(only_close(&seen), CloseReason::Local));
        assert!(!channel.is_connected());
    }
    stop_clean(&thread);
}

fn default_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, seen) = recorded(&thread);
    let s = seen.clone();
    server.on_end(move |channel| {
        s.update(|seen| seen.ends += 1);
        channel.send(b"last words").unwrap();
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    peer.send(b"request");
    peer.end();
    assert_eq!(peer.rest(), (b"last words".to_vec(), End::Clean));
    assert!(matches!(only_close(&seen), CloseReason::Peer));
    stop_clean(&thread);
}

fn second_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, seen) = recorded(&thread);
    let (mut peer, channel) = half_open(&net, &server, &seen, net.listen());
    channel.send(b"answer").unwrap();
    channel.shutdown();
    assert_eq!(peer.rest(), (b"answer".to_vec(), End::Clean));
    assert!(matches!(only_close(&seen), CloseReason::Peer));
    // This side first.
    let (server, seen) = recorded(&thread);
    let address = inet(server.listen(net.listen().allow_half_open(true)).unwrap());
    let mut peer = net.connect(address);
    assert!(seen.wait(DEADLINE, |seen| seen.channel.is_some()));
    let channel = seen.update(|seen| seen.channel.take()).unwrap();
    channel.send(b"hello").unwrap();
    channel.shutdown();
    assert_eq!(peer.expect(5), b"hello");
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    peer.send(b"and on");
    assert!(seen.wait(DEADLINE, |seen| seen.messages.concat() == b"and on"));
    assert_eq!(seen.read(|seen| seen.ends), 0);
    peer.end();
    assert!(matches!(only_close(&seen), CloseReason::Peer));
    stop_clean(&thread);
}

fn stop_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, seen) = recorded(&thread);
    let (mut peer, channel) = half_open(&net, &server, &seen, net.listen());
    let answer = vec![9; 1_000_000];
    channel.send(&answer).unwrap();
    thread.stop();
    let (got, end) = peer.rest();
    assert!(
        got == answer && end == End::Clean,
        "{} bytes, {end:?}",
        got.len()
    );
    stop_clean(&thread);
    assert!(matches!(only_close(&seen), CloseReason::Stopped));
}

fn quiet_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    // Long enough for the request and the end to come before.
    let limit = Duration::from_secs(2);
    let (server, seen) = recorded(&thread);
    let _idle = half_open(&net, &server, &seen, net.listen().idle_timeout(Some(limit)));
    assert!(matches!(only_close(&seen), CloseReason::IdleTimedOut(l) if l == limit));
    let (server, seen) = recorded(&thread);
    let _silent = half_open(&net, &server, &seen, net.listen().read_timeout(Some(limit)));
    assert!(matches!(only_close(&seen), CloseReason::ReadTimedOut(l) if l == limit));
    stop_clean(&thread);
}

fn move_scenario(transport: Transport) {
    let (net, thread, other) = (Net::new(transport), started(), started());
    let (server, seen) = recorded(&thread);
    let (mut peer, channel) = half_open(&net, &server, &seen, net.listen());
    channel.move_to(other.event_loop());
    let there = || channel.event_loop().same_loop(other.event_loop());
    assert!(hvloop_test_support::wait_for(DEADLINE.as_secs(), there));
    assert!(!seen.wait(50 * MS, |seen| seen.ends > 1 || !seen.closed.is_empty()));
    channel.send(b"from elsewhere").unwrap();
    channel.close();
    assert_eq!(peer.rest(), (b"from elsewhere".to_vec(), End::Clean));
    assert!(matches!(only_close(&seen), CloseReason::Local));
    stop_clean(&thread);
    stop_clean(&other);
}

fn reset_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, seen) = recorded(&thread);
    let (peer, _channel) = half_open(&net, &server, &seen, net.listen());
    SockRef::from(&peer.stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(peer);
    assert!(matches!(only_close(&seen), CloseReason::Io(_)));
    stop_clean(&thread);
}

fn setting_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, seen) = recorded(&thread);
    let s = seen.clone();
    server.on_connection(move |channel| {
        channel.set_allow_half_open(true);
        s.update(|seen| seen.channel = Some(channel.clone()));
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    peer.end();
    assert!(seen.wait(DEADLINE, |seen| seen.ends == 1));
    let channel = seen.update(|seen| seen.channel.take()).unwrap();
    channel.send(b"one").unwrap();
    channel.set_allow_half_open(true);
    channel.send(b"two").unwrap();
    channel.set_allow_half_open(false);
    assert_eq!(peer.rest(), (b"onetwo".to_vec(), End::Clean));
    assert!(matches!(only_close(&seen), CloseReason::Peer));
    stop_clean(&thread);
}

fn paused_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, seen) = recorded(&thread);
    server.set_unpack(Some(Unpack::delimiter(b"\n").build().unwrap()));
    let s = seen.clone();
    server.on_message(move |channel, data| {
        channel.pause_reading();
        s.update(|seen| seen.messages.push(data.to_vec()));
    });
    let address = inet(server.listen(net.listen().allow_half_open(true)).unwrap());
    let mut peer = net.connect(address);
    peer.send_last(b"one\ntwo\n");
    assert!(seen.wait(DEADLINE, |seen| seen.messages.len() == 1));
    let channel = seen.update(|seen| seen.channel.take()).unwrap();
    assert!(!seen.wait(50 * MS, |seen| seen.ends > 0));
    channel.resume_reading();
    assert!(seen.wait(DEADLINE, |seen| seen.messages.len() == 2));
    channel.resume_reading();
    assert!(seen.wait(DEADLINE, |seen| seen.ends == 1));
    channel.close();
    assert_eq!(peer.rest().1, End::Clean);
    assert!(matches!(only_close(&seen), CloseReason::Local));
    stop_clean(&thread);
}

/// A client goes on sending when its server has ended.
#[test]
fn client_is_half_open() {
    let thread = started();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpClient::new(thread.event_loop());
    let seen = Monitor::new(Seen::default());
    let s = seen.clone();
    client.on_end(move |channel| {
        s.update(|seen| {
            seen.ends += 1;
            seen.channel = Some(channel.clone());
        });
    });
    let s = seen.clone();
    client.on_close(move |_, reason| s.update(|seen| seen.closed.push(reason.clone())));
    let port = listener.local_addr().unwrap().port();
    client
        .connect(Connect::to("127.0.0.1", port).allow_half_open(true))
        .unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.write_all(b"greeting").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(seen.wait(DEADLINE, |seen| seen.ends == 1));
    let channel = seen.update(|seen| seen.channel.take()).unwrap();
    for _ in 0..100 {
        channel.send(b"0123456789").unwrap();
    }
    client.close();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), 1000);
    assert!(matches!(only_close(&seen), CloseReason::Local));
    stop_clean(&thread);
}

/// The same over a Unix socket.
#[cfg(unix)]
#[test]
fn half_open_unix() {
    let (path, thread) = (crate::common::socket_path::SocketPath::new(), started());
    let (server, seen) = recorded(&thread);
    let listen = Listen::unix(&path.0).allow_half_open(true);
    server.listen(listen).unwrap();
    let mut peer = std::os::unix::net::UnixStream::connect(&path.0).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.write_all(b"request").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(seen.wait(DEADLINE, |seen| seen.ends == 1));
    let channel = seen.update(|seen| seen.channel.take()).unwrap();
    channel.send(b"answer").unwrap();
    channel.shutdown();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"answer");
    assert!(matches!(only_close(&seen), CloseReason::Peer));
    stop_clean(&thread);
}
