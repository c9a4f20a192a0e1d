//! After a `_free` has returned nothing is called; `drop` comes exactly once.

use crate::support::*;
use hvloop_capi::io::common::*;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::ws::client::*;
use hvloop_capi::ws::connection::*;
use hvloop_capi::ws::server::*;
use hvloop_capi::ws::service::*;
use hvloop_test_support::{DEADLINE, Monitor};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that floods whoever opens.
fn flood() -> Record {
    Record::with(|seen, io| {
        let messages = match seen {
            Seen::Open => 32,
            Seen::Message(..) => 1,
            _ => 0,
        };
        for _ in 0..messages {
            unsafe { hvloop_ws_send(io, 1, b"flood".as_ptr().cast(), 5) };
        }
    })
}

#[test]
fn no_callback_after_free() {
    let there = Thread::start();
    let server = Server::start(there.event_loop, &flood());
    let url = server.url();
    for own in [false, true] {
        let here = Thread::start();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let event_loop = Shared(if own {
                    ptr::null_mut()
                } else {
                    here.event_loop
                });
                let url = &url;
                scope.spawn(move || {
                    for round in 0..25 {
                        let record = Record::with(|seen, io| {
                            if let Seen::Message(..) = seen {
                                unsafe { hvloop_ws_send(io, 1, b"more".as_ptr().cast(), 4) };
                            }
                        });
                        let client = Client::new(event_loop.get(), &record);
                        client.open(url);
                        if round % 3 > 0 {
                            record.wait_open();
                        }
                        drop(client);
                        record.nothing_more();
                        record.wait_dropped();
                        record.nothing_was_late();
                        assert!(record.closes() <= 1);
                    }
                });
            }
        });
        here.stop();
    }
}

#[test]
fn free_waits_for_a_call_that_runs() {
    let thread = Thread::start();
    let server = Server::start(thread.event_loop, &Record::echo());
    let (inside, goes_on) = (Monitor::new(false), Monitor::new(false));
    let done = Arc::new(AtomicUsize::new(0));
    let (i, g, d) = (inside.clone(), goes_on.clone(), done.clone());
    let here = Thread::start();
    let record = Record::with(move |seen, _| {
        if *seen == Seen::Open {
            i.update(|inside| *inside = true);
            assert!(g.wait(DEADLINE, |go| *go));
            d.store(1, Ordering::SeqCst);
        }
    });
    let client = Client::new(here.event_loop, &record);
    client.open(&server.url());
    assert!(inside.wait(DEADLINE, |inside| *inside));
    // Without waiting, first: of another one.
    let other = Client::new(here.event_loop, &Record::new());
    unsafe { hvloop_ws_client_free_nowait(std::mem::ManuallyDrop::new(other).0) };
    let releaser = std::thread::spawn(move || goes_on.update(|go| *go = true));
    drop(client);
    assert_eq!(done.load(Ordering::SeqCst), 1);
    releaser.join().expect("no panic");
    record.wait_dropped();
}

/// Where a client is freed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    Open,
    Message,
    Close,
}

fn freed_in_its_callback(place: In, own: bool, wait: bool) {
    let there = Thread::start();
    let here = Thread::start();
    let server = Server::start(
        there.event_loop,
        &Record::with(|seen, io| {
            if let Seen::Open = seen {
                unsafe { hvloop_ws_send(io, 1, b"hello".as_ptr().cast(), 5) };
            }
        }),
    );
    let handle = Monitor::new(None::<Shared<hvloop_ws_client>>);
    let h = handle.clone();
    let record = Record::with(move |seen, _| {
        let here = match seen {
            Seen::Open => place == In::Open,
            Seen::Message(..) => place == In::Message,
            Seen::Close { .. } => place == In::Close,
            _ => false,
        };
        if here && let Some(client) = h.update(Option::take) {
            match wait {
                true => unsafe { hvloop_ws_client_free(client.get()) },
                false => unsafe { hvloop_ws_client_free_nowait(client.get()) },
            }
        }
    });
    let event_loop = if own {
        ptr::null_mut()
    } else {
        here.event_loop
    };
    let client = std::mem::ManuallyDrop::new(Client::new(event_loop, &record));
    let shared = client.shared();
    if place == In::Close {
        client.open(&server.url());
        record.wait_message(b"hello");
        handle.update(|handle| *handle = Some(shared));
        let closed = unsafe { hvloop_ws_client_close(shared.get(), 1000, ptr::null()) };
        assert_eq!(closed, 0);
    } else {
        handle.update(|handle| *handle = Some(shared));
        client.open(&server.url());
    }
    record.wait_dropped();
    let all = record.all();
    let expected: &[&str] = match place {
        In::Open => &["Open", "Dropped"],
        In::Message => &["Open", "Message", "Dropped"],
        In::Close => &["Open", "Message", "Close", "Dropped"],
    };
    let names: Vec<_> = all
        .iter()
        .map(|seen| format!("{seen:?}"))
        .map(|seen| seen.split(['(', ' ']).next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, expected, "{place:?} {own} {wait}");
}

