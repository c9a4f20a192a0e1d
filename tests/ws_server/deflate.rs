//! permessage-deflate, with our own client, and with a peer that frames by hand.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, frame, request};
use crate::common::ws_server::Recorded;
use crate::common::ws_server::{client_options, scheme};
use crate::over_tcp_and_tls;
use hvloop::ws::protocol::{Limits, ProtocolError};
use hvloop::ws::{ConnectionError, DeflateParams};
use hvloop::{DeflateOptions, ServiceOptions, WebSocketClient, WebSocketServer};
use hvloop_test_support::{DEADLINE, Monitor, opcode};

fn server(thread: &hvloop::EventLoopThread, options: ServiceOptions) -> Recorded {
    Recorded::with(WebSocketServer::new(thread.event_loop()), options)
}

over_tcp_and_tls! {
    /// Every combination of the parameters: what both sides know is the same, and messages of many
    /// sorts come back as they were, shorter on the wire.
    deflate_parameters => parameters_scenario;
}

/// Texts, patterns and noise.
fn messages() -> Vec<Vec<u8>> {
    let mut noise = 7u32;
    let mut next = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    let mut all = vec![b"short".to_vec(), Vec::new(), vec![0; 1 << 20]];
    for size in [100, 5_000, 70_000] {
        all.push("the loop turns, ".repeat(size / 16).into_bytes());
        all.push((0..size).map(|_| next()).collect());
    }
    all.push("the loop turns, ".repeat(20).into_bytes());
    all
}

fn parameters_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    for (theirs, ours) in [(15, 15), (9, 15), (15, 9), (12, 10)] {
        for takeover in [true, false] {
            let deflate = DeflateOptions::new()
                .threshold(50)
                .server_no_context_takeover(!takeover)
                .client_no_context_takeover(!takeover)
                .release_timeout(Some(MS));
            let wanted = deflate.client_max_window_bits(ours).unwrap();
            let server = server(&thread, ServiceOptions::new().deflate(Some(wanted)));
            let to = server.listen(&net);
            let offered = deflate.server_max_window_bits(theirs).unwrap();
            let options = client_options(&net).deflate(Some(offered));
            let client = WebSocketClient::with_options(thread.event_loop(), options);
            let agreed = Monitor::new(None);
            let a = agreed.clone();
            client.on_open(move |_, event| a.update(|agreed| *agreed = event.response.deflate));
            let got = Monitor::new(Vec::new());
            let g = got.clone();
            client.on_message(move |_, data| g.update(|got| got.push(data.as_bytes().to_vec())));
            let url = format!("{}://localhost:{}/", scheme(&net), to.port());
            client.open(&url).unwrap();
            let params = |params: &Option<DeflateParams>| params.is_some();
            assert!(agreed.wait(DEADLINE, params), "it is agreed on");
            server.wait("open", |seen| seen.opened == 1);
            let mut channel = None;
            server
                .server
                .for_each_channel(|open| channel = Some(open.clone()));
            let channel = channel.unwrap();
            let params = agreed.read(Clone::clone).unwrap();
            assert_eq!(channel.deflate(), Some(params));
            assert_eq!(
                (params.server_max_window_bits, params.client_max_window_bits),
                (theirs, ours)
            );
            assert_eq!(params.server_no_context_takeover, !takeover);
            assert_eq!(params.client_no_context_takeover, !takeover);
            let before = thread.event_loop().metrics().bytes_in;
            let all = messages();
            for (n, message) in all.iter().enumerate() {
                client.send_binary(message).unwrap();
                if n % 3 == 0 {
                    // The memory is given back meanwhile.
                    assert!(got.wait(DEADLINE, |got| got.len() > n));
                    let ticks = || thread.event_loop().metrics().timers == 2;
                    assert!(hvloop_test_support::wait_for(DEADLINE.as_secs(), ticks));
                }
            }
            assert!(got.wait(DEADLINE, |got| got.len() == all.len()));
            assert!(got.read(|got| *got == all), "as they were");
            let wire = thread.event_loop().metrics().bytes_in - before;
            let plain: usize = all.iter().map(Vec::len).sum();
            assert!(wire < plain as u64, "{wire} bytes both ways for {plain}");
            // A broadcast, and what comes after it.
            let text = "to all, ".repeat(1000);
            assert_eq!(server.server.broadcast_text(&text), 1);
            channel.send_text(&text).unwrap();
            assert!(got.wait(DEADLINE, |got| got.len() == all.len() + 2));
            got.read(|got| assert!(got[all.len()..].iter().all(|got| got == text.as_bytes())));
            client.close(1000, "").unwrap();
            server.wait("closed", |seen| seen.closed.len() == 1);
            assert!(server.seen.read(|seen| seen.closed[0].clean));
        }
    }
    stop_clean(&thread);
}

