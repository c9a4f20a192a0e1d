//! Connections that move from loop to loop.

use crate::common::{End, Net, Transport, inet, started, stop_clean};
use hvloop::event::ChannelId;
use hvloop::{Channel, CloseReason, EventLoop, TcpServer};
use hvloop_test_support::{DEADLINE, Latch, Monitor, wait_for};
use std::thread::ThreadId;

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
