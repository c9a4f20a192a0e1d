//! Channels: messages in fragments, reading that is paused, and what the upgrade and TLS agreed on.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame, frame, request};
use crate::common::ws_server::{Recorded, echo};
use crate::common::ws_server::{client_options, scheme};
use crate::over_tcp_and_tls;
use hvloop::event::tls::{TlsClientConfig, TlsIdentities, TlsServerConfig};
use hvloop::ws::handshake::Accept;
use hvloop::ws::protocol::frame_len;
use hvloop::{
    ClientOptions, DeflateOptions, EventLoopThread, Listen, Message, ServiceOptions,
    WebSocketChannel, WebSocketClient, WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, Event, Monitor, opcode};
use socket2::SockRef;
use std::net::SocketAddr;
use std::sync::mpsc;

over_tcp_and_tls! {
    /// Frame by frame, from the callback and from another thread.
    channel_sends_fragments => fragments_scenario;
    /// Compressed messages in fragments, there and back, one at a time on both sides.
    compressed_fragments_with_pauses => compressed_scenario;
    /// Paused in each callback: exactly one message follows each resume; the close comes behind.
    channel_pauses => pause_scenario;
    /// A channel's close, and the loop's stop, read on to the peer's Close.
    channel_closes_while_paused => close_scenario;
    channel_is_stopped_while_paused => stop_scenario;
    /// That it breaks as it is written to is told by its end; the send was accepted.
    sends_to_a_reset_peer_are_accepted => reset_scenario;
}

/// A server with that service alone.
fn serve(
    thread: &EventLoopThread,
    net: &Net,
    service: WebSocketService,
) -> (WebSocketServer, SocketAddr) {
    let server = WebSocketServer::new(thread.event_loop());
    server.route("/*", service);
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    (server, to)
}

fn fragments_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let channel = Monitor::new(None);
    let c = channel.clone();
    let service = WebSocketService::new().on_open(move |channel, _| {
        channel
            .send_fragmented(Message::Text("0123456"), 3)
            .unwrap();
        c.update(|c| *c = Some(channel.clone()));
    });
    let (_server, to) = serve(&thread, &net, service);
    let mut peer = WsPeer::open(&net, to, "/");
    assert!(channel.wait(DEADLINE, Option::is_some));
    let channel = channel.read(Clone::clone).unwrap();
    channel
        .send_fragmented(Message::Binary(&[5; 5]), 4)
        .unwrap();
    channel
        .send_fragmented(Message::Binary(&[6; 5]), 0)
        .unwrap();
    let expected = [
        (opcode::TEXT, false, &b"012"[..]),
        (opcode::CONTINUATION, false, b"345"),
        (opcode::CONTINUATION, true, b"6"),
        (opcode::BINARY, false, &[5; 4]),
        (opcode::CONTINUATION, true, &[5]),
        (opcode::BINARY, true, &[6; 5]),
    ];
    for expected in expected {
        let frame = peer.frame();
        assert_eq!((frame.opcode, frame.fin, &frame.payload[..]), expected);
    }
    peer.close();
    assert!(channel.send_fragmented(Message::Text("late"), 1).is_err());
    stop_clean(&thread);
}

