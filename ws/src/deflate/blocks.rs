//! DEFLATE (RFC 1951) written block by block, and what it stands for: for tests, as no compressor writes
//! it.

use rand::RngExt;
use rand::rngs::StdRng;

/// All that was said so far, and how far back may be referred to.
pub(crate) struct Truth {
    said: Vec<u8>,
    window: usize,
}

impl Truth {
    pub(crate) fn new(bits: u8) -> Self {
        Self {
            said: Vec::new(),
            window: 1 << bits,
        }
    }
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By an empty stored block without its last four bytes (RFC 7692 section 7.2.1).
    Flush,
    /// By a final block, and nothing behind it.
    Final,
    /// By a final block and one byte 0x00 (section 7.2.3.4).
    FinalAndByte,
}

/// Blocks of a message.
#[derive(Default)]
pub(crate) struct Blocks {
    bytes: Vec<u8>,
    /// How many bits of the last byte are used; 0: all of them.
    used: u32,
    /// Where a message would be whole if it were cut there.
    whole: Vec<usize>,
}

impl Blocks {
    /// A whole message: its compressed form, and what it says.
    pub(crate) fn random(rng: &mut StdRng, truth: &mut Truth) -> (Vec<u8>, Vec<u8>) {
        let start = truth.said.len();
        let mut blocks = Self::default();
        let most = [0, 1, 4][rng.random_range(0..3)];
        blocks.fill(rng, truth, most);
        let end = [End::Flush, End::Final, End::FinalAndByte][rng.random_range(0..3)];
        (blocks.finish(end), truth.said[start..].to_vec())
    }

    /// Some blocks, the last of them not final; others may be.
    pub(crate) fn fill(&mut self, rng: &mut StdRng, truth: &mut Truth, count: usize) {
        for _ in 0..count {
            let last = rng.random_bool(0.3);
            match rng.random_range(0..4) {
                0 => {
                    let size = [0, 1, 7, 3000][rng.random_range(0..4)];
                    let data: Vec<u8> = (0..size).map(|_| rng.random()).collect();
                    self.stored(last, &data);
                    truth.said.extend(data);
                }
                _ => {
                    let symbols = [0, 1, 30, 800][rng.random_range(0..4)];
                    self.fixed(last, symbols, rng, truth);
                }
            }
            if last {
                self.align();
                self.whole.push(self.bytes.len());
            }
        }
    }

    /// Where the message would be whole if it were cut there, once it has this end.
    pub(crate) fn whole_cuts(&self, end: End) -> Vec<usize> {
        let mut whole = self.whole.clone();
        if end == End::FinalAndByte {
            // Without the byte.
            let mut copy = Self {
                bytes: self.bytes.clone(),
                used: self.used,
                whole: Vec::new(),
            };
            copy.end_block();
            whole.push(copy.bytes.len());
        }
        whole
    }

    pub(crate) fn finish(mut self, end: End) -> Vec<u8> {
        match end {
            End::Flush => {
                self.put(0, 3);
                self.align();
            }
            End::Final => self.end_block(),
            End::FinalAndByte => {
                self.end_block();
                self.bytes.push(0);
            }
        }
        self.bytes
    }

    /// A final block with nothing in it.
    fn end_block(&mut self) {
        self.put(0b011, 3);
        self.put(0, 7);
        self.align();
    }

    pub(crate) fn stored(&mut self, last: bool, data: &[u8]) {
        self.put(u32::from(last), 3);
        self.align();
        // What the tail of four bytes makes an empty block.
        self.whole.push(self.bytes.len());
        let size = data.len() as u16;
        self.bytes.extend(size.to_le_bytes());
        self.bytes.extend((!size).to_le_bytes());
        self.bytes.extend(data);
    }

    /// A block in the fixed code: letters, and references as far back as may be, to the byte.
    fn fixed(&mut self, last: bool, symbols: usize, rng: &mut StdRng, truth: &mut Truth) {
        self.put(0b010 | u32::from(last), 3);
        for _ in 0..symbols {
            let far = truth.said.len().min(truth.window);
            if far > 0 && rng.random_bool(0.5) {
                let distance = match rng.random_bool(0.5) {
                    true => far,
                    false => rng.random_range(1..=far),
                };
                self.copy(rng.random_bool(0.3), distance, truth);
            } else {
                self.letter(rng.random(), truth);
            }
        }
        self.code(0, 7);
    }

    fn letter(&mut self, byte: u8, truth: &mut Truth) {
        match byte {
            0..144 => self.code(0x30 + u32::from(byte), 8),
            _ => self.code(0x190 + u32::from(byte - 144), 9),
        }
        truth.said.push(byte);
    }

    /// 3 bytes, or 258, from so far back.
    fn copy(&mut self, long: bool, distance: usize, truth: &mut Truth) {
        match long {
            true => self.code(0xc0 + 5, 8),
            false => self.code(1, 7),
        }
        // RFC 1951 section 3.2.5: two codes for each number of further bits, from 5 on.
        let (mut code, mut base, mut more) = (0, 1, 0);
        while base + (1 << more) <= distance {
            base += 1 << more;
            code += 1;
            more = (code / 2_u32).saturating_sub(1);
        }
        self.code(code, 5);
        self.put((distance - base) as u32, more);
        for _ in 0..if long { 258 } else { 3 } {
            let at = truth.said.len() - distance;
            truth.said.push(truth.said[at]);
        }
    }

    /// A code of Huffman's: its first bit first.
    fn code(&mut self, code: u32, length: u32) {
        for at in (0..length).rev() {
            self.put((code >> at) & 1, 1);
        }
    }

    /// A number: its lowest bit first.
    fn put(&mut self, value: u32, length: u32) {
        for at in 0..length {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let bit = (((value >> at) & 1) as u8) << self.used;
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit;
            }
            self.used = (self.used + 1) % 8;
        }
    }

    fn align(&mut self) {
        self.used = 0;
    }
}
