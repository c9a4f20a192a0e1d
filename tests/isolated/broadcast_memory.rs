//! What a broadcast costs for subscribers that read nothing: its bytes once, whatever their size. The loop
//! is driven on this thread, whose allocations are counted.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use crate::common::net::{Net, Peer, Transport};
use crate::common::ws_peer::WsPeer;
use hvloop::event::Turn;
use hvloop::{EventLoop, SocketOptions, TcpServer, WebSocketServer, WebSocketService};
use hvloop_test_support::{DEADLINE, Monitor};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const PEERS: usize = 40;
const ROUNDS: usize = 4_000;

over_tcp_and_tls! {
    broadcasts_are_shared => broadcast_scenario;
    publications_are_shared => publish_scenario;
    tcp_broadcasts_are_shared => tcp_scenario;
}

fn turn(event_loop: &EventLoop, limit: Duration) {
    assert_eq!(event_loop.run_once(Some(limit)).unwrap(), Turn::Continue);
}

/// Turns the loop while peers connect on a thread of their own, and read nothing from then on.
fn connected<P: Send + 'static>(
    event_loop: &EventLoop,
    net: Net,
    to: SocketAddr,
    open: fn(&Net, SocketAddr) -> P,
) -> Vec<P> {
    let peers = std::thread::spawn(move || (0..PEERS).map(|_| open(&net, to)).collect());
    let limit = Instant::now() + DEADLINE;
    while !peers.is_finished() {
        assert!(Instant::now() < limit, "the peers did not connect");
        turn(event_loop, Duration::from_millis(10));
    }
    peers.join().unwrap()
}

/// Sends messages of that size to all, and looks at what the loop holds then.
fn held(event_loop: &EventLoop, size: usize, send: impl Fn(&[u8]) -> usize) {
    let counted = allocation_counter::measure(|| {
        for round in 0..ROUNDS {
            assert_eq!(send(&vec![b'x'; size]), PEERS);
            if round % 100 == 0 {
                turn(event_loop, Duration::ZERO);
            }
        }
    });
    let held = usize::try_from(counted.bytes_current).unwrap();
    // The bytes once, and what says of each that it is queued.
    let most = ROUNDS * (size + 100) + PEERS * ROUNDS * 40 + 2_000_000;
    assert!(
        held < most,
        "{held} bytes of {} are held",
        ROUNDS * size * PEERS
    );
}

fn listen(net: &Net) -> hvloop::Listen {
    net.listen()
        .socket(SocketOptions::new().send_buffer(16 * 1024))
}

fn broadcast_scenario(transport: Transport) {
    let (net, event_loop) = (Net::new(transport), EventLoop::new().unwrap());
    let server = WebSocketServer::new(&event_loop);
    server.route("*", WebSocketService::new());
    let to = server.listen(listen(&net)).unwrap().inet().unwrap();
    let open = |net: &Net, to| WsPeer::open(net, to, "/");
    let peers = connected(&event_loop, net, to, open);
    for size in [200, 900] {
        held(&event_loop, size, |data| server.broadcast_binary(data));
    }
    drop(peers);
}

fn publish_scenario(transport: Transport) {
    let (net, event_loop) = (Net::new(transport), EventLoop::new().unwrap());
    let server = WebSocketServer::new(&event_loop);
    let service = WebSocketService::new().on_open(|channel, _| {
        assert!(channel.subscribe("news"));
    });
    server.route("*", service);
    let to = server.listen(listen(&net)).unwrap().inet().unwrap();
    let open = |net: &Net, to| WsPeer::open(net, to, "/");
    let peers = connected(&event_loop, net, to, open);
    held(&event_loop, 900, |data| server.publish_binary("news", data));
    drop(peers);
}

fn tcp_scenario(transport: Transport) {
    let (net, event_loop) = (Net::new(transport), EventLoop::new().unwrap());
    let server = TcpServer::new(&event_loop);
    let up = Monitor::new(0);
    let u = up.clone();
    server.on_connection(move |_| u.update(|up| *up += 1));
    let to = server.listen(listen(&net)).unwrap().inet().unwrap();
    let open = |net: &Net, to| -> Peer { net.connect(to) };
    let peers = connected(&event_loop, net, to, open);
    // A peer has connected before its server knows.
    let limit = Instant::now() + DEADLINE;
    while up.read(|up| *up) < PEERS {
        assert!(Instant::now() < limit, "they were not accepted");
        turn(&event_loop, Duration::from_millis(10));
    }
    held(&event_loop, 900, |data| server.broadcast(data));
    drop(peers);
}
