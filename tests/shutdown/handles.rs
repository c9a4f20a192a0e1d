//! Handles, callbacks and keys: who may drop what, where and when.

use crate::common::loops::{patient, running, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::{ClientState, OpenError};
use hvloop::{
    ClientOptions, EventLoop, EventLoopThread, ReconnectPolicy, TimerId, WebSocketClient,
};
use hvloop_test_support::{Latch, Mode, Monitor, ScriptServer, refuse_port, wait_for};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

over_both! {
    no_leak_1000_cycles => no_leak;
    drop_handle_any_thread_any_state => drops_anywhere;
    one_terminal_event => histories;
    reentrant_api_matrix => matrix;
    stale_event_after_fd_reuse => stale_events;
    onclose_joins_sender_thread => joins_sender;
}

/// What callbacks captured, a handle of the client itself among it, is gone after the last close.
fn no_leak(transport: Transport) {
    let cycles = if transport == Transport::Ws {
        1_000
    } else {
        200
    };
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let mut captured: Vec<Weak<()>> = Vec::new();
    for _ in 0..cycles {
        let client = WebSocketClient::with_options(thread.event_loop(), net.options());
        let (owned, closed) = (Arc::new(()), Latch::new(1));
        captured.push(Arc::downgrade(&owned));
        let itself = client.clone();
        let o = owned.clone();
        client.on_open(move |_, _| {
            let _keeps = &o;
            itself.close(1000, "").unwrap();
        });
        let c = closed.clone();
        let itself = client.clone();
        client.on_close(move |_, _| {
            let _keeps = (&owned, &itself);
            c.count_down();
        });
        client.open(&server.url()).unwrap();
        closed.expect("on_close");
    }
    let alive = || {
        captured
            .iter()
            .filter(|weak| weak.strong_count() > 0)
            .count()
    };
    assert!(wait_for(30, || alive() == 0), "{} are alive", alive());
    settle(thread.event_loop());
    let metrics = thread.event_loop().metrics();
    assert_eq!(
        (metrics.connections, metrics.timers, metrics.holds),
        (0, 0, 0)
    );
}

/// The last handle goes on another thread, in every state; nothing is left, and the server sees an
/// orderly end of what had been open.
fn drops_anywhere(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let mute = ScriptServer::mute_upgrade(net.tls());
    let refused = format!("ws://{}/", refuse_port());
    let thread = patient();
    let again = Some(ReconnectPolicy::fixed(Duration::from_secs(3600)));
    for state in [
        "never opened",
        "connecting",
        "open",
        "closing",
        "backing off",
        "closed",
    ] {
        let client = Recorded::new(thread.event_loop(), net.options().reconnect(again));
        match state {
            "never opened" => {}
            "connecting" => client.client.open(&mute.url()).unwrap(),
            "backing off" => {
                client.client.open(&refused).unwrap();
                let backing_off = || client.client.state() == ClientState::BackingOff;
                assert!(wait_for(30, backing_off));
            }
            _ => {
                client.client.open(&server.url()).unwrap();
                client.wait_open();
                if state != "open" {
                    client.client.close(1000, "").unwrap();
                }
                if state == "closed" {
                    client.only_close();
                }
            }
        }
        let (seen, handle) = (client.seen.clone(), client.client);
        std::thread::spawn(move || drop(handle)).join().unwrap();
        let expected = usize::from(state != "never opened");
        let ended = || {
            let metrics = thread.event_loop().metrics();
            metrics.connections == 0
                && metrics.timers == 0
                && seen.read(|seen| seen.closed.len() == expected)
        };
        assert!(
            wait_for(30, ended),
            "{state}: {:?}",
            thread.event_loop().metrics()
        );
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    let stats = server.wait_until(|stats| stats.open == 0);
    assert_eq!((stats.clean, stats.abrupt), (3, 0), "{stats:?}");
}

/// Random histories of what users, callbacks, peers and loops do: each accepted `open()` has one
/// close per attempt, and when the loop has stopped nothing is left of it.
fn histories(transport: Transport) {
    let net = Net::new(transport);
    let servers = [Mode::Echo, Mode::NeverClose, Mode::Flood].map(|mode| net.server(mode));
    let scripts = [
        ScriptServer::mute_upgrade(net.tls()),
        ScriptServer::open_then_drop(net.tls()),
        ScriptServer::close_first(net.tls(), 4000, "x"),
    ];
    let mut urls: Vec<String> = servers.iter().map(|server| server.url()).collect();
    urls.extend(scripts.iter().map(|server| server.url()));
    urls.push(format!("ws://{}/", refuse_port()));
    let urls = Arc::new(urls);
    for seed in 0..150 {
        history(seed, &net, &urls);
    }
    scripts.iter().for_each(ScriptServer::release);
}

/// What one history counts.
#[derive(Default)]
struct Counts {
    opens: AtomicUsize,
    first_attempts: AtomicUsize,
}

fn history(seed: u64, net: &Net, urls: &Arc<Vec<String>>) {
    let mut random = StdRng::seed_from_u64(seed);
    let limit = Duration::from_millis(random.random_range(0..200));
    let thread = Arc::new(running(limit));
    let counts = Arc::new(Counts::default());
    let alive = Arc::new(());
    let users: Vec<_> = (0..random.random_range(1..4))
        .map(|_| {
            let options = net
                .options()
                .close_timeout(Duration::from_millis(100))
                .open_timeout(Duration::from_millis(500))
                .keep_callbacks(random.random_bool(0.5));
            let policy = ReconnectPolicy::fixed(Duration::from_millis(5));
            let options = options.reconnect(random.random_bool(0.5).then_some(policy));
            let seed = random.random();
            let (thread, urls) = (thread.clone(), urls.clone());
            let (counts, alive) = (counts.clone(), alive.clone());
            std::thread::spawn(move || user(seed, &thread, options, &urls, &counts, &alive))
        })
        .collect();
    for user in users {
        user.join().unwrap();
    }
    thread.stop();
    thread.join().unwrap();
    let opens = counts.opens.load(Ordering::SeqCst);
    let first_attempts = counts.first_attempts.load(Ordering::SeqCst);
    assert_eq!(opens, first_attempts, "seed {seed}");
    assert_eq!(
        Arc::strong_count(&alive),
        1,
        "seed {seed}: a callback lives on"
    );
    let metrics = thread.event_loop().metrics();
    assert_eq!((metrics.connections, metrics.holds), (0, 0), "seed {seed}");
}

/// One user's thread, with the callbacks that act on the client, too.
fn user(
    seed: u64,
    thread: &EventLoopThread,
    options: ClientOptions,
    urls: &Arc<Vec<String>>,
    counts: &Arc<Counts>,
    alive: &Arc<()>,
) {
    let client = WebSocketClient::with_options(thread.event_loop(), options);
    let set = |client: &WebSocketClient| {
        let act = |salt: u64| {
            let random = Mutex::new(StdRng::seed_from_u64(seed ^ salt));
            let (urls, counts, alive) = (urls.clone(), counts.clone(), alive.clone());
            move |ws: &WebSocketClient| {
                let _keeps = &alive;
                step(ws, &mut random.lock().unwrap(), &urls, &counts);
            }
        };
        let (on_open, on_message, on_drain, on_close) = (act(1), act(2), act(3), act(4));
        client.on_open(move |ws, _| on_open(ws));
        client.on_message(move |ws, _| on_message(ws));
        client.on_drain(on_drain);
        let counts = counts.clone();
        client.on_close(move |ws, event| {
            if event.attempt == 1 {
                counts.first_attempts.fetch_add(1, Ordering::SeqCst);
            }
            on_close(ws);
        });
    };
    set(&client);
    let mut random = StdRng::seed_from_u64(seed);
    let mut clones = Vec::new();
    for _ in 0..random.random_range(1..12) {
        match random.random_range(0..10) {
            0 => clones.push(client.clone()),
            1 => drop(clones.pop()),
            2 if random.random_bool(0.2) => thread.stop(),
            _ => {
                if step(&client, &mut random, urls, counts) {
                    set(&client);
                }
            }
        }
    }
    if random.random_bool(0.3) {
        client.detach();
    }
}

/// Something that may be done anywhere. `true`: the callbacks are to be set again.
fn step(ws: &WebSocketClient, random: &mut StdRng, urls: &[String], counts: &Counts) -> bool {
    match random.random_range(0..12) {
        0..=3 => match ws.open(&urls[random.random_range(0..urls.len())]) {
            Ok(()) => {
                counts.opens.fetch_add(1, Ordering::SeqCst);
            }
            Err(OpenError::CallbacksReleased) => return true,
            Err(_) => {}
        },
        4 => ws.close(1000, "").unwrap(),
        5 => ws.stop(),
        6..=8 => drop(ws.send_text("hello")),
        9 => drop(ws.send_binary(&[7; 100_000])),
        _ => drop(ws.clone()),
    }
    false
}

/// Every call of the API inside every callback: none panics, blocks or nests.
fn matrix(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let depth = Arc::new(AtomicUsize::new(0));
    let others: Arc<Mutex<Vec<WebSocketClient>>> = Arc::default();
    let everything = {
        let (depth, options, url) = (depth.clone(), net.options(), server.url());
        let (event_loop, others) = (thread.event_loop().clone(), others.clone());
        move |ws: Option<&WebSocketClient>| {
            assert_eq!(depth.fetch_add(1, Ordering::Relaxed), 0, "nested");
            let local = EventLoop::current().unwrap();
            assert!(event_loop.is_in_loop_thread() && event_loop.run().is_err());
            assert!(event_loop.run_once(None).is_err());
            let timer = event_loop.set_interval(Duration::ZERO, |_| {}).unwrap();
            event_loop.reset_timer(timer, None).unwrap();
            event_loop.kill_timer(timer).unwrap();
            let itself = Arc::new(Mutex::new(None::<TimerId>));
            let i = itself.clone();
            let id = local.set_interval(Duration::ZERO, move |id| {
                assert_eq!(*i.lock().unwrap(), Some(id));
                EventLoop::current().unwrap().kill_timer(id);
            });
            *itself.lock().unwrap() = Some(id);
            event_loop.queue_in_loop(|| {}).unwrap();
            event_loop
                .post_event(|local| local.queue_in_loop(|| {}))
                .unwrap();
            let mut ran = false;
            local.set_timeout(Duration::ZERO, |_| {});
            event_loop.wait_stopped(None);
            drop(event_loop.hold("for a moment").unwrap());
            let query = local.resolve_dns("127.0.0.1", |_| unreachable!()).unwrap();
            assert!(local.cancel_dns(query));
            // A client of its own, opened and given up, and one that stays.
            let short = WebSocketClient::with_options(&event_loop, options.clone());
            short.open(&url).unwrap();
            drop(short);
            let other = WebSocketClient::with_options(&event_loop, options.clone());
            other.open(&url).unwrap();
            others.lock().unwrap().push(other);
            if let Some(ws) = ws {
                ws.on_drain(|_| {});
                let _ = (
                    ws.state(),
                    ws.buffered_amount(),
                    ws.peer_addr(),
                    ws.event_loop(),
                );
                assert!(ws.join().is_err());
                drop(ws.clone());
                let _ = ws.ping(b"");
            }
            local.call_user("inner", || ran = true);
            assert!(ran);
            depth.fetch_sub(1, Ordering::Relaxed);
        }
    };
    let client = WebSocketClient::with_options(thread.event_loop(), net.options());
    let closed = Latch::new(1);
    let e = everything.clone();
    client.on_open(move |ws, _| {
        e(Some(ws));
        ws.send_text("x").unwrap();
    });
    let e = everything.clone();
    client.on_message(move |ws, _| {
        e(Some(ws));
        ws.close(1000, "").unwrap();
        e(Some(ws));
    });
    let (e, c) = (everything.clone(), closed.clone());
    client.on_close(move |ws, _| {
        e(Some(ws));
        c.count_down();
    });
    client.open(&server.url()).unwrap();
    closed.expect("on_close");
    let done = Latch::new(2);
    let (e, d) = (everything.clone(), done.clone());
    thread
        .event_loop()
        .queue_in_loop(move || {
            e(None);
            d.count_down();
        })
        .unwrap();
    let d = done.clone();
    thread
        .event_loop()
        .set_timeout(Duration::ZERO, move |_| {
            everything(None);
            d.count_down();
        })
        .unwrap();
    done.expect("task and timer");
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().panics, 0);
    assert_eq!(others.lock().unwrap().len(), 6);
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// In one turn several connections have events, and the first callback closes the others and opens
/// new ones, whose sockets get the same descriptors: no old event reaches them.
fn stale_events(transport: Transport) {
    const CLIENTS: usize = 8;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    for _ in 0..20 {
        let got = Monitor::new(Vec::<(usize, Vec<u8>)>::new());
        let clients: Arc<Mutex<Vec<WebSocketClient>>> = Arc::default();
        let opened = Latch::new(CLIENTS);
        for n in 0..CLIENTS {
            let client = WebSocketClient::with_options(thread.event_loop(), net.options());
            let o = opened.clone();
            client.on_open(move |_, _| o.count_down());
            let (got, others) = (got.clone(), Arc::downgrade(&clients));
            let (options, url) = (net.options(), server.url());
            client.on_message(move |ws, message| {
                got.update(|got| got.push((n, message.as_bytes().to_vec())));
                let event_loop = ws.event_loop().unwrap();
                let Some(others) = others.upgrade() else {
                    return;
                };
                let mut others = others.lock().unwrap();
                // All but this one end, and new ones begin, in this very turn.
                for other in others.drain(..) {
                    other.close(1000, "").unwrap();
                }
                for _ in 0..CLIENTS {
                    let new = WebSocketClient::with_options(&event_loop, options.clone());
                    new.on_message(|_, _| panic!("a stale event"));
                    match new.open(&url) {
                        Ok(()) => new.detach(),
                        // An echo that comes while the last round's loop stops.
                        Err(e) => assert!(matches!(e, OpenError::LoopClosed), "{e}"),
                    }
                }
            });
            client.open(&server.url()).unwrap();
            clients.lock().unwrap().push(client);
        }
        opened.expect("all open");
        for client in clients.lock().unwrap().iter() {
            client.send_text("x").unwrap();
        }
        assert!(got.wait(hvloop_test_support::DEADLINE, |got| !got.is_empty()));
        drop(clients);
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

/// on_close waits for a thread that is sending all the while: no lock of ours is between them.
fn joins_sender(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let ws = client.client.clone();
    let sender = std::thread::spawn(move || while ws.send_text("x").is_ok() {});
    let (closed, sender) = (Latch::new(1), Mutex::new(Some(sender)));
    let c = closed.clone();
    client.client.on_close(move |_, _| {
        sender.lock().unwrap().take().unwrap().join().unwrap();
        c.count_down();
    });
    client.client.close(1000, "").unwrap();
    closed.expect("on_close");
}
