//! `WebSocketServer::set_memory_limit`: what the connections of a server hold together, on all of its loops.

use crate::common::loops::{HOUR, MS};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame, frame, request};
use crate::common::ws_server::{Recorded, Seen, echo};
use crate::deflate::compressed;
use crate::over_tcp_and_tls;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{
    CloseEvent, DeflateOptions, EventLoopThreadPool, LoopOptions, OnMemoryLimit, ServiceOptions,
    WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, Event, Monitor, opcode, wait_for};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

over_tcp_and_tls! {
    /// Many peers that each announce a long message and trickle it hold no more than the limit together.
    trickled_messages_hold_the_limit => trickle_scenario;
    /// The greediest is closed wherever it is, and the one that was one too many goes on.
    greediest_on_another_loop_is_closed => elsewhere_scenario;
    /// A loop that a callback keeps, with the greediest of all, does not keep the others.
    blocked_loop_is_not_waited_for => blocked_scenario;
    /// What little bytes on the wire become counts.
    inflated_messages_hold_the_limit => inflated_scenario;
    /// More than the limit at the same time: all of it is delivered, bit by bit, and nobody is closed.
    paused_messages_are_finished => paused_scenario;
    /// Peers that trickle are not waited for longer than was said; others go on.
    nobody_pauses_for_ever => forever_scenario;
    /// Who is not read is not blamed for what did not come.
    held_up_peers_are_not_blamed => blame_scenario;
    /// The server closes one that is held up, and its peer's answer is heard.
    held_up_peers_can_be_closed => close_scenario;
    /// A stop ends those that are held up.
    held_up_peers_end_with_a_stop => stop_scenario;
}

struct Limited {
    net: Net,
    pool: EventLoopThreadPool,
    recorded: Recorded,
    to: SocketAddr,
}

impl Limited {
    fn new(transport: Transport, loops: usize, limit: usize, manner: OnMemoryLimit) -> Self {
        let options = ServiceOptions::new().deflate(Some(DeflateOptions::new()));
        Self::with(transport, loops, limit, manner, options)
    }

    fn with(
        transport: Transport,
        loops: usize,
        limit: usize,
        manner: OnMemoryLimit,
        options: ServiceOptions,
    ) -> Self {
        let loop_options = LoopOptions::new().drain_timeout(DEADLINE);
        let pool = EventLoopThreadPool::with_options(loops, &loop_options).unwrap();
        pool.start().unwrap();
        let acceptor = pool.event_loops().next().unwrap().clone();
        let server = WebSocketServer::with_workers(&acceptor, &pool);
        server.set_memory_limit(limit);
        server.set_on_memory_limit(manner);
        let net = Net::new(transport);
        let recorded = Recorded::with(server, options);
        let to = recorded.listen(&net);
        Self {
            net,
            pool,
            recorded,
            to,
        }
    }

    fn server(&self) -> &WebSocketServer {
        &self.recorded.server
    }

    fn peers(&self, count: usize) -> Vec<WsPeer> {
        (0..count)
            .map(|_| WsPeer::open(&self.net, self.to, "/"))
            .collect()
    }

    /// Waits for that.
    #[track_caller]
    fn until(&self, what: &str, mut f: impl FnMut(&WebSocketServer) -> bool) {
        assert!(
            wait_for(DEADLINE.as_secs(), || f(self.server())),
            "{what}: {} bytes are held, {} closed, {} pauses",
            self.server().memory(),
            self.server().memory_closes(),
            self.server().memory_pauses()
        );
    }

    /// The peer has said its last, and the server has read it.
    #[track_caller]
    fn read(&self, bytes: u64) {
        let all = || self.pool.event_loops().map(|l| l.metrics().bytes_in);
        let read = || all().sum::<u64>() >= bytes;
        assert!(
            wait_for(DEADLINE.as_secs(), read),
            "{} bytes",
            all().sum::<u64>()
        );
    }

    /// All connections that this side ended were closed for the limit.
    #[track_caller]
    fn end(self, limit: usize) {
        self.recorded.seen.read(|seen| {
            let right = |error: &Option<ConnectionError>| {
                matches!(error, Some(ConnectionError::MemoryLimit(l)) if *l == limit)
            };
            let local = |event: &&CloseEvent| event.initiator == Initiator::Local && !event.clean;
            let closed = seen.closed.iter().filter(local);
            let mut others = closed.filter(|event| !right(&event.error));
            assert!(others.next().is_none(), "{:?}", seen.closed);
        });
        self.gone();
    }

