//! A client's policy for reconnects while it has one: its counters, and what a change does.

use crate::common::loops::{HOUR, MS, on_loop, settle, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::over_tcp_and_tls;
use hvloop::event::ConnectError;
use hvloop::{Connect, EventLoopThread, ReconnectPolicy, TcpClient};
use hvloop_test_support::{DEADLINE, Monitor, refuse_port, wait_for};
use std::sync::Arc;
use std::time::Duration;

over_tcp_and_tls! {
    /// Taken away while the connection is up: its end is the end. Given while it is up: another one follows.
    policy_of_an_open_connection => open_connection;
}

/// What `on_close` found: retries, and the wait that follows.
type Told = Monitor<Vec<(u32, Option<Duration>)>>;

fn recorded(client: &Arc<TcpClient>, then: impl Fn(&TcpClient, usize) + Send + 'static) -> Told {
    let (told, me) = (Told::default(), Arc::downgrade(client));
    let t = told.clone();
    client.on_close(move |_, _| {
        let client = me.upgrade().unwrap();
        t.update(|told| told.push((client.retries(), client.next_delay())));
        then(&client, t.read(Vec::len));
    });
    told
}

fn refused() -> Connect {
    let address = refuse_port();
    Connect::to(address.ip().to_string(), address.port())
}

fn linear() -> ReconnectPolicy {
    ReconnectPolicy::linear(MS, 3 * MS).with_jitter(0.0)
}

/// Each attempt's place in the series, and the wait behind it.
#[test]
fn counters_of_a_series() {
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let policy = linear().with_max_retries(4);
    client.set_reconnect(policy).unwrap();
    assert_eq!((client.retries(), client.next_delay()), (0, None));
    let told = recorded(&client, |_, _| {});
    client.connect(refused()).unwrap();
    assert!(told.wait(DEADLINE, |told| told.len() == 5));
    let waits = [Some(MS), Some(2 * MS), Some(3 * MS), Some(3 * MS), None];
    let expected: Vec<_> = (0..).zip(waits).collect();
    assert_eq!(told.read(Clone::clone), expected);
    // Of the next connect() they begin anew.
    let told = recorded(&client, |client, _| client.close());
    client.connect(refused()).unwrap();
    assert!(told.wait(DEADLINE, |told| *told == [(0, Some(MS))]));
    stop_clean(&thread);
    assert_eq!(client.next_delay(), None);
}

/// A wait of an hour ends at once, and nothing is left of it; from the loop's thread and from another one.
#[test]
fn none_ends_a_wait() {
    for here in [true, false] {
        let (client, thread, told) = waiting_for_an_hour();
        assert_eq!((client.retries(), client.next_delay()), (1, Some(HOUR)));
        let again = client.connect(refused());
        assert_eq!(again, Err(ConnectError::AlreadyOpen));
        let take_away = client.clone();
        match here {
            true => on_loop(thread.event_loop(), move |_| {
                take_away.set_reconnect(None).unwrap();
                assert_eq!(take_away.next_delay(), None);
            }),
            false => client.set_reconnect(None).unwrap(),
        }
        settle(thread.event_loop());
        assert_eq!(thread.event_loop().metrics().timers, 0);
        assert_eq!(client.next_delay(), None);
        // Over, and no on_close more: it may begin anew.
        let next = recorded(&client, |_, _| {});
        client.connect(refused()).unwrap();
        assert!(next.wait(DEADLINE, |next| *next == [(0, None)]));
        assert_eq!(told.read(Vec::len), 1);
        stop_clean(&thread);
    }
}

fn waiting_for_an_hour() -> (Arc<TcpClient>, EventLoopThread, Told) {
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let policy = ReconnectPolicy::fixed(HOUR).with_jitter(0.0);
    client.set_reconnect(policy).unwrap();
    let told = recorded(&client, |_, _| {});
    client.connect(refused()).unwrap();
    assert!(told.wait(DEADLINE, |told| told.len() == 1));
    assert!(wait_for(DEADLINE.as_secs(), || client.retries() == 1));
    (client, thread, told)
}

/// Another policy does not touch a wait under way, and a policy that contradicts itself changes nothing.
#[test]
fn wait_goes_on_under_another_policy() {
    let (client, thread, told) = waiting_for_an_hour();
    assert!(client.set_reconnect(linear().with_jitter(2.0)).is_err());
    client.set_reconnect(linear()).unwrap();
    settle(thread.event_loop());
    assert_eq!(client.next_delay(), Some(HOUR));
    client.close();
    settle(thread.event_loop());
    assert_eq!((told.read(Vec::len), client.next_delay()), (1, None));
    stop_clean(&thread);
}

/// In `on_close`: other delays, grown from the last one; and at last none.
#[test]
fn changed_in_on_close() {
    let thread = started();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    client.set_reconnect(linear()).unwrap();
    let told = recorded(&client, |client, times| {
        let doubling = ReconnectPolicy::exponential(8 * MS, 10 * MS).with_jitter(0.0);
        let policy = match times {
            1 => Some(linear()),
            2 => Some(doubling),
            3 => None,
            _ => panic!("an attempt without a policy"),
        };
        client.set_reconnect(policy).unwrap();
    });
    client.connect(refused()).unwrap();
    assert!(told.wait(DEADLINE, |told| told.len() == 3));
    // The wait of 2 ms that was announced stays; 4 would follow, which is too little now.
    let expected = [(0, Some(MS)), (1, Some(2 * MS)), (2, Some(8 * MS))];
    assert_eq!(told.read(Clone::clone), expected);
    let over = || client.next_delay().is_none();
    assert!(wait_for(DEADLINE.as_secs(), over));
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().timers, 0);
    // Taken away and given again in one call: it goes on.
    client.set_reconnect(linear()).unwrap();
    let told = recorded(&client, |client, _| {
        client.set_reconnect(None).unwrap();
        client.set_reconnect(linear()).unwrap();
    });
    client.connect(refused()).unwrap();
    assert!(told.wait(DEADLINE, |told| told.len() >= 3));
    client.close();
    stop_clean(&thread);
}

