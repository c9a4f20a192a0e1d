//! Messages whose place and content can be checked: a session, a number, and text that follows from both.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Bytes of the longest message.
pub const LONGEST: usize = 1 << 20;
/// Where the text of a message may begin.
const STARTS: usize = 4096;
/// Session and number, each in hexadecimal.
const HEAD: usize = 32;

/// The text that messages are cut from: words, so that it can be compressed about as well as prose.
pub struct Words {
    text: String,
}

impl Default for Words {
    fn default() -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let words: Vec<String> = (0..512)
            .map(|_| {
                let letters = rng.random_range(2..10);
                (0..letters)
                    .map(|_| char::from(rng.random_range(b'a'..=b'z')))
                    .collect()
            })
            .collect();
        let mut text = String::with_capacity(LONGEST + STARTS);
        while text.len() < LONGEST + STARTS {
            text.push_str(&words[rng.random_range(0..words.len())]);
            text.push(' ');
        }
        Self { text }
    }
}

impl Words {
    /// Writes a message of `size` bytes, which are at least the head's.
    pub fn write(&self, session: u64, number: u64, size: usize, buffer: &mut String) {
        buffer.clear();
        buffer.push_str(&format!("{session:016x}{number:016x}"));
        buffer.push_str(self.text_of(session, number, size));
    }

    /// Which session and number a message has, if it is whole.
    pub fn read(&self, message: &[u8]) -> Option<(u64, u64)> {
        let (head, text) = message.split_at_checked(HEAD)?;
        let head = std::str::from_utf8(head).ok()?;
        let session = u64::from_str_radix(head.get(..16)?, 16).ok()?;
        let number = u64::from_str_radix(head.get(16..)?, 16).ok()?;
        let expected = self.text_of(session, number, message.len());
        (expected.as_bytes() == text).then_some((session, number))
    }

    fn text_of(&self, session: u64, number: u64, size: usize) -> &str {
        let start = (session.wrapping_mul(31) ^ number.wrapping_mul(17)) as usize % STARTS;
        let size = size.clamp(HEAD, LONGEST) - HEAD;
        &self.text[start..start + size]
    }
}

/// The size of the next message: most are short, one in two hundred has up to a mebibyte.
pub fn size(rng: &mut StdRng) -> usize {
    let (least, most) = match rng.random_range(0..1000) {
        0..5 => (64 * 1024, LONGEST),
        5..30 => (2 * 1024, 64 * 1024),
        _ => (HEAD, 2 * 1024),
    };
    rng.random_range(least..=most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_changed_byte_is_noticed() {
        let words = Words::default();
        let mut message = String::new();
        for size in [HEAD, HEAD + 1, 3000, LONGEST] {
            words.write(0xabc, 5, size, &mut message);
            assert_eq!(message.len(), size);
            assert_eq!(words.read(message.as_bytes()), Some((0xabc, 5)));
        }
        let mut bytes = message.into_bytes();
        bytes[LONGEST - 1] ^= 1;
        assert_eq!(words.read(&bytes), None);
        assert_eq!(words.read(b"short"), None);
    }
}
