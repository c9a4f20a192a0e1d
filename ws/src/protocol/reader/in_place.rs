//! Long messages that are read to their place, in buffers that held others before.

use super::*;
use crate::protocol::{OpCode, encode_frame};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cell::RefCell;

/// Buffers of any size, with what is of no meaning in them.
struct Dirty(RefCell<StdRng>);

impl Buffers for Dirty {
    fn take(&self, size: usize, _: usize) -> Vec<u8> {
        let mut rng = self.0.borrow_mut();
        let mut buffer = vec![0xA5; rng.random_range(0..=2 * size)];
        if rng.random() {
            buffer.truncate(rng.random_range(0..=size));
        }
        buffer
    }

    fn give(&self, _: Vec<u8>) {}
}

/// Messages with their payloads, and how they go over the wire.
fn stream(role: Role) -> (Vec<(OpCode, Vec<u8>)>, Vec<u8>) {
    let mut wire = Vec::new();
    let mut n = 0_u32;
    let mut frame = |opcode, fin, payload: &[u8]| {
        n += 1;
        let mask = (role == Role::Server).then(|| n.wrapping_mul(0x9E37_79B9).to_ne_bytes());
        encode_frame(&mut wire, opcode, fin, payload, mask);
    };
    let payload = |size: usize| (0..size).map(|n| (n * 7 / 5) as u8).collect::<Vec<_>>();
    let mut messages = Vec::new();
    for size in [0, 10, 70_000, 100_001, 1_200_003, 20] {
        frame(OpCode::Binary, true, &payload(size));
        messages.push((OpCode::Binary, payload(size)));
    }
    // In fragments, with a Ping between two of them.
    let whole = payload(400_000);
    frame(OpCode::Binary, false, &whole[..150_000]);
    frame(OpCode::Ping, true, b"between");
    frame(OpCode::Continuation, false, &whole[150_000..150_007]);
    frame(OpCode::Continuation, true, &whole[150_007..]);
    messages.extend([(OpCode::Ping, b"between".to_vec()), (OpCode::Binary, whole)]);
    let text = "€uro".repeat(30_000).into_bytes();
    frame(OpCode::Text, true, &text);
    messages.push((OpCode::Text, text));
    (messages, wire)
}

fn said(event: Event<'_>) -> (OpCode, Vec<u8>) {
    match event {
        Event::Text(text) => (OpCode::Text, text.as_bytes().to_vec()),
        Event::Binary(bytes) => (OpCode::Binary, bytes.to_vec()),
        Event::Ping(bytes) => (OpCode::Ping, bytes.to_vec()),
        Event::Pong(bytes) => (OpCode::Pong, bytes.to_vec()),
        Event::Close(_) => (OpCode::Close, Vec::new()),
    }
}

#[test]
fn it_comes_as_it_was_sent() {
    let mut to_place = 0;
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let role = [Role::Client, Role::Server][seed as usize % 2];
        let (messages, wire) = stream(role);
        let buffers = Dirty(RefCell::new(StdRng::seed_from_u64(seed)));
        let mut reader = Reader::new(role, Limits::default());
        let (mut rest, mut got) = (&wire[..], Vec::new());
        let most = [1_000, 60_000, 300_000, 2_000_000][seed as usize / 2 % 4];
        while !rest.is_empty() {
            let size = rng.random_range(1..=most).min(rest.len());
            let mut read = Vec::new();
            match reader.room(&buffers) {
                Some(room) => {
                    let size = size.min(room.len());
                    room[..size].copy_from_slice(&rest[..size]);
                    rest = &rest[size..];
                    reader.filled(size);
                    to_place += size;
                }
                None => {
                    read = rest[..size].to_vec();
                    rest = &rest[size..];
                }
            }
            let mut input = Input::new(&mut read);
            while let Found::Event(event) = reader.next_within(&mut input, &buffers).expect("valid")
            {
                got.push(said(event));
            }
            assert_eq!(input.remaining(), 0);
        }
        assert!(got == messages, "seed {seed}");
        assert_eq!(reader.memory(), 0);
    }
    assert!(
        to_place > 10_000_000,
        "{to_place} bytes were read to their place"
    );
}

/// What is announced is no reason to give it memory, nor what is passed over.
#[test]
fn room_is_for_what_comes() {
    let buffers = Dirty(RefCell::new(StdRng::seed_from_u64(1)));
    let mut reader = Reader::new(Role::Client, Limits::default());
    let mut frame = Vec::new();
    encode_frame(&mut frame, OpCode::Binary, true, &vec![1; 8_000_000], None);
    let feed = |reader: &mut Reader, bytes: &mut [u8]| {
        let mut input = Input::new(bytes);
        let found = reader.next_within(&mut input, &buffers);
        assert!(matches!(found, Ok(Found::Nothing)));
    };
    assert!(reader.room(&buffers).is_none(), "nothing is announced");
    feed(&mut reader, &mut frame[..20_000]);
    assert!(reader.room(&buffers).is_none(), "little has come");
    feed(&mut reader, &mut frame[20_000..100_000]);
    assert!(reader.room(&buffers).is_some());
    assert!(reader.memory() < 1_000_000, "{} bytes", reader.memory());
    reader.skip_messages();
    assert!(reader.room(&buffers).is_none(), "nobody wants it");
}
