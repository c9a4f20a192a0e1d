#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails
use super::*;
use crate::framing::tests::Random;

const LIMIT: usize = 64;

fn bytes(len: usize) -> ReadMode {
    ReadMode::Bytes(NonZeroUsize::new(len).expect("not zero"))
}

/// Asks for one thing and resumes; returns what came.
fn read(reader: &mut Reader, mode: ReadMode) -> Option<Vec<u8>> {
    reader.ask(mode);
    let mut seen = None;
    let result = reader.push(&mut [], |bytes| {
        assert!(
            seen.replace(bytes.to_vec()).is_none(),
            "more than was asked for"
        );
        None
    });
    assert_eq!(result, Ok(()));
    assert_eq!(reader.is_waiting(), seen.is_none());
    seen
}

#[test]
fn one_read_for_each_time_it_is_asked() {
    let mut reader = Reader::new(LIMIT);
    reader
        .push(
            &mut b"PUT /\r\n5\nhellostring\0rest".to_vec(),
            |_| unreachable!(),
        )
        .unwrap();
    assert_eq!(reader.assembler.held(), 25);
    assert_eq!(
        read(&mut reader, ReadMode::LINE).as_deref(),
        Some(b"PUT /\r\n".as_slice())
    );
    assert_eq!(
        read(&mut reader, ReadMode::LINE).as_deref(),
        Some(b"5\n".as_slice())
    );
    assert_eq!(
        read(&mut reader, bytes(5)).as_deref(),
        Some(b"hello".as_slice())
    );
    assert_eq!(
        read(&mut reader, ReadMode::STRING).as_deref(),
        Some(b"string\0".as_slice())
    );
    assert_eq!(read(&mut reader, bytes(5)), None);
    // Another read in place of the one that has not come.
    assert_eq!(
        read(&mut reader, ReadMode::Any).as_deref(),
        Some(b"rest".as_slice())
    );
    assert_eq!(
        (reader.assembler.held(), reader.capacity() <= 256),
        (0, true)
    );
    assert_eq!(read(&mut reader, ReadMode::Any), None);
    let mut seen = Vec::new();
    reader
        .push(&mut b"more".to_vec(), |bytes| {
            seen = bytes.to_vec();
            None
        })
        .unwrap();
    assert_eq!(
        (seen.as_slice(), reader.is_waiting()),
        (b"more".as_slice(), false)
    );
}

#[test]
fn a_read_that_asks_for_the_next_one_copies_nothing() {
    let mut reader = Reader::new(LIMIT);
    reader.ask(ReadMode::LINE);
    let mut data = *b"3\nabc4\nabcd";
    let range = data.as_ptr_range();
    let mut seen = Vec::new();
    reader
        .push(&mut data, |read| {
            assert!(range.contains(&read.as_ptr()));
            seen.push(read.to_vec());
            Some(match read {
                [digit, b'\n'] => bytes(usize::from(*digit - b'0')),
                _ => ReadMode::LINE,
            })
        })
        .unwrap();
    assert_eq!(seen, [b"3\n".as_slice(), b"abc", b"4\n", b"abcd"]);
    assert!(reader.is_waiting() && reader.capacity() == 0);
}

#[test]
fn the_limit_applies_and_the_error_stays() {
    let too_long = |size| UnpackError::TooLong { limit: 64, size };
    let mut line = [b'a'; 64];
    for (mode, error) in [
        (ReadMode::LINE, too_long(None)),
        (bytes(65), too_long(Some(65))),
    ] {
        let mut reader = Reader::new(LIMIT);
        reader.ask(mode);
        assert_eq!(reader.push(&mut line, |_| unreachable!()), Err(error));
        assert_eq!((reader.assembler.held(), reader.capacity()), (0, 0));
        reader.ask(ReadMode::Any);
        assert_eq!(
            reader.push(b"x".to_vec().as_mut(), |_| unreachable!()),
            Err(error)
        );
    }
    line[63] = b'\n';
    for mode in [ReadMode::LINE, bytes(64)] {
        let mut reader = Reader::new(LIMIT);
        reader.ask(mode);
        let mut len = 0;
        reader
            .push(&mut line.clone(), |bytes| {
                len = bytes.len();
                None
            })
            .unwrap();
        assert_eq!(len, 64);
    }
}

