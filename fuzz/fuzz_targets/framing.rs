//! Cuts arbitrary streams, in arbitrary pieces and with arbitrary stops, by arbitrary settings, and
//! compares with the reference of the unit tests, which sees the stream as a whole.
//!
//! The framing is included as source, as it is not public; it needs nothing else of its crate but macros.
#![no_main]

#[macro_use]
#[path = "../../event/src/macros.rs"]
mod macros;

#[allow(dead_code, unused_imports)]
#[path = "../../event/src/framing/mod.rs"]
mod framing;
#[path = "../../event/src/framing/tests/reference.rs"]
mod reference;

use framing::{LengthCoding, LengthField, Unpack, UnpackError, Unpacker};
use libfuzzer_sys::fuzz_target;
use reference::{Kind, Outcome, Spec};
use std::ops::ControlFlow;

/// Takes the choices from the front of the input; zero when it is used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    fn below(&mut self, bound: u8) -> usize {
        usize::from(self.byte() % bound)
    }
}

fn spec(choices: &mut Choices<'_>) -> Spec {
    let kind = match choices.below(3) {
        0 => Kind::Fixed(choices.below(64)),
        1 => {
            let len = choices.below(18);
            Kind::Delimiter((0..len).map(|_| choices.byte()).collect())
        }
        _ => Kind::Length {
            body_offset: choices.below(24),
            offset: choices.below(12),
            bytes: choices.below(12),
            adjustment: match choices.below(4) {
                0 => 0,
                1 => i32::from(choices.byte() as i8),
                2 => i32::MIN,
                _ => i32::MAX,
            },
            coding: match choices.below(3) {
                0 => LengthCoding::BigEndian,
                1 => LengthCoding::LittleEndian,
                _ => LengthCoding::Varint,
            },
        },
    };
    let max = match choices.below(4) {
        0 => choices.below(32),
        1 => 1000,
        2 => Unpack::DEFAULT_MAX_SIZE,
        _ => usize::MAX,
    };
    Spec { kind, max }
}

/// Feeds the stream in pieces of which the choices name the lengths, and the packages to stop at.
fn feed(setting: Unpack, mut stream: &[u8], choices: &mut Choices<'_>) -> Outcome {
    let mut unpacker = Unpacker::new(setting);
    let mut outcome = Outcome::default();
    let mut came_in = 0;
    let mut handed_on = 0;
    loop {
        let len = match choices.byte() {
            0 => stream.len(),
            len => stream.len().min(usize::from(len)),
        };
        let (piece, rest) = stream.split_at(len);
        came_in += len;
        stream = rest;
        let mut data = piece.to_vec();
        let mut stopped = false;
        let result = unpacker.push(&mut data, |package| {
            assert!(!stopped, "called again after a stop");
            assert!(!package.is_empty());
            handed_on += package.len();
            outcome.packages.push(package.to_vec());
            package.fill(0xee);
            stopped = choices.below(4) == 1;
            match stopped {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if let Err(error) = result {
            let again = unpacker.push(&mut [], |_| unreachable!("a package after an error"));
            assert_eq!(again, Err(error));
            assert_eq!(unpacker.held(), 0);
            outcome.error = Some(error);
            return outcome;
        }
        assert_eq!(
            unpacker.held(),
            came_in - handed_on,
            "bytes were lost or made up"
        );
        // Empty pieces go on until nothing is stopped: they resume.
        if stream.is_empty() && !stopped {
            outcome.rest = unpacker.held();
            return outcome;
        }
    }
}

fuzz_target!(|input: &[u8]| {
    // The first byte says how much of the rest is choices.
    let Some((&share, input)) = input.split_first() else {
        return;
    };
    let (choices, stream) = input.split_at(input.len() * usize::from(share) / 256);
    let mut choices = Choices(choices);
    let spec = spec(&mut choices);
    let Some(setting) = spec.setting() else {
        return;
    };
    assert_eq!(
        feed(setting, stream, &mut choices),
        spec.cut(stream),
        "{spec:?}"
    );
});