fn compressed_scenario(transport: Transport) {
    const COUNT: usize = 60;
    let (net, thread) = (Net::new(transport), started());
    let deflate = Some(DeflateOptions::new().threshold(100));
    let service = WebSocketService::new()
        .options(ServiceOptions::new().deflate(deflate))
        .on_message(|channel, message| {
            channel.send_fragmented(message, 700).unwrap();
            channel.pause_reading();
            // Another turn, or another thread, goes on.
            let channel = channel.clone();
            let event_loop = channel.event_loop().clone();
            event_loop
                .queue_in_loop(move || channel.resume_reading())
                .unwrap();
        });
    let (_server, to) = serve(&thread, &net, service);
    let client =
        WebSocketClient::with_options(thread.event_loop(), client_options(&net).deflate(deflate));
    let message = |n: usize| format!("{n} the loop turns, ").repeat(1 + n * n);
    client.on_open(move |ws, event| {
        assert!(event.response.deflate.is_some());
        for n in 0..COUNT {
            ws.send_fragmented(Message::Text(&message(n)), 1 + n * 10)
                .unwrap();
        }
    });
    let got = Monitor::new((0, None));
    let g = got.clone();
    client.on_message(move |ws, data| {
        g.update(|got| {
            assert!(data == Message::Text(&message(got.0)));
            got.0 += 1;
        });
        ws.pause_reading();
        let ws = ws.clone();
        let later = ws.event_loop().unwrap();
        later.set_timeout(MS, move |_| ws.resume_reading()).unwrap();
    });
    let g = got.clone();
    client.on_close(move |_, event| g.update(|got| got.1 = Some(event.clean)));
    let url = format!("{}://localhost:{}/", scheme(&net), to.port());
    client.open(&url).unwrap();
    assert!(got.wait(DEADLINE, |got| got.0 == COUNT));
    client.close(1000, "").unwrap();
    assert!(got.wait(DEADLINE, |got| got.1 == Some(true)));
    stop_clean(&thread);
}

/// What a paused service saw.
#[derive(Default)]
struct Paused {
    channel: Option<WebSocketChannel>,
    allowed: usize,
    messages: Vec<Vec<u8>>,
    closed: Option<hvloop::CloseEvent>,
}

/// Pauses in on_open and at each message.
fn pausing(seen: &Monitor<Paused>) -> WebSocketService {
    let (open, message, close) = (seen.clone(), seen.clone(), seen.clone());
    WebSocketService::new()
        .on_open(move |channel, _| {
            channel.pause_reading();
            open.update(|seen| seen.channel = Some(channel.clone()));
        })
        .on_message(move |channel, data| {
            message.update(|seen| {
                assert!(seen.allowed > 0, "a message while paused");
                seen.allowed -= 1;
                seen.messages.push(data.as_bytes().to_vec());
            });
            channel.pause_reading();
        })
        .on_close(move |_, event| close.update(|seen| seen.closed = Some(event.clone())))
}

/// Lets the next message through.
#[track_caller]
fn next(seen: &Monitor<Paused>) -> Vec<u8> {
    assert!(seen.wait(DEADLINE, |seen| seen.channel.is_some()));
    let (channel, before) = seen.update(|seen| {
        seen.allowed += 1;
        (seen.channel.clone().unwrap(), seen.messages.len())
    });
    channel.resume_reading();
    assert!(seen.wait(DEADLINE, |seen| seen.messages.len() > before));
    seen.read(|seen| {
        assert_eq!(seen.messages.len(), before + 1);
        seen.messages[before].clone()
    })
}

/// The request, messages of many sizes, and a Close, in one go.
fn all_at_once() -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut wire = request("/", "").into_bytes();
    let messages: Vec<_> = (0..30usize)
        .map(|n| vec![n as u8; [0, 1, 200, 40_000, 150_000][n % 5]])
        .collect();
    for message in &messages {
        wire.extend(frame(opcode::BINARY, true, message));
    }
    wire.extend(close_frame(4001, ""));
    (messages, wire)
}

fn pause_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let seen = Monitor::new(Paused::default());
    let (_server, to) = serve(&thread, &net, pausing(&seen));
    let (messages, wire) = all_at_once();
    let mut peer = WsPeer::mute(&net, to);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            peer.peer.send(&wire);
            assert!(peer.head().starts_with("HTTP/1.1 101 "));
        });
        for message in messages {
            assert!(next(&seen) == message);
        }
    });
    seen.read(|seen| {
        assert!(seen.closed.is_none());
        seen.channel.as_ref().unwrap().resume_reading();
    });
    peer.expect_close(4001);
    peer.expect_end();
    assert!(seen.wait(DEADLINE, |seen| seen.closed.is_some()));
    let event = seen.read(|seen| seen.closed.clone()).unwrap();
    assert!(event.code == 4001 && event.clean, "{event:?}");
    stop_clean(&thread);
}

