//! The hook that may change an attempt's request; which refusals end a series of attempts, and when the
//! next one comes.

use crate::common::loops::{patient, running, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::Growth;
use hvloop::ws::{ClientState, ConnectRequest, ConnectionError, Initiator, PrepareError};
use hvloop::{ClientOptions, CloseEvent, EventLoop, ReconnectPolicy};
use hvloop_test_support::{
    DEADLINE, Mode, Monitor, ScriptConn, ScriptServer, TestCa, Tls, wait_for,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

over_both! {
    /// A token that expires: each attempt gets a new one, from another thread, redirects included.
    token_refresh => tokens;
    /// URL, headers and subprotocols are the attempt's alone.
    before_connect_changes_one_attempt => one_attempt;
    /// A close, a stop, a drop or a panic ends an attempt that waits, with one on_close.
    before_connect_is_cancelled => cancelled;
    /// Refusals that would come again end the series; others do not; the user may see it otherwise.
    permanent_refusals_end_it => permanent;
    /// A server that is busy says when to come back.
    retry_after_is_obeyed => retry_after;
    /// close() and open() in on_close go on with the series of delays.
    reopened_in_on_close_backs_off => reopened;
    /// Such an open() has its one on_close, also if it ends before its attempt begins.
    reopened_and_ended_while_it_waits => ended_while_waiting;
}

fn fast() -> Option<ReconnectPolicy> {
    Some(ReconnectPolicy::fixed(MS))
}

/// What the server sees of each request, and answers with.
fn serving(
    net: &Net,
    answer: impl Fn(&mut ScriptConn, &str, &str) -> io::Result<()> + Send + Sync + 'static,
) -> ScriptServer {
    ScriptServer::start(net.tls(), move |conn| {
        let head = conn.read_request_head()?;
        let token = head.header("Authorization").unwrap_or("none").to_owned();
        let target = head.target().to_owned();
        let upgrade = hvloop_test_support::upgrade_response(&head, &[]);
        match (target.as_str(), token.as_str()) {
            ("/accept", _) => conn.send(upgrade.as_bytes())?,
            _ => return answer(conn, &target, &token),
        }
        conn.send_close(4001, "the token has expired")?;
        conn.read_close()?;
        conn.finish()
    })
}

fn say(conn: &mut ScriptConn, head: &str) -> io::Result<()> {
    conn.send(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
    conn.finish()
}

fn at(server: &ScriptServer, path: &str) -> String {
    format!("{}{path}", server.url().trim_end_matches('/'))
}

fn tokens(transport: Transport) {
    let net = Net::new(transport);
    let seen = Monitor::new(Vec::new());
    let s = seen.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        let head = conn.read_request_head()?;
        let token = head.header("Authorization").unwrap_or("none").to_owned();
        s.update(|seen| seen.push(format!("{} {token}", head.target())));
        if token == "Bearer 2" {
            return say(conn, "401 Unauthorized");
        }
        if head.target() == "/" {
            return say(conn, "307 Elsewhere\r\nLocation: /there");
        }
        conn.send(hvloop_test_support::upgrade_response(&head, &[]).as_bytes())?;
        conn.send_close(4001, "the token has expired")?;
        conn.read_close()?;
        conn.finish()
    });
    let told = Monitor::new(Vec::new());
    let (t, issued) = (told.clone(), Arc::new(AtomicUsize::new(0)));
    let options = net
        .options()
        .reconnect(fast())
        .redirects(2)
        .bearer_auth("old")
        .before_connect(move |mut request: ConnectRequest| {
            let (t, issued) = (t.clone(), issued.clone());
            thread::spawn(move || {
                let token = issued.fetch_add(1, Ordering::Relaxed) + 1;
                let last = request.last_close().map(|event| event.http_status);
                t.update(|told| told.push((request.attempt(), last)));
                request.set_bearer_auth(&token.to_string()).unwrap();
                request.proceed();
            });
        });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait("two sessions", |seen| seen.opened == 2);
    client.client.close(1000, "").unwrap();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    let all = seen.read(Clone::clone);
    let expected = [
        "/ Bearer 1",
        "/there Bearer 1",
        "/ Bearer 2",
        "/ Bearer 3",
        "/there Bearer 3",
    ];
    assert_eq!(all[..5], expected);
    let told = told.read(Clone::clone);
    assert_eq!(
        told[..3],
        [(1, None), (2, Some(None)), (3, Some(Some(401)))]
    );
}

fn one_attempt(transport: Transport) {
    let net = Net::new(transport);
    let seen = Monitor::new(Vec::new());
    let s = seen.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        let head = conn.read_request_head()?;
        let of = |name: &str| head.header(name).unwrap_or("-").to_owned();
        let line = format!(
            "{} {} {} {}",
            head.target(),
            of("X-Attempt"),
            of("Sec-WebSocket-Protocol"),
            of("User-Agent"),
        );
        s.update(|seen| seen.push(line));
        say(conn, "503 Later")
    });
    let other = at(&server, "/other");
    let options = net
        .options()
        .reconnect(fast())
        .header("X-Attempt", "as set")
        .subprotocol("a")
        .before_connect(move |mut request| {
            if request.attempt() == 2 {
                assert!(request.set_url("http://h/").is_err());
                assert!(request.set_header("Upgrade", "x").is_err());
                assert!(request.set_header("X", "a\nb").is_err());
                assert!(request.set_subprotocols(["b", "b"]).is_err());
                request.set_url(&other).unwrap();
                request.set_header("x-attempt", "2").unwrap();
                request.set_subprotocols(["b", "c"]).unwrap();
                request.remove_header("user-agent");
            }
            request.proceed(); // at once
        });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&at(&server, "/first")).unwrap();
    client.wait("three attempts", |seen| seen.closed.len() >= 3);
    client.client.close(1000, "").unwrap();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(thread.event_loop().metrics().panics, 0);
    let agent = format!("hvloop/{}", env!("CARGO_PKG_VERSION"));
    let all = seen.read(Clone::clone);
    let expected = [
        format!("/first as set a {agent}"),
        "/other 2 b, c -".to_owned(),
        format!("/first as set a {agent}"),
    ];
    assert_eq!(all[..3], expected);
}

