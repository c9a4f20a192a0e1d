//! Frames as peers write and read them: by the letter of RFC 6455 and RFC 7692, with none of the
//! library's code.

use super::LogOf;
use crate::deflating::Wish;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// What ends each flushed block, and is left out.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// What clients mask with.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What came.
pub enum Frame {
    /// A message, and whether it is text.
    Message(Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The code; 1005: none.
    Close(u16),
}

/// What cannot be read.
pub struct Nonsense;

/// One peer's part of a WebSocket.
pub struct Frames {
    /// This peer is a client: it masks, and the other side does not.
    client: bool,
    input: Vec<u8>,
    /// How far that is done.
    at: usize,
    /// The message under way: its first opcode, whether it is compressed, what there is of it.
    message: Option<(u8, bool, Vec<u8>)>,
    inflate: Option<(Decompress, bool)>,
    deflate: Option<(Compress, bool)>,
    /// Messages sent.
    sent: u64,
}

impl Frames {
    pub fn new(client: bool) -> Self {
        Self {
            client,
            input: Vec::new(),
            at: 0,
            message: None,
            inflate: None,
            deflate: None,
            sent: 0,
        }
    }

    /// permessage-deflate was agreed on.
    pub fn set_deflate(&mut self, agreed: Wish) {
        let (client, server) = (
            (agreed.client_bits, agreed.client_alone),
            (agreed.server_bits, agreed.server_alone),
        );
        let (out, back) = match self.client {
            true => (client, server),
            false => (server, client),
        };
        let level = Compression::fast();
        self.deflate = Some((Compress::new_with_window_bits(level, false, out.0), out.1));
        self.inflate = Some((Decompress::new_with_window_bits(false, back.0), back.1));
    }

    /// A message in its frames: every other one compressed, if that was agreed on, and some in
    /// fragments.
    pub fn message(&mut self, data: &[u8], text: bool) -> Vec<u8> {
        self.sent += 1;
        let opcode = if text { TEXT } else { BINARY };
        let mut out = Vec::new();
        let compresses = self.sent % 2 == 1 && !data.is_empty();
        let deflate = self.deflate.as_mut().filter(|_| compresses);
        let compressed = deflate.map(|(compress, alone)| {
            if *alone {
                compress.reset();
            }
            deflated(compress, data)
        });
        let rsv1 = if compressed.is_some() { 0x40 } else { 0 };
        let payload = compressed.as_deref().unwrap_or(data);
        if self.sent % 5 == 4 && payload.len() > 1 {
            let (first, rest) = payload.split_at(payload.len() / 3);
            self.frame(&mut out, opcode | rsv1, first);
            self.frame(&mut out, 0x80 | PONG, b"unasked");
            self.frame(&mut out, 0x80 | CONTINUATION, rest);
        } else {
            self.frame(&mut out, 0x80 | opcode | rsv1, payload);
        }
        out
    }

    /// A control frame.
    pub fn control(&self, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.frame(&mut out, 0x80 | opcode, payload);
        out
    }

    /// A Close; 1005: with no code.
    pub fn close(&self, code: u16) -> Vec<u8> {
        match code {
            1005 => self.control(CLOSE, b""),
            code => self.control(CLOSE, &code.to_be_bytes()),
        }
    }

    fn frame(&self, out: &mut Vec<u8>, first: u8, payload: &[u8]) {
        let masked = if self.client { 0x80 } else { 0 };
        out.push(first);
        match payload.len() {
            len @ ..126 => out.push(masked | len as u8),
            len @ ..0x1_0000 => {
                out.push(masked | 126);
                out.extend((len as u16).to_be_bytes());
            }
            len => {
                out.push(masked | 127);
                out.extend((len as u64).to_be_bytes());
            }
        }
        if self.client {
            out.extend(MASK);
            let bytes = payload.iter().zip(MASK.iter().cycle());
            out.extend(bytes.map(|(byte, mask)| byte ^ mask));
        } else {
            out.extend(payload);
        }
    }

    /// Bytes came.
    pub fn feed(&mut self, data: &[u8]) {
        self.input.drain(..std::mem::take(&mut self.at));
        self.input.extend(data);
    }

    /// Bytes that came and are not done.
    fn remaining(&self) -> usize {
        self.input.len() - self.at
    }

    /// The next message or control frame, with what the log has to say of it: nothing may come behind
    /// a Close.
    ///
    /// # Errors
    ///
    /// It is nonsense, of which nothing more can be read.
    pub fn next_for(&mut self, log: &LogOf) -> Result<Option<Frame>, Nonsense> {
        let next = self.next();
        log.with(|log| {
            let behind = log.close.is_some() && (self.remaining() > 0 || !matches!(next, Ok(None)));
            log.after_close |= behind;
            match next {
                Ok(_) if behind => return Ok(None),
                Ok(Some(Frame::Message(ref data, _))) => log.messages.push(data.clone()),
                Ok(Some(Frame::Pong(ref payload))) => log.pong(payload),
                Ok(Some(Frame::Close(code))) => log.close = Some(code),
                Ok(_) => {}
                Err(e) => {
                    log.nonsense = Some(e);
                    return Err(Nonsense);
                }
            }
            Ok(next.unwrap_or_default())
        })
    }

