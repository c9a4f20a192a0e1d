//! Making a connection: names, addresses, deadlines, errors.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::{ConnectPhase, Resolver};
use hvloop::ws::{ConnectionError, Initiator, OpenError};
use hvloop::{
    ClientOptions, CloseReason, EventLoop, EventLoopThread, LoopOptions, WebSocketClient,
};
use hvloop_test_support::{Blackhole, DEADLINE, Event, Mode, Monitor, ScriptServer, refuse_port};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

over_both! {
    mute_server_tcp => mute_tcp;
    mute_server_upgrade => mute_upgrade;
    mute_server_dribble => dribble;
    ip_literal_no_resolver => literals;
    connect_error_kinds => error_kinds;
    first_address_refused => second_address;
    slow_dns_does_not_block_loop => slow_dns;
    open_twice => twice;
    callbacks_set_while_on_close_runs => set_in_time;
    addr_readable_in_onclose => address;
    callbacks_on_loop_thread_only => own_thread;
    open_from_8_threads => many_threads;
}

/// A loop whose names are looked up by `resolve`.
fn with_resolver(
    resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
) -> EventLoopThread {
    struct Scripted<F>(F);
    impl<F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync> Resolver for Scripted<F> {
        fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
            (self.0)(host)
        }
    }
    let options = LoopOptions::new().resolver(Arc::new(Scripted(resolve)));
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    thread
}

/// One deadline over all phases, and the event names the one it passed in.
fn passes_in(net: &Net, url: &str, wanted: ConnectPhase) {
    let thread = patient();
    // Enough for the phases before that one.
    let limit = Duration::from_secs(2);
    let client = Recorded::new(thread.event_loop(), net.options().open_timeout(limit));
    client.client.open(url).unwrap();
    let event = client.only_close();
    let Some(ConnectionError::Transport(CloseReason::OpenTimedOut { phase, limit: l })) =
        event.error
    else {
        panic!("{event:?}");
    };
    assert_eq!((phase, l), (wanted, limit), "{url}");
    assert!(!event.was_open && event.initiator == Initiator::Local);
}

fn mute_tcp(transport: Transport) {
    let hole = Blackhole::new().unwrap();
    let url = format!("{}://{}/", transport.scheme(), hole.addr());
    passes_in(&Net::new(transport), &url, ConnectPhase::Connect);
}

#[test]
fn mute_server_tls() {
    let server = ScriptServer::mute_tls();
    let net = Net::new(Transport::Wss);
    passes_in(&net, &server.url_as("wss"), ConnectPhase::Tls);
}

fn mute_upgrade(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::mute_upgrade(net.tls());
    passes_in(&net, &server.url(), ConnectPhase::Handshake);
}

/// Some bytes now and then do not put the deadline off.
fn dribble(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::dribble(net.tls());
    passes_in(&net, &server.url(), ConnectPhase::Handshake);
}