fn cancelled(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    // Keeps the requests, so that none is dropped.
    let kept: Monitor<Vec<ConnectRequest>> = Monitor::new(Vec::new());
    let keeping = |options: ClientOptions| {
        let kept = kept.clone();
        options.before_connect(move |request| kept.update(|kept| kept.push(request)))
    };
    let asked = |n: usize| assert!(kept.wait(DEADLINE, |kept| kept.len() == n));
    let prepare_error = |event: &CloseEvent| match &event.error {
        Some(ConnectionError::Prepare(e)) => e.clone(),
        other => panic!("{other:?}"),
    };
    let thread = patient();
    let client = Recorded::new(
        thread.event_loop(),
        keeping(net.options().reconnect(fast())),
    );
    client.client.open(&server.url()).unwrap();
    asked(1);
    client.client.close(1000, "").unwrap();
    let event = client.only_close();
    assert!(
        event.initiator == Initiator::Local && event.error.is_none(),
        "{event:?}"
    );
    assert_eq!(
        (event.was_open, event.reconnect_in, event.attempt),
        (false, None, 1)
    );
    // An answer that comes too late means nothing, also to the next open().
    client.client.on_close(|_, _| {});
    client.client.open(&server.url()).unwrap();
    asked(2);
    let late = kept.update(|kept| kept.remove(0));
    late.proceed();
    settle(thread.event_loop());
    assert_eq!(server.stats().accepted, 0);
    kept.update(|kept| kept.remove(0)).proceed();
    server.wait_until(|stats| stats.open == 1);
    client.client.close(1000, "").unwrap();
    server.wait_until(|stats| stats.open == 0);

    // The time is over.
    let limit = Duration::from_millis(50);
    let client = Recorded::new(
        thread.event_loop(),
        keeping(net.options().open_timeout(limit)),
    );
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(matches!(prepare_error(&event), PrepareError::TimedOut(l) if l == limit));
    assert_eq!(event.initiator, Initiator::Local);
    asked(1);
    kept.update(Vec::clear);

    // It is dropped, ends the attempt, or panics; the policy goes on.
    let options =
        net.options()
            .reconnect(fast())
            .before_connect(|request| match request.attempt() {
                1 => drop(request),
                2 => request.fail("no token"),
                3 => panic!("on purpose"),
                _ => request.proceed(),
            });
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.seen.read(|seen| {
        let errors: Vec<_> = seen.closed.iter().map(prepare_error).collect();
        assert!(
            matches!(
                &errors[..],
                [PrepareError::Dropped, PrepareError::Failed(why), PrepareError::Panicked]
                    if why == "no token"
            ),
            "{errors:?}"
        );
    });
    client.client.close(1000, "").unwrap();
    client.wait("its close", |seen| seen.closed.len() == 4);
    assert_eq!(thread.event_loop().metrics().panics, 1);

    // The last handle goes; the loop stops.
    let client = Recorded::new(thread.event_loop(), keeping(net.options()));
    let seen = client.seen.clone();
    client.client.open(&server.url()).unwrap();
    asked(1);
    drop(client);
    assert!(seen.wait(DEADLINE, |seen| seen.closed.len() == 1));
    let client = Recorded::new(
        thread.event_loop(),
        keeping(net.options().reconnect(fast())),
    );
    client.client.open(&server.url()).unwrap();
    asked(2);
    thread.stop();
    thread.join().unwrap();
    let event = client.only_close();
    assert_eq!(event.initiator, Initiator::Loop, "{event:?}");
    assert_eq!(event.reconnect_in, None);
    kept.update(Vec::clear); // behind the loop's end
    assert_eq!(server.stats().accepted, 2);
}