    /// The next message or control frame.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn next(&mut self) -> Result<Option<Frame>, String> {
        loop {
            let Some((first, payload)) = self.raw()? else {
                return Ok(None);
            };
            let (fin, compressed, opcode) = (first & 0x80 != 0, first & 0x40 != 0, first & 0xf);
            if first & 0x30 != 0 || (compressed && (self.inflate.is_none() || opcode >= 8)) {
                return Err(format!("reserved bits: {first:#x}"));
            }
            if opcode >= 8 {
                if !fin || payload.len() > 125 {
                    return Err("a control frame is long, or not whole".to_owned());
                }
                return control(opcode, payload).map(Some);
            }
            let message = match (opcode, self.message.take()) {
                (TEXT | BINARY, None) => (opcode, compressed, payload),
                (CONTINUATION, Some((opcode, first, mut data))) if !compressed => {
                    data.extend(payload);
                    (opcode, first, data)
                }
                _ => return Err(format!("opcode {opcode} out of place")),
            };
            if !fin {
                self.message = Some(message);
                continue;
            }
            let (opcode, compressed, mut data) = message;
            if let Some((inflate, alone)) = self.inflate.as_mut().filter(|_| compressed) {
                data = inflated(inflate, data)?;
                if *alone {
                    inflate.reset(false);
                }
            }
            if opcode == TEXT && std::str::from_utf8(&data).is_err() {
                return Err("text that is none".to_owned());
            }
            return Ok(Some(Frame::Message(data, opcode == TEXT)));
        }
    }

    /// The next frame's first byte and payload, if it is there whole.
    fn raw(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
        let rest = &self.input[self.at..];
        let &[first, second, ..] = rest else {
            return Ok(None);
        };
        if (second & 0x80 != 0) == self.client {
            return Err("only a client masks".to_owned());
        }
        let wide = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masks = if self.client { 0 } else { 4 };
        let head = 2 + wide + masks;
        if rest.len() < head {
            return Ok(None);
        }
        let len = match wide {
            0 => usize::from(second & 0x7f),
            _ => rest[2..2 + wide]
                .iter()
                .fold(0, |len, byte| len << 8 | usize::from(*byte)),
        };
        if rest.len() - head < len {
            return Ok(None);
        }
        let mut payload = rest[head..head + len].to_vec();
        if !self.client {
            let mask = &rest[head - 4..head];
            for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= mask;
            }
        }
        self.at += head + len;
        Ok(Some((first, payload)))
    }
}

fn control(opcode: u8, payload: Vec<u8>) -> Result<Frame, String> {
    match opcode {
        PING => Ok(Frame::Ping(payload)),
        PONG => Ok(Frame::Pong(payload)),
        CLOSE => match payload[..] {
            [] => Ok(Frame::Close(1005)),
            [high, low, ..] => Ok(Frame::Close(u16::from_be_bytes([high, low]))),
            [_] => Err("half a code".to_owned()),
        },
        _ => Err(format!("opcode {opcode}")),
    }
}

fn deflated(compress: &mut Compress, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let start = compress.total_in();
    loop {
        out.reserve(data.len() / 2 + 64);
        let done = (compress.total_in() - start) as usize;
        let ran = compress.compress_vec(&data[done..], &mut out, FlushCompress::Sync);
        let done = (compress.total_in() - start) as usize;
        if ran.is_err() || (done == data.len() && out.len() < out.capacity()) {
            break;
        }
    }
    if out.ends_with(&TAIL) {
        out.truncate(out.len() - TAIL.len());
    }
    out
}

fn inflated(decompress: &mut Decompress, mut data: Vec<u8>) -> Result<Vec<u8>, String> {
    data.extend(TAIL);
    let mut out = Vec::new();
    let start = decompress.total_in();
    loop {
        out.reserve(data.len() * 4 + 64);
        let done = (decompress.total_in() - start) as usize;
        let before = out.len();
        decompress
            .decompress_vec(&data[done..], &mut out, FlushDecompress::Sync)
            .map_err(|e| format!("no DEFLATE: {e}"))?;
        let now = (decompress.total_in() - start) as usize;
        if now == data.len() && out.len() < out.capacity() {
            return Ok(out);
        }
        if now == done && out.len() == before {
            return Err("DEFLATE that does not go on".to_owned());
        }
    }
}
