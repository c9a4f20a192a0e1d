//! Compressed messages of a server that writes them as no compressor of ours does.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::protocol::{Limits, ProtocolError};
use hvloop::ws::{ConnectionError, DeflateOptions};
use hvloop_test_support::{Monitor, ScriptServer, encode_frame, opcode};
use std::io;

over_both! {
    /// Final blocks, with and without the byte behind, and messages that refer to what was before them.
    final_blocks => final_blocks_scenario;
    /// What is no whole message is refused at once, and not delivered.
    cut_short => cut_short_scenario;
    /// What grows over the limit is refused as it grows, text as binary.
    bomb_for_a_client => bomb_scenario;
}

/// "Hello" in a final block, and one byte behind (RFC 7692 section 7.2.3.4).
const FINAL: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
/// "Hello" that refers to the one before (section 7.2.3.2).
const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
/// "Hello" (section 7.2.3.1).
const SIMPLE: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// The frames of a compressed message.
fn compressed(opcode: u8, payload: &[u8], cut: Option<usize>) -> Vec<u8> {
    let (first, rest) = payload.split_at(cut.unwrap_or(payload.len()));
    let mut frames = encode_frame(opcode, cut.is_none(), first);
    frames[0] |= 0x40;
    if cut.is_some() {
        frames.extend(encode_frame(opcode::CONTINUATION, true, rest));
    }
    frames
}

fn server(
    net: &Net,
    script: impl Fn(&mut hvloop_test_support::ScriptConn) -> io::Result<()> + Send + Sync + 'static,
) -> ScriptServer {
    ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade_with(&["Sec-WebSocket-Extensions: permessage-deflate"])?;
        script(conn)
    })
}

fn client(net: &Net, thread: &hvloop::EventLoopThread) -> Recorded {
    let limits = Limits::new().max_message(1 << 20);
    let deflate = Some(DeflateOptions::new());
    let options = net.options().deflate(deflate).limits(limits);
    Recorded::new(thread.event_loop(), options)
}

fn final_blocks_scenario(transport: Transport) {
    let net = Net::new(transport);
    let server = server(&net, |conn| {
        for payload in [FINAL, &FINAL[..7], AGAIN, &[0x03, 0x00], AGAIN, SIMPLE] {
            conn.send(&compressed(opcode::TEXT, payload, None))?;
            conn.send(&compressed(opcode::TEXT, payload, Some(1)))?;
        }
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = client(&net, &thread);
    client.client.open(&server.url()).unwrap();
    let close = client.only_close();
    assert!(close.clean, "{close:?}");
    let (hello, none) = (&b"Hello"[..], &b""[..]);
    let mut expected = vec![hello; 6];
    expected.extend([none; 2]);
    expected.extend([hello; 4]);
    client.seen.read(|seen| assert_eq!(seen.messages, expected));
}

fn cut_short_scenario(transport: Transport) {
    let net = Net::new(transport);
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
    let next = Monitor::new(0);
    let n = next.clone();
    let server = server(&net, move |conn| {
        let (payload, cut) = cases[n.update(|n| std::mem::replace(n, *n + 1))];
        conn.send(&compressed(opcode::BINARY, SIMPLE, None))?;
        // What is behind it is not looked at.
        let mut stream = compressed(opcode::BINARY, payload, cut);
        stream.extend(encode_frame(opcode::BINARY, true, b"behind"));
        conn.send(&stream)?;
        assert_eq!(conn.read_close()?.close_code(), Some(1007));
        conn.finish()
    });
    let thread = patient();
    for case in 0..cases.len() {
        let client = client(&net, &thread);
        client.client.open(&server.url()).unwrap();
        let close = client.only_close();
        assert!(
            matches!(
                close.error,
                Some(ConnectionError::Protocol(ProtocolError::InvalidDeflate))
            ),
            "{case}: {close:?}"
        );
        client
            .seen
            .read(|seen| assert_eq!(seen.messages, [b"Hello"], "{case}"));
    }
}

fn bomb_scenario(transport: Transport) {
    let net = Net::new(transport);
    for kind in [opcode::TEXT, opcode::BINARY] {
        let server = server(&net, move |conn| {
            let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
            let mut bomb = Vec::with_capacity(1 << 20);
            let zeros = vec![0; 64 << 20];
            let flush = flate2::FlushCompress::Sync;
            compress.compress_vec(&zeros, &mut bomb, flush).unwrap();
            bomb.truncate(bomb.len() - 4);
            conn.send(&compressed(kind, &bomb, Some(bomb.len() / 2)))?;
            assert_eq!(conn.read_close()?.close_code(), Some(1009));
            conn.finish()
        });
        let thread = patient();
        let client = client(&net, &thread);
        client.client.open(&server.url()).unwrap();
        match client.only_close().error {
            Some(ConnectionError::Protocol(ProtocolError::MessageTooBig { limit, size })) => {
                assert!(limit == 1 << 20 && size < 2 << 20, "{size}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What the compressor refers to is within the window that was agreed on, to the bit, and no smaller
/// without need: noise that comes twice gets shorter if the first is within it, and else not.
#[test]
fn the_clients_window() {
    let net = Net::new(Transport::Ws);
    let thread = patient();
    for bits in 9..=14 {
        let answer: &'static str =
            format!("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits={bits}")
                .leak();
        let sizes = Monitor::new(Vec::new());
        let s = sizes.clone();
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.accept_upgrade_with(&[answer])?;
            let frame = conn.read_frame()?.expect("a message");
            assert_eq!(frame.rsv, 0x4, "compressed");
            s.update(|sizes| sizes.push(frame.payload.len()));
            conn.read_close()?;
            conn.send_close(1000, "")?;
            conn.finish()
        });
        let window = 1 << bits;
        for (distance, shorter) in [(window - 300, true), (window + 10, false)] {
            let deflate = DeflateOptions::new().threshold(1).always(true);
            let options = net.options().deflate(Some(deflate));
            let client = Recorded::new(thread.event_loop(), options);
            let message = noise(distance).repeat(2);
            let size = message.len();
            client.client.on_open(move |ws, _| {
                ws.send_binary(&message).unwrap();
                ws.close(1000, "").unwrap();
            });
            client.client.open(&server.url()).unwrap();
            assert!(client.only_close().clean);
            let sent = sizes.update(|sizes| sizes.pop().unwrap());
            assert_eq!(sent < size * 3 / 4, shorter, "{bits} {distance}");
        }
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