/// Paused behind the first of many messages, and ended by `end`.
fn end_while_paused(
    transport: Transport,
    code: u16,
    end: impl FnOnce(&WebSocketChannel, &EventLoopThread),
) {
    let (net, thread) = (Net::new(transport), started());
    let seen = Monitor::new(Paused::default());
    let (_server, to) = serve(&thread, &net, pausing(&seen));
    let mut peer = WsPeer::open(&net, to, "/");
    for _ in 0..100 {
        peer.send(opcode::TEXT, b"more");
    }
    assert_eq!(next(&seen), b"more");
    end(&seen.read(|seen| seen.channel.clone()).unwrap(), &thread);
    peer.expect_close(code);
    peer.send(opcode::TEXT, b"crossing");
    peer.peer.send(&close_frame(code, ""));
    peer.expect_end();
    assert!(seen.wait(DEADLINE, |seen| seen.closed.is_some()));
    seen.read(|seen| {
        assert!(seen.closed.as_ref().unwrap().clean);
        assert_eq!(
            seen.messages.len(),
            1,
            "nothing is delivered after our Close"
        );
    });
    stop_clean(&thread);
}

/// A callback whose write finds the connection broken, and which pauses then, is the last of its
/// messages.
#[test]
fn pause_on_a_broken_connection() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let seen = Monitor::new((0, None));
    let (s, c) = (seen.clone(), seen.clone());
    let service = WebSocketService::new()
        .on_open(|channel, _| channel.send_text("unread").unwrap())
        .on_message(move |channel, _| {
            s.update(|(messages, _)| *messages += 1);
            // More than the queue keeps to the end of the turn.
            channel.send_binary(&[0; 1 << 20]).unwrap();
            channel.pause_reading();
        })
        .on_close(move |_, event| c.update(|(_, closed)| *closed = Some(event.clone())));
    let (_server, to) = serve(&thread, &net, service);
    let mut peer = WsPeer::open(&net, to, "/");
    peer.peer.stream.peek(&mut [0]).unwrap();
    // The loop comes to it when all has happened.
    let ((is_blocked, blocked), (go_on, wait)) = (mpsc::channel(), mpsc::channel::<()>());
    let block = move || {
        is_blocked.send(()).unwrap();
        wait.recv().unwrap();
    };
    thread.event_loop().run_in_loop(block).unwrap();
    blocked.recv_timeout(DEADLINE).unwrap();
    peer.peer
        .send(&frame(opcode::TEXT, true, b"message").repeat(3));
    drop(peer); // with something unread: a reset
    go_on.send(()).unwrap();
    assert!(seen.wait(DEADLINE, |(_, closed)| closed.is_some()));
    let (messages, closed) = seen.read(Clone::clone);
    assert_eq!(messages, 1, "{closed:?}");
    thread.stop();
    thread.join().unwrap();
}

fn close_scenario(transport: Transport) {
    end_while_paused(transport, 4002, |channel, _| {
        channel.close(4002, "").unwrap();
    });
}

fn stop_scenario(transport: Transport) {
    end_while_paused(transport, 1001, |_, thread| thread.stop());
}

/// What ALPN agreed on is the channel's to read; a server that names none serves everybody.
#[test]
fn channel_alpn() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let agreed = Monitor::new(Vec::new());
    for names in [&["http/1.1"][..], &[]] {
        let server = Recorded::on(&thread);
        let a = agreed.clone();
        let service = echo(&server.seen).on_open(move |channel, _| {
            a.update(|agreed| agreed.push(channel.alpn().map(<[u8]>::to_vec)));
        });
        server.server.route("/*", service);
        let (chain, key) = net.ca.server_pem(&["localhost"]);
        let identities = TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes());
        let tls = TlsServerConfig::builder(identities)
            .alpn(names)
            .build()
            .unwrap();
        let listen = Listen::tcp(([127, 0, 0, 1], 0)).with_tls(tls);
        let to = server.server.listen(listen).unwrap().inet().unwrap();
        let tls = TlsClientConfig::builder().root_pem(net.ca.ca_pem().as_bytes());
        let tls = tls.alpn(["http/1.1"]).build().unwrap();
        let client =
            WebSocketClient::with_options(thread.event_loop(), ClientOptions::new().tls(tls));
        let closed = Monitor::new(false);
        let c = closed.clone();
        client.on_open(|ws, _| ws.close(1000, "").unwrap());
        client.on_close(move |_, event| c.update(|closed| *closed = event.clean));
        client
            .open(&format!("wss://localhost:{}/", to.port()))
            .unwrap();
        assert!(closed.wait(DEADLINE, |closed| *closed));
    }
    let agreed = agreed.read(Clone::clone);
    assert_eq!(agreed, [Some(b"http/1.1".to_vec()), None]);
    stop_clean(&thread);
}