/// Not offered: not used, and RSV1 is an error. Offered to a server that does not want it: the same.
#[test]
fn deflate_is_used_only_if_agreed() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let with = server(
        &thread,
        ServiceOptions::new().deflate(Some(DeflateOptions::new())),
    );
    let without = server(&thread, ServiceOptions::new());
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    for (server, offer, agreed) in [
        (&with, "", false),
        (&with, offer, true),
        (&without, offer, false),
    ] {
        let to = server.listen(&net);
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(request("/", offer).as_bytes());
        let head = peer.head();
        let answer = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
        assert_eq!(head.contains(answer), agreed, "{head}");
        assert_eq!(head.contains("Extensions"), agreed, "{head}");
        // "Hello" of RFC 7692 section 7.2.3.1, in two fragments with a Ping between.
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let mut first = frame(opcode::TEXT, false, &hello[..3]);
        first[0] |= 0x40;
        peer.peer.send(&first);
        if !agreed {
            peer.expect_close(1002);
            continue;
        }
        peer.send(opcode::PING, b"between");
        peer.peer
            .send(&frame(opcode::CONTINUATION, true, &hello[3..]));
        assert_eq!(peer.frame().opcode, opcode::PONG);
        assert_eq!(peer.frame().payload, b"Hello");
        // RSV1 is for the first frame alone.
        peer.peer.send(&frame(opcode::TEXT, false, b"a"));
        let mut second = frame(opcode::CONTINUATION, true, b"b");
        second[0] |= 0x40;
        peer.peer.send(&second);
        peer.expect_close(1002);
    }
    thread.stop();
    thread.join().unwrap();
}

over_tcp_and_tls! {
    /// What grows over the limit is refused as it grows, and what is no DEFLATE as it comes; others are
    /// not hurt.
    deflate_bomb => bomb_scenario;
}

fn bomb_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let limits = Limits::new().max_message(1 << 20);
    let options = ServiceOptions::new()
        .limits(limits)
        .deflate(Some(DeflateOptions::new()));
    let server = server(&thread, options);
    let to = server.listen(&net);
    let mut witness = WsPeer::open(&net, to, "/");
    // 64 MiB of zeros, in some 64 KiB: made by our own client's compressor, seen through its peer.
    let bomb = bomb(64 << 20);
    assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let bad = [
        (opcode::BINARY, bomb.clone(), 1009),
        (opcode::TEXT, bomb, 1009),
        (opcode::BINARY, vec![0xff; 100], 1007),
    ];
    for (before, (kind, payload, code)) in bad.into_iter().enumerate() {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(request("/", offer).as_bytes());
        peer.head();
        peer.peer.send(&compressed(kind, &payload, None));
        peer.expect_close(code);
        let _ = peer.peer.rest();
        server.wait("closed", |seen| seen.closed.len() > before);
        let error = server.seen.read(|seen| seen.closed[before].error.clone());
        match error {
            Some(ConnectionError::Protocol(ProtocolError::MessageTooBig { limit, size })) => {
                assert!(code == 1009 && limit == 1 << 20 && size < 2 << 20, "{size}");
            }
            Some(ConnectionError::Protocol(ProtocolError::InvalidDeflate)) => {
                assert_eq!(code, 1007);
            }
            other => panic!("{other:?}"),
        }
    }
    witness.send(opcode::TEXT, b"unhurt");
    assert_eq!(witness.frame().payload, b"unhurt");
    witness.close();
    thread.stop();
    thread.join().unwrap();
}

