//! The loop without WebSocket: `TcpClient`, lookups, timers from other threads.

use crate::common::loops::{patient, settle};
use hvloop::event::{ConnectError, DnsQuery};
use hvloop::{CloseReason, Connect, SendError, TcpClient};
use hvloop_test_support::{DEADLINE, Event, Monitor};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

/// A server of one connection.
fn serve(script: impl FnOnce(TcpStream) + Send + 'static) -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || script(listener.accept().unwrap().0));
    (port, thread)
}

/// 8 MiB there and back; the queue's end is told, the close comes once, and the rest is written
/// although close() came at once.
#[test]
fn tcp_echo_write_complete_and_close() {
    const SIZE: usize = 8 * 1024 * 1024;
    let (port, server) = serve(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), SIZE + 5);
        assert!(all.ends_with(b"last\n"));
    });
    let thread = patient();
    let client = TcpClient::new(thread.event_loop());
    let written = Event::new();
    let w = written.clone();
    client.on_connect(|channel| channel.send(&vec![9; SIZE]).unwrap());
    client.on_write_complete(move |channel, bytes| {
        let right = bytes == SIZE || bytes == 5;
        assert!(right && channel.buffered_amount() == 0, "{bytes}");
        w.set();
    });
    let closed = Monitor::new(Vec::new());
    let c = closed.clone();
    client.on_close(move |channel, reason| {
        assert!(!channel.unwrap().is_connected());
        c.update(|closed| closed.push(reason.to_string()));
    });
    client.connect(Connect::to("127.0.0.1", port)).unwrap();
    let again = client.connect(Connect::to("127.0.0.1", port));
    assert_eq!(again, Err(ConnectError::AlreadyOpen));
    written.expect("on_write_complete");
    let channel = client.channel().unwrap();
    channel.send(b"last\n").unwrap();
    channel.close();
    channel.close();
    assert!(closed.wait(DEADLINE, |closed| *closed == ["closed by this side"]));
    assert_eq!(channel.send(b"late"), Err(SendError::NotOpen));
    assert_eq!(channel.peer_addr().unwrap().port(), port);
    server.join().unwrap();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

#[test]
fn tcp_write_stall_and_full_queue() {
    let done = Event::new();
    let d = done.clone();
    let (port, server) = serve(move |_reads_nothing| d.expect("the client"));
    let thread = patient();
    let client = TcpClient::new(thread.event_loop());
    let ended = Monitor::new(None);
    let e = ended.clone();
    client.on_connect(|channel| {
        let full = channel.send(&vec![0; 17 * 1024 * 1024]).unwrap_err();
        assert!(matches!(full, SendError::QueueFull { .. }));
        channel.send(&vec![0; 16 * 1024 * 1024]).unwrap();
    });
    client.on_close(move |_, reason| e.update(|ended| *ended = Some(reason.clone())));
    let connect = Connect::to("127.0.0.1", port).write_timeout(Some(Duration::from_millis(50)));
    client.connect(connect).unwrap();
    assert!(ended.wait(DEADLINE, |ended| matches!(
        ended,
        Some(CloseReason::WriteTimedOut(_))
    )));
    done.set();
    server.join().unwrap();
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

/// The peer's data is read to its end, and its end answered by ours.
#[test]
fn tcp_peer_ends_first() {
    let (port, server) = serve(|mut stream| {
        stream.write_all(&[3; 500_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"thanks");
    });
    let thread = patient();
    let client = TcpClient::new(thread.event_loop());
    let (tell, told) = mpsc::channel();
    let mut got = 0;
    client.on_message(move |channel, data| {
        got += data.len();
        if got == 500_000 {
            channel.send(b"thanks").unwrap();
        }
    });
    client.on_close(move |_, reason| tell.send(reason.to_string()).unwrap());
    client.connect(Connect::to("localhost", port)).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), "closed by the peer");
    server.join().unwrap();
}

#[test]
fn lookups_answer_or_are_cancelled() {
    let thread = patient();
    let (tell, told) = mpsc::channel();
    thread
        .event_loop()
        .post_event(move |local| {
            let t = tell.clone();
            let literal = move |answer: std::io::Result<Vec<_>>| t.send(answer.unwrap()).unwrap();
            local.resolve_dns("127.0.0.9", literal).unwrap();
            let t = tell.clone();
            let name = move |answer: std::io::Result<Vec<_>>| t.send(answer.unwrap()).unwrap();
            local.resolve_dns("localhost", name).unwrap();
            let dropped = std::rc::Rc::new(());
            let d = dropped.clone();
            let query: DnsQuery = local.resolve_dns("localhost", move |_| drop(d)).unwrap();
            assert!(local.cancel_dns(query));
            assert_eq!(std::rc::Rc::strong_count(&dropped), 1, "dropped at once");
            assert!(!local.cancel_dns(query));
        })
        .unwrap();
    let answers: Vec<_> = (0..2)
        .map(|_| told.recv_timeout(DEADLINE).unwrap())
        .collect();
    assert!(
        answers.contains(&vec![Ipv4Addr::new(127, 0, 0, 9).into()]),
        "{answers:?}"
    );
    assert!(answers.iter().any(|a| a.iter().any(|ip| ip.is_loopback())));
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

#[test]
fn timers_from_another_thread() {
    let thread = patient();
    let event_loop = thread.event_loop();
    let (tell, told) = mpsc::channel();
    let hour = Duration::from_secs(3600);
    let t = tell.clone();
    let soon = event_loop
        .set_timeout(hour, move |id| t.send(id).unwrap())
        .unwrap();
    let never = event_loop.set_timeout(hour, |_| unreachable!()).unwrap();
    event_loop
        .reset_timer(soon, Some(Duration::from_millis(1)))
        .unwrap();
    event_loop.kill_timer(never).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), soon);
    let mut left = 3;
    event_loop
        .set_timer(Duration::ZERO, Some(3), move |id| {
            left -= 1;
            tell.send(id).unwrap();
            assert!(left >= 0);
        })
        .unwrap();
    for _ in 0..3 {
        told.recv_timeout(DEADLINE).unwrap();
    }
    settle(event_loop);
    assert_eq!(event_loop.metrics().timers, 0);
}
