//! Lookups of the user's own: off the loop, cancelled at once, never in the way of a stop.

use crate::common::loops::{MS, Told, on_loop, resolving, started_with, stop_without_panic};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded;
use hvloop::{CloseReason, Connect, EventLoop, EventLoopThread};
use hvloop_test_support::{DEADLINE, Event, Monitor, wait_for};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// What the test's callbacks of lookups send.
type Answer = Result<Vec<IpAddr>, String>;

fn ips(last: &[u8]) -> Vec<IpAddr> {
    let ip = |n: &u8| IpAddr::from([192, 0, 2, *n]);
    last.iter().map(ip).collect()
}

/// Looks up on the loop and waits for the answer, which comes on the loop's thread, not in the
/// call.
fn look_up(event_loop: &EventLoop, host: &'static str) -> Answer {
    let (tell, told) = mpsc::channel();
    on_loop(event_loop, move |local| {
        let (in_call, caller) = (Event::new(), std::thread::current().id());
        let ended = in_call.clone();
        local
            .resolve_dns(host, move |answer| {
                assert!(ended.is_set(), "inside the call");
                assert_eq!(std::thread::current().id(), caller);
                assert!(EventLoop::current().is_some());
                tell.send(answer.map_err(|e| e.to_string())).unwrap();
            })
            .unwrap();
        in_call.set();
    });
    told.recv_timeout(DEADLINE).expect("the answer")
}

#[test]
fn resolve_dns() {
    let asked = Arc::new(AtomicUsize::new(0));
    let a = asked.clone();
    let thread = started_with(resolving(move |host| {
        a.fetch_add(1, Ordering::SeqCst);
        match host {
            "two.test" => Ok(ips(&[1, 2])),
            "none.test" => Ok(Vec::new()),
            "panic.test" => panic!("on purpose"),
            _ => Err(io::Error::other("no such host")),
        }
    }));
    let event_loop = thread.event_loop();
    assert_eq!(look_up(event_loop, "two.test"), Ok(ips(&[1, 2])));
    assert_eq!(look_up(event_loop, "none.test"), Ok(Vec::new()));
    let error = look_up(event_loop, "unknown.test").unwrap_err();
    assert!(error.contains("no such host"), "{error}");
    let error = look_up(event_loop, "panic.test").unwrap_err();
    assert!(error.contains("panicked"), "{error}");
    assert_eq!(look_up(event_loop, "two.test"), Ok(ips(&[1, 2])));
    assert_eq!(asked.load(Ordering::SeqCst), 5);
    // An address needs nobody.
    assert_eq!(look_up(event_loop, "192.0.2.9"), Ok(ips(&[9])));
    assert_eq!(look_up(event_loop, "::1").unwrap().len(), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 5);
    stop_without_panic(&thread);
}

/// A lookup that is given up: its callback is dropped there and then, on the loop's thread, and
/// never called, though the resolver answers later.
#[test]
fn cancel_dns() {
    let (asked, go, answered) = (Event::new(), Event::new(), Monitor::new(0));
    let (a, g, n) = (asked.clone(), go.clone(), answered.clone());
    let thread = started_with(resolving(move |_| {
        a.set();
        assert!(g.wait(DEADLINE));
        n.update(|answered| *answered += 1);
        Ok(ips(&[1]))
    }));
    let event_loop = thread.event_loop();
    let (told, dropped) = Told::new();
    let query = on_loop(event_loop, move |local| {
        let callback = move |_: io::Result<Vec<IpAddr>>| {
            let _captured = &told;
            panic!("given up");
        };
        local.resolve_dns("slow.test", callback).unwrap()
    });
    asked.expect("the resolver is asked");
    let d = dropped.clone();
    on_loop(event_loop, move |local| {
        assert!(local.cancel_dns(query));
        let here = std::thread::current().id();
        d.read(|dropped| assert_eq!(dropped[..], [here]));
        assert!(!local.cancel_dns(query), "gone");
    });
    go.set();
    assert!(answered.wait(DEADLINE, |answered| *answered == 1));
    // One that is answered cannot be given up; an address can, until its answer.
    let (tell, told) = mpsc::channel();
    let query = on_loop(event_loop, |local| {
        let answered = move |_| tell.send(()).unwrap();
        local.resolve_dns("again.test", answered).unwrap()
    });
    told.recv_timeout(DEADLINE).unwrap();
    assert!(!on_loop(event_loop, move |local| local.cancel_dns(query)));
    on_loop(event_loop, |local| {
        let query = local.resolve_dns("127.0.0.1", |_| panic!("given up"));
        assert!(local.cancel_dns(query.unwrap()));
    });
    on_loop(event_loop, |_| {});
    stop_without_panic(&thread);
}

