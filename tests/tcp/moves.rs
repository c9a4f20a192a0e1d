//! Connections that move from loop to loop.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::tcp_server::inet;
use hvloop::event::ChannelId;
use hvloop::{Channel, CloseReason, Connect, EventLoop, ReconnectPolicy, TcpClient, TcpServer};
use hvloop_test_support::{DEADLINE, Latch, Monitor, wait_for};
use std::thread::ThreadId;
use std::time::Duration;

crate::over_tcp_and_tls! {
    /// Back and forth under traffic: nothing lost, nothing out of order, callbacks on the right thread.
    moved_under_traffic => traffic_scenario;
    /// A loop that takes nothing any more closes it, once.
    moved_to_a_stopped_loop => stopped_scenario;
}

fn thread_of(event_loop: &EventLoop) -> ThreadId {
    let (tell, told) = std::sync::mpsc::channel();
    let task = move || tell.send(std::thread::current().id()).unwrap();
    event_loop.queue_in_loop(task).unwrap();
    told.recv_timeout(DEADLINE).unwrap()
}

fn channel_of(server: &TcpServer) -> Channel {
    let found = Monitor::new(None);
    assert!(wait_for(DEADLINE.as_secs(), || {
        server.for_each_channel(|c| found.update(|found| *found = Some(c.clone())));
        found.read(Option::is_some)
    }));
    found.read(Clone::clone).unwrap()
}

