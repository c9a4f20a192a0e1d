//! What is set about a client's socket, as its peer or the system sees it.

use crate::common::loops::patient;
use crate::common::ws_client::Recorded;
use hvloop::ws::ConnectionError;
use hvloop::{ClientOptions, CloseReason, SocketOptions};
use hvloop_test_support::{DEADLINE, Monitor, ReservedPort, ScriptServer, Tls};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

/// A server that notes where its clients come from, and waits for a Close.
fn server() -> (ScriptServer, Monitor<Vec<SocketAddr>>) {
    let from = Monitor::new(Vec::new());
    let f = from.clone();
    let server = ScriptServer::start(Tls::Off, move |conn| {
        let peer = conn.tcp().peer_addr()?;
        // Before the answer, and so before the client is open.
        f.update(|from| from.push(peer));
        conn.accept_upgrade()?;
        conn.read_close()?;
        conn.send_close(1000, "")?;
        conn.finish()
    });
    (server, from)
}

/// The address that a client is bound to is the one that it comes from; one of the other family is an
/// error of the connect.
#[test]
fn bound_to_a_local_address() {
    let (server, from) = server();
    let thread = patient();
    // All of 127/8 is this host on Linux.
    let local = if cfg!(target_os = "linux") {
        "127.0.0.2:0"
    } else {
        "127.0.0.1:0"
    };
    let local: SocketAddr = local.parse().unwrap();
    let options = ClientOptions::new().socket(SocketOptions::new().bind(local));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    assert_eq!(from.read(|from| from[0].ip()), local.ip());
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
    let local: SocketAddr = "[::1]:0".parse().unwrap();
    let options = ClientOptions::new().socket(SocketOptions::new().bind(local));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    let Some(ConnectionError::Transport(CloseReason::Connect(Some(to), _))) = event.error else {
        panic!("{event:?}");
    };
    assert_eq!(to, server.addr());
    assert_eq!(server.accepted(), 1);
}

/// A client that reaches itself, as one that reconnects to a dead local port may, has not reached a server.
#[test]
fn connect_to_itself_is_refused() {
    let thread = patient();
    for ip in ["127.0.0.1", "::1"] {
        let Ok(port) = ReservedPort::on(ip.parse().unwrap()) else {
            continue;
        };
        let local = port.addr();
        let options = ClientOptions::new().socket(SocketOptions::new().bind(local));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&format!("ws://{local}/")).unwrap();
        let event = client.only_close();
        let Some(ConnectionError::Transport(CloseReason::Connect(to, e))) = &event.error else {
            panic!("{event:?}");
        };
        assert_eq!((*to, e.kind()), (Some(local), ErrorKind::ConnectionRefused));
        assert!(!event.was_open);
    }
}

/// Whether the keepalive timer of the connection between those ports runs, as the kernel lists it; `None`: a
/// table that changes while it is read may leave it out.
#[cfg(target_os = "linux")]
fn keepalive_runs(local: u16, peer: u16) -> Option<bool> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = |field: &str| u16::from_str_radix(field.split_once(':')?.1, 16).ok();
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let ports = (port(fields.get(1)?)?, port(fields.get(2)?)?);
        // Other connections of the machine may have the same local port.
        (ports == (local, peer)).then(|| fields[5].starts_with("02:"))
    })
}

#[cfg(target_os = "linux")]
#[test]
fn keepalive_is_armed() {
    let (server, from) = server();
    let thread = patient();
    for after in [None, Some(Duration::from_secs(500))] {
        let options = ClientOptions::new().socket(SocketOptions::new().keepalive(after));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&server.url()).unwrap();
        client.wait_open();
        let port = from.read(|from| from.last().unwrap().port());
        // Other timers may run for a moment, of what was just sent.
        let armed = hvloop_test_support::wait_for(DEADLINE.as_secs(), || {
            keepalive_runs(port, server.addr().port()) == Some(after.is_some())
        });
        assert!(armed, "{after:?}");
        client.client.close(1000, "").unwrap();
        assert!(client.only_close().clean);
    }
}

/// A peer whose window stays shut is given up by the system.
#[cfg(target_os = "linux")]
#[test]
fn user_timeout_ends_what_is_not_taken() {
    let server = ScriptServer::start(Tls::Off, |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let options = ClientOptions::new()
        .socket(SocketOptions::new().user_timeout(Duration::from_millis(300)))
        .write_timeout(None)
        .ping_interval(None);
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.send_binary(&vec![0; 15 << 20]).unwrap();
    let event = client.only_close();
    let Some(ConnectionError::Transport(CloseReason::Io(e))) = event.error else {
        panic!("{event:?}");
    };
    assert_eq!(e.kind(), ErrorKind::TimedOut);
    server.release();
}
