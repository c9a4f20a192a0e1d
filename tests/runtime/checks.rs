//! What must not compile, an idle loop that does nothing, and the test logger.

use crate::common::loops::{on_loop, started, stop_without_panic};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded;
use hvloop::event::conn::{Conn, ConnId, SendBudget};
use hvloop::event::{AttachmentId, DnsQuery, Metrics, TimerId};
use hvloop::{
    Channel, ClientOptions, CloseReason, Connect, EventLoop, EventLoopThread, Hold, LocalLoop,
    LoopOptions, ShutdownReport, TcpClient, WebSocketClient,
};
use hvloop_test_support::{ctxt, wait_for};
use std::marker::PhantomData;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

/// Answers for a type which marker traits it has: an inherent constant wins over a trait's where
/// its bound holds.
struct Probe<T>(PhantomData<T>);

trait Fallback {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T> Fallback for Probe<T> {}

mod send {
    impl<T: Send> super::Probe<T> {
        pub const SEND: bool = true;
    }
}

mod sync {
    impl<T: Sync> super::Probe<T> {
        pub const SYNC: bool = true;
    }
}

/// Handles go to any thread; what belongs to the loop's thread cannot leave it.
#[test]
fn compile_fail_send_checks() {
    macro_rules! is {
        ($send:literal, $sync:literal: $($of:ty),* $(,)?) => { $(
            let found = (Probe::<$of>::SEND, Probe::<$of>::SYNC);
            assert_eq!(found, ($send, $sync), "{}", stringify!($of));
        )* };
    }
    is!(false, false: LocalLoop, Conn<'static>, std::rc::Rc<()>);
    is!(true, true: EventLoop, EventLoopThread, TcpClient, WebSocketClient, Channel, Hold);
    is!(true, true: TimerId, ConnId, AttachmentId, DnsQuery, Metrics, ShutdownReport, CloseReason);
    is!(true, true: LoopOptions, ClientOptions, Connect, SendBudget);
    // The probe tells the two apart.
    is!(true, false: std::cell::Cell<()>);
    is!(false, true: std::sync::MutexGuard<'static, ()>);
}

/// The loop alone, and with 100 idle connections of `TcpClient`: its thread is never scheduled.
/// Those of `WebSocketClient` are in `tests/isolated/idle.rs`.
#[test]
fn idle_no_wakeups() {
    let net = Net::new(Transport::Tcp);
    let server = net.echo();
    let (alone, busy) = (started(), started());
    let clients: Vec<_> = (0..100).map(|_| Recorded::new(busy.event_loop())).collect();
    for client in &clients {
        client.connect(net.to(&server));
        client.client.send(b"x").unwrap();
        client.wait("the echo", |seen| seen.bytes == b"x");
    }
    let tids = [&alone, &busy]
        .map(|thread| on_loop(thread.event_loop(), |_| ctxt::current_tid().unwrap()));
    let read = || {
        let switches = tids.map(|tid| ctxt::voluntary_ctxt_switches(tid).unwrap());
        let ticks = [&alone, &busy].map(|thread| thread.event_loop().metrics().ticks);
        (switches, ticks)
    };
    // At rest once a reading stays the same for a moment.
    let mut last = Default::default();
    assert!(wait_for(30, || {
        let before = std::mem::replace(&mut last, read());
        std::thread::sleep(Duration::from_millis(200));
        before == last
    }));
    std::thread::sleep(Duration::from_secs(10)); // the time that is measured
    assert_eq!(read(), last);
    assert_eq!(busy.event_loop().metrics().connections, 100);
    stop_without_panic(&alone);
    assert_eq!(stop_without_panic(&busy).closed_cleanly, 100);
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }

    fn flush(&self) {}
}

/// Lets log lines be kept, and returns how to read those that name a loop.
pub fn log_of(name: &'static str) -> impl Fn() -> Vec<String> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    });
    move || {
        let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let named = lines.iter().filter(|line| line.contains(name));
        named.cloned().collect()
    }
}
