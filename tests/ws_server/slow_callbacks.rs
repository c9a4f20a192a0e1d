//! What a callback takes is not the peer's time: what begins in it, or behind it, counts from then, and not
//! from when its turn began.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame};
use crate::over_tcp_and_tls;
use hvloop::ws::ConnectionError;
use hvloop::{EventLoop, ServiceOptions, WebSocketServer, WebSocketService};
use hvloop_test_support::{DEADLINE, Event, Monitor, opcode};
use std::thread::sleep;
use std::time::{Duration, Instant};

over_tcp_and_tls! {
    /// A Ping does not wait for the callbacks of its turn, however long the peer's deadline is.
    server_ping_goes_before_slow_callbacks => ping_goes;
    /// Behind one, the deadline begins with the Ping.
    server_deadline_of_a_ping_behind_a_slow_callback => ping_deadline;
}

fn ping_goes(transport: Transport) {
    const BEAT: Duration = Duration::from_millis(500);
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let (answered, in_time) = (Event::new(), Monitor::new(false));
    let closed = Monitor::new(None);
    let (a, t, c) = (answered.clone(), in_time.clone(), closed.clone());
    let options = ServiceOptions::new()
        .ping_interval(Some(BEAT))
        .pong_timeout(BEAT)
        .close_timeout(DEADLINE);
    let service = WebSocketService::new()
        .on_open(move |channel, _| {
            let local = EventLoop::current().unwrap();
            let (channel, at) = (channel.clone(), local.clone());
            let (answered, in_time) = (a.clone(), t.clone());
            // Behind the heart's in one turn, as both are due when this callback is over.
            local.set_timeout(BEAT, move |_| {
                in_time.update(|in_time| *in_time = answered.wait(DEADLINE / 3));
                sleep(2 * BEAT);
                // The answer is in the socket: it is read before anybody is called dead.
                at.set_timeout(Duration::ZERO, move |_| {
                    channel.close(1000, "").unwrap();
                });
            });
            sleep(2 * BEAT);
        })
        .on_close(move |_, event| c.update(|closed| *closed = Some(event.clone())))
        .options(options);
    server.route("/", service);
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peer = WsPeer::open(&net, to, "/");
    let ping = peer.frame();
    assert_eq!(ping.opcode, opcode::PING);
    peer.send(opcode::PONG, &ping.payload);
    answered.set();
    peer.expect_close(1000);
    peer.peer.send(&close_frame(1000, ""));
    peer.expect_end();
    assert!(closed.wait(DEADLINE, Option::is_some));
    let event = closed.read(Clone::clone).unwrap();
    assert!(event.clean, "{event:?}");
    assert!(in_time.read(|in_time| *in_time), "the Ping waited");
    stop_clean(&thread);
}

fn ping_deadline(transport: Transport) {
    let (interval, deadline) = (50 * MS, 500 * MS);
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let (slow, closed) = (Monitor::new(None), Monitor::new(None));
    let (s, c) = (slow.clone(), closed.clone());
    let options = ServiceOptions::new()
        .ping_interval(Some(interval))
        .pong_timeout(deadline);
    let service = WebSocketService::new()
        .on_open(move |_, _| {
            let slow = s.clone();
            // Before the heart's in one turn.
            let local = EventLoop::current().unwrap();
            local.set_timeout(interval / 2, move |_| {
                sleep(deadline - interval * 2);
                slow.update(|slow| *slow = Some(Instant::now()));
            });
            sleep(interval * 2);
        })
        .on_close(move |_, event| {
            c.update(|closed| *closed = Some((Instant::now(), event.clone())));
        })
        .options(options);
    server.route("/", service);
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let peer = WsPeer::open(&net, to, "/");
    assert!(closed.wait(DEADLINE, Option::is_some));
    let (at, event) = closed.read(Clone::clone).unwrap();
    assert!(
        matches!(event.error, Some(ConnectionError::PongTimedOut(_))),
        "{event:?}"
    );
    let waited = at - slow.read(|slow| slow.unwrap());
    assert!(waited >= deadline, "{waited:?}");
    drop(peer);
    thread.stop();
    thread.join().unwrap();
}