    /// With all connections goes all memory.
    #[track_caller]
    fn gone(self) {
        self.server().stop();
        self.until("all is given back", |server| {
            server.connection_num() == 0 && server.memory() == 0
        });
        self.pool.stop();
        self.pool.join().unwrap();
    }
}

/// The beginning of a message of so many bytes.
fn head(size: usize) -> Vec<u8> {
    let mut head = frame(opcode::BINARY, true, &[0; 0x1_0000]);
    head.truncate(14);
    head[2..10].copy_from_slice(&(size as u64).to_be_bytes());
    head
}

fn trickle_scenario(transport: Transport) {
    const LIMIT: usize = 8 << 20;
    const PIECE: usize = 64 * 1024;
    let limited = Limited::new(transport, 2, LIMIT, OnMemoryLimit::CloseGreediest);
    let mut peers = limited.peers(24);
    for peer in &mut peers {
        peer.peer.send(&head(12 << 20));
    }
    let mut most = 0;
    for _ in 0..16 {
        for peer in &mut peers {
            // Fails where it is closed.
            let _ = peer.peer.try_send(&[1; PIECE]);
            most = most.max(limited.server().memory());
        }
    }
    limited.until("closed", |server| server.memory_closes() > 0);
    limited.until("within", |server| server.memory() <= LIMIT);
    // A message's buffer grows by a MiB at the most, on each loop.
    assert!(most <= LIMIT + (3 << 20), "{most} bytes were held");
    let is_told = |peer: &mut WsPeer| {
        let wait = Some(Duration::from_millis(20));
        peer.peer.stream.set_read_timeout(wait).unwrap();
        peer.try_frame().and_then(|frame| frame.close_code()) == Some(1009)
    };
    let told = || peers.iter_mut().any(is_told);
    assert!(wait_for(DEADLINE.as_secs(), told), "nobody was told 1009");
    drop(peers);
    limited.end(LIMIT);
}

fn elsewhere_scenario(transport: Transport) {
    const LIMIT: usize = 8 << 20;
    const LONG: usize = 5 << 20;
    let limited = Limited::new(transport, 2, LIMIT, OnMemoryLimit::CloseGreediest);
    let mut peers = limited.peers(2);
    let loads = limited
        .pool
        .event_loops()
        .map(|l| l.metrics().connections)
        .collect::<Vec<_>>();
    assert_eq!(loads, [1, 1]);
    for greedy in [1, 0] {
        let modest = 1 - greedy;
        let before = limited.server().memory_closes();
        peers[greedy].peer.send(&head(LONG + 1));
        peers[greedy].peer.send(&vec![1; LONG]);
        limited.until("held", |server| server.memory() >= LONG);
        // The other one brings it over the limit, and is read to its end.
        let message = vec![2; 4 << 20];
        peers[modest].peer.send(&head(message.len()));
        peers[modest].peer.send(&message);
        limited.until("closed", |server| server.memory_closes() > before);
        peers[greedy].expect_close(1009);
        peers[greedy].peer.end();
        assert_eq!(peers[modest].frame().payload.len(), message.len());
        limited.until("one", |server| {
            server.memory_closes() == before + 1 && server.connection_num() == 1
        });
        // In its place, and on its loop: the one with the fewest by turns.
        peers[greedy] = loop {
            let peer = WsPeer::open(&limited.net, limited.to, "/");
            let mut loads = limited.pool.event_loops().map(|l| l.metrics().connections);
            if loads.all(|load| load == 1) {
                break peer;
            }
            peer.close();
            limited.until("one", |server| server.connection_num() == 1);
        };
    }
    drop(peers);
    limited.end(LIMIT);
}

fn blocked_scenario(transport: Transport) {
    const MIB: usize = 1 << 20;
    let limited = Limited::new(transport, 2, usize::MAX, OnMemoryLimit::CloseGreediest);
    let (blocked, go_on) = (Event::new(), Event::new());
    let (b, g) = (blocked.clone(), go_on.clone());
    let service = WebSocketService::new().on_message(move |_, _| {
        b.set();
        g.expect("the end of the test");
    });
    limited.server().route("/block", service);
    // By turns on the two loops.
    let mut peers = limited.peers(3);
    let mut blocks = WsPeer::open(&limited.net, limited.to, "/block");
    for (n, size) in [(1, 6 * MIB), (0, 4 * MIB)] {
        peers[n].peer.send(&head(12 * MIB));
        peers[n].peer.send(&vec![1; size]);
    }
    limited.read(10 * MIB as u64);
    limited.until("held", |server| server.memory() >= 10 * MIB);
    blocks.send(opcode::TEXT, b"now");
    blocked.expect("the callback");
    let limit = limited.server().memory() + MIB;
    limited.server().set_memory_limit(limit);
    let message = vec![2; 3 * MIB];
    peers[2].peer.send(&frame(opcode::BINARY, true, &message));
    assert_eq!(peers[2].frame().payload.len(), message.len());
    peers[0].expect_close(1009);
    peers[0].peer.end();
    go_on.set();
    drop((peers, blocks));
    limited.end(limit);
}