/// An open() inside a callback does not call the hook inside itself.
#[test]
fn before_connect_is_not_nested() {
    let net = Net::new(Transport::Ws);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let nested = Monitor::new(None);
    let n = nested.clone();
    let flag = Arc::new(AtomicUsize::new(0));
    let f = flag.clone();
    let options = net.options().before_connect(move |request| {
        n.update(|nested| *nested = Some(f.load(Ordering::Relaxed) == 1));
        request.proceed();
    });
    let client = Recorded::new(thread.event_loop(), options);
    let (ws, url) = (client.client.clone(), server.url());
    let queued = thread.event_loop().queue_in_loop(move || {
        flag.store(1, Ordering::Relaxed);
        ws.open(&url).unwrap();
        flag.store(0, Ordering::Relaxed);
    });
    queued.unwrap();
    client.wait_open();
    assert_eq!(nested.read(|nested| *nested), Some(false));
    client.client.close(1000, "").unwrap();
    client.only_close();
}

fn permanent(transport: Transport) {
    let net = Net::new(transport);
    let server = serving(&net, |conn, target, _| {
        let status = target.trim_start_matches('/');
        say(conn, &format!("{status} x"))
    });
    let thread = patient();
    let open = |options: ClientOptions, status: u16| {
        let client = Recorded::new(thread.event_loop(), options.reconnect(fast()));
        client
            .client
            .open(&at(&server, &format!("/{status}")))
            .unwrap();
        client
    };
    for status in [401, 403, 404, 410, 400, 407, 426, 501] {
        let client = open(net.options(), status);
        let event = client.only_close();
        assert_eq!(
            (event.http_status, event.reconnect_in),
            (Some(status), None)
        );
        assert!(event.is_permanent());
        assert!(wait_for(30, || client.client.state() == ClientState::Closed));
    }
    for status in [408, 429, 500, 502, 503, 504] {
        let client = open(net.options(), status);
        client.wait("again", |seen| seen.closed.len() >= 2);
        client.client.close(1000, "").unwrap();
    }
    // The user's choice, either way.
    let stubborn = |status: u16| move |event: &CloseEvent| event.http_status == Some(status);
    let client = open(net.options().reconnect_if(stubborn(403)), 403);
    client.wait("again", |seen| seen.closed.len() >= 2);
    client.client.close(1000, "").unwrap();
    let client = open(net.options().reconnect_if(stubborn(403)), 503);
    assert_eq!(client.only_close().reconnect_in, None);
    let client = open(net.options().reconnect_if(|_| panic!("on purpose")), 503);
    assert_eq!(client.only_close().reconnect_in, None);
    // What a hook may change is not permanent.
    let client = open(net.options().before_connect(ConnectRequest::proceed), 401);
    client.wait("again", |seen| seen.closed.len() >= 2);
    client.client.close(1000, "").unwrap();
}

