//! A logger that panics, at every line. Alone in its test program, which has one logger.
#![allow(clippy::unwrap_used)]

use hvloop::event::Turn;
use hvloop::{Connect, EventLoop, EventLoopThread, Listen, LoopOptions, TcpClient, TcpServer};
use hvloop_test_support::{Event, wait_for};
use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

static LINES: AtomicUsize = AtomicUsize::new(0);

struct Panics;

/// Whose drop panics, too.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("on purpose, in the drop of what a logger threw");
    }
}

impl log::Log for Panics {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, _: &log::Record<'_>) {
        match LINES.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => panic!("on purpose, in a logger"),
            _ => std::panic::panic_any(Payload),
        }
    }
    fn flush(&self) {}
}

/// Whatever is logged, at whatever moment: nothing else is lost, and every loop comes to its end.
#[test]
fn logger_that_panics() {
    log::set_logger(&Panics).unwrap();
    log::set_max_level(log::LevelFilter::Debug);

    // A callback that panics, a slow one, a peer that resets, a failed connect, a stop by force.
    let options = LoopOptions::new()
        .drain_timeout(Duration::from_millis(50))
        .slow_callback(Some(Duration::ZERO));
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread
        .start_with(
            || panic!("on purpose, in pre"),
            || panic!("on purpose, in post"),
        )
        .unwrap();
    let event_loop = thread.event_loop().clone();
    let server = TcpServer::new(&event_loop);
    server.on_message(|_, _| panic!("on purpose, in on_message"));
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let mut peer = TcpStream::connect(address.inet().unwrap()).unwrap();
    std::io::Write::write_all(&mut peer, b"x").unwrap();
    let mut rest = Vec::new();
    drop(peer.read_to_end(&mut rest));
    event_loop.queue_in_loop(|| panic!("on purpose")).unwrap();
    let client = TcpClient::new(&event_loop);
    let closed = Event::new();
    let c = closed.clone();
    client.on_close(move |_, _| c.set());
    client.connect(Connect::to("127.0.0.1", 1)).unwrap();
    closed.expect("on_close");
    assert!(wait_for(30, || server.connection_num() == 0));
    let hold = event_loop.hold("kept beyond the deadline").unwrap();
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!(report.still_held, ["kept beyond the deadline"]);
    assert_eq!(event_loop.metrics().panics, 2);
    drop((hold, server, client));

    // A thread that goes away without a stop, with sockets and closures; also while it unwinds.
    for panics in [false, true] {
        let event_loop = EventLoop::new().unwrap();
        let at = event_loop.clone();
        let host = std::thread::spawn(move || {
            assert_eq!(at.run_once(Some(Duration::ZERO)).unwrap(), Turn::Continue);
            let local = at.local().unwrap();
            let kept = local.clone();
            local.set_interval(Duration::from_secs(1), move |_| drop(kept.clone()));
            let payload = Payload;
            local.set_context(payload);
            assert!(!panics, "on purpose, in a host");
        });
        assert!(event_loop.wait_stopped(Some(hvloop_test_support::DEADLINE)));
        assert_eq!(host.join().is_err(), panics);
    }
    assert!(LINES.load(Ordering::Relaxed) > 6);
}