/// Zeros in DEFLATE, without an end: a block of so many.
fn zeros(count: usize) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(count / 100 + 1_000);
    let flush = flate2::FlushCompress::Sync;
    compress
        .compress_vec(&vec![0; count], &mut out, flush)
        .unwrap();
    out
}

fn inflated_scenario(transport: Transport) {
    const LIMIT: usize = 4 << 20;
    let limited = Limited::new(transport, 2, LIMIT, OnMemoryLimit::CloseGreediest);
    let bytes = zeros(1 << 20);
    assert!(bytes.len() < 20_000, "{} bytes", bytes.len());
    let mut peers: Vec<_> = (0..6)
        .map(|_| WsPeer::open_with(&limited.net, limited.to, "permessage-deflate"))
        .collect();
    for peer in &mut peers {
        let mut frame = compressed(opcode::BINARY, &bytes, None);
        frame[0] &= !0x80; // it goes on
        let _ = peer.peer.try_send(&frame);
    }
    limited.until("closed", |server| server.memory_closes() > 0);
    limited.until("within", |server| server.memory() <= LIMIT);
    drop(peers);
    limited.end(LIMIT);
}

fn paused_scenario(transport: Transport) {
    const LIMIT: usize = 3 << 20;
    const SIZE: usize = 1 << 20;
    let manner = OnMemoryLimit::PauseReading(HOUR);
    let limited = Limited::new(transport, 2, LIMIT, manner);
    let received = Monitor::new(Vec::new());
    let r = received.clone();
    let service = WebSocketService::new().on_message(move |channel, message| {
        let (first, len) = (message.as_bytes()[0], message.as_bytes().len());
        r.update(|received| received.push((usize::from(first), len)));
        channel.send_text("it came").unwrap();
    });
    limited.server().route("/", service);
    let senders: Vec<_> = limited
        .peers(16)
        .into_iter()
        .enumerate()
        .map(|(n, mut peer)| {
            thread::spawn(move || {
                for round in 0..3 {
                    // In fragments, or whole.
                    let payload = vec![n as u8; SIZE + round];
                    let message = match n % 2 {
                        0 => frame(opcode::BINARY, true, &payload),
                        _ => [
                            frame(opcode::BINARY, false, &payload[..SIZE / 2]),
                            frame(opcode::CONTINUATION, true, &payload[SIZE / 2..]),
                        ]
                        .concat(),
                    };
                    peer.peer.send(&message);
                    assert_eq!(peer.frame().payload, b"it came");
                }
                peer
            })
        })
        .collect();
    let mut most = 0;
    while !senders.iter().all(|sender| sender.is_finished()) {
        most = most.max(limited.server().memory());
        thread::sleep(MS);
    }
    let peers: Vec<_> = senders.into_iter().map(|s| s.join().unwrap()).collect();
    assert_eq!(limited.server().memory_closes(), 0);
    // On each loop one goes on, whose memory may be twice that, and one may just have begun.
    assert!(most <= LIMIT + 2 * 3 * SIZE, "{most} bytes were held");
    let mut received = received.read(Clone::clone);
    received.sort_unstable();
    let all = (0..16).flat_map(|n| (0..3).map(move |round| (n, SIZE + round)));
    assert!(received.into_iter().eq(all), "each came once");
    for peer in peers {
        peer.close();
    }
    limited.end(LIMIT);
}

fn forever_scenario(transport: Transport) {
    const LIMIT: usize = 2 << 20;
    const WAIT: Duration = Duration::from_millis(300);
    let manner = OnMemoryLimit::PauseReading(WAIT);
    let limited = Limited::new(transport, 2, LIMIT, manner);
    let mut witness = limited.peers(2);
    let mut peers = limited.peers(8);
    for peer in &mut peers {
        peer.peer.send(&head(8 << 20));
    }
    let began = Instant::now();
    let senders: Vec<_> = peers
        .into_iter()
        .map(|mut peer| {
            thread::spawn(move || {
                // All that it takes, and no more.
                let _ = peer.peer.try_send(&vec![1; 1 << 20]);
                peer
            })
        })
        .collect();
    limited.until("paused", |server| server.memory_pauses() > 0);
    limited.until("closed", |server| server.memory_closes() > 0);
    assert!(began.elapsed() >= WAIT, "{:?}", began.elapsed());
    // Between two messages, with or without a pause.
    for witness in &mut witness {
        witness.send(opcode::TEXT, b"still there");
        assert_eq!(witness.frame().payload, b"still there");
    }
    let peers: Vec<_> = senders.into_iter().map(|s| s.join().unwrap()).collect();
    limited.until("in the end", |server| server.memory() <= LIMIT);
    drop((peers, witness));
    limited.end(LIMIT);
}

