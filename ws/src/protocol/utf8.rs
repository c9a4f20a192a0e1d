//! Text that arrives in pieces: checked as it comes, so that no byte is looked at twice.

use std::str;

/// The bytes are not UTF-8, or end inside a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidUtf8;

/// A text message under assembly.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    /// What is complete and checked.
    text: String,
    /// The first bytes of a character that is cut by the end of a piece.
    carry: [u8; 4],
    /// How many of them: 0 to 3 between calls.
    carry_len: u8,
}

impl TextBuffer {
    /// Bytes taken so far, in the current message.
    pub(super) fn len(&self) -> usize {
        self.text.len() + usize::from(self.carry_len)
    }

    /// The text so far. A message's whole text, once [`finish`](Self::finish) was `Ok`.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Makes `room` the place of the text; what was its place.
    pub(super) fn move_to(&mut self, mut room: Vec<u8>) -> Vec<u8> {
        room.clear();
        let mut text = String::from_utf8(room).unwrap_or_default();
        text.push_str(&self.text);
        std::mem::replace(&mut self.text, text).into_bytes()
    }

    /// How many bytes it may hold without a new allocation.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Adds a piece. An error as soon as no continuation could make the text valid.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.carry_len > 0 {
            let Some((&first, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            self.complete_carry(first)?;
        }
        let (whole, cut) = piece.split_at(piece.len() - cut_character(piece));
        self.text
            .push_str(str::from_utf8(whole).map_err(|_| InvalidUtf8)?);
        if !cut.is_empty() {
            // A lead byte and fewer followers than it announces: only what the standard calls
            // incomplete, not wrong, is worth waiting for (E0 80, say, is wrong already).
            if !str::from_utf8(cut).is_err_and(|e| e.error_len().is_none()) {
                return Err(InvalidUtf8);
            }
            self.carry[..cut.len()].copy_from_slice(cut);
            self.carry_len = cut.len() as u8; // at most 3
        }
        Ok(())
    }

    /// The message is over: it must not end inside a character.
    pub(super) fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.carry_len == 0 {
            Ok(())
        } else {
            Err(InvalidUtf8)
        }
    }

    /// Forgets the message; what was its place.
    pub(super) fn clear(&mut self) -> Vec<u8> {
        self.carry_len = 0;
        std::mem::take(&mut self.text).into_bytes()
    }

    /// Adds one byte to the character that was cut.
    fn complete_carry(&mut self, byte: u8) -> Result<(), InvalidUtf8> {
        // carry_len is at most 3 here: with 4 bytes a character is complete or wrong.
        self.carry[usize::from(self.carry_len)] = byte;
        self.carry_len += 1;
        match str::from_utf8(&self.carry[..usize::from(self.carry_len)]) {
            Ok(character) => {
                self.text.push_str(character);
                self.carry_len = 0;
                Ok(())
            }
            Err(e) if e.error_len().is_none() => Ok(()),
            Err(_) => Err(InvalidUtf8),
        }
    }
}

/// How many bytes at the end begin a character that is not all there: 0 to 3. Says nothing about
/// the validity of either part.
fn cut_character(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let needed = match bytes[bytes.len() - back] {
            0x80..=0xBF => continue,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        return if needed > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::{InvalidUtf8, TextBuffer};

    const VALID: &[&str] = &[
        "",
        "plain",
        "κόσμε",
        "\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}",
        "\u{10000}\u{10ffff}",
        "a€b𝄞c\0",
    ];

    /// (bytes, how many of them can be seen before the text is beyond hope)
    const INVALID: &[(&[u8], usize)] = &[
        (b"\xff", 1),
        (b"\x80", 1),
        (b"ab\xc0\xaf", 3),
        (b"\xc3\x28", 2),
        (b"\xe0\x80\x80", 2),
        (b"\xed\xa0\x80", 2),
        (b"\xf0\x80\x80\x80", 2),
        (b"\xf4\x90\x80\x80", 2),
        (b"\xf5\x80\x80\x80", 1),
        (b"\xe2\x82\x41", 3),
        (b"\xf0\x9d\x84\x41", 4),
    ];

    #[test]
    fn valid_text_cut_anywhere_is_the_text() {
        for text in VALID {
            for a in 0..=text.len() {
                for b in a..=text.len() {
                    let mut buffer = TextBuffer::default();
                    let bytes = text.as_bytes();
                    for piece in [&bytes[..a], &bytes[a..b], &bytes[b..]] {
                        assert_eq!(buffer.push(piece), Ok(()), "{text:?} cut at {a} and {b}");
                    }
                    assert_eq!(buffer.len(), text.len());
                    assert_eq!(buffer.finish(), Ok(()));
                    assert_eq!(buffer.as_str(), *text);
                }
            }
        }
    }

    #[test]
    fn invalid_text_fails_at_the_first_hopeless_byte() {
        for (bytes, hopeless) in INVALID {
            let mut buffer = TextBuffer::default();
            assert_eq!(buffer.push(bytes), Err(InvalidUtf8), "whole {bytes:x?}");
            for first in 0..*hopeless {
                let mut buffer = TextBuffer::default();
                assert_eq!(
                    buffer.push(&bytes[..first]),
                    Ok(()),
                    "{first} of {bytes:x?}"
                );
                let rest = &bytes[first..*hopeless];
                assert_eq!(buffer.push(rest), Err(InvalidUtf8), "{first} and {rest:x?}");

                let mut buffer = TextBuffer::default();
                assert_eq!(
                    buffer.push(&bytes[..first]),
                    Ok(()),
                    "{first} of {bytes:x?}"
                );
                for at in first..hopeless - 1 {
                    assert_eq!(buffer.push(&bytes[at..=at]), Ok(()), "{at} of {bytes:x?}");
                }
                assert_eq!(
                    buffer.push(&bytes[hopeless - 1..*hopeless]),
                    Err(InvalidUtf8)
                );
            }
        }
    }

    #[test]
    fn text_may_not_end_inside_a_character() {
        for cut in 1..4 {
            let mut buffer = TextBuffer::default();
            assert_eq!(buffer.push(&"𝄞".as_bytes()[..cut]), Ok(()));
            assert_eq!(buffer.len(), cut);
            assert_eq!(buffer.finish(), Err(InvalidUtf8));
        }
    }

    #[test]
    fn clear_forgets_and_hands_memory_out() {
        let mut buffer = TextBuffer::default();
        buffer.push(&[b'x'; 4096]).expect("ASCII");
        buffer.push(&[0xe2]).expect("a cut character");
        assert!(buffer.clear().capacity() >= 4096);
        assert_eq!((buffer.len(), buffer.capacity()), (0, 0));
        buffer.push(b"short").expect("ASCII");
        buffer.clear();
        assert_eq!(buffer.finish(), Ok(()));
        assert_eq!(buffer.as_str(), "");
    }
}