fn error_kinds(transport: Transport) {
    let net = Net::new(transport);
    let thread = with_resolver(|_| Err(io::Error::new(io::ErrorKind::NotFound, "no such name")));
    let error = |url: &str| {
        let client = Recorded::new(thread.event_loop(), net.options());
        client.client.open(url).unwrap();
        let event = client.only_close();
        assert!(!event.was_open && event.code == 1006, "{event:?}");
        client.threads.assert_one_thread();
        event.error.unwrap()
    };
    let scheme = transport.scheme();
    let refused = refuse_port();
    match error(&format!("{scheme}://{refused}/")) {
        ConnectionError::Transport(CloseReason::Connect(Some(address), e)) => {
            assert_eq!(
                (address, e.kind()),
                (refused, io::ErrorKind::ConnectionRefused)
            );
        }
        other => panic!("{other:?}"),
    }
    match error(&format!("{scheme}://nowhere.test/")) {
        ConnectionError::Transport(CloseReason::Dns(e)) => {
            assert_eq!(e.kind(), io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
    let dropped = ScriptServer::accept_then_drop();
    let dropped = error(&dropped.url_as(scheme));
    assert!(
        matches!(
            dropped,
            ConnectionError::UpgradeInterrupted
                | ConnectionError::Transport(CloseReason::Truncated | CloseReason::Io(_))
        ),
        "{dropped:?}"
    );
    // Wrong before anything begins: no callback.
    let client = Recorded::new(thread.event_loop(), net.options());
    for url in ["http://a/", "ws://", "ws://a/#b", "ws://u:p@a/", "nonsense"] {
        let refused = client.client.open(url);
        assert!(
            matches!(refused, Err(OpenError::Url(_))),
            "{url}: {refused:?}"
        );
    }
    let bad = net.options().header("Sec-WebSocket-Key", "x");
    let client = Recorded::new(thread.event_loop(), bad);
    let refused = client.client.open("ws://127.0.0.1:1/");
    assert!(matches!(refused, Err(OpenError::Request(_))), "{refused:?}");
}

/// The first address refuses, the second one answers.
fn second_address(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let asked = Arc::new(AtomicUsize::new(0));
    let a = asked.clone();
    let thread = with_resolver(move |_| {
        a.fetch_add(1, Ordering::Relaxed);
        // The server listens on the second one only.
        Ok(vec![
            Ipv4Addr::new(127, 0, 0, 77).into(),
            Ipv4Addr::LOCALHOST.into(),
        ])
    });
    let client = Recorded::new(thread.event_loop(), net.options());
    client
        .client
        .open(&server.url_with_host("localhost"))
        .unwrap();
    client.wait_open();
    assert_eq!(client.client.peer_addr(), Some(server.addr()));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

fn slow_dns(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let (asked, go) = (Event::new(), Event::new());
    let (a, g) = (asked.clone(), go.clone());
    let thread = with_resolver(move |_| {
        a.set();
        g.expect("the test to let go");
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    });
    let slow = Recorded::new(thread.event_loop(), net.options().open_timeout(DEADLINE));
    slow.client
        .open(&server.url_with_host("localhost"))
        .unwrap();
    asked.expect("the lookup");
    // Meanwhile the loop serves others.
    let other = Recorded::new(thread.event_loop(), net.options());
    other.client.open(&server.url()).unwrap();
    other.wait_open();
    other.client.send_text("hi").unwrap();
    other.wait("the echo", |seen| seen.messages.len() == 1);
    assert_eq!(slow.seen.read(|seen| seen.opened), 0);
    go.set();
    slow.wait_open();
}

fn twice(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().keep_callbacks(true));
    for round in 1..=3 {
        client.client.open(&server.url()).unwrap();
        let again = client.client.open(&server.url());
        assert!(matches!(again, Err(OpenError::AlreadyOpen)), "{again:?}");
        client.wait("open", |seen| seen.opened == round);
        let again = client.client.open(&server.url());
        assert!(matches!(again, Err(OpenError::AlreadyOpen)), "{again:?}");
        client.client.close(1000, "").unwrap();
        client.wait("close", |seen| seen.closed.len() == round);
        let closed = || client.client.state() == hvloop::ClientState::Closed;
        assert!(hvloop_test_support::wait_for(30, closed));
    }
    // Without keep_callbacks it is an error that says so, until they are set again.
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.close(1000, "").unwrap();
    client.only_close();
    // While on_close runs an open() is taken.
    settle(thread.event_loop());
    let again = client.client.open(&server.url());
    assert!(
        matches!(again, Err(OpenError::CallbacksReleased)),
        "{again:?}"
    );
    let closed = Event::new();
    let c = closed.clone();
    client.client.on_open(|ws, _| ws.close(1000, "").unwrap());
    client.client.on_close(move |_, _| c.set());
    client.client.open(&server.url()).unwrap();
    closed.expect("the close of the second opening");
}

/// They are for the next open(), and are not released with those of this one.
fn set_in_time(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = WebSocketClient::with_options(thread.event_loop(), net.options());
    let (inside, go_on, closed) = (Event::new(), Event::new(), Event::new());
    client.on_open(|ws, _| ws.close(1000, "").unwrap());
    let (i, g) = (inside.clone(), go_on.clone());
    client.on_close(move |_, _| {
        i.set();
        g.expect("new callbacks");
    });
    client.open(&server.url()).unwrap();
    inside.expect("the close");
    let c = closed.clone();
    client.on_open(|ws, _| ws.close(1000, "").unwrap());
    client.on_close(move |_, _| c.set());
    go_on.set();
    settle(thread.event_loop());
    client.open(&server.url()).unwrap();
    closed.expect("the close of the second opening");
}

fn address(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    let (address, told) = (server.addr(), Event::new());
    let t = told.clone();
    client.client.on_open(|ws, _| ws.close(1000, "").unwrap());
    client.client.on_close(move |ws, _| {
        assert_eq!(ws.peer_addr(), Some(address));
        t.set();
    });
    client.client.open(&server.url()).unwrap();
    told.expect("on_close");
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

fn own_thread(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let clients: Vec<_> = (0..10)
        .map(|_| Recorded::new(thread.event_loop(), net.options()))
        .collect();
    for client in &clients {
        client.client.open(&server.url()).unwrap();
    }
    for client in &clients {
        client.wait_open();
        client.client.send_text("x").unwrap();
        client.wait("the echo", |seen| seen.messages.len() == 1);
    }
    thread.stop();
    thread.join().unwrap();
    let id = clients[0].threads.assert_one_thread();
    assert_ne!(id, std::thread::current().id());
    for client in &clients {
        client.threads.assert_all_on(id);
        assert_eq!(client.threads.calls(), 3);
    }
}

/// Twenty thousand sockets (a tenth of that over TLS), opened and closed from eight threads.
fn many_threads(transport: Transport) {
    let (waves, per_wave) = match transport {
        Transport::Ws => (25, 100),
        Transport::Wss => (5, 50),
    };
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = Arc::new(patient());
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let (thread, options, url) = (thread.clone(), net.options(), server.url());
            std::thread::spawn(move || {
                for _ in 0..waves {
                    let options = options.clone().open_timeout(DEADLINE);
                    let wave: Vec<_> = (0..per_wave)
                        .map(|_| Recorded::new(thread.event_loop(), options.clone()))
                        .collect();
                    for client in &wave {
                        client.client.on_open(|ws, _| ws.close(1000, "").unwrap());
                        client.client.open(&url).unwrap();
                    }
                    for client in &wave {
                        let event = client.only_close();
                        assert!(event.clean, "{event:?}");
                    }
                }
            })
        })
        .collect();
    for opener in openers {
        opener.join().unwrap();
    }
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().connections, 0);
    let stats = server.stop();
    assert_eq!(stats.closes_with(1000), 8 * waves * per_wave);
    assert_eq!(stats.abrupt, 0);
}

/// A name that is an address is not looked up.
fn literals(transport: Transport) {
    let net = Net::new(transport);
    let thread = with_resolver(|host| panic!("asked for {host}"));
    let server = net.server(Mode::Echo);
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    // As the URL standard has it, this is an address too.
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url_with_host("0x7f.1")).unwrap();
    client.wait_open();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// A URL with a zone leads there, and the server is not told of it; a redirect to its own address, which has
/// none there, stays in it.
#[test]
#[cfg(target_os = "linux")]
fn zone_in_a_url() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    let thread = patient();
    let hosts = Monitor::new(Vec::new());
    let h = hosts.clone();
    let server = hvloop::WebSocketServer::new(thread.event_loop());
    let service = hvloop::WebSocketService::new().on_open(move |_, request| {
        let host = request.header("Host").unwrap_or_default().to_owned();
        h.update(|hosts| hosts.push((host, request.path.clone())));
    });
    server.route("/*", service);
    let at: SocketAddr = "[::1]:0".parse().unwrap();
    let listening = server.listen(hvloop::Listen::tcp(at)).unwrap();
    let port = listening.inet().unwrap().port();
    let host = format!("[::1]:{port}");
    for (zone, path) in [("%25lo", "/a"), ("%lo", "/b"), ("%251", "/c"), ("", "/d")] {
        let client = Recorded::new(thread.event_loop(), ClientOptions::new());
        let url = format!("ws://[::1{zone}]:{port}{path}");
        client.client.open(&url).unwrap();
        client.wait_open();
        client.client.close(1000, "").unwrap();
        client.only_close();
    }
    let expected: Vec<_> = ["/a", "/b", "/c", "/d"]
        .map(|path| (host.clone(), path.to_owned()))
        .to_vec();
    assert_eq!(hosts.read(|hosts| hosts.clone()), expected);
    let client = Recorded::new(thread.event_loop(), ClientOptions::new());
    client
        .client
        .open(&format!("ws://[::1%25nosuch0]:{port}/"))
        .unwrap();
    let event = client.only_close();
    assert!(
        matches!(
            event.error,
            Some(ConnectionError::Transport(CloseReason::Dns(_)))
        ),
        "{event:?}"
    );
}