#[test]
fn refused_certificates_end_it() {
    let (theirs, ours) = (TestCa::new(), Net::new(Transport::Wss));
    let server = ScriptServer::start(Tls::On(&theirs), |conn| conn.read_request_head().map(drop));
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), ours.options().reconnect(fast()));
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(
        event.is_permanent() && event.reconnect_in.is_none(),
        "{event:?}"
    );
}

fn retry_after(transport: Transport) {
    let net = Net::new(transport);
    let server = serving(&net, |conn, target, _| {
        say(
            conn,
            match target {
                "/seconds" => "503 x\r\nRetry-After: 70",
                "/many" => "429 x\r\nRetry-After: 60",
                "/date" => {
                    "503 x\r\nDate: Sun, 06 Nov 1994 08:49:30 GMT\r\n\
                     Retry-After: Sun, 06 Nov 1994 08:51:00 GMT"
                }
                "/past" => "503 x\r\nRetry-After: Sun, 06 Nov 1994 08:49:39 GMT",
                "/endless" => "503 x\r\nRetry-After: 99999999999999999999999999",
                "/soon" => "503 x\r\nRetry-After: 0",
                "/other" => "500 x\r\nRetry-After: 90",
                _ => "503 x\r\nRetry-After: tomorrow",
            },
        )
    });
    let second = Duration::from_secs(1);
    let thread = patient();
    let delay = |options: ClientOptions, path: &str| {
        // Long enough that no attempt follows before the close.
        let policy = ReconnectPolicy::fixed(20 * second).with_jitter(0.0);
        let client = Recorded::new(thread.event_loop(), options.reconnect(Some(policy)));
        client.client.open(&at(&server, path)).unwrap();
        client.wait("refusal", |seen| !seen.closed.is_empty());
        client.client.close(1000, "").unwrap();
        client.only_close().reconnect_in.unwrap()
    };
    for (path, expected) in [
        ("/seconds", 70 * second),
        ("/many", 60 * second),
        ("/date", 90 * second),
        ("/past", 20 * second),
        ("/endless", 3600 * second),
        ("/soon", 20 * second),
        ("/other", 20 * second),
        ("/no", 20 * second),
    ] {
        assert_eq!(delay(net.options(), path), expected, "{path}");
    }
    let limited = |limit| net.options().max_retry_after(limit);
    assert_eq!(delay(limited(50 * second), "/seconds"), 50 * second);
    assert_eq!(delay(limited(Duration::ZERO), "/seconds"), 20 * second);
}

