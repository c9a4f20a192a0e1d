//! Redirects of the upgrade: off unless asked for, and then by the rules.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::handshake::HandshakeError;
use hvloop::ws::{ClientState, ConnectionError, Initiator, RedirectProblem};
use hvloop::{ClientOptions, CloseReason, ReconnectPolicy};
use hvloop_test_support::{DEADLINE, Event, Monitor, ScriptConn, ScriptServer, TestCa, Tls};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

over_both! {
    /// All statuses, all forms of Location, two origins: one attempt, one `on_open`, one `on_close`.
    redirect_rules => rules;
    redirects_are_off_by_default => off;
    redirects_that_are_not_followed => not_followed;
    redirects_have_one_deadline => one_deadline;
    close_stop_and_drop_between_hops => between_hops;
    close_races_redirects => races;
    redirects_begin_anew_with_each_attempt => begin_anew;
}

/// Answers with a redirect.
fn lead(conn: &mut ScriptConn, status: u16, location: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\nthere"
    );
    conn.send(head.as_bytes())?;
    conn.finish()
}

/// Makes a WebSocket of it, and ends it in order.
fn accept(conn: &mut ScriptConn, extra: &[&str]) -> io::Result<()> {
    let answer = conn.upgrade_response(extra);
    conn.send(answer.as_bytes())?;
    conn.send_close(1000, "here")?;
    conn.read_close()?;
    conn.finish()
}

fn with_secrets(options: ClientOptions) -> ClientOptions {
    options
        .header("Authorization", "Bearer 1")
        .header("cookie", "a=b")
        .header("Proxy-Authorization", "Basic x")
        .header("Host", "virtual.test")
        .header("X-Keep", "kept")
        .origin("https://page.test")
        .subprotocol("chat")
}

fn rules(transport: Transport) {
    let net = Net::new(transport);
    let other = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        for secret in ["Authorization", "Cookie", "Proxy-Authorization"] {
            assert_eq!(head.header(secret), None, "{head:?}");
        }
        let own = format!("127.0.0.1:{}", conn.tcp().local_addr()?.port());
        assert_eq!(head.header("Host"), Some(&*own));
        assert_eq!(head.header("X-Keep"), Some("kept"));
        assert_eq!(head.header("Origin"), Some("https://page.test"));
        assert_eq!(head.header("Sec-WebSocket-Protocol"), Some("chat"));
        match head.target() {
            "/d" => lead(conn, 308, "e"),
            "/e" => accept(conn, &["Sec-WebSocket-Protocol: chat"]),
            other => panic!("{other}"),
        }
    });
    let keys = Monitor::new(Vec::new());
    let (k, to_other) = (keys.clone(), format!("{}d", other.url()));
    let http = match transport {
        Transport::Ws => "http",
        Transport::Wss => "https",
    };
    let home = ScriptServer::start(net.tls(), move |conn| {
        let head = conn.read_request_head()?;
        assert_eq!(head.header("Authorization"), Some("Bearer 1"), "{head:?}");
        assert_eq!(head.header("Cookie"), Some("a=b"));
        assert_eq!(head.header("Host"), Some("virtual.test"));
        assert_eq!(head.header("X-Keep"), Some("kept"));
        let key = head.header("Sec-WebSocket-Key").unwrap().to_owned();
        k.update(|keys| keys.push(key));
        let port = conn.tcp().local_addr()?.port();
        match head.target() {
            "/x/start" => lead(conn, 301, "a"),
            "/x/a" => lead(conn, 302, "/b?c=d"),
            "/b?c=d" => lead(conn, 303, &format!("{http}://127.0.0.1:{port}/c#top")),
            "/c" => lead(conn, 307, &to_other),
            other => panic!("{other}"),
        }
    });
    let thread = patient();
    let options = with_secrets(net.options()).redirects(5);
    let client = Recorded::new(thread.event_loop(), options);
    let opened = Monitor::new(Vec::new());
    let o = opened.clone();
    client.client.on_open(move |ws, event| {
        assert!(ws.is_connected());
        let seen = (event.url.to_string(), event.redirects, event.attempt);
        o.update(|opened| opened.push((seen, event.is_reconnect)));
    });
    client
        .client
        .open(&format!("{}x/start", home.url()))
        .unwrap();
    let event = client.only_close();
    assert!(event.clean && event.attempt == 1, "{event:?}");
    assert_eq!(event.reason, "here");
    let end = format!("{}e", other.url());
    opened.read(|opened| assert_eq!(*opened, [((end, 5, 1), false)]));
    keys.read(|keys| {
        let mut different = keys.clone();
        different.sort();
        different.dedup();
        assert_eq!(
            different.len(),
            4,
            "each hop has a key of its own: {keys:?}"
        );
    });
    assert_eq!((home.accepted(), other.accepted()), (4, 2));
    client.threads.assert_one_thread();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

