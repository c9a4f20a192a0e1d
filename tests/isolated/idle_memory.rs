//! What an idle connection costs: the loop is driven on this thread, whose allocations are counted. The
//! peers are processes of their own. Alone in its test program, for the descriptors.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use crate::common::net::{Net, Transport};
use crate::common::ws_peer::WsPeer;
use hvloop::event::Turn;
use hvloop::{
    Address, ClientOptions, DeflateOptions, EventLoop, Listen, LoopOptions, Message,
    ServiceOptions, TcpServer, WebSocketClient, WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, Mode, Peer};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 10_000;
/// Opened before counting begins, so that what a loop needs once is there.
const WARM_UP: usize = 16;
/// A message of a burst.
const LONG: usize = 64 * 1024;
/// What a loop may keep of one: 64 buffers of 64 KiB, 8 MiB of longer ones, and those for reads.
const KEPT: i64 = 13 << 20;
/// And for longer.
const AT_REST: i64 = 512 * 1024;
/// One after the other: each needs half of the descriptors that there are.
static ALONE: Mutex<()> = Mutex::new(());
const WHAT: &str = "HVLOOP_TEST_IDLE_MEMORY";
const ADDRESS: &str = "HVLOOP_TEST_IDLE_ADDRESS";

/// Opens connections in a process of its own, and keeps them until it is killed.
fn peers(what: &str, address: Address) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_program", "--nocapture"])
        .env(WHAT, what)
        .env(ADDRESS, address.inet().unwrap().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn turn_until(event_loop: &EventLoop, up: &AtomicUsize, wanted: usize) {
    while up.load(Ordering::Relaxed) < wanted {
        assert_eq!(event_loop.run_once(Some(DEADLINE)).unwrap(), Turn::Continue);
    }
}

/// Bytes that each connection holds on this thread's heap, once all are up and at rest.
fn bytes_each(event_loop: &EventLoop, up: &AtomicUsize) -> usize {
    turn_until(event_loop, up, WARM_UP);
    let counted = allocation_counter::measure(|| {
        turn_until(event_loop, up, CONNECTIONS);
        // What the last ones were opened with is given back.
        for _ in 0..4 {
            let turn = event_loop.run_once(Some(Duration::from_millis(1)));
            assert_eq!(turn.unwrap(), Turn::Continue);
        }
    });
    usize::try_from(counted.bytes_current).unwrap() / (CONNECTIONS - WARM_UP)
}

fn end(event_loop: &EventLoop, mut peers: Child) {
    drop(peers.stdin.take());
    assert!(peers.wait().unwrap().success());
    event_loop.stop();
    event_loop.run().unwrap();
}

fn tcp_server() -> usize {
    let event_loop = EventLoop::new().unwrap();
    let server = TcpServer::new(&event_loop);
    let up = Arc::new(AtomicUsize::new(0));
    let u = up.clone();
    server.on_connection(move |_| {
        u.fetch_add(1, Ordering::Relaxed);
    });
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let peers = peers("tcp", address);
    let bytes = bytes_each(&event_loop, &up);
    end(&event_loop, peers);
    bytes
}

fn websocket_server(options: ServiceOptions) -> usize {
    let event_loop = EventLoop::new().unwrap();
    let server = WebSocketServer::new(&event_loop);
    let up = Arc::new(AtomicUsize::new(0));
    let u = up.clone();
    // Each has had a message, and has been answered.
    let service = WebSocketService::new()
        .options(options)
        .on_message(move |channel, message| {
            channel.send(message).unwrap();
            u.fetch_add(1, Ordering::Relaxed);
        });
    server.route("*", service);
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let peers = peers("websocket", address);
    let bytes = bytes_each(&event_loop, &up);
    end(&event_loop, peers);
    bytes
}

fn websocket_client() -> usize {
    let peer = Peer::start(false, Mode::Echo);
    // Ten thousand close handshakes take their time.
    let options = LoopOptions::new().drain_timeout(4 * DEADLINE);
    let event_loop = EventLoop::with_options(options).unwrap();
    let up = Arc::new(AtomicUsize::new(0));
    let clients = Rc::new(Cell::new(Vec::with_capacity(CONNECTIONS)));
    let options = ClientOptions::new()
        .open_timeout(4 * DEADLINE)
        .close_timeout(4 * DEADLINE);
    let open = |count: usize| {
        for _ in 0..count {
            let client = WebSocketClient::with_options(&event_loop, options.clone());
            let u = up.clone();
            client.on_open(|ws, _| ws.send_text("hello").unwrap());
            client.on_message(move |_, message| {
                assert_eq!(message, Message::Text("hello"));
                u.fetch_add(1, Ordering::Relaxed);
            });
            client.open(peer.url().as_str()).unwrap();
            let mut all = clients.take();
            all.push(client);
            clients.set(all);
        }
        turn_until(&event_loop, &up, clients_len(&clients));
    };
    open(WARM_UP);
    let counted = allocation_counter::measure(|| {
        // In waves of what a backlog takes.
        let mut opened = WARM_UP;
        while opened < CONNECTIONS {
            let wave = 500.min(CONNECTIONS - opened);
            open(wave);
            opened += wave;
        }
    });
    event_loop.stop();
    let report = event_loop.run().unwrap();
    assert!(report.is_clean(), "{report}");
    usize::try_from(counted.bytes_current).unwrap() / (CONNECTIONS - WARM_UP)
}

fn clients_len(clients: &Cell<Vec<WebSocketClient>>) -> usize {
    let all = clients.take();
    let len = all.len();
    clients.set(all);
    len
}

/// What a loop keeps of ten thousand long messages: right after them, and once it had nothing to do for a
/// while. In bytes.
fn after_a_burst() -> (i64, i64) {
    let event_loop = EventLoop::new().unwrap();
    let server = WebSocketServer::new(&event_loop);
    let answered = Arc::new(AtomicUsize::new(0));
    let a = answered.clone();
    let service = WebSocketService::new().on_message(move |channel, message| {
        channel.send(message).unwrap();
        a.fetch_add(1, Ordering::Relaxed);
    });
    server.route("*", service);
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let mut peers = peers("burst", address);
    turn_until(&event_loop, &answered, CONNECTIONS);
    let mut kept = allocation_counter::measure(|| {
        writeln!(peers.stdin.as_mut().unwrap(), "go").unwrap();
        turn_until(&event_loop, &answered, 2 * CONNECTIONS);
    })
    .bytes_current;
    let at_first = kept;
    let started = Instant::now();
    while kept > AT_REST && started.elapsed() < 4 * DEADLINE {
        let turn = || event_loop.run_once(Some(DEADLINE)).unwrap();
        kept += allocation_counter::measure(|| assert_eq!(turn(), Turn::Continue)).bytes_current;
    }
    end(&event_loop, peers);
    (at_first, kept)
}

#[test]
fn idle_10k_memory() {
    let _alone = ALONE.lock();
    let tcp = tcp_server();
    let server = websocket_server(ServiceOptions::new());
    let deflate = websocket_server(ServiceOptions::new().deflate(Some(DeflateOptions::new())));
    let client = websocket_client();
    println!(
        "bytes each of {CONNECTIONS} idle connections: TcpServer {tcp}, WebSocketServer {server} \
         ({deflate} with permessage-deflate not used yet), WebSocketClient {client}"
    );
    for (what, bytes, limit) in [
        ("TcpServer", tcp, 960),
        ("WebSocketServer", server, 1360),
        ("WebSocketServer with permessage-deflate", deflate, 1360),
        ("WebSocketClient", client, 1616),
    ] {
        assert!(bytes <= limit, "{bytes} bytes a connection of {what}");
    }
}

/// What one connection after the other needed for its messages, none needs for itself.
#[test]
fn memory_of_a_burst_is_given_back() {
    let _alone = ALONE.lock();
    let (at_first, at_rest) = after_a_burst();
    println!("bytes kept of {CONNECTIONS} messages of {LONG} bytes: {at_first}, at rest {at_rest}");
    assert!(at_first <= KEPT, "{at_first} bytes");
    assert!(at_rest <= AT_REST, "{at_rest} bytes at rest");
}

/// The peers; does nothing in the parent.
#[test]
fn child_program() {
    let Ok(what) = std::env::var(WHAT) else {
        return;
    };
    let address = std::env::var(ADDRESS).unwrap().parse().unwrap();
    let net = Net::new(Transport::Tcp);
    let (mut streams, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        if what == "tcp" {
            streams.push(TcpStream::connect(address).unwrap());
        } else {
            let mut peer = WsPeer::open(&net, address, "/");
            peer.send(hvloop_test_support::opcode::TEXT, b"hello");
            assert_eq!(peer.frame().payload, b"hello");
            peers.push(peer);
        }
    }
    if what == "burst" {
        std::io::stdin().read_line(&mut String::new()).unwrap();
        for together in peers.chunks_mut(100) {
            for peer in &mut *together {
                peer.send(hvloop_test_support::opcode::BINARY, &vec![7; LONG]);
            }
            for peer in together {
                assert_eq!(peer.frame().payload.len(), LONG);
            }
        }
    }
    // Until the parent has seen enough.
    let _ = std::io::stdin().read(&mut [0]);
}
