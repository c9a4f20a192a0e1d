//! What a message through the ABI costs, beside one through Rust alone: processor time of an echo over TCP, there
//! and back, on one loop. `cargo bench -p hvloop-capi-impl --bench tcp_echo`.
#![allow(
    missing_docs,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]

use hvloop::{Connect, Listen, TcpClient, TcpServer};
use hvloop_capi::io::callbacks::hvloop_io_callbacks;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::io::stream::hvloop_io_send;
use hvloop_capi::share;
use hvloop_capi::tcp_client::*;
use hvloop_capi::tcp_server::*;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const CONNECTIONS: usize = 50;
const ROUNDS: usize = 200_000;
const MESSAGE: [u8; 64] = [7; 64];

static LEFT: AtomicUsize = AtomicUsize::new(0);
static OPEN: AtomicUsize = AtomicUsize::new(0);

fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// One more message came back: `false`: that were all.
fn goes_on() -> bool {
    let goes_on = |left: usize| left.checked_sub(1);
    LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, goes_on)
        .is_ok()
}

/// The processor time of a round trip.
fn measure() -> Duration {
    LEFT.store(ROUNDS, Ordering::SeqCst);
    let start = cpu_time();
    OPEN.store(0, Ordering::SeqCst);
    while LEFT.load(Ordering::SeqCst) > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    (cpu_time() - start) / u32::try_from(ROUNDS).unwrap_or(1)
}

fn rust(event_loop: &hvloop::EventLoop) -> Duration {
    let server = TcpServer::new(event_loop);
    server.on_message(|channel, data| channel.send(data).expect("room"));
    server.on_close(|_, _| {});
    server.on_write_complete(|_, _| {});
    let listen = Listen::tcp(([127, 0, 0, 1], 0));
    let port = server
        .listen(listen)
        .expect("a port")
        .inet()
        .expect("TCP")
        .port();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let client = TcpClient::new(event_loop);
            client.on_connect(|_| _ = OPEN.fetch_add(1, Ordering::SeqCst));
            client.on_message(|channel, data| {
                if goes_on() {
                    channel.send(data).expect("room");
                }
            });
            client.on_write_complete(|_, _| {});
            client.on_close(|_, _| {});
            client
                .connect(Connect::to("127.0.0.1", port))
                .expect("begun");
            client
        })
        .collect();
    while OPEN.load(Ordering::SeqCst) < CONNECTIONS {
        std::thread::yield_now();
    }
    LEFT.store(usize::MAX, Ordering::SeqCst);
    for client in &clients {
        client.send(&MESSAGE).expect("open");
    }
    measure()
}

unsafe extern "C" fn on_open(_: *mut c_void, _: *mut hvloop_io) {
    OPEN.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn echo(_: *mut c_void, io: *mut hvloop_io, bytes: *const c_void, size: usize) {
    unsafe { hvloop_io_send(io, bytes, size) };
}

unsafe extern "C" fn ball(_: *mut c_void, io: *mut hvloop_io, bytes: *const c_void, size: usize) {
    if goes_on() {
        unsafe { hvloop_io_send(io, bytes, size) };
    }
}

unsafe extern "C" fn written(_: *mut c_void, _: *mut hvloop_io, _: usize) {}

unsafe extern "C" fn closed(_: *mut c_void, _: *mut hvloop_io, _: c_int, _: *const c_char) {}

fn abi(event_loop: &hvloop::EventLoop) -> Duration {
    let handle = share::share(event_loop);
    let callbacks = |on_message| hvloop_io_callbacks {
        on_open: Some(on_open),
        on_message: Some(on_message),
        on_write_complete: Some(written),
        on_close: Some(closed),
        drop: None,
        data: null_mut(),
    };
    unsafe {
        let server = hvloop_tcp_server_new(handle);
        hvloop_tcp_server_set_callbacks(server, callbacks(echo));
        assert!(hvloop_tcp_server_socket(server, c"127.0.0.1".as_ptr(), 0, 0) > 0);
        assert_eq!(hvloop_tcp_server_start(server), 0);
        let port = hvloop_tcp_server_port(server);
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let client = hvloop_tcp_client_new(handle);
                hvloop_tcp_client_set_callbacks(client, callbacks(ball));
                assert!(hvloop_tcp_client_socket(client, c"127.0.0.1".as_ptr(), port) > 0);
                assert_eq!(hvloop_tcp_client_connect(client), 0);
                client
            })
            .collect();
        // Both sides.
        while OPEN.load(Ordering::SeqCst) < 2 * CONNECTIONS {
            std::thread::yield_now();
        }
        LEFT.store(usize::MAX, Ordering::SeqCst);
        for client in &clients {
            assert_eq!(
                hvloop_tcp_client_send(*client, MESSAGE.as_ptr().cast(), 64),
                64
            );
        }
        let cost = measure();
        for client in clients {
            hvloop_tcp_client_free(client);
        }
        hvloop_tcp_server_free(server);
        hvloop_capi::event_loop::hvloop_loop_release(handle);
        let _: *const c_void = null();
        cost
    }
}

fn main() {
    let thread = hvloop::EventLoopThread::new().expect("a loop");
    thread.start().expect("a thread");
    let (mut rusts, mut abis) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        rusts.push(rust(thread.event_loop()));
        abis.push(abi(thread.event_loop()));
    }
    rusts.sort_unstable();
    abis.sort_unstable();
    let (rust, abi) = (rusts[0], abis[0]);
    let more = abi.as_secs_f64() / rust.as_secs_f64() * 100.0 - 100.0;
    println!("a round trip of 64 bytes: Rust {rust:?}, through the ABI {abi:?}: {more:+.1} %");
    println!("medians: Rust {:?}, ABI {:?}", rusts[3], abis[3]);
}
