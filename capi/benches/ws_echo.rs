//! What a WebSocket message through the ABI costs, beside one through Rust alone: processor time of an echo, there
//! and back, on one loop. `cargo bench -p hvloop-capi-impl --bench ws_echo`.
#![allow(
    missing_docs,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]

use hvloop::{Listen, WebSocketClient, WebSocketServer, WebSocketService};
use hvloop_capi::event_loop::hvloop_loop_release;
use hvloop_capi::http_request::hvloop_http_request;
use hvloop_capi::http_response::hvloop_http_response;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::share;
use hvloop_capi::ws::callbacks::hvloop_ws_callbacks;
use hvloop_capi::ws::client::*;
use hvloop_capi::ws::connection::hvloop_ws_send;
use hvloop_capi::ws::server::*;
use hvloop_capi::ws::server_settings::hvloop_ws_server_route;
use hvloop_capi::ws::service::*;
use std::ffi::{CString, c_int, c_void};
use std::ptr::null_mut;
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

/// Waits until so many sides are open, and has them begin.
fn wait_open(sides: usize) {
    while OPEN.load(Ordering::SeqCst) < sides {
        std::thread::yield_now();
    }
    LEFT.store(usize::MAX, Ordering::SeqCst);
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
    let server = WebSocketServer::new(event_loop);
    let echo =
        WebSocketService::new().on_message(|channel, message| channel.send(message).expect("room"));
    server.route("/*", echo);
    let listen = Listen::tcp(([127, 0, 0, 1], 0));
    let address = server.listen(listen).expect("a port");
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let client = WebSocketClient::new(event_loop);
            client.on_open(|_, _| _ = OPEN.fetch_add(1, Ordering::SeqCst));
            client.on_message(|client, message| {
                if goes_on() {
                    client.send(message).expect("room");
                }
            });
            client.open(&format!("ws://{address}/")).expect("begun");
            client
        })
        .collect();
    wait_open(CONNECTIONS);
    for client in &clients {
        client.send_binary(&MESSAGE).expect("open");
    }
    measure()
}

unsafe extern "C" fn on_open(
    _: *mut c_void,
    _: *mut hvloop_io,
    _: *const hvloop_http_request,
    _: *const hvloop_http_response,
) {
    OPEN.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn echo(
    _: *mut c_void,
    io: *mut hvloop_io,
    opcode: c_int,
    bytes: *const c_void,
    size: usize,
) {
    unsafe { hvloop_ws_send(io, opcode, bytes, size) };
}

unsafe extern "C" fn ball(
    _: *mut c_void,
    io: *mut hvloop_io,
    opcode: c_int,
    bytes: *const c_void,
    size: usize,
) {
    if goes_on() {
        unsafe { hvloop_ws_send(io, opcode, bytes, size) };
    }
}

fn abi(event_loop: &hvloop::EventLoop) -> Duration {
    let handle = share::share(event_loop);
    let mut callbacks = hvloop_ws_callbacks {
        on_open: Some(on_open),
        on_message: Some(echo),
        on_drain: None,
        on_close: None,
        drop: None,
        data: null_mut(),
    };
    unsafe {
        let server = hvloop_ws_server_new(handle);
        let service = hvloop_ws_service_new();
        hvloop_ws_service_set_callbacks(service, callbacks);
        callbacks.on_message = Some(ball);
        hvloop_ws_server_route(server, c"/*".as_ptr(), service);
        assert!(hvloop_ws_server_socket(server, c"127.0.0.1".as_ptr(), 0, 0) > 0);
        assert_eq!(hvloop_ws_server_start(server), 0);
        let port = hvloop_ws_server_port(server);
        let url = CString::new(format!("ws://127.0.0.1:{port}/")).expect("no NUL");
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let client = hvloop_ws_client_new(handle);
                hvloop_ws_client_set_callbacks(client, callbacks);
                assert_eq!(hvloop_ws_client_open(client, url.as_ptr()), 0);
                client
            })
            .collect();
        // Both sides.
        wait_open(2 * CONNECTIONS);
        for client in &clients {
            let sent = hvloop_ws_client_send(*client, 2, MESSAGE.as_ptr().cast(), 64);
            assert_eq!(sent, 64);
        }
        let cost = measure();
        for client in clients {
            hvloop_ws_client_free(client);
        }
        hvloop_ws_server_free(server);
        hvloop_ws_service_free(service);
        hvloop_loop_release(handle);
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
