//! Messages, with our own client and with a peer that sends frames by hand.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, frame};
use crate::common::ws_server::{Recorded, client_options, scheme};
use crate::over_tcp_and_tls;
use hvloop::{Message, PingError, WebSocketClient};
use hvloop_test_support::{DEADLINE, Event, Monitor, opcode};

over_tcp_and_tls! {
    /// Text and binary of many sizes there and back, on one loop, as they were.
    echo_of_every_size => echo_scenario;
    /// Fragments with Pings between them, and Pongs for the Pings.
    ping_between_fragments_server => fragments_scenario;
}

fn echo_scenario(transport: Transport) {
    const SIZES: [usize; 10] = [
        0,
        1,
        125,
        126,
        127,
        65_535,
        65_536,
        100_000,
        1 << 20,
        5 << 20,
    ];
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let client = WebSocketClient::with_options(thread.event_loop(), client_options(&net));
    client.on_open(|ws, event| {
        assert_eq!(event.response.status, 101);
        for size in SIZES {
            ws.send_binary(&vec![size as u8; size]).unwrap();
            ws.send_text(&"é".repeat(size / 2)).unwrap();
        }
    });
    let got = Monitor::new(Vec::new());
    let g = got.clone();
    client.on_message(move |_, message| {
        g.update(|got| match message {
            Message::Text(text) => got.push((true, text.len(), text.chars().all(|c| c == 'é'))),
            Message::Binary(data) => {
                got.push((
                    false,
                    data.len(),
                    data.iter().all(|b| *b == data.len() as u8),
                ));
            }
        });
    });
    let closed = Event::new();
    let c = closed.clone();
    client.on_close(move |_, event| {
        assert!(event.clean && event.code == 1000, "{event}");
        c.set();
    });
    client
        .open(&format!("{}://localhost:{}/", scheme(&net), to.port()))
        .unwrap();
    assert!(got.wait(DEADLINE, |got| got.len() == 2 * SIZES.len()));
    let expected: Vec<_> = SIZES
        .iter()
        .flat_map(|size| [(false, *size, true), (true, size / 2 * 2, true)])
        .collect();
    assert_eq!(got.read(Clone::clone), expected);
    client.close(1000, "done").unwrap();
    closed.expect("closed");
    server.wait("closed", |seen| seen.closed.len() == 1);
    let event = server.seen.read(|seen| seen.closed[0].clone());
    assert_eq!(
        (event.code, event.reason.as_str(), event.clean),
        (1000, "done", true)
    );
    stop_clean(&thread);
    let here = server.seen.read(|seen| seen.threads.clone());
    assert!(
        here.iter()
            .all(|id| *id == here[0] && *id != std::thread::current().id())
    );
}

fn fragments_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let mut peer = WsPeer::open(&net, to, "/");
    peer.peer.send(&frame(opcode::TEXT, false, b"Hel"));
    peer.send(opcode::PING, b"P1");
    peer.peer.send(&frame(opcode::CONTINUATION, false, b"lo, "));
    peer.send(opcode::PING, b"");
    peer.send(opcode::PONG, b"unasked");
    peer.peer.send(&frame(opcode::CONTINUATION, true, b"world"));
    for expected in [&b"P1"[..], b""] {
        let pong = peer.frame();
        assert_eq!((pong.opcode, &pong.payload[..]), (opcode::PONG, expected));
    }
    let whole = peer.frame();
    assert_eq!((whole.opcode, whole.fin), (opcode::TEXT, true));
    assert_eq!(whole.payload, b"Hello, world");
    peer.close();
    stop_clean(&thread);
}

/// Channels are used from other threads: sends keep their order, contexts and ids are the channel's,
/// and a channel that has ended says so.
#[test]
fn channels_on_any_thread() {
    const EACH: u32 = 500;
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let mut peer = WsPeer::open(&net, to, "/");
    server.wait("open", |seen| seen.opened == 1);
    let mut channels = Vec::new();
    server
        .server
        .for_each_channel(|channel| channels.push(channel.clone()));
    let [channel] = &channels[..] else {
        panic!("{channels:?}");
    };
    assert_eq!(
        server.server.channel_by_id(channel.id()).as_ref(),
        Some(channel)
    );
    assert_eq!(
        channel.peer_addr(),
        Some(peer.peer.stream.local_addr().unwrap())
    );
    channel.set_context(String::from("mine"));
    assert_eq!(
        channel.context::<String>().as_deref().map(String::as_str),
        Some("mine")
    );
    assert!(channel.context::<u8>().is_none());
    let senders: Vec<_> = (0..4u8)
        .map(|who| {
            let channel = channel.clone();
            std::thread::spawn(move || {
                for n in 0..EACH {
                    channel
                        .send_binary(&[&[who][..], &n.to_be_bytes()].concat())
                        .unwrap();
                }
            })
        })
        .collect();
    let mut next = [0u32; 4];
    for _ in 0..4 * EACH {
        let message = peer.frame().payload;
        let n = u32::from_be_bytes(message[1..].try_into().unwrap());
        let expected = &mut next[usize::from(message[0])];
        assert_eq!(n, *expected);
        *expected += 1;
    }
    for sender in senders {
        sender.join().unwrap();
    }
    channel.ping(b"are you there").unwrap();
    let long = Err(PingError::TooLong { size: 126 });
    assert_eq!(channel.ping(&[0; 126]), long);
    let ping = peer.frame();
    assert_eq!(
        (ping.opcode, &ping.payload[..]),
        (opcode::PING, &b"are you there"[..])
    );
    peer.close();
    server.wait("closed", |seen| seen.closed.len() == 1);
    assert!(channel.send_text("too late").is_err());
    assert!(server.server.channel_by_id(channel.id()).is_none());
    channel.close(1000, "").unwrap();
    assert!(channel.close(1004, "").is_err());
    stop_clean(&thread);
    assert!(channel.send_text("too late").is_err());
}
