//! Peers that send much at once, or what becomes much: others have their turns, a stop does not wait, and
//! nothing is lost. Counted in turns and messages, not in time.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame, frame};
use crate::common::ws_server::Recorded;
use crate::common::ws_server::{client_options, scheme};
use crate::deflate::compressed;
use crate::over_tcp_and_tls;
use hvloop::ws::protocol::Limits;
use hvloop::{
    ClientOptions, DeflateOptions, EventLoop, EventLoopThread, LoopOptions, Message,
    ServiceOptions, WebSocketClient, WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, Monitor, ScriptServer, Tls, encode_frame, opcode};
use std::net::SocketAddr;

over_tcp_and_tls! {
    /// While a peer of a server sends messages that inflate a thousandfold.
    inflating_takes_turns_in_a_server => server_fairness;
    /// While a peer of a client does.
    inflating_takes_turns_in_a_client => client_fairness;
    /// A stop within a read full of small messages ends the turn.
    a_stop_does_not_wait_for_small_messages => plain_stop;
    /// The same, and they are compressed.
    a_stop_does_not_wait_for_compressed_messages => compressed_stop;
    /// The same of a client, whose server sends both.
    a_stop_does_not_wait_for_a_clients_messages => client_stop;
    /// A stop while messages are inflated that are far from whole.
    a_stop_does_not_wait_for_inflating => inflating_stop;
    /// Small messages, long ones, Pings, Close and the end in few reads, with pauses between: all of it
    /// comes, in its order.
    what_a_turn_has_no_room_for_comes_later => nothing_lost;
}

/// Bytes that one connection may bring in one turn.
const ALLOWANCE: usize = 256 * 1024;

/// What a bomb becomes.
const BOMB: usize = 16 << 20;

fn bomb() -> Vec<u8> {
    deflated(&vec![0; BOMB])
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(plain.len() / 2 + 1000);
    let flush = flate2::FlushCompress::Sync;
    compress.compress_vec(plain, &mut out, flush).unwrap();
    assert_eq!(compress.total_in(), plain.len() as u64);
    out.truncate(out.len() - 4);
    out
}

/// The turns in which bombs were delivered, and those that each round trip of others took.
#[derive(Default)]
struct Turns {
    bombs: Vec<u64>,
    trips: Vec<u64>,
}

/// A message of a bomb's size, or a small one, has come.
fn note(turns: &Monitor<Turns>, event_loop: &EventLoop, message: Message<'_>) {
    let now = event_loop.metrics().ticks;
    if message.as_bytes().len() == BOMB {
        turns.update(|turns| turns.bombs.push(now));
    }
}

fn deflate() -> Option<DeflateOptions> {
    Some(DeflateOptions::new().threshold(1 << 30))
}

/// A client whose messages go there and back on this loop, each when the one before has come.
fn ping_pong(
    turns: &Monitor<Turns>,
    event_loop: &EventLoop,
    options: ClientOptions,
    url: &str,
) -> WebSocketClient {
    let client = WebSocketClient::with_options(event_loop, options);
    let (turns, event_loop) = (turns.clone(), event_loop.clone());
    let mut sent = 0;
    client.on_open(|ws, _| ws.send_text("there and back").unwrap());
    client.on_message(move |ws, _| {
        let now = event_loop.metrics().ticks;
        if sent > 0 {
            turns.update(|turns| turns.trips.push(now - sent));
        }
        sent = now;
        ws.send_text("there and back").unwrap();
    });
    client.open(url).unwrap();
    client
}

/// Enough of both came; no turn brought more than it may, and others had their turns between. (A single trip may
/// take many turns: on a busy machine the system, too, takes its time to bring what was sent.)
fn check(turns: &Monitor<Turns>) {
    let enough = |turns: &Turns| turns.bombs.len() >= 3 && turns.trips.len() >= 50;
    assert!(turns.wait(DEADLINE, enough));
    turns.read(|turns| {
        for pair in turns.bombs.windows(2) {
            let took = pair[1] - pair[0];
            assert!(took as usize > BOMB / ALLOWANCE / 2, "{:?}", turns.bombs);
        }
        let slow = turns.trips.iter().filter(|trip| **trip > 8).count();
        assert!(slow < turns.trips.len() / 2, "{:?}", turns.trips);
    });
}

