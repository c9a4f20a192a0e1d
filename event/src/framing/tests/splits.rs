//! However a stream is split, and wherever it is stopped: the same packages.

use super::*;

/// The stream in random pieces, some of them empty.
fn pieces<'a>(stream: &'a [u8], random: &mut Random, longest: usize) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (piece, next) = rest.split_at(random.below(longest + 1).min(rest.len()));
        pieces.push(piece);
        rest = next;
    }
    pieces
}

#[test]
fn every_split_in_two_and_in_three() {
    for (spec, stream) in samples() {
        let whole = spec.cut(&stream);
        assert!(
            whole.error.is_none() && whole.packages.len() > 1,
            "{spec:?}"
        );
        assert_eq!(feed_all(&spec, &[&stream]), whole, "{spec:?}");
        for first in 0..=stream.len() {
            let (a, b) = stream.split_at(first);
            assert_eq!(feed_all(&spec, &[a, b]), whole, "{spec:?} at {first}");
            for second in 0..=b.len().min(40) {
                let (b, c) = b.split_at(second);
                assert_eq!(
                    feed_all(&spec, &[a, b, c]),
                    whole,
                    "{spec:?} {first}+{second}"
                );
            }
        }
    }
}

#[test]
fn byte_by_byte() {
    for (spec, stream) in samples() {
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(feed_all(&spec, &bytes), spec.cut(&stream), "{spec:?}");
    }
}

#[test]
fn a_stop_at_every_package_and_every_split() {
    for (spec, stream) in samples() {
        let whole = spec.cut(&stream);
        for stop in 0..whole.packages.len() {
            for at in 0..=stream.len() {
                let (a, b) = stream.split_at(at);
                for at_once in [true, false] {
                    let outcome = feed(&spec, &[a, b], |n| n == stop, || at_once);
                    assert_eq!(outcome, whole, "{spec:?} stop {stop} split {at} {at_once}");
                }
            }
        }
        for size in 1..=stream.len() {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            for at_once in [true, false] {
                let outcome = feed(&spec, &chunks, |_| true, || at_once);
                assert_eq!(
                    outcome, whole,
                    "{spec:?} all stops, pieces of {size} {at_once}"
                );
            }
        }
    }
}

#[test]
fn a_stop_is_at_once_and_keeps_the_rest() {
    let mut unpacker = Unpacker::new(Unpack::fixed(2).build().unwrap());
    let mut calls = 0;
    let mut stop = |_: &mut [u8]| {
        calls += 1;
        ControlFlow::Break(())
    };
    unpacker.push(&mut b"aabbc".to_vec(), &mut stop).unwrap();
    assert_eq!(unpacker.held(), 3);
    unpacker.push(&mut b"cdd".to_vec(), &mut stop).unwrap();
    assert_eq!(unpacker.held(), 4, "what was held comes first, and alone");
    unpacker.push(&mut [], &mut stop).unwrap();
    unpacker.push(&mut [], &mut stop).unwrap();
    unpacker.push(&mut [], &mut stop).unwrap();
    assert_eq!(unpacker.held(), 0);
    assert_eq!(calls, 4);
}

fn random_spec(random: &mut Random) -> Spec {
    use LengthCoding::{BigEndian, LittleEndian, Varint};
    let kind = match random.below(5) {
        0 => Kind::Fixed(1 + random.below(20)),
        1 | 2 => {
            let longest = if random.chance(4) { 16 } else { 3 };
            let len = 1 + random.below(longest);
            Kind::Delimiter((0..len).map(|_| random.below(3) as u8).collect())
        }
        _ => {
            let coding = [BigEndian, LittleEndian, Varint][random.below(3)];
            let widest = if random.chance(3) { 8 } else { 2 };
            let bytes = 1 + random.below(widest);
            let offset = random.below(4);
            Kind::Length {
                body_offset: offset + bytes + random.below(4),
                offset,
                bytes,
                adjustment: [0, 0, 1, -1, -3, 7][random.below(6)],
                coding,
            }
        }
    };
    Spec {
        kind,
        max: [8, 16, 30, 64, 300, usize::MAX][random.below(6)],
    }
}

/// Bytes that are few, so that delimiters and short lengths are frequent.
fn random_stream(random: &mut Random) -> Vec<u8> {
    let len = random.below(120);
    let wild = if random.chance(3) { 12 } else { 1000 };
    let mut byte = || match random.chance(wild) {
        true => random.next() as u8,
        false => random.below(3) as u8,
    };
    (0..len).map(|_| byte()).collect()
}

#[test]
fn random_streams_agree_with_the_reference() {
    let (mut cases, mut packages, mut errors) = (0, 0, 0);
    for seed in 0..30_000 {
        let mut random = Random(seed);
        let spec = random_spec(&mut random);
        if spec.setting().is_none() {
            continue;
        }
        let stream = random_stream(&mut random);
        let whole = spec.cut(&stream);
        assert_eq!(feed_all(&spec, &[&stream]), whole, "{spec:?} {stream:?}");
        let longest = [1, 3, 40][random.below(3)];
        let pieces = pieces(&stream, &mut random, longest);
        let mut stops = Random(seed ^ 0x5eed);
        let mut resumes = Random(seed ^ 0xf00d);
        let rarity = [1, 2, 9][random.below(3)];
        let outcome = feed(
            &spec,
            &pieces,
            |_| stops.chance(rarity),
            || resumes.chance(2),
        );
        assert_eq!(outcome, whole, "{seed}: {spec:?} {pieces:?}");
        cases += 1;
        packages += whole.packages.len();
        errors += usize::from(whole.error.is_some());
    }
    // The streams are of use only if all of this happens often.
    assert!(
        cases > 20_000 && packages > 100_000 && errors > 3_000,
        "{cases} {packages} {errors}"
    );
}
