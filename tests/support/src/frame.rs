//! WebSocket frames as bytes (RFC 6455, section 5.2), without any judgement: what a misbehaving server
//! wants to send can be sent, and what a client sent can be looked at.

/// Frame opcodes.
pub mod opcode {
    /// Continuation of a fragmented message.
    pub const CONTINUATION: u8 = 0x0;
    /// Text message.
    pub const TEXT: u8 = 0x1;
    /// Binary message.
    pub const BINARY: u8 = 0x2;
    /// Close.
    pub const CLOSE: u8 = 0x8;
    /// Ping.
    pub const PING: u8 = 0x9;
    /// Pong.
    pub const PONG: u8 = 0xA;
}

/// A frame as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Last frame of its message.
    pub fin: bool,
    /// The three reserved bits, RSV1 highest (0 to 7).
    pub rsv: u8,
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// The mask, if the frame was masked.
    pub mask: Option<[u8; 4]>,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a Close frame; `None` for another frame or a Close frame without a code.
    pub fn close_code(&self) -> Option<u16> {
        match (self.opcode, self.payload.as_slice()) {
            (opcode::CLOSE, [high, low, ..]) => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }
}

/// The bytes of an unmasked frame. `fin` and `opcode` are written as given, valid or not.
pub fn encode_frame(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 10);
    bytes.push(u8::from(fin) << 7 | opcode & 0x0F);
    let length = payload.len();
    // The casts cannot lose anything: each arm has checked the range, and usize fits u64.
    match length {
        0..126 => bytes.push(length as u8),
        126..=0xFFFF => {
            bytes.push(126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// Takes bytes in any portions and gives whole frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
}

impl FrameReader {
    /// Adds bytes that were received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the beginning of a frame waits for its rest.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next whole frame, if there is one.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let (&first, &second) = (self.buffer.first()?, self.buffer.get(1)?);
        let (length, mut at) = match second & 0x7F {
            126 => (u64::from(u16::from_be_bytes(self.take_array(2)?)), 4),
            127 => (u64::from_be_bytes(self.take_array(2)?), 10),
            short => (u64::from(short), 2),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            at += 4;
            Some(self.take_array::<4>(at - 4)?)
        };
        let end = at.checked_add(usize::try_from(length).ok()?)?;
        let mut payload = self.buffer.get(at..end)?.to_vec();
        if let Some(mask) = mask {
            for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= key;
            }
        }
        self.buffer.drain(..end);
        Some(Frame {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 0x7,
            opcode: first & 0x0F,
            mask,
            payload,
        })
    }

    fn take_array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.buffer.get(at..at + N)?.try_into().ok()
    }
}