fn server_fairness(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let event_loop = thread.event_loop();
    let turns = Monitor::new(Turns::default());
    let server = WebSocketServer::new(event_loop);
    let (t, at) = (turns.clone(), event_loop.clone());
    let service = WebSocketService::new().on_message(move |channel, message| {
        note(&t, &at, message);
        if message.as_bytes().len() < 100 {
            channel.send(message).unwrap();
        }
    });
    server.route(
        "/*",
        service.options(ServiceOptions::new().deflate(deflate())),
    );
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peer = WsPeer::open_with(&net, to, "permessage-deflate");
    let url = format!("{}://localhost:{}/", scheme(&net), to.port());
    let client = ping_pong(&turns, event_loop, client_options(&net), &url);
    let bomb = compressed(opcode::BINARY, &bomb(), None);
    for _ in 0..5 {
        peer.peer.send(&bomb);
    }
    check(&turns);
    drop(client);
    thread.stop();
    thread.join().unwrap();
}

fn client_fairness(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let event_loop = thread.event_loop();
    let turns = Monitor::new(Turns::default());
    let others = Recorded::on(&thread);
    let to = others.listen(&net);
    let tls = match transport {
        Transport::Tcp => Tls::Off,
        Transport::Tls => Tls::On(&net.ca),
    };
    let server = ScriptServer::start(tls, |conn| {
        conn.accept_upgrade_with(&["Sec-WebSocket-Extensions: permessage-deflate"])?;
        let mut bomb = encode_frame(opcode::BINARY, true, &bomb());
        bomb[0] |= 0x40;
        for _ in 0..5 {
            conn.send(&bomb)?;
        }
        conn.read_close()?;
        conn.finish()
    });
    let options = client_options(&net).deflate(deflate());
    let client = WebSocketClient::with_options(event_loop, options);
    let (t, at) = (turns.clone(), event_loop.clone());
    client.on_message(move |_, message| note(&t, &at, message));
    client.open(&server.url()).unwrap();
    let url = format!("{}://localhost:{}/", scheme(&net), to.port());
    let other = ping_pong(&turns, event_loop, client_options(&net), &url);
    check(&turns);
    drop((client, other));
    thread.stop();
    thread.join().unwrap();
}

/// A server on a loop of its own, in which a message takes 2 ms, and the tenth stops the loop; how many
/// came after that.
fn stopping(net: &Net) -> (EventLoopThread, WebSocketServer, SocketAddr, Monitor<usize>) {
    let thread = started();
    let count = Monitor::new(0);
    let (c, stop) = (count.clone(), thread.event_loop().clone());
    let server = WebSocketServer::new(thread.event_loop());
    let service = WebSocketService::new().on_message(move |_, _| {
        std::thread::sleep(2 * MS);
        if c.update(|count| std::mem::replace(count, *count + 1)) == 10 {
            stop.stop();
        }
    });
    server.route(
        "/*",
        service.options(ServiceOptions::new().deflate(deflate())),
    );
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    (thread, server, to, count)
}

/// Sends that in one go; the stop comes within some messages, and ends the connection in order.
fn stop_within(net: &Net, stream: &[u8]) {
    let (thread, _server, to, count) = stopping(net);
    let mut peer = WsPeer::open_with(net, to, "permessage-deflate");
    peer.peer.send(stream);
    peer.expect_close(1001);
    peer.peer.send(&close_frame(1001, ""));
    peer.peer.end();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    // The turn that is under way goes on for some milliseconds.
    let count = count.read(|count| *count);
    assert!((11..60).contains(&count), "{count} messages");
}

fn plain_stop(transport: Transport) {
    let stream = frame(opcode::TEXT, true, b"x").repeat(4000);
    stop_within(&Net::new(transport), &stream);
}

fn compressed_stop(transport: Transport) {
    let message = deflated(b"x");
    let stream = compressed(opcode::TEXT, &message, None).repeat(2000);
    stop_within(&Net::new(transport), &stream);
}

fn client_stop(transport: Transport) {
    let net = Net::new(transport);
    let tls = match transport {
        Transport::Tcp => Tls::Off,
        Transport::Tls => Tls::On(&net.ca),
    };
    let server = ScriptServer::start(tls, |conn| {
        conn.accept_upgrade_with(&["Sec-WebSocket-Extensions: permessage-deflate"])?;
        let mut packed = encode_frame(opcode::TEXT, true, &deflated(b"x"));
        packed[0] |= 0x40;
        let plain = encode_frame(opcode::TEXT, true, b"x");
        conn.send(&[plain, packed].concat().repeat(2000))?;
        conn.read_close()?;
        conn.send_close(1001, "")?;
        conn.finish()
    });
    let thread = started();
    let options = client_options(&net).deflate(deflate());
    let client = WebSocketClient::with_options(thread.event_loop(), options);
    let count = Monitor::new(0);
    let (c, stop) = (count.clone(), thread.event_loop().clone());
    client.on_message(move |_, _| {
        std::thread::sleep(2 * MS);
        if c.update(|count| std::mem::replace(count, *count + 1)) == 10 {
            stop.stop();
        }
    });
    client.open(&server.url()).unwrap();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    let count = count.read(|count| *count);
    assert!((11..60).contains(&count), "{count} messages");
}