fn reopened(transport: Transport) {
    let net = Net::new(transport);
    let server = serving(&net, |conn, _, _| say(conn, "503 x"));
    let thread = running(DEADLINE);
    let policy = ReconnectPolicy::exponential(4 * MS, 10_000 * MS)
        .with_growth(Growth::Exponential(3))
        .with_jitter(0.0);
    // At the same URL, and at two by turns: of those every other one comes at once.
    for (urls, waits) in [(["/x", "/x"], [4, 12, 36]), (["/x", "/y"], [0, 12, 0])] {
        let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
        let urls = urls.map(|path| at(&server, path));
        let (by_turns, seen) = (urls.clone(), client.seen.clone());
        let times = Monitor::new(Vec::new());
        let t = times.clone();
        client.client.on_close(move |ws, event| {
            // The time from which the loop counts: the clock may be ahead by what a busy machine takes.
            let now = EventLoop::current().unwrap().now();
            t.update(|times: &mut Vec<Instant>| times.push(now));
            let count = seen.update(|seen| {
                seen.closed.push(event.clone());
                seen.closed.len()
            });
            ws.close(1000, "").unwrap();
            if count < 4 {
                ws.open(&by_turns[count % 2]).unwrap();
            }
        });
        client.client.open(&urls[0]).unwrap();
        client.wait("four attempts", |seen| seen.closed.len() == 4);
        let delays: Vec<_> = client
            .seen
            .read(|seen| seen.closed.iter().map(|event| event.reconnect_in).collect());
        assert_eq!(delays, [4, 12, 36, 108].map(|n| Some(n * MS)));
        // And they were kept.
        let times = times.read(Clone::clone);
        for (n, pair) in times.windows(2).enumerate() {
            let passed = pair[1] - pair[0];
            assert!(passed >= waits[n] * MS, "{n}: {passed:?}");
        }
    }
    // Outside of an on_close it begins anew, and at once.
    let hour = 3600 * Duration::from_secs(1);
    let policy = ReconnectPolicy::fixed(hour).with_jitter(0.0);
    let options = net.options().reconnect(Some(policy)).keep_callbacks(true);
    let client = Recorded::new(thread.event_loop(), options);
    for n in 1..=2 {
        client.client.open(&at(&server, "/x")).unwrap();
        client.wait("a refusal", |seen| seen.closed.len() == n);
        client.client.close(1000, "").unwrap();
        assert!(wait_for(30, || client.client.state() == ClientState::Closed));
        settle(thread.event_loop());
    }
}

/// How an `open()` ends that waits for its first attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Stop,
    Close,
    ClientStop,
    Drop,
}

fn ended_while_waiting(transport: Transport) {
    let net = Net::new(transport);
    let server = serving(&net, |conn, _, _| say(conn, "503 x"));
    let hour = Duration::from_secs(3600);
    for (keep, end) in [
        (false, End::Stop),
        (true, End::Stop),
        (false, End::Close),
        (true, End::Close),
        (false, End::ClientStop),
        (true, End::Drop),
    ] {
        let thread = patient();
        let policy = ReconnectPolicy::fixed(hour).with_jitter(0.0);
        let options = net.options().reconnect(Some(policy)).keep_callbacks(keep);
        let client = Recorded::new(thread.event_loop(), options);
        let (seen, url) = (client.seen.clone(), at(&server, "/x"));
        let again = url.clone();
        client.client.on_close(move |ws, event| {
            let first = seen.update(|seen| {
                seen.closed.push(event.clone());
                seen.closed.len() == 1
            });
            if first {
                ws.close(1000, "").unwrap();
                ws.open(&again).unwrap();
                assert_eq!(ws.state(), ClientState::BackingOff);
            } else {
                assert_eq!(ws.state(), ClientState::Closed);
                assert!(ws.upgrade_response().is_none(), "nothing was asked");
            }
        });
        client.client.open(&url).unwrap();
        client.wait("the refusal", |seen| seen.closed.len() == 1);
        settle(thread.event_loop());
        let seen = client.seen.clone();
        match end {
            End::Stop => thread.stop(),
            End::Close => {
                client.client.close(1000, "").unwrap();
                client.client.close(1000, "").unwrap();
            }
            End::ClientStop => client.client.stop(),
            End::Drop => drop(client),
        }
        let told = seen.wait(DEADLINE, |seen| seen.closed.len() == 2);
        assert!(told, "{end:?}: no on_close");
        thread.stop();
        assert!(thread.join().unwrap().is_clean());
        let closed = seen.read(|seen| seen.closed.clone());
        assert_eq!(closed.len(), 2, "{end:?}: {closed:?}");
        let event = &closed[1];
        let who = match end {
            End::Stop => Initiator::Loop,
            _ => Initiator::Local,
        };
        assert_eq!(event.initiator, who, "{end:?}: {event:?}");
        assert!(event.error.is_none() && !event.clean, "{event:?}");
        assert_eq!(
            (event.was_open, event.reconnect_in, event.attempt),
            (false, None, 1)
        );
        assert_eq!(thread.event_loop().metrics().timers, 0);
    }
}