fn off(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.read_request_head()?;
        lead(conn, 302, "/elsewhere")
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert_eq!(event.http_status, Some(302));
    let Some(ConnectionError::Handshake(e)) = &event.error else {
        panic!("{event:?}");
    };
    let HandshakeError::Status { headers, .. } = &**e else {
        panic!("{e:?}");
    };
    assert_eq!(headers["location"], "/elsewhere");
    assert_eq!(server.accepted(), 1);
}

/// Where it is answered, the lines of the answer, and whether the problem is the right one.
type Case = (
    &'static str,
    &'static [&'static str],
    fn(&RedirectProblem) -> bool,
);

fn not_followed(transport: Transport) {
    let net = Net::new(transport);
    let cases: [Case; 6] = [
        ("/", &[], |p| matches!(p, RedirectProblem::NoLocation)),
        ("/", &["Location: /a", "Location: /b"], |p| {
            matches!(p, RedirectProblem::BadLocation)
        }),
        ("/", &["Location: ftp://x/"], |p| {
            matches!(p, RedirectProblem::Url(_))
        }),
        ("/", &["Location: ws://me:secret@x/"], |p| {
            matches!(p, RedirectProblem::Url(_))
        }),
        ("/", &["Location: /"], |p| {
            matches!(p, RedirectProblem::Loop(_))
        }),
        // Two hops are allowed; the second one leads on.
        ("/2", &["Location: /3"], |p| {
            matches!(p, RedirectProblem::TooMany { limit: 2 })
        }),
    ];
    for (n, (at, lines, is_right)) in cases.into_iter().enumerate() {
        let server = ScriptServer::start(net.tls(), move |conn| {
            let head = conn.read_request_head()?;
            let lines = match head.target() {
                target if target == at => lines.join("\r\n"),
                "/" => "Location: /1".to_owned(),
                "/1" => "Location: /2".to_owned(),
                other => panic!("{other}"),
            };
            let end = if lines.is_empty() { "" } else { "\r\n" };
            conn.send(format!("HTTP/1.1 307 Elsewhere\r\n{lines}{end}\r\n").as_bytes())?;
            conn.finish()
        });
        let thread = patient();
        let client = Recorded::new(thread.event_loop(), net.options().redirects(2));
        client.client.open(&server.url()).unwrap();
        let event = client.only_close();
        let Some(ConnectionError::Redirect(e)) = &event.error else {
            panic!("case {n}: {event:?}");
        };
        assert!(is_right(&e.problem), "case {n}: {e:?}");
        assert_eq!((e.status, event.http_status), (307, Some(307)));
        assert_eq!(e.url.resource(), at, "case {n}");
        assert!(!event.was_open && event.initiator == Initiator::Local);
    }
    // A loop over other URLs.
    let server = ScriptServer::start(net.tls(), |conn| {
        let to = match conn.read_request_head()?.target() {
            "/" => "/1",
            _ => "/",
        };
        lead(conn, 302, to)
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().redirects(10));
    client.client.open(&server.url()).unwrap();
    match client.only_close().error {
        Some(ConnectionError::Redirect(e)) => {
            assert!(matches!(e.problem, RedirectProblem::Loop(_)), "{e:?}");
        }
        other => panic!("{other:?}"),
    }
    // To where everybody reads along.
    if transport == Transport::Wss {
        let plain = ScriptServer::mute_tcp();
        for scheme in ["ws", "http"] {
            let to = plain.url_as(scheme);
            let server = ScriptServer::start(net.tls(), move |conn| {
                conn.read_request_head()?;
                lead(conn, 302, &to)
            });
            let client = Recorded::new(thread.event_loop(), net.options().redirects(10));
            client.client.open(&server.url()).unwrap();
            match client.only_close().error {
                Some(ConnectionError::Redirect(e)) => {
                    assert!(matches!(e.problem, RedirectProblem::Downgrade(_)), "{e:?}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(plain.accepted(), 0);
    }
}

fn one_deadline(transport: Transport) {
    const LIMIT: Duration = Duration::from_millis(200);
    let net = Net::new(transport);
    // Each hop is quick enough; there is no end of them.
    let endless = ScriptServer::start(net.tls(), |conn| {
        conn.read_request_head()?;
        let _not_yet = conn.released_within(Duration::from_millis(20));
        let to = format!("/{}", conn.number());
        lead(conn, 302, &to)
    });
    // The second hop says nothing.
    let mute = ScriptServer::mute_upgrade(net.tls());
    let to_mute = format!("{}mute", mute.url());
    let once = ScriptServer::start(net.tls(), move |conn| {
        conn.read_request_head()?;
        lead(conn, 302, &to_mute)
    });
    for server in [&endless, &once] {
        let thread = patient();
        let options = net.options().redirects(u32::MAX).open_timeout(LIMIT);
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&server.url()).unwrap();
        let event = client.only_close();
        let Some(ConnectionError::Transport(CloseReason::OpenTimedOut { limit, .. })) = event.error
        else {
            panic!("{event:?}");
        };
        assert_eq!((limit, event.initiator), (LIMIT, Initiator::Local));
        assert!(event.http_status.is_none() && event.attempt == 1);
    }
}

/// A server that leads to one which never answers; that one, and when it is asked.
fn dead_end(net: &Net) -> (ScriptServer, ScriptServer, Event) {
    let asked = Event::new();
    let a = asked.clone();
    let end = ScriptServer::start(net.tls(), move |conn| {
        conn.read_request_head()?;
        a.set();
        conn.wait_for_release();
        Ok(())
    });
    let to = end.url();
    let first = ScriptServer::start(net.tls(), move |conn| {
        conn.read_request_head()?;
        lead(conn, 302, &to)
    });
    (first, end, asked)
}

fn between_hops(transport: Transport) {
    let net = Net::new(transport);
    for what in ["close", "stop", "drop", "loop"] {
        let (first, _end, asked) = dead_end(&net);
        let thread = patient();
        let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
        let options = net.options().redirects(3).reconnect(Some(policy));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&first.url()).unwrap();
        asked.expect("the second hop");
        assert_eq!(client.client.state(), ClientState::Connecting);
        let seen = client.seen.clone();
        match what {
            "close" => client.client.close(1000, "").unwrap(),
            "stop" => client.client.stop(),
            "drop" => drop(client),
            _ => thread.stop(),
        }
        assert!(
            seen.wait(DEADLINE, |seen| !seen.closed.is_empty()),
            "{what}"
        );
        settle_or_stop(&thread);
        seen.read(|seen| {
            let [event] = &seen.closed[..] else {
                panic!("{what}: {:?}", seen.closed);
            };
            let initiator = match what {
                "loop" => Initiator::Loop,
                _ => Initiator::Local,
            };
            assert_eq!(event.initiator, initiator, "{what}");
            assert!(
                event.error.is_none() && event.reconnect_in.is_none() && !event.was_open,
                "{what}: {event:?}"
            );
        });
    }
}

/// Stops the loop, whether it was stopped before or not.
fn settle_or_stop(thread: &hvloop::EventLoopThread) {
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// Redirects for ever, and a close or a stop at whatever moment: one `on_close`, and it is orderly.
fn races(transport: Transport) {
    let net = Net::new(transport);
    let hops = Arc::new(AtomicUsize::new(0));
    let h = hops.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.read_request_head()?;
        let hop = h.fetch_add(1, Ordering::Relaxed);
        lead(conn, 307, &format!("/{hop}"))
    });
    for round in 0..30 {
        let thread = patient();
        let options = net.options().redirects(u32::MAX).open_timeout(DEADLINE);
        let client = Recorded::new(thread.event_loop(), options);
        let before = hops.load(Ordering::Relaxed);
        client.client.open(&server.url()).unwrap();
        // Spread over the hops and what is between them.
        while hops.load(Ordering::Relaxed) < before + round % 5 {
            std::thread::yield_now();
        }
        let initiator = match round % 2 {
            0 => {
                client.client.close(1000, "").unwrap();
                Initiator::Local
            }
            _ => {
                thread.stop();
                Initiator::Loop
            }
        };
        client.wait("the close", |seen| !seen.closed.is_empty());
        settle_or_stop(&thread);
        let event = client.only_close();
        assert!(event.error.is_none(), "{event:?}");
        assert_eq!(event.initiator, initiator);
        assert_eq!(client.client.state(), ClientState::Closed);
    }
}

fn begin_anew(transport: Transport) {
    let net = Net::new(transport);
    let asked = Monitor::new(Vec::new());
    let a = asked.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        let head = conn.read_request_head()?;
        let target = head.target().to_owned();
        let before = a.update(|asked| {
            let before = asked.iter().filter(|t| **t == target).count();
            asked.push(target.clone());
            before
        });
        match (&*target, before) {
            ("/", _) => lead(conn, 302, "/next"),
            ("/next", 0) => conn.send(b"HTTP/1.1 503 Busy\r\n\r\n"),
            ("/next", 1) => lead(conn, 302, "/"), // a loop
            ("/next", _) => accept(conn, &[]),
            other => panic!("{other:?}"),
        }
    });
    let thread = patient();
    let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
    let options = net.options().redirects(3).reconnect(Some(policy));
    let client = Recorded::new(thread.event_loop(), options);
    let opened = Monitor::new(Vec::new());
    let o = opened.clone();
    client.client.on_open(move |ws, event| {
        let seen = (event.attempt, event.redirects, event.is_reconnect);
        o.update(|opened| opened.push(seen));
        // The server's Close comes anyway; nothing follows.
        let _ = ws.close(1000, "");
    });
    client.client.open(&server.url()).unwrap();
    client.wait("three attempts", |seen| seen.closed.len() == 3);
    settle(thread.event_loop());
    client.seen.read(|seen| {
        let statuses: Vec<_> = seen.closed.iter().map(|e| e.http_status).collect();
        assert_eq!(statuses, [Some(503), Some(302), None]);
        let attempts: Vec<_> = seen.closed.iter().map(|e| e.attempt).collect();
        assert_eq!(attempts, [1, 2, 3]);
        assert!(seen.closed[0].reconnect_in.is_some() && seen.closed[1].reconnect_in.is_some());
        assert!(seen.closed[2].was_open);
    });
    opened.read(|opened| assert_eq!(*opened, [(3, 1, false)]));
    asked.read(|asked| assert_eq!(*asked, ["/", "/next", "/", "/next", "/", "/next"]));
}