/// Of two peers of one loop in the midst of a message the first may go on, and the other one is held up.
struct HeldUp {
    first: WsPeer,
    held: WsPeer,
    /// What is missing of the first one's message.
    missing: usize,
    limited: Limited,
}

impl HeldUp {
    fn new(transport: Transport, options: ServiceOptions) -> Self {
        const LIMIT: usize = 2 << 20;
        const SHORT: usize = LIMIT / 4;
        const OVER: usize = 100_000;
        let manner = OnMemoryLimit::PauseReading(HOUR);
        let limited = Limited::with(transport, 1, LIMIT, manner, options);
        let patient = ServiceOptions::new().ping_interval(None);
        let service = echo(&limited.recorded.seen).options(patient);
        limited.server().route("/first", service);
        let mut first = WsPeer::open(&limited.net, limited.to, "/first");
        first.peer.send(&head(2 * LIMIT));
        first.peer.send(&vec![1; LIMIT]);
        limited.read(LIMIT as u64);
        // More than TLS adds: what is read is counted as it comes, and what is held as it was meant.
        first.peer.send(&[1; OVER]);
        limited.until("paused", |server| server.memory_pauses() > 0);
        limited.read((LIMIT + OVER) as u64);
        // It begins its message with its request, and the rest nobody reads.
        let mut held = WsPeer::mute(&limited.net, limited.to);
        let begin = [request("/", "").as_bytes(), &head(SHORT), &[2; 1_000]].concat();
        held.peer.send(&begin);
        held.head();
        held.peer.send(&[2; SHORT - 1_000]);
        Self {
            first,
            held,
            missing: LIMIT - OVER,
            limited,
        }
    }

    fn messages(&self) -> usize {
        self.limited.recorded.seen.read(|seen| seen.messages.len())
    }
}

fn blame_scenario(transport: Transport) {
    // Longer than it takes until it is held up.
    const LIFE: Duration = Duration::from_millis(1_000);
    let options = ServiceOptions::new()
        .ping_interval(LIFE)
        .pong_timeout(LIFE)
        .message_timeout(LIFE * 5 / 2);
    let mut peers = HeldUp::new(transport, options);
    thread::sleep(3 * LIFE);
    let closed = peers.limited.recorded.seen.read(|seen| seen.closed.clone());
    assert!(closed.is_empty(), "{closed:?}");
    assert_eq!(peers.messages(), 0);
    // The first one is done with, and the other one is read.
    peers.first.peer.end();
    let whole = |seen: &Seen| seen.messages.len() == 1;
    peers.limited.recorded.wait("the message", whole);
    let first_gone = |seen: &Seen| seen.closed.len() == 1;
    peers.limited.recorded.wait("the end", first_gone);
    drop(peers.held);
    peers.limited.gone();
}

fn close_scenario(transport: Transport) {
    let mut peers = HeldUp::new(transport, ServiceOptions::new());
    peers.limited.server().for_each_channel(|channel| {
        // This side does not wait for what the peer never sends.
        channel.close(1000, "").unwrap();
    });
    peers.held.expect_close(1000);
    peers.held.peer.send(&close_frame(1000, ""));
    peers.held.expect_end();
    let clean = |seen: &Seen| seen.closed.iter().any(|event| event.clean);
    peers.limited.recorded.wait("a clean end", clean);
    drop(peers.first);
    peers.limited.gone();
}

fn stop_scenario(transport: Transport) {
    let mut peers = HeldUp::new(transport, ServiceOptions::new());
    peers.limited.pool.stop();
    for (peer, missing) in [(&mut peers.first, peers.missing), (&mut peers.held, 0)] {
        peer.expect_close(1001);
        // The rest of the message comes first, and then the answer.
        peer.peer.send(&vec![0; missing]);
        peer.peer.send(&close_frame(1001, ""));
    }
    peers.first.expect_end();
    peers.held.expect_end();
    for report in peers.limited.pool.join().unwrap() {
        assert!(report.is_clean(), "{report}");
    }
}