fn traffic_scenario(transport: Transport) {
    let (net, a, b) = (Net::new(transport), started(), started());
    let server = TcpServer::new(a.event_loop());
    let at = Monitor::new(Vec::<(ThreadId, ChannelId)>::new());
    let t = at.clone();
    server.on_message(move |channel, data| {
        t.update(|at| at.push((std::thread::current().id(), channel.id())));
        channel.send(data).unwrap();
    });
    let closed = Latch::new(1);
    let c = closed.clone();
    server.on_close(move |_, reason| {
        assert!(matches!(reason, CloseReason::Peer), "{reason:?}");
        c.count_down();
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    let first = channel_of(&server);
    let threads = [thread_of(a.event_loop()), thread_of(b.event_loop())];
    for round in 0..40 {
        let to = [&b, &a][round % 2].event_loop();
        // From this thread, before, during and after the move: in order.
        for n in 0..3u8 {
            first.send(&[n; 5_000]).unwrap();
            if n == 0 {
                first.move_to(to);
            }
        }
        for n in 0..3u8 {
            assert_eq!(peer.expect(5_000), [n; 5_000], "round {round}");
        }
        assert!(wait_for(DEADLINE.as_secs(), || first
            .event_loop()
            .same_loop(to)));
        peer.send(b"where?");
        assert_eq!(peer.expect(6), b"where?");
        let (thread, id) = at.read(|at| *at.last().unwrap());
        assert_eq!(thread, threads[(round + 1) % 2], "round {round}");
        assert_eq!(id, first.id(), "the same name everywhere");
        assert!(first.is_connected() && channel_of(&server).is_connected());
    }
    assert_eq!(server.connection_num(), 1);
    peer.end();
    assert_eq!(peer.rest().1, End::Clean);
    closed.expect("one end");
    stop_clean(&a);
    stop_clean(&b);
}

/// What is asked for together with a move is done where it goes: who pauses, moves and resumes has nothing of it on
/// the loop that it leaves.
#[test]
fn resumed_where_it_goes() {
    let (net, a, b) = (Net::new(Transport::Tcp), started(), started());
    let server = TcpServer::new(a.event_loop());
    let up = Monitor::new(None);
    let u = up.clone();
    server.on_connection(move |channel| {
        channel.pause_reading();
        u.update(|up| *up = Some(channel.clone()));
    });
    let at = Monitor::new(Vec::new());
    let t = at.clone();
    server.on_message(move |_, data| {
        t.update(|at| at.push((std::thread::current().id(), data.len())));
    });
    let address = inet(server.listen(net.listen()).unwrap());
    let there = thread_of(b.event_loop());
    for round in 1..=50 {
        let mut peer = net.connect(address);
        peer.send(b"waits");
        assert!(up.wait(DEADLINE, Option::is_some));
        let mut channel = None;
        up.update(|up| channel = up.take());
        let channel = channel.expect("it is up");
        channel.move_to(b.event_loop());
        channel.resume_reading();
        assert!(at.wait(DEADLINE, |at| at.len() == round));
        assert_eq!(at.read(|at| at[round - 1]), (there, 5), "round {round}");
    }
    stop_clean(&a);
    stop_clean(&b);
}

fn stopped_scenario(transport: Transport) {
    let (net, a, b) = (Net::new(transport), started(), started());
    stop_clean(&b);
    let server = TcpServer::new(a.event_loop());
    let closed = Monitor::new(Vec::new());
    let c = closed.clone();
    server.on_close(move |_, reason| c.update(|closed| closed.push(reason.clone())));
    let address = inet(server.listen(net.listen()).unwrap());
    let mut peer = net.connect(address);
    let channel = channel_of(&server);
    channel.move_to(b.event_loop());
    peer.rest();
    assert!(closed.wait(DEADLINE, |closed| !closed.is_empty()));
    stop_clean(&a);
    assert!(closed.read(|c| matches!(c[..], [CloseReason::Forced])));
    assert!(!channel.is_connected() && channel.send(b"x").is_err());
}

/// A client that has moved is closed where it is; and it comes back on its own loop.
#[test]
fn client_that_moved() {
    let (net, home, other) = (Net::new(Transport::Tcp), started(), started());
    let server = TcpServer::new(home.event_loop());
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = inet(server.listen(net.listen()).unwrap());
    let connect = || Connect::to("127.0.0.1", address.port());
    // The names of connections on the two loops are alike, so that a mistake would hit the wrong one.
    let neighbour = TcpClient::new(other.event_loop());
    let lost = Monitor::new(0);
    let l = lost.clone();
    neighbour.on_close(move |_, _| l.update(|lost| *lost += 1));
    neighbour.connect(connect()).unwrap();
    let client = TcpClient::new(home.event_loop());
    client
        .set_reconnect(Some(ReconnectPolicy::fixed(Duration::from_millis(1))))
        .unwrap();
    let at = Monitor::new(Vec::new());
    let a = at.clone();
    client.on_connect(move |channel| a.update(|at| at.push(channel.event_loop().clone())));
    let ends = Monitor::new(0);
    let e = ends.clone();
    client.on_close(move |_, _| e.update(|ends| *ends += 1));
    client.connect(connect()).unwrap();
    let there = || neighbour.is_connected() && client.is_connected();
    assert!(wait_for(DEADLINE.as_secs(), there));
    let moved = |client: &TcpClient| {
        client.channel().unwrap().move_to(other.event_loop());
        let there = || {
            client
                .channel()
                .is_some_and(|c| c.event_loop().same_loop(other.event_loop()))
        };
        assert!(wait_for(DEADLINE.as_secs(), there));
    };
    moved(&client);
    // Lost there, it comes back here.
    let mine = client.channel().unwrap().local_addr();
    server.for_each_channel(|channel| {
        if channel.peer_addr() == mine {
            channel.close();
        }
    });
    assert!(at.wait(DEADLINE, |at| at.len() == 2));
    assert!(at.read(|at| at.iter().all(|at| at.same_loop(home.event_loop()))));
    assert!(wait_for(DEADLINE.as_secs(), || client.is_connected()));
    moved(&client);
    client.close();
    assert!(ends.wait(DEADLINE, |ends| *ends == 2));
    let free = || client.connect(connect()).is_ok();
    assert!(wait_for(DEADLINE.as_secs(), free), "closed for good");
    assert!(neighbour.is_connected() && lost.read(|lost| *lost == 0));
    stop_clean(&home);
    stop_clean(&other);
    assert_eq!(
        ends.read(|ends| *ends),
        2,
        "callbacks belong to one session"
    );
}