/// More lookups than may block at once are given up while they wait: nobody is asked for those.
#[test]
fn cancel_dns_that_waits_for_a_thread() {
    let (go, asked) = (Event::new(), Monitor::new(Vec::new()));
    let (g, a) = (go.clone(), asked.clone());
    let thread = started_with(resolving(move |host| {
        a.update(|asked| asked.push(host.to_owned()));
        if host.starts_with("slow") {
            assert!(g.wait(DEADLINE));
        }
        Ok(ips(&[1]))
    }));
    let event_loop = thread.event_loop();
    let done = Monitor::new(0);
    let d = done.clone();
    let slow = on_loop(event_loop, move |local| {
        (0..200)
            .map(|n| {
                let d = d.clone();
                let answered = move |_| d.update(|done| *done += 1);
                local
                    .resolve_dns(&format!("slow{n}.test"), answered)
                    .unwrap()
            })
            .collect::<Vec<_>>()
    });
    assert!(asked.wait(DEADLINE, |asked| !asked.is_empty()));
    on_loop(event_loop, move |local| {
        assert!(slow.into_iter().all(|query| local.cancel_dns(query)));
    });
    // Every thread that there may be has begun by now or never will.
    let d = done.clone();
    on_loop(event_loop, move |local| {
        let answered = move |_| d.update(|done| *done += 100);
        local.resolve_dns("last.test", answered).unwrap();
    });
    go.set();
    assert!(done.wait(DEADLINE, |done| *done >= 100));
    assert_eq!(done.read(|done| *done), 100, "a given up one was called");
    let asked = asked.read(Vec::len);
    assert!(asked <= 129, "asked for what was given up: {asked}");
    stop_without_panic(&thread);
}

/// A resolver that takes its time holds up neither tasks, timers nor other connections, and the
/// stop does not wait for it.
#[test]
fn slow_dns_does_not_block_loop() {
    let (asked, go) = (Event::new(), Event::new());
    let (a, g) = (asked.clone(), go.clone());
    let thread = started_with(resolving(move |_| {
        a.set();
        assert!(g.wait(DEADLINE));
        Ok(ips(&[1]))
    }));
    let event_loop = thread.event_loop();
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let slow = Recorded::new(event_loop);
    slow.client.connect(Connect::to("slow.test", 1)).unwrap();
    let (told, dropped) = Told::new();
    on_loop(event_loop, move |local| {
        let answered = move |_| drop(told);
        local.resolve_dns("slow.test", answered).unwrap();
    });
    asked.expect("the resolver is asked");
    let fired = Event::new();
    let f = fired.clone();
    event_loop.set_timeout(MS, move |_| f.set()).unwrap();
    fired.expect("the timer");
    let quick = Recorded::new(event_loop);
    quick.connect(net.to(&server));
    quick.client.send(b"quick").unwrap();
    quick.wait("the echo", |seen| seen.bytes == b"quick");
    // The resolver still blocks.
    let report = stop_without_panic(&thread);
    assert_eq!((report.closed_cleanly, report.aborted_connects), (1, 1));
    assert!(matches!(slow.only_close(), CloseReason::Stopped));
    assert_eq!(
        dropped.read(Vec::len),
        1,
        "dropped with the loop, not called"
    );
    assert!(!go.is_set());
    go.set();
}

/// A connect that is given up while its name is looked up: one close, and the late answer reaches
/// nobody.
#[test]
fn close_during_dns() {
    let (asked, go, answers) = (Event::new(), Event::new(), Monitor::new(0));
    let (a, g, n) = (asked.clone(), go.clone(), answers.clone());
    let thread = started_with(resolving(move |_| {
        a.set();
        assert!(g.wait(DEADLINE));
        n.update(|answers| *answers += 1);
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }));
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let client = Recorded::new(thread.event_loop());
    let port = server.addr().port();
    client
        .client
        .connect(Connect::to("slow.test", port))
        .unwrap();
    asked.expect("the resolver is asked");
    client.client.close();
    assert!(matches!(client.only_close(), CloseReason::Local));
    go.set();
    assert!(answers.wait(DEADLINE, |answers| *answers == 1));
    // The same client, at once: the answer of the old attempt is not for the new one.
    let again = Recorded::new(thread.event_loop());
    again.connect(Connect::to("slow.test", port));
    assert!(wait_for(30, || server.accepted() == 1));
    stop_without_panic(&thread);
    assert_eq!(client.seen.read(|seen| seen.connected), 0);
    client.only_close();
    assert_eq!(server.accepted(), 1);
}

