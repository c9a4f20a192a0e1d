//! When the limits of time of streams begin, and what puts them off.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::End;
use crate::common::net::{Net, Transport};
use crate::common::pace::Pace;
use crate::common::socket_path::SocketPath;
use crate::common::tcp_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::TcpClient;
use hvloop::{
    CloseReason, Connect, EventLoop, EventLoopThread, Listen, LoopOptions, SocketOptions,
};
use hvloop_test_support::{DEADLINE, Monitor};
use socket2::SockRef;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SIZE: usize = 8 << 20;

over_tcp_and_tls! {
    channel_closes_behind_a_long_queue => close_behind;
    end_without_close_notify_lets_the_queue_out => truncated;
    slow_stream_is_neither_stalled_nor_idle => slow_reader;
    loss_at_the_drain_limit_is_reported => lost_at_stop;
}

/// A server that sends `SIZE` bytes and then closes.
fn sender(thread: &EventLoopThread, closes: bool) -> Recorded {
    let server = Recorded::on(thread);
    server.server.on_connection(move |channel| {
        channel.send(&vec![7; SIZE]).unwrap();
        if closes {
            channel.close();
        }
    });
    server
}

/// Linger begins with the last byte.
fn close_behind(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = sender(&thread, true);
    let mut peer = net.connect(server.listen(net.listen().close_timeout(Duration::from_secs(3))));
    // What the system keeps for it has to be read within the linger, too.
    peer.keep_little();
    let mut pace = Pace::new(1 << 20);
    while !pace.read(&mut peer).unwrap().is_empty() {}
    assert_eq!(pace.total(), SIZE);
    peer.end();
    server.wait("the end", |seen| !seen.closed.is_empty());
    server
        .seen
        .read(|seen| assert!(matches!(seen.closed[0], CloseReason::Local)));
    stop_clean(&thread);
}

/// The peer ends TCP, and not TLS, behind its bytes: the answer goes out, then it is called truncated.
fn truncated(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let mut peer = net.connect(server.listen(net.listen()));
    let data = vec![3; 2 << 20];
    peer.send(&data);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    let (got, end) = peer.rest();
    assert_eq!((got.len(), end), (data.len(), End::Clean));
    server.wait("the end", |seen| !seen.closed.is_empty());
    server.seen.read(|seen| match transport {
        Transport::Tcp => assert!(matches!(seen.closed[0], CloseReason::Peer)),
        Transport::Tls => assert!(matches!(seen.closed[0], CloseReason::Truncated)),
    });
    thread.stop();
    thread.join().unwrap();
}

/// The system tells of room only every few seconds; the peer reads all the while.
fn slow_reader(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = sender(&thread, false);
    let limit = Some(Duration::from_secs(3));
    let listen = net.listen().write_timeout(limit).idle_timeout(limit);
    let mut peer = net.connect(server.listen(listen));
    let mut pace = Pace::new(200_000);
    while pace.total() < 2 << 20 {
        assert!(!pace.read(&mut peer).unwrap().is_empty());
        server
            .seen
            .read(|seen| assert!(seen.closed.is_empty(), "{:?}", seen.closed));
    }
    drop(peer);
    thread.stop();
    thread.join().unwrap();
}

/// As much over a Unix socket, whose system tells of room when three quarters are free.
#[test]
fn slow_unix_stream_is_neither_stalled_nor_idle() {
    let (path, thread) = (SocketPath::new(), started());
    let server = sender(&thread, false);
    let limit = Some(Duration::from_secs(3));
    let listen = Listen::unix(&path.0)
        .write_timeout(limit)
        .idle_timeout(limit);
    server.server.listen(listen).unwrap();
    let mut peer = UnixStream::connect(&path.0).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut pace = Pace::new(25_000);
    while pace.total() < 300_000 {
        assert!(!pace.read(&mut peer).unwrap().is_empty());
        server
            .seen
            .read(|seen| assert!(seen.closed.is_empty(), "{:?}", seen.closed));
    }
    drop(peer);
    thread.stop();
    thread.join().unwrap();
}

/// Nobody reads; the loop is stopped.
fn lost_at_stop(transport: Transport) {
    let net = Net::new(transport);
    let options = LoopOptions::new().drain_timeout(300 * MS);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    let server = sender(&thread, false);
    let lost = Monitor::new(0);
    let l = lost.clone();
    server.server.on_close(move |channel, reason| {
        assert!(matches!(reason, CloseReason::Forced), "{reason}");
        l.update(|lost| *lost = channel.lost_bytes());
    });
    let listen = net
        .listen()
        .socket(SocketOptions::new().send_buffer(64 * 1024));
    let mut peer = net.connect(server.listen(listen));
    peer.keep_little();
    peer.expect(1);
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!(report.forced, 1, "{report}");
    let lost = lost.read(|lost| *lost);
    assert!((SIZE / 2..=SIZE).contains(&lost), "{lost}");
    assert_eq!(report.lost_bytes, lost, "{report}");
    drop(peer);
}

/// The client's side of it: what it was told to send arrives before its end.
#[test]
fn client_closes_behind_a_long_queue() {
    let thread = started();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = TcpClient::new(thread.event_loop());
    let closed = Monitor::new(None);
    let c = closed.clone();
    client.on_close(move |_, reason| c.update(|closed| *closed = Some(reason.clone())));
    client.on_connect(|channel| {
        channel.send(&vec![7; SIZE]).unwrap();
        channel.close();
    });
    let port = listener.local_addr().unwrap().port();
    let connect = Connect::to("127.0.0.1", port).close_timeout(Duration::from_secs(3));
    // What the system keeps for the peer has to be read within the linger, too.
    SockRef::from(&listener)
        .set_recv_buffer_size(64 * 1024)
        .unwrap();
    client.connect(connect).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let mut pace = Pace::new(1 << 20);
    while !pace.read(&mut peer).unwrap().is_empty() {}
    assert_eq!(pace.total(), SIZE);
    drop(peer);
    assert!(closed.wait(DEADLINE, Option::is_some));
    assert!(closed.read(|c| matches!(c, Some(CloseReason::Local))));
    stop_clean(&thread);
}