#[test]
fn client_freed_in_on_open() {
    for own in [false, true] {
        for wait in [false, true] {
            freed_in_its_callback(In::Open, own, wait);
        }
    }
}

#[test]
fn client_freed_in_on_close() {
    for own in [false, true] {
        for wait in [false, true] {
            freed_in_its_callback(In::Close, own, wait);
        }
    }
}

#[test]
fn client_freed_in_on_message() {
    for own in [false, true] {
        for wait in [false, true] {
            freed_in_its_callback(In::Message, own, wait);
        }
    }
}

#[test]
fn server_and_service_freed_in_on_message() {
    for service_first in [false, true] {
        let there = Thread::start();
        let here = Thread::start();
        let handles = Monitor::new(None::<(Shared<hvloop_ws_server>, Shared<hvloop_ws_service>)>);
        let h = handles.clone();
        let served = Record::with(move |seen, _| {
            if let Seen::Message(..) = seen
                && let Some((server, service)) = h.update(Option::take)
            {
                unsafe {
                    if service_first {
                        hvloop_ws_service_free(service.get());
                        hvloop_ws_server_free(server.get());
                    } else {
                        hvloop_ws_server_free(server.get());
                        hvloop_ws_service_free(service.get());
                    }
                }
            }
        });
        let server = std::mem::ManuallyDrop::new(Server::start(there.event_loop, &served));
        handles.update(|handles| {
            *handles = Some((Shared(server.server), Shared(server.service)));
        });
        let record = Record::new();
        let client = Client::new(here.event_loop, &record);
        client.open(&server.url());
        record.wait_open();
        client.send("free");
        // The connection ends in order all the same.
        let Seen::Close { code, .. } = record.wait_close() else {
            unreachable!()
        };
        assert_eq!(code, 1001);
        served.wait_dropped();
        assert_eq!(served.closes(), 0);
    }
}

#[test]
fn no_callback_of_a_server_after_free() {
    let there = Thread::start();
    let here = Thread::start();
    for _ in 0..20 {
        let served = flood();
        let server = Server::start(there.event_loop, &served);
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let record = Record::echo_quietly();
                let client = Client::new(here.event_loop, &record);
                client.open(&server.url());
                (client, record)
            })
            .collect();
        for (_, record) in &clients {
            record.wait_open();
        }
        drop(server);
        served.nothing_more();
        served.wait_dropped();
        for (client, record) in &clients {
            record.wait_close();
            client.wait_state(hvloop_ws_state::Closed);
        }
        served.nothing_was_late();
    }
}

#[test]
fn a_service_that_is_freed_refuses() {
    let there = Thread::start();
    let served = Record::new();
    let server = Server::start(there.event_loop, &served);
    let record = Record::new();
    let client = Client::new(there.event_loop, &record);
    client.open(&server.url());
    record.wait_open();
    served.wait_open();
    unsafe { hvloop_ws_service_free(server.service) };
    served.nothing_more();
    served.wait_dropped();
    // The connection stays, and nobody is told of what comes.
    client.send("hello");
    let refused = Record::new();
    let other = Client::new(there.event_loop, &refused);
    other.open(&server.url());
    let Seen::Close { text, .. } = refused.wait_close() else {
        unreachable!()
    };
    assert!(text.contains("503"), "{text}");
    assert_eq!(client.state(), hvloop_ws_state::Open as i32);
    client.close();
    record.wait_close();
    served.nothing_was_late();
    let server = std::mem::ManuallyDrop::new(server);
    unsafe { hvloop_ws_server_free(server.server) };
}