over_tcp_and_tls! {
    /// Final blocks, with and without the byte behind, and messages that refer to what was before them.
    final_blocks_server => final_blocks_scenario;
    /// What is no whole message is refused at once, and not delivered.
    cut_short_server => cut_short_scenario;
}

/// "Hello" in a final block, and one byte behind (RFC 7692 section 7.2.3.4).
const FINAL: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
/// "Hello" (section 7.2.3.1).
const SIMPLE: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// The frames of a compressed message.
pub fn compressed(opcode: u8, payload: &[u8], cut: Option<usize>) -> Vec<u8> {
    let (first, rest) = payload.split_at(cut.unwrap_or(payload.len()));
    let mut frames = frame(opcode, cut.is_none(), first);
    frames[0] |= 0x40;
    if cut.is_some() {
        frames.extend(frame(opcode::CONTINUATION, true, rest));
    }
    frames
}

fn final_blocks_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = server(
        &thread,
        ServiceOptions::new().deflate(Some(DeflateOptions::new())),
    );
    let to = server.listen(&net);
    let mut peer = WsPeer::open_with(&net, to, "permessage-deflate");
    // It refers to the one before (section 7.2.3.2).
    let again: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
    for payload in [FINAL, &FINAL[..7], again, &[0x03, 0x00], again, SIMPLE] {
        for cut in [None, Some(0), Some(1), Some(payload.len())] {
            peer.peer.send(&compressed(opcode::TEXT, payload, cut));
            let expected: &[u8] = if payload.len() == 2 { b"" } else { b"Hello" };
            assert_eq!(peer.frame().payload, expected, "{payload:x?} {cut:?}");
        }
    }
    peer.close();
    stop_clean(&thread);
}

fn cut_short_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = server(
        &thread,
        ServiceOptions::new().deflate(Some(DeflateOptions::new())),
    );
    let to = server.listen(&net);
    let cases: [(&[u8], Option<usize>); 9] = [
        (&[], None),
        (&[], Some(0)),
        (&SIMPLE[..1], None),
        (&SIMPLE[..4], Some(2)),
        (&SIMPLE[..6], None),
        (&FINAL[..5], Some(5)),
        (&FINAL[..6], None),
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x04], None),
        (&[0x00, 0x05, 0x00, 0xfa, 0xff, b'H', b'e'], Some(6)),
    ];
    for (before, (payload, cut)) in cases.into_iter().enumerate() {
        let mut peer = WsPeer::open_with(&net, to, "permessage-deflate");
        peer.peer.send(&compressed(opcode::TEXT, SIMPLE, None));
        assert_eq!(peer.frame().payload, b"Hello");
        // What is behind it is not looked at.
        let mut stream = compressed(opcode::TEXT, payload, cut);
        stream.extend(frame(opcode::TEXT, true, b"behind"));
        peer.peer.send(&stream);
        peer.expect_close(1007);
        let _ = peer.peer.rest();
        server.wait("closed", |seen| seen.closed.len() > before);
        let error = server.seen.read(|seen| seen.closed[before].error.clone());
        assert!(
            matches!(
                error,
                Some(ConnectionError::Protocol(ProtocolError::InvalidDeflate))
            ),
            "{payload:x?}: {error:?}"
        );
    }
    let messages = server.seen.read(|seen| seen.messages.len());
    assert_eq!(messages, cases.len());
    thread.stop();
    thread.join().unwrap();
}

/// What the compressor refers to is within the window that was agreed on, to the bit, and no smaller
/// without need: noise that comes twice gets shorter if the first is within it, and else not.
#[test]
fn the_servers_window() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let deflate = DeflateOptions::new().threshold(1).always(true);
    let server = server(&thread, ServiceOptions::new().deflate(Some(deflate)));
    let to = server.listen(&net);
    for bits in 9..=14 {
        let window = 1 << bits;
        for (distance, shorter) in [(window - 300, true), (window + 10, false)] {
            let extension = format!("permessage-deflate; server_max_window_bits={bits}");
            let mut peer = WsPeer::open_with(&net, to, &extension);
            let message = noise(distance).repeat(2);
            peer.send(opcode::BINARY, &message);
            let echo = peer.any_frame().unwrap();
            assert_eq!(echo.rsv, 0x4, "compressed");
            let size = echo.payload.len();
            assert_eq!(size < message.len() * 3 / 4, shorter, "{bits} {distance}");
        }
    }
    thread.stop();
    thread.join().unwrap();
}