#[test]
fn from_reads_to_packages_and_back() {
    let mut reader = Reader::new(LIMIT);
    reader.ask(ReadMode::LINE);
    reader
        .push(&mut b"HELLO\naabbc".to_vec(), |_| None)
        .unwrap();
    let mut unpacker = reader.into_unpacker(Unpack::fixed(2).build().unwrap());
    let mut seen = Vec::new();
    unpacker
        .push(&mut [], |package| {
            seen.extend_from_slice(package);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, b"aabb");
    let mut reader = Reader::from_unpacker(unpacker, LIMIT);
    assert!(!reader.is_waiting());
    assert_eq!(
        read(&mut reader, bytes(1)).as_deref(),
        Some(b"c".as_slice())
    );
    reader
        .push(&mut b"left".to_vec(), |_| unreachable!())
        .unwrap();
    assert_eq!(reader.take_rest(), b"left");
}

/// The reads that a list of modes makes of a stream.
fn reference(modes: &[ReadMode], mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut reads = Vec::new();
    for mode in modes {
        let len = match mode {
            ReadMode::Until(byte) => stream.iter().position(|b| b == byte).map(|at| at + 1),
            ReadMode::Bytes(len) => Some(len.get()).filter(|&len| len <= stream.len()),
            ReadMode::Any => unreachable!("depends on the split"),
        };
        let Some(len) = len else { break };
        reads.push(stream[..len].to_vec());
        stream = &stream[len..];
    }
    reads
}

#[test]
fn random_reads_of_random_pieces_agree_with_the_reference() {
    let mut total = 0;
    for seed in 0..5_000 {
        let mut random = Random(seed);
        let stream: Vec<u8> = (0..random.below(200))
            .map(|_| random.below(4) as u8)
            .collect();
        let modes: Vec<ReadMode> = (0..random.below(40))
            .map(|_| match random.below(2) {
                0 => ReadMode::Until(random.below(3) as u8),
                _ => bytes(1 + random.below(9)),
            })
            .collect();
        let mut reader = Reader::new(1000);
        let mut seen: Vec<Vec<u8>> = Vec::new();
        let mut asks = 0;
        let mut rest = stream.as_slice();
        let mut chances = Random(!seed);
        // In the callback or after it, at once or after more has come in.
        let mut each = |asks: &mut usize, read: &mut [u8]| {
            seen.push(read.to_vec());
            read.fill(0xee);
            let next = modes.get(*asks).copied().filter(|_| chances.chance(2));
            *asks += usize::from(next.is_some());
            next
        };
        while !rest.is_empty() {
            let (piece, next) = rest.split_at((1 + random.below(30)).min(rest.len()));
            rest = next;
            reader
                .push(&mut piece.to_vec(), |read| each(&mut asks, read))
                .unwrap();
            while !reader.is_waiting() && asks < modes.len() && !random.chance(4) {
                reader.ask(modes[asks]);
                asks += 1;
                reader.push(&mut [], |read| each(&mut asks, read)).unwrap();
            }
        }
        while !reader.is_waiting() && asks < modes.len() {
            reader.ask(modes[asks]);
            asks += 1;
            reader.push(&mut [], |read| each(&mut asks, read)).unwrap();
        }
        let expected = reference(&modes, &stream);
        assert_eq!(seen, expected, "{seed}");
        let used: usize = expected.iter().map(Vec::len).sum();
        assert_eq!(reader.assembler.held(), stream.len() - used, "{seed}");
        total += expected.len();
    }
    assert!(total > 20_000, "{total}");
}