/// libhv's programs capture a client in its own callbacks: `cli->onopen = [cli] { ... }`.
#[test]
fn self_capturing_client_is_freed() {
    let there = Thread::start();
    let server = Server::start(there.event_loop, &Record::new());
    let record = Record::new();
    let client = Client::new(ptr::null(), &record);
    client.open(&server.url());
    record.wait_open();
    unsafe {
        assert_eq!(hvloop_ws_client_stop(client.0), 0);
        assert_eq!(hvloop_ws_client_join(client.0, ptr::null_mut()), 0);
    }
    // Before the client goes.
    record.wait_dropped();
    assert_eq!(record.closes(), 1);
}

/// C++ may put a lot on the stack.
#[test]
fn callback_with_large_stack_frame() {
    #[inline(never)]
    fn large() -> u8 {
        let frame = [std::hint::black_box(1_u8); 4 << 20];
        std::hint::black_box(&frame)[frame.len() - 1]
    }
    let there = Thread::start();
    let server = Server::start(there.event_loop, &Record::new());
    let record = Record::with(|seen, _| {
        if *seen == Seen::Open {
            assert_eq!(large(), 1);
        }
    });
    let client = Client::new(ptr::null(), &record);
    client.open(&server.url());
    record.wait_open();
    client.close();
    record.wait_close();
}

/// Of a shared loop the callbacks stay until the client goes.
#[test]
fn callbacks_are_kept_over_sessions() {
    let there = Thread::start();
    let server = Server::start(there.event_loop, &Record::new());
    let (first, second) = (Record::new(), Record::new());
    let client = Client::new(there.event_loop, &first);
    for round in 1..=3 {
        client.open(&server.url());
        client.wait_state(hvloop_ws_state::Open);
        client.close();
        first.wait("an end", |seen| count_closes(seen) == round);
        client.wait_state(hvloop_ws_state::Closed);
    }
    client.open(&server.url());
    client.wait_state(hvloop_ws_state::Open);
    unsafe {
        assert_eq!(
            hvloop_ws_client_set_callbacks(client.0, second.callbacks()),
            0
        );
    }
    first.wait_dropped();
    client.close();
    second.wait_close();
    assert_eq!(first.closes(), 3);
    drop(client);
    second.wait_dropped();
}

/// Also one that keeps its connection's handle.
#[test]
fn a_binding_goes_with_its_connection() {
    type Bound = (Arc<AtomicUsize>, Shared<hvloop_io>);
    unsafe extern "C" fn count(data: *mut c_void) {
        let bound = unsafe { Box::from_raw(data.cast::<Bound>()) };
        bound.0.fetch_add(1, Ordering::SeqCst);
        unsafe { hvloop_io_release(bound.1.get()) };
    }
    let there = Thread::start();
    let dropped = Arc::new(AtomicUsize::new(0));
    let d = dropped.clone();
    let bind = move |io: *mut hvloop_io| unsafe {
        let bound: Box<Bound> = Box::new((d.clone(), retained(io)));
        let data = Box::into_raw(bound).cast::<c_void>();
        assert_eq!(hvloop_io_set_binding(io, data, Some(count)), 0);
        assert_eq!(hvloop_io_binding(io), data);
    };
    let (b, bind_too) = (bind.clone(), bind);
    let served = Record::with(move |seen, io| match seen {
        Seen::Open => b(io),
        Seen::Close { .. } => assert!(!unsafe { hvloop_io_binding(io) }.is_null()),
        _ => {}
    });
    let record = Record::with(move |seen, io| match seen {
        Seen::Open => bind_too(io),
        Seen::Close { .. } => assert!(!unsafe { hvloop_io_binding(io) }.is_null()),
        _ => {}
    });
    let server = Server::start(there.event_loop, &served);
    let client = Client::new(there.event_loop, &record);
    client.open(&server.url());
    record.wait_open();
    served.wait_open();
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    client.close();
    record.wait_close();
    served.wait_close();
    assert!(hvloop_test_support::wait_for(30, || dropped
        .load(Ordering::SeqCst)
        == 2));
}
