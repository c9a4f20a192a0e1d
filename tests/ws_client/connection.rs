//! A client's connection as a handle of its own.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::SendError;
use hvloop::ws::ChannelState;
use hvloop::{Address, ClientConnection, LoopOptions, ReconnectPolicy, WebSocketClient};
use hvloop_test_support::{DEADLINE, Mode, Monitor};
use std::time::Duration;

over_both! {
    a_connection_is_never_a_later_one => never_a_later_one;
    a_connection_that_is_closed_alone_is_reconnected => closed_alone;
    a_connection_is_sent_to_from_its_callbacks => in_callbacks;
}

/// A client whose connections are kept.
fn keeping(
    net: &Net,
    event_loop: &hvloop::EventLoop,
) -> (Recorded, Monitor<Vec<ClientConnection>>) {
    let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
    let client = Recorded::new(event_loop, net.options().reconnect(policy));
    let kept = Monitor::new(Vec::new());
    let k = kept.clone();
    client.client.on_open(move |_, event| {
        k.update(|kept| kept.push(event.connection.clone()));
    });
    (client, kept)
}

#[track_caller]
fn nth(kept: &Monitor<Vec<ClientConnection>>, n: usize) -> ClientConnection {
    assert!(
        kept.wait(DEADLINE, |kept| kept.len() > n),
        "no connection {n}"
    );
    kept.read(|kept| kept[n].clone())
}

fn never_a_later_one(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let (client, kept) = keeping(&net, thread.event_loop());
    client.client.open(&server.url()).unwrap();
    let first = nth(&kept, 0);
    first.send_text("one").unwrap();
    client.wait("the echo", |seen| seen.messages.len() == 1);
    assert_eq!(first.peer(), Some(&Address::Inet(server.addr())));
    assert!(first.local().is_some() && first.event_loop().same_loop(thread.event_loop()));
    #[cfg(unix)]
    assert!(first.fd().is_some_and(|fd| fd > 2));
    first.set_binding(7_u8);
    assert_eq!(first.binding::<u8>().as_deref(), Some(&7));
    first.close_now();
    let second = nth(&kept, 1);
    assert_ne!(first, second);
    assert_eq!(first.state(), ChannelState::Closed);
    assert_eq!(second.state(), ChannelState::Open);
    assert_eq!(first.send_text("two"), Err(SendError::NotOpen));
    assert_eq!(first.buffered_amount(), 0);
    assert!(first.ping(b"").is_err());
    // All of it means the first alone, and nothing.
    first.close(1000, "").unwrap();
    first.close_now();
    first.pause_reading();
    second.send_text("three").unwrap();
    client.wait("the other echo", |seen| seen.messages.len() == 2);
    client
        .seen
        .read(|seen| assert_eq!(seen.messages, [b"one".as_slice(), b"three"]));
    client.client.close(1000, "").unwrap();
    client.wait("both ends", |seen| seen.closed.len() == 2);
}

fn closed_alone(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let (client, kept) = keeping(&net, thread.event_loop());
    client.client.open(&server.url()).unwrap();
    nth(&kept, 0).close(3001, "again").unwrap();
    let second = nth(&kept, 1);
    client.seen.read(|seen| {
        assert_eq!(seen.closed[0].code, 3001, "{:?}", seen.closed[0]);
        assert!(seen.closed[0].clean && seen.closed[0].reconnect_in.is_some());
    });
    assert!(second.close(1, "").is_err() && second.is_connected());
    client.client.close(1000, "").unwrap();
    client.wait("both ends", |seen| seen.closed.len() == 2);
    client
        .seen
        .read(|seen| assert_eq!(seen.closed[1].reconnect_in, None));
}

fn in_callbacks(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    let late = Monitor::new(Vec::new());
    let l = late.clone();
    client.client.on_open(move |ws, event| {
        event.connection.send_text("open").unwrap();
        let (l, connection) = (l.clone(), event.connection.clone());
        ws.on_close(move |_, _| {
            let sent = connection.send_text("late");
            l.update(|late| late.push((sent, connection.state())));
        });
    });
    client.client.open(&server.url()).unwrap();
    client.wait("the echo", |seen| seen.messages == [b"open"]);
    client.client.close(1000, "").unwrap();
    assert!(late.wait(DEADLINE, |late| !late.is_empty()));
    late.read(|late| {
        assert_eq!(late[..], [(Err(SendError::NotOpen), ChannelState::Closed)]);
    });
}

/// A client's own loop is as it is asked to be, each time that it is made.
#[test]
fn options_of_an_own_loop() {
    let net = Net::new(Transport::Ws);
    let server = net.server(Mode::Echo);
    let loop_options = LoopOptions::new().name("of-a-client");
    let options = net.options().keep_callbacks(true);
    let client = Recorded::of(WebSocketClient::owned_with_loop_options(
        options,
        loop_options,
    ));
    let names = Monitor::new(Vec::new());
    let n = names.clone();
    client.client.on_open(move |_, _| {
        let name = std::thread::current().name().map(str::to_owned);
        n.update(|names| names.push(name));
    });
    for round in 1..=2 {
        client.client.open(&server.url()).unwrap();
        assert!(names.wait(DEADLINE, |names| names.len() == round));
        client.client.stop();
        client.client.join().unwrap();
    }
    let name = Some("of-a-client".to_owned());
    names.read(|names| assert_eq!(names[..], [name.clone(), name]));
}
