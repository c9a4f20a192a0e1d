//! Messages that are sent in fragments, frame by frame.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use flate2::{Decompress, FlushDecompress};
use hvloop::{DeflateOptions, Message, SendError, WebSocketClient};
use hvloop_test_support::{Frame, Mode, Monitor, ScriptServer, opcode};
use std::collections::HashSet;

over_both! {
    /// Sizes, FIN, opcodes and masks, from the loop's thread and from another one.
    fragments_on_the_wire => frames;
    /// The compressed message is cut, with RSV1 on its first frame alone.
    fragments_of_a_compressed_message => compressed;
    /// A message that has no room is refused whole.
    fragments_are_queued_whole_or_not => whole_or_not;
    /// Large ones, from several threads: none comes between another's fragments.
    fragments_do_not_mix => threads;
}

/// A server that collects the frames of one session, up to the Close.
fn collecting(net: &Net, answer: &'static [&'static str]) -> (ScriptServer, Monitor<Vec<Frame>>) {
    let frames = Monitor::new(Vec::new());
    let f = frames.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade_with(answer)?;
        while let Some(frame) = conn.read_frame()? {
            if frame.opcode == opcode::CLOSE {
                conn.send_close(1000, "")?;
                return conn.finish();
            }
            f.update(|frames| frames.push(frame));
        }
        Ok(())
    });
    (server, frames)
}

/// The frames of each message.
fn messages(frames: &[Frame]) -> Vec<&[Frame]> {
    let all: Vec<_> = frames.split_inclusive(|frame| frame.fin).collect();
    for message in &all {
        let (first, more) = message.split_first().unwrap();
        assert!(first.opcode != opcode::CONTINUATION);
        assert!(
            more.iter()
                .all(|f| f.opcode == opcode::CONTINUATION && f.rsv == 0)
        );
        assert!(message.last().unwrap().fin);
    }
    all
}

fn payload(message: &[Frame]) -> Vec<u8> {
    message
        .iter()
        .flat_map(|frame| frame.payload.clone())
        .collect()
}

fn send_all(ws: &WebSocketClient) {
    let text = "é".repeat(5);
    ws.send_fragmented(Message::Text(&text), 3).unwrap();
    ws.send_fragmented(Message::Binary(&[7; 300]), 100).unwrap();
    ws.send_fragmented(Message::Binary(&[8; 300]), 299).unwrap();
    ws.send_fragmented(Message::Binary(&[9; 300]), 300).unwrap();
    ws.send_fragmented(Message::Text("whole"), 0).unwrap();
    ws.send_fragmented(Message::Text(""), 1).unwrap();
}

fn frames(transport: Transport) {
    let net = Net::new(transport);
    let (server, frames) = collecting(&net, &[]);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    let seen = client.seen.clone();
    client.client.on_open(move |ws, _| {
        send_all(ws);
        seen.update(|seen| seen.opened += 1);
    });
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    send_all(&client.client);
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
    let frames = frames.read(Clone::clone);
    let sent = messages(&frames);
    let shape = |message: &[Frame]| {
        let sizes: Vec<_> = message.iter().map(|frame| frame.payload.len()).collect();
        (message[0].opcode, sizes)
    };
    let once = [
        (opcode::TEXT, vec![3, 3, 3, 1]),
        (opcode::BINARY, vec![100, 100, 100]),
        (opcode::BINARY, vec![299, 1]),
        (opcode::BINARY, vec![300]),
        (opcode::TEXT, vec![5]),
        (opcode::TEXT, vec![0]),
    ];
    let shapes: Vec<_> = sent.iter().map(|message| shape(message)).collect();
    assert_eq!(shapes, [&once[..], &once].concat());
    assert_eq!(payload(sent[0]), "é".repeat(5).as_bytes());
    assert_eq!(payload(sent[1]), [7; 300]);
    let masks: HashSet<_> = frames.iter().map(|frame| frame.mask.unwrap()).collect();
    // Of 24 random ones two may be equal, once in 15 million times.
    assert!(masks.len() >= frames.len() - 1, "{masks:?}");
}

fn compressed(transport: Transport) {
    let net = Net::new(transport);
    let (server, frames) = collecting(&net, &["Sec-WebSocket-Extensions: permessage-deflate"]);
    let thread = patient();
    let deflate = DeflateOptions::new().threshold(100);
    let options = net.options().deflate(Some(deflate));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let mut state = 7u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(4_000)
    .collect();
    let long = [&noise[..], &noise].concat();
    for _ in 0..2 {
        let message = Message::Binary(&long);
        client.client.send_fragmented(message, 1000).unwrap();
    }
    client
        .client
        .send_fragmented(Message::Text("short"), 2)
        .unwrap();
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
    let frames = frames.read(Clone::clone);
    let sent = messages(&frames);
    assert_eq!(sent.len(), 3);
    let mut inflate = Decompress::new(false);
    for message in &sent[..2] {
        assert_eq!(message[0].rsv, 4, "RSV1 on the first frame");
        let (last, full) = message.split_last().unwrap();
        assert!(full.iter().all(|frame| frame.payload.len() == 1000));
        assert!((1..=1000).contains(&last.payload.len()));
        let mut input = payload(message);
        assert!(input.len() < long.len());
        input.extend([0, 0, 0xFF, 0xFF]);
        let mut back = Vec::with_capacity(2 * long.len());
        inflate
            .decompress_vec(&input, &mut back, FlushDecompress::Sync)
            .unwrap();
        assert!(back == long);
    }
    assert!(
        sent[0].len() > 1,
        "the first one is long, compressed or not"
    );
    assert_eq!((sent[2].len(), sent[2][0].rsv), (3, 0));
}

fn whole_or_not(transport: Transport) {
    let net = Net::new(transport);
    let (server, frames) = collecting(&net, &[]);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().send_limit(10_000));
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    // With its headers, of 6 bytes each, it is over the limit.
    let data = [1; 5_000];
    let refused = client.client.send_fragmented(Message::Binary(&data), 5);
    let Err(SendError::QueueFull { limit, size, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((limit, size), (10_000, 1000 * (2 + 4 + 5)));
    assert_eq!(client.client.buffered_amount(), 0);
    client
        .client
        .send_fragmented(Message::Binary(&data), 50)
        .unwrap();
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
    let frames = frames.read(Clone::clone);
    let sent = messages(&frames);
    assert_eq!((sent.len(), sent[0].len()), (1, 100));
    assert_eq!(payload(sent[0]), data);
    let late = client.client.send_fragmented(Message::Text("x"), 1);
    assert_eq!(late, Err(SendError::NotOpen));
}

fn threads(transport: Transport) {
    const EACH: usize = 50;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let senders: Vec<_> = (0..4u8)
        .map(|who| {
            let ws = client.client.clone();
            std::thread::spawn(move || {
                for n in 0..EACH {
                    let data = vec![who; 20_000 + n];
                    ws.send_fragmented(Message::Binary(&data), 999).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    client.wait("all echoes", |seen| seen.messages.len() == 4 * EACH);
    let mut next = [0; 4];
    client.seen.read(|seen| {
        for message in &seen.messages {
            let who = message[0];
            let n = &mut next[usize::from(who)];
            assert!(message.len() == 20_000 + *n && message.iter().all(|byte| *byte == who));
            *n += 1;
        }
    });
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
}