/// A broadcast is compressed for every window, none referring to more than its own has; what follows it
/// on each connection is understood, too.
#[test]
fn broadcasts_fit_every_window() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let deflate = DeflateOptions::new().threshold(1).always(true);
    let server = server(&thread, ServiceOptions::new().deflate(Some(deflate)));
    let to = server.listen(&net);
    let mut peers: Vec<_> = (9..=15)
        .map(|bits| {
            // So that each message can be inflated by itself.
            let mut extension = "permessage-deflate; server_no_context_takeover".to_owned();
            if bits < 15 {
                extension.push_str(&format!("; server_max_window_bits={bits}"));
            }
            (bits, WsPeer::open_with(&net, to, &extension))
        })
        .collect();
    let mut plain = WsPeer::open(&net, to, "/");
    server.wait("all open", |seen| seen.opened == 8);
    // Twice the same noise: the second half refers to the first where the window reaches so far.
    for distance in [700, 3_000, 20_000] {
        let message = noise(distance).repeat(2);
        assert_eq!(server.server.broadcast_binary(&message), 8);
        let frame = plain.frame();
        assert_eq!((frame.rsv, frame.payload == message), (0, true));
        for (bits, peer) in &mut peers {
            let frame = peer.any_frame().unwrap();
            let reaches = distance + 262 < 1 << *bits;
            assert_eq!(frame.rsv != 0, reaches, "{bits} {distance}");
            if reaches {
                assert!(
                    frame.payload.len() < message.len() * 3 / 4,
                    "{bits} {distance}"
                );
            }
            assert!(inflated(&frame, *bits) == message, "{bits} {distance}");
            // And one of its own.
            peer.send(opcode::BINARY, b"own own own own own own own own");
            let echo = peer.any_frame().unwrap();
            let own = inflated(&echo, *bits);
            assert!(
                own == b"own own own own own own own own",
                "{bits} {distance}"
            );
        }
    }
    // What fits the smallest window is the same for all.
    let text = "to all, ".repeat(200);
    assert_eq!(server.server.broadcast_text(&text), 8);
    assert_eq!(plain.frame().payload, text.as_bytes());
    for (bits, peer) in &mut peers {
        let frame = peer.any_frame().unwrap();
        assert!(frame.rsv == 0x4 && frame.payload.len() < 100, "{bits}");
        assert!(inflated(&frame, *bits) == text.as_bytes(), "{bits}");
    }
    thread.stop();
    thread.join().unwrap();
}

/// A message that refers to none before it, by an inflater with that window and no more.
fn inflated(frame: &hvloop_test_support::Frame, bits: u8) -> Vec<u8> {
    if frame.rsv == 0 {
        return frame.payload.clone();
    }
    let mut inflate = flate2::Decompress::new_with_window_bits(false, bits);
    let bytes = [&frame.payload[..], &[0, 0, 0xff, 0xff]].concat();
    let mut out = Vec::new();
    while (inflate.total_in() as usize) < bytes.len() {
        // In small pieces, so that the window is what it can refer to.
        let mut piece = Vec::with_capacity(100);
        let rest = &bytes[inflate.total_in() as usize..];
        let done = inflate.decompress_vec(rest, &mut piece, flate2::FlushDecompress::Sync);
        done.unwrap();
        out.extend_from_slice(&piece);
    }
    loop {
        let mut piece = Vec::with_capacity(100);
        let done = inflate.decompress_vec(&[], &mut piece, flate2::FlushDecompress::Sync);
        if done.is_err() || piece.is_empty() {
            return out;
        }
        out.extend_from_slice(&piece);
    }
}

/// What gets no shorter.
fn noise(size: usize) -> Vec<u8> {
    let mut noise = 11u32;
    let mut next = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// So many zeros, compressed by flate2 as by any peer.
fn bomb(size: usize) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(size / 500);
    let zeros = vec![0; size];
    let done = compress.compress_vec(&zeros, &mut out, flate2::FlushCompress::Sync);
    done.unwrap();
    assert_eq!(compress.total_in(), size as u64);
    out.truncate(out.len() - 4);
    out
}