/// A connect that waits for its first attempt has its one `on_close`.
#[test]
fn none_ends_a_connect_that_waits() {
    let (client, thread) = {
        let thread = started();
        (Arc::new(TcpClient::new(thread.event_loop())), thread)
    };
    let policy = ReconnectPolicy::fixed(HOUR);
    client.set_reconnect(policy).unwrap();
    let address = refuse_port();
    let to = move || Connect::to(address.ip().to_string(), address.port());
    let second = Told::default();
    let s = second.clone();
    let told = recorded(&client, move |client, _| {
        client.close();
        let s = s.clone();
        client.on_close(move |_, reason| {
            assert!(matches!(reason, hvloop::CloseReason::Local));
            s.update(|second| second.push((0, None)));
        });
        client.connect(to()).unwrap();
    });
    client.connect(to()).unwrap();
    assert!(told.wait(DEADLINE, |told| told.len() == 1));
    settle(thread.event_loop());
    assert!(client.next_delay().is_some() && second.read(Vec::is_empty));
    client.set_reconnect(None).unwrap();
    assert!(second.wait(DEADLINE, |second| second.len() == 1));
    stop_clean(&thread);
}

fn open_connection(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = net.peer(|conn| {
        let mut byte = [0];
        std::io::Read::read_exact(conn, &mut byte)?;
        conn.finish()
    });
    for (first, then, follows) in [(Some(linear()), None, false), (None, Some(linear()), true)] {
        let client = Arc::new(TcpClient::new(thread.event_loop()));
        client.set_reconnect(first).unwrap();
        let opened = Monitor::new(0);
        let o = opened.clone();
        client.on_connect(move |_| o.update(|opened| *opened += 1));
        let told = recorded(&client, |_, _| {});
        client.connect(net.to(&server)).unwrap();
        assert!(opened.wait(DEADLINE, |opened| *opened == 1));
        client.set_reconnect(then).unwrap();
        client.send(b"x").unwrap();
        assert!(told.wait(DEADLINE, |told| told.len() == 1));
        let wait = told.read(|told| told[0].1);
        assert_eq!(wait, follows.then_some(MS));
        if follows {
            assert!(opened.wait(DEADLINE, |opened| *opened == 2));
            assert!(client.is_reconnect() && client.retries() == 1);
            client.close();
            assert!(told.wait(DEADLINE, |told| told.len() == 2));
        }
    }
    stop_clean(&thread);
}