/// Cookies both ways; the request does not print them.
#[test]
fn cookies_both_ways() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let asked = Monitor::new(None);
    let a = asked.clone();
    let service = WebSocketService::new().on_upgrade(move |request| {
        let cookie = |name| request.cookie(name).map(str::to_owned);
        let read = (
            cookie("SID"),
            cookie("empty"),
            cookie("sid"),
            format!("{request:?}"),
        );
        a.update(|asked| *asked = Some(read));
        Ok(Accept::new()
            .header("Set-Cookie", "SID=new; HttpOnly")
            .and_then(|accept| accept.header("Set-Cookie", "a=b"))
            .unwrap())
    });
    let (_server, to) = serve(&thread, &net, service);
    let options = ClientOptions::new()
        .cookie("SID", "31=4")
        .cookie("empty", "");
    let client = WebSocketClient::with_options(thread.event_loop(), options.bearer_auth("tok3n"));
    let set = Monitor::new(Vec::new());
    let s = set.clone();
    client.on_open(move |_, event| {
        let cookies = event.response.set_cookies().map(str::to_owned);
        s.update(|set| set.extend(cookies));
    });
    client
        .open(&format!("ws://localhost:{}/", to.port()))
        .unwrap();
    assert!(set.wait(DEADLINE, |set| !set.is_empty()));
    assert_eq!(set.read(Clone::clone), ["SID=new; HttpOnly", "a=b"]);
    let (sid, empty, other, text) = asked.read(Clone::clone).unwrap();
    assert_eq!(
        (sid.as_deref(), empty.as_deref(), other),
        (Some("31=4"), Some(""), None)
    );
    assert!(!text.contains("31=4") && !text.contains("tok3n"), "{text}");
    stop_clean(&thread);
}

fn reset_scenario(transport: Transport) {
    for size in [100, 40_000, 70_000, 200_000, 1 << 20] {
        let (net, thread) = (Net::new(transport), started());
        let (reset, ended) = (Event::new(), Monitor::new(Vec::new()));
        let (sends, seen) = mpsc::channel();
        let (r, e) = (reset.clone(), ended.clone());
        let service = WebSocketService::new()
            .on_message(move |channel, _| {
                sends.send(None).unwrap();
                r.expect("the reset");
                let sent = channel.send_binary(&vec![1; size]);
                sends.send(Some(sent)).unwrap();
            })
            .on_close(move |_, event| e.update(|ended| ended.push((event.code, event.lost))));
        let (_server, to) = serve(&thread, &net, service);
        let mut peer = WsPeer::open(&net, to, "/");
        peer.peer.send(&frame(opcode::TEXT, true, b"go"));
        assert_eq!(seen.recv_timeout(DEADLINE), Ok(None));
        let socket = SockRef::from(&peer.peer.stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(peer);
        reset.set();
        assert_eq!(seen.recv_timeout(DEADLINE), Ok(Some(Ok(()))), "{size}");
        assert!(ended.wait(DEADLINE, |ended| !ended.is_empty()));
        // All of it, with its header.
        let lost = frame_len(size, false);
        assert_eq!(ended.read(Clone::clone), [(1006, lost)], "{size}");
        stop_clean(&thread);
    }
}