/// Names whose lookup hangs, for connects that wait for them and for ones that have given them up, cost
/// others nothing.
#[test]
fn hanging_names_starve_nobody() {
    let (go, asked) = (Event::new(), Monitor::new(0));
    let (g, a) = (go.clone(), asked.clone());
    let thread = started_with(resolving(move |host| {
        if host.starts_with("hangs") {
            a.update(|asked| *asked += 1);
            assert!(g.wait(2 * DEADLINE));
        }
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }));
    let event_loop = thread.event_loop();
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let port = server.addr().port();
    let hang = |n: usize| {
        let client = Recorded::new(event_loop);
        let connect = Connect::to(format!("hangs{n}.test"), port).open_timeout(10 * DEADLINE);
        client.client.connect(connect).unwrap();
        client
    };
    // Twelve that have given up, once they were asked for, and twelve that wait.
    let given_up: Vec<_> = (0..12).map(hang).collect();
    assert!(asked.wait(DEADLINE, |asked| *asked == 12));
    for client in given_up {
        client.client.close();
        assert!(matches!(client.only_close(), CloseReason::Local));
    }
    let waiting: Vec<_> = (12..24).map(hang).collect();
    assert!(asked.wait(DEADLINE, |asked| *asked == 24));
    let quick = Recorded::new(event_loop);
    quick.connect(Connect::to("quick.test", port));
    let found = look_up(event_loop, "other.test");
    assert_eq!(found, Ok(vec![IpAddr::from([127, 0, 0, 1])]));
    // The stop does not wait for them either.
    assert!(!go.is_set());
    let report = stop_without_panic(&thread);
    assert_eq!((report.closed_cleanly, report.aborted_connects), (1, 12));
    for client in waiting {
        assert!(matches!(client.only_close(), CloseReason::Stopped));
    }
    assert!(!go.is_set());
    go.set();
}

/// Those who ask for one name that hangs share its lookup, and have its answer when it comes.
#[test]
fn one_name_that_hangs_is_asked_for_twice_at_most() {
    let (go, asked) = (Event::new(), Monitor::new(0));
    let (g, a) = (go.clone(), asked.clone());
    let thread = started_with(resolving(move |_| {
        a.update(|asked| *asked += 1);
        assert!(g.wait(2 * DEADLINE));
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }));
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let connect = |deadline| {
        let client = Recorded::new(thread.event_loop());
        let to = Connect::to("hangs.test", server.addr().port()).open_timeout(deadline);
        client.client.connect(to).unwrap();
        client
    };
    // The first is asked for before it is given up; those that follow may be given up before.
    let first = connect(10 * DEADLINE);
    assert!(asked.wait(DEADLINE, |asked| *asked == 1));
    first.client.close();
    assert!(matches!(first.only_close(), CloseReason::Local));
    for _ in 0..10 {
        let client = connect(5 * MS);
        assert!(matches!(
            client.only_close(),
            CloseReason::OpenTimedOut { .. }
        ));
    }
    let clients: Vec<_> = (0..50).map(|_| connect(10 * DEADLINE)).collect();
    // All of them have asked.
    on_loop(thread.event_loop(), |_| {});
    assert!(asked.wait(DEADLINE, |asked| *asked == 2));
    go.set();
    for client in &clients {
        client.wait("connected", |seen| seen.connected == 1);
    }
    assert_eq!(asked.read(|asked| *asked), 2);
    stop_without_panic(&thread);
}

/// From any thread: answered on the loop's, or given up, also before the loop has it.
#[test]
fn lookups_of_other_threads() {
    let answers = |host: &str| match host {
        "known.test" => Ok(vec![IpAddr::from([127, 0, 0, 7])]),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let options = resolving(answers);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    let event_loop = thread.event_loop();
    let told = Monitor::new(Vec::new());
    let ask = |host: &str| {
        let (told, on, name) = (told.clone(), event_loop.clone(), host.to_owned());
        let answered = move |answer: io::Result<Vec<IpAddr>>| {
            assert!(on.is_in_loop_thread());
            let answer = answer.map_err(|e| e.kind());
            told.update(|told: &mut Vec<_>| told.push((name, answer)));
        };
        event_loop.resolve_dns(host, answered).unwrap()
    };
    // The loop does not run yet: the last one never gets there.
    let queries = ["known.test", "unknown.test", "::1"].map(ask);
    let given_up = ask("known.test");
    event_loop.cancel_dns(given_up).unwrap();
    assert!(queries.iter().all(|query| *query != given_up));
    thread.start().unwrap();
    assert!(told.wait(DEADLINE, |told| told.len() == 3));
    let mut told = told.read(Clone::clone);
    told.sort();
    let here = || Ok(vec![IpAddr::from([127, 0, 0, 7])]);
    let literal = "::1".parse::<IpAddr>().unwrap();
    assert_eq!(
        told,
        [
            ("::1".to_owned(), Ok(vec![literal])),
            ("known.test".to_owned(), here()),
            ("unknown.test".to_owned(), Err(io::ErrorKind::NotFound)),
        ]
    );
    for query in &queries {
        event_loop.cancel_dns(*query).unwrap(); // answered: nothing to give up
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert!(event_loop.resolve_dns("known.test", |_| {}).is_err());
    assert!(event_loop.cancel_dns(given_up).is_err());
}
