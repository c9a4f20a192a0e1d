//! What a callback takes is not the peer's time: what begins in it, or behind it, counts from then, and not
//! from when its turn began.

use crate::common::loops::{MS, started};
use crate::common::net::{Net, Peer, Transport};
use crate::common::tcp_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::{Channel, CloseReason, EventLoop, EventLoopThread};
use hvloop_test_support::{DEADLINE, Event, Monitor};
use std::thread::sleep;
use std::time::{Duration, Instant};

over_tcp_and_tls! {
    /// Two limits that are set in one: the shorter one's looks do not find the other one over.
    limits_set_in_a_slow_callback => limits_set;
    what_is_read_behind_a_slow_callback => read_behind;
    what_is_written_behind_a_slow_callback => written_behind;
}

type Ended = Monitor<Option<(Instant, CloseReason)>>;

/// A server that tells when, and why, its first connection ended; and the channel of that.
fn server(thread: &EventLoopThread) -> (Recorded, Monitor<Option<Channel>>, Ended) {
    let server = Recorded::on(thread);
    let (channel, ended) = (Monitor::new(None), Monitor::new(None));
    let (c, e) = (channel.clone(), ended.clone());
    server.server.on_connection(move |channel| {
        c.update(|c| *c = Some(channel.clone()));
    });
    server.server.on_close(move |_, reason| {
        e.update(|ended| *ended = Some((Instant::now(), reason.clone())));
    });
    (server, channel, ended)
}

fn limits_set(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let (server, channel, ended) = server(&thread);
    let peer = net.connect(server.listen(net.listen()));
    assert!(channel.wait(DEADLINE, Option::is_some));
    let channel = channel.read(Clone::clone).unwrap();
    let set = Monitor::new(None);
    let s = set.clone();
    let slow = move || {
        sleep(500 * MS);
        s.update(|set| *set = Some(Instant::now()));
        channel.set_idle_timeout(Some(200 * MS));
        channel.set_read_timeout(Some(600 * MS));
        let local = EventLoop::current().unwrap();
        local.set_interval(20 * MS, move |_| {
            let _ = channel.send(b"not idle");
        });
    };
    thread.event_loop().queue_in_loop(slow).unwrap();
    assert!(ended.wait(DEADLINE, Option::is_some));
    let (at, reason) = ended.read(Clone::clone).unwrap();
    let waited = at - set.read(|set| set.unwrap());
    match reason {
        CloseReason::ReadTimedOut(limit) => assert!(waited >= limit, "{waited:?}"),
        // The machine was too slow to write.
        CloseReason::IdleTimedOut(limit) => assert!(waited >= limit, "{waited:?}"),
        other => panic!("{other:?}"),
    }
    drop(peer);
    thread.stop();
    thread.join().unwrap();
}

/// Runs `slow` in the turn that finds what the peer does in `act`, before that is read or written; with an
/// idle timeout from just before. When `slow` was over, and when the connection was called idle.
fn behind(
    transport: Transport,
    limit: Duration,
    act: impl FnOnce(&mut Peer),
    in_turn: impl FnOnce(&Channel) + Send + 'static,
) -> (Instant, Instant) {
    let (net, thread) = (Net::new(transport), started());
    let (server, channel, ended) = server(&thread);
    let mut peer = net.connect(server.listen(net.listen()));
    assert!(channel.wait(DEADLINE, Option::is_some));
    let channel = channel.read(Clone::clone).unwrap();
    let (entered, acted, over) = (Event::new(), Event::new(), Monitor::new(None));
    let (e, a, o) = (entered.clone(), acted.clone(), over.clone());
    let first = move || {
        channel.set_idle_timeout(Some(limit));
        e.set();
        a.expect("the peer's act");
        let local = EventLoop::current().unwrap();
        local.queue_in_loop(move || {
            sleep(2 * limit);
            o.update(|over| *over = Some(Instant::now()));
            in_turn(&channel);
        });
    };
    thread.event_loop().queue_in_loop(first).unwrap();
    entered.expect("the first turn");
    act(&mut peer);
    acted.set();
    assert!(ended.wait(DEADLINE, Option::is_some));
    let (at, reason) = ended.read(Clone::clone).unwrap();
    assert!(matches!(reason, CloseReason::IdleTimedOut(_)), "{reason:?}");
    drop(peer);
    thread.stop();
    thread.join().unwrap();
    (over.read(|over| over.unwrap()), at)
}

fn read_behind(transport: Transport) {
    let limit = 1_000 * MS;
    let (over, at) = behind(transport, limit, |peer| peer.send(b"here"), |_| {});
    assert!(at - over >= limit, "{:?}", at - over);
}

fn written_behind(transport: Transport) {
    let limit = 1_000 * MS;
    let (over, at) = behind(
        transport,
        limit,
        |_| {},
        |channel| channel.send(b"here").unwrap(),
    );
    assert!(at - over >= limit, "{:?}", at - over);
}