/// From `ws` to `wss`: by the options' TLS, which verifies; and without what belongs to the origin.
#[test]
fn redirect_from_ws_to_wss() {
    let ca = TestCa::new();
    let secure = ScriptServer::start(Tls::On(&ca), |conn| {
        let head = conn.read_request_head()?;
        assert_eq!(head.header("Authorization"), None);
        assert_eq!(head.header("X-Keep"), Some("kept"));
        accept(conn, &["Sec-WebSocket-Protocol: chat"])
    });
    let to = secure.url_as("https");
    let plain = ScriptServer::start(Tls::Off, move |conn| {
        conn.read_request_head()?;
        lead(conn, 301, &to)
    });
    let thread = patient();
    let tls = hvloop::event::tls::TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    let options = with_secrets(ClientOptions::new()).redirects(1);
    let trusting = options.clone().tls(tls.build().unwrap());
    let client = Recorded::new(thread.event_loop(), trusting);
    client.client.open(&plain.url()).unwrap();
    assert!(client.only_close().clean);
    // The default trusts the platform, which does not know that authority.
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&plain.url()).unwrap();
    let event = client.only_close();
    assert!(
        matches!(
            event.error,
            Some(ConnectionError::Transport(CloseReason::Tls(_)) | ConnectionError::Redirect(_))
        ),
        "{event:?}"
    );
}
