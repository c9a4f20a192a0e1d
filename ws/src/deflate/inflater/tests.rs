use super::super::{DeflateOptions, Deflater};
use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn inflate(inflater: &mut Inflater, compressed: &[u8], pieces: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in compressed.chunks(compressed.len().div_ceil(pieces).max(1)) {
        give(inflater, piece, &mut out).expect("valid");
    }
    inflater.finish().expect("valid");
    out
}

/// All of a piece.
fn give(
    inflater: &mut Inflater,
    mut piece: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), InvalidDeflate> {
    while !piece.is_empty() || inflater.has_more() {
        let mut room = [0; 1000];
        let step = inflater.step(piece, &mut room)?;
        out.extend_from_slice(&room[..step.given]);
        piece = &piece[step.taken..];
    }
    Ok(())
}

/// A text that repeats itself, now and then.
fn text(rng: &mut StdRng, length: usize) -> Vec<u8> {
    let words = ["loop", "event", "socket", "\u{e9}t\u{e9} ", "7", "close"];
    let mut text = Vec::new();
    while text.len() < length {
        text.extend_from_slice(words[rng.random_range(0..words.len())].as_bytes());
        if rng.random_bool(0.1) {
            text.push(rng.random());
        }
    }
    text.truncate(length);
    text
}

#[test]
fn what_is_deflated_is_inflated() {
    let rng = &mut StdRng::seed_from_u64(7);
    for bits in 9..=15 {
        for takeover in [false, true] {
            for level in [0, 1, 6, 9] {
                let options = DeflateOptions::new().level(level);
                let mut deflater = Deflater::new(&options, bits, takeover).expect("a window");
                let mut inflater = Inflater::new(bits, takeover);
                let mut sizes = [0; 2];
                for _ in 0..8 {
                    let length = rng.random_range(0..20_000);
                    let message = text(rng, length);
                    let mut compressed = b"before".to_vec();
                    if !deflater.deflate(&message, &mut compressed) {
                        assert_eq!(compressed, b"before");
                        continue;
                    }
                    assert!(compressed.len() < 6 + message.len());
                    let pieces = rng.random_range(1..20);
                    let back = inflate(&mut inflater, &compressed[6..], pieces);
                    assert!(back == message, "{bits} {takeover} {level} {length}");
                    sizes[0] += message.len();
                    sizes[1] += compressed.len();
                    if rng.random_bool(0.1) {
                        deflater.forget();
                    }
                }
                assert!(level == 0 || sizes[1] * 2 < sizes[0], "{sizes:?}");
                assert!(takeover || !deflater.is_loaded());
            }
        }
    }
}

#[test]
fn what_does_not_shrink_is_sent_as_it_is() {
    let rng = &mut StdRng::seed_from_u64(8);
    let mut deflater = Deflater::new(&DeflateOptions::new(), 15, true).expect("a window");
    let mut inflater = Inflater::new(15, true);
    let known = text(rng, 2000);
    for round in 0..10 {
        let mut compressed = Vec::new();
        assert!(deflater.deflate(&known, &mut compressed));
        assert!(inflate(&mut inflater, &compressed, 1) == known, "{round}");
        let mut noise = vec![0; 5000];
        rng.fill(&mut noise[..]);
        compressed.clear();
        assert!(!deflater.deflate(&noise, &mut compressed));
        assert!(compressed.is_empty());
    }
    assert!(Deflater::new(&DeflateOptions::new(), 8, true).is_none());
    // Unless it is wanted in any case.
    let mut always =
        Deflater::new(&DeflateOptions::new().always(true), 15, true).expect("a window");
    for size in [0, 0, 1, 20, 0, 70_000] {
        let mut noise = vec![0; size];
        rng.fill(&mut noise[..]);
        let mut compressed = Vec::new();
        assert!(always.deflate(&noise, &mut compressed));
        assert!(inflate(&mut inflater, &compressed, 3) == noise, "{size}");
    }
}

/// The examples of RFC 7692 section 7.2.3.
#[test]
fn the_examples_of_the_rfc() {
    let hello = b"Hello";
    let mut inflater = Inflater::new(15, true);
    let simple = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(inflate(&mut inflater, &simple, 1), hello);
    // Sharing the window: the second one refers to the first.
    assert_eq!(
        inflate(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00], 2),
        hello
    );
    let stored = [
        0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
    ];
    assert_eq!(inflate(&mut inflater, &stored, 3), hello);
    let with_final = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(inflate(&mut inflater, &with_final, 1), hello);
    assert_eq!(inflate(&mut inflater, &simple, 7), hello);
    let two_blocks = [
        0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
    ];
    assert_eq!(inflate(&mut inflater, &two_blocks, 4), hello);
}

#[test]
fn nonsense_and_bombs() {
    let mut inflater = Inflater::new(9, false);
    let nonsense = give(&mut inflater, &[0xff; 10], &mut Vec::new());
    assert_eq!(nonsense, Err(InvalidDeflate));
    // A bomb comes in portions, and what it costs is known.
    let mut far = Deflater::new(&DeflateOptions::new(), 15, true).expect("a window");
    let mut bomb = Vec::new();
    assert!(far.deflate(&vec![0; 8 << 20], &mut bomb));
    let (mut got, mut cost, mut inflater) = (0, 0, Inflater::new(15, true));
    let (mut piece, room) = (&bomb[..], &mut [0; 5000]);
    while !piece.is_empty() || inflater.has_more() {
        let step = inflater.step(piece, room).expect("valid");
        assert!(step.cost >= step.given);
        (got, cost) = (got + step.given, cost + step.cost);
        piece = &piece[step.taken..];
    }
    assert_eq!(got, 8 << 20);
    assert!(cost < got + (1 << 16), "{cost}");
    inflater.finish().expect("whole");
    // So does what says nothing: streams that begin anew all the time.
    let (mut cost, mut piece) = (0, &[0x03, 0x00].repeat(1000)[..]);
    while !piece.is_empty() || inflater.has_more() {
        let step = inflater.step(piece, room).expect("valid");
        cost += step.cost;
        piece = &piece[step.taken..];
    }
    assert!(cost >= 1000 * (1 << 15), "{cost}");
    inflater.finish().expect("whole");
}

/// The window is as large as agreed, to the byte, also behind a final block.
#[test]
fn history_is_the_window() {
    let rng = &mut StdRng::seed_from_u64(9);
    for bits in 9..=15 {
        for size in [0, 1, (1 << bits) - 1, 1 << bits, (1 << bits) + 1, 3 << bits] {
            let said: Vec<u8> = (0..size).map(|_| rng.random()).collect();
            let mut history = History::new(bits);
            let mut rest = &said[..];
            while !rest.is_empty() {
                let count = rng.random_range(1..=rest.len());
                history.push(&rest[..count]);
                rest = &rest[count..];
            }
            let kept = history.parts().concat();
            assert!(said.ends_with(&kept), "{bits} {size}");
            assert_eq!(kept.len(), size.min(1 << bits), "{bits} {size}");
        }
    }
}