/// The stop comes while peers have bombs under way that would take a thousand turns each; none gets whole.
fn inflating_stop(transport: Transport) {
    let net = Net::new(transport);
    let thread = {
        let options = LoopOptions::new().drain_timeout(DEADLINE);
        EventLoopThread::with_loop(EventLoop::with_options(options).unwrap())
    };
    thread.start().unwrap();
    let limits = Limits::new().max_message(1 << 30);
    let options = ServiceOptions::new().deflate(deflate()).limits(limits);
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
    let to = server.listen(&net);
    // 256 MiB each, in one message.
    let bomb = compressed(opcode::BINARY, &deflated(&vec![0; 256 << 20]), None);
    let mut peers: Vec<_> = (0..4)
        .map(|_| WsPeer::open_with(&net, to, "permessage-deflate"))
        .collect();
    server.wait("all are open", |seen| seen.opened == 4);
    // By a task of each turn: however slow this thread is, no bomb is whole by then.
    stop_when_read(thread.event_loop().clone(), 4 * 1000);
    for peer in &mut peers {
        // It is read no further once the loop stops.
        let _ = peer.peer.try_send(&bomb);
    }
    for mut peer in peers {
        peer.expect_close(1001);
        peer.peer.send(&close_frame(1001, ""));
        peer.peer.end();
        assert_eq!(peer.peer.rest().1, End::Clean);
    }
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(server.seen.read(|seen| seen.messages.len()), 0);
}

/// Stops the loop in the turn after so many further bytes were read.
fn stop_when_read(event_loop: EventLoop, bytes: u64) {
    fn look(event_loop: EventLoop, wanted: u64) {
        if event_loop.metrics().bytes_in > wanted {
            return event_loop.stop();
        }
        let again = event_loop.clone();
        let task = move || look(again, wanted);
        event_loop.queue_in_loop(task).unwrap();
    }
    let wanted = event_loop.metrics().bytes_in + bytes;
    look(event_loop, wanted);
}

fn nothing_lost(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    let got = Monitor::new((Vec::new(), None));
    let (g, closed) = (got.clone(), got.clone());
    let service = WebSocketService::new()
        .on_message(move |channel, message| {
            let bytes = message.as_bytes();
            let said = (bytes.len(), bytes.first().copied(), bytes.last().copied());
            let count = g.update(|(got, _)| {
                got.push(said);
                got.len()
            });
            if count % 3000 == 0 {
                channel.pause_reading();
                channel.resume_reading();
            }
            if count % 5000 == 0 {
                channel.pause_reading();
                let channel = channel.clone();
                std::thread::spawn(move || channel.resume_reading());
            }
        })
        .on_close(move |_, event| closed.update(|(_, close)| *close = Some(event.clone())));
    server.route(
        "/*",
        service.options(ServiceOptions::new().deflate(deflate())),
    );
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peer = WsPeer::open_with(&net, to, "permessage-deflate");
    let (mut stream, mut expected) = (Vec::new(), Vec::new());
    let long: Vec<u8> = (0..3 << 20).map(|n: u32| (n / 7) as u8).collect();
    let packed = deflated(&long);
    for n in 0..20_000u32 {
        let byte = n as u8;
        match n % 10 {
            3 => stream.extend(compressed(opcode::BINARY, &deflated(&[byte]), Some(1))),
            _ => stream.extend(frame(opcode::BINARY, true, &[byte])),
        }
        expected.push((1, Some(byte), Some(byte)));
        if n % 1000 == 0 {
            stream.extend(frame(opcode::PING, true, b""));
        }
        if n % 4000 == 77 {
            stream.extend(compressed(opcode::BINARY, &packed, Some(packed.len() / 3)));
            expected.push((long.len(), long.first().copied(), long.last().copied()));
        }
    }
    stream.extend(close_frame(1000, "done"));
    peer.peer.send(&stream);
    peer.peer.end();
    assert!(got.wait(DEADLINE, |(_, close)| close.is_some()));
    got.read(|(got, close)| {
        assert_eq!(got.len(), expected.len());
        assert!(*got == expected, "in their order");
        let close = close.as_ref().unwrap();
        assert_eq!((close.code, close.reason.as_str()), (1000, "done"));
        assert!(close.clean, "{close:?}");
    });
    stop_clean(&thread);
}
