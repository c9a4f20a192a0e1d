//! Frames made beforehand (RFC 6455 section 5.2), and the heads of the upgrade.

use crate::Result;
use flate2::{Compress, Compression, FlushCompress};

/// Any will do; that of a real client changes with each frame.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// A Close with the code 1000, from a client.
pub const CLIENT_CLOSE: [u8; 8] = [0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x37 ^ 0x03, 0xfa ^ 0xe8];
/// The same from a server.
pub const SERVER_CLOSE: [u8; 4] = [0x88, 0x02, 0x03, 0xe8];
/// The first byte of a Close.
pub const CLOSE: u8 = 0x88;
/// The end of a head.
pub const HEAD_END: &[u8] = b"\r\n\r\n";

/// FIN and the opcode of a binary message; and the bit of a compressed one (RFC 7692).
const BINARY: u8 = 0x82;
const COMPRESSED: u8 = 0x40;

const EXTENSION: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// What each message holds: words, so that it can be compressed about as well as prose.
pub fn payload(bytes: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    let mut random = move |below: u32| {
        // Numerical Recipes' generator; the upper bits are the good ones.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % below
    };
    let words: Vec<Vec<u8>> = (0..512)
        .map(|_| {
            let letters = 2 + random(8);
            (0..letters).map(|_| b'a' + random(26) as u8).collect()
        })
        .collect();
    let mut text = Vec::with_capacity(bytes + 16);
    while text.len() < bytes {
        text.extend_from_slice(&words[random(512) as usize]);
        text.push(b' ');
    }
    text.truncate(bytes);
    text
}

/// A client's request; with an offer to compress.
pub fn request(deflate: bool) -> Vec<u8> {
    let extension = if deflate { EXTENSION } else { "" };
    format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extension}\r\n"
    )
    .into_bytes()
}

/// The answer to a request, which must have offered to compress if that is wanted.
pub fn response(request: &[u8], deflate: bool) -> Result<Vec<u8>> {
    let request = std::str::from_utf8(request)?;
    let field = |wanted: &str| {
        request.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let key = field("sec-websocket-key").ok_or("a request without a key")?;
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let offered = field("sec-websocket-extensions");
    let extension = match (deflate, offered) {
        (false, _) => "",
        (true, Some(offers)) if offers.starts_with("permessage-deflate") => EXTENSION,
        (true, _) => return Err("a request without an offer to compress".into()),
    };
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extension}\r\n"
    )
    .into_bytes())
}

/// Whether a client's request was answered as it must be.
pub fn check_response(head: &[u8], deflate: bool) -> Result<()> {
    let head = String::from_utf8_lossy(head);
    let compressed = head.to_ascii_lowercase().contains("permessage-deflate");
    match head.starts_with("HTTP/1.1 101 ") && compressed == deflate {
        true => Ok(()),
        false => Err(format!("the upgrade was answered otherwise: {head}").into()),
    }
}

/// A binary message of one frame, made of [`payload`].
pub fn frame(bytes: usize, masked: bool, deflate: bool) -> Result<Vec<u8>> {
    let mut payload = payload(bytes);
    let mut first = BINARY;
    if deflate {
        payload = compressed(&payload)?;
        first |= COMPRESSED;
    }
    Ok(frame_of(first, &payload, masked))
}

/// A message that needs none before it to be inflated, and adds nothing to those behind it.
fn compressed(payload: &[u8]) -> Result<Vec<u8>> {
    let level = Compression::new(crate::args::DEFLATE_LEVEL);
    let mut out = Vec::with_capacity(payload.len() + 64);
    Compress::new(level, false).compress_vec(payload, &mut out, FlushCompress::Sync)?;
    // The end of a block that is not sent: RFC 7692 section 7.2.1.
    let end = out.len().checked_sub(4).ok_or("no end of the block")?;
    out.truncate(end);
    Ok(out)
}

fn frame_of(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(bit | short as u8),
        middle @ 126..65536 => {
            frame.push(bit | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(bit | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    if masked {
        frame.extend_from_slice(&MASK);
        let masked = payload.iter().enumerate();
        frame.extend(masked.map(|(at, byte)| byte ^ MASK[at % 4]));
    } else {
        frame.extend_from_slice(payload);
    }
    frame
}

/// Counts frames by their headers, where they are not all of one length.
#[derive(Default)]
pub struct Counter {
    header: [u8; 14],
    have: usize,
    /// Bytes of the payload that have not come.
    rest: usize,
}

impl Counter {
    /// How many frames end within these bytes.
    pub fn take(&mut self, mut come: &[u8]) -> usize {
        let mut frames = 0;
        loop {
            let skip = self.rest.min(come.len());
            self.rest -= skip;
            come = &come[skip..];
            if skip > 0 && self.rest == 0 {
                frames += 1;
            }
            let Some((&byte, others)) = come.split_first() else {
                return frames;
            };
            come = others;
            self.header[self.have] = byte;
            self.have += 1;
            if let Some(length) = payload_length(&self.header[..self.have]) {
                self.have = 0;
                self.rest = length;
                frames += usize::from(length == 0);
            }
        }
    }
}

/// The length of the payload, once the header is whole.
fn payload_length(header: &[u8]) -> Option<usize> {
    let second = *header.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { MASK.len() };
    let (more, length) = match second & 0x7f {
        126 => (2, u16::from_be_bytes(*header[2..].first_chunk()?) as usize),
        127 => (8, u64::from_be_bytes(*header[2..].first_chunk()?) as usize),
        short => (0, short as usize),
    };
    (header.len() == 2 + more + mask).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::frame::FrameSocket;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

    /// Reads frames as another library does.
    fn read(bytes: Vec<u8>) -> (OpCode, Option<[u8; 4]>, Vec<u8>) {
        let mut socket = FrameSocket::new(std::io::Cursor::new(bytes));
        let frame = socket.read(None).expect("a frame").expect("not the end");
        let (opcode, mask) = (frame.header().opcode, frame.header().mask);
        assert!(frame.header().is_final);
        (opcode, mask, frame.into_payload().to_vec())
    }

    #[test]
    fn frames_are_those_of_the_protocol() {
        for bytes in [0, 1, 125, 126, 65_535, 65_536] {
            let (opcode, mask, come) = read(frame(bytes, false, false).expect("a frame"));
            assert_eq!((opcode, mask), (OpCode::Data(Data::Binary), None));
            assert_eq!(come, payload(bytes));
            let (opcode, mask, come) = read(frame(bytes, true, false).expect("a frame"));
            assert_eq!((opcode, mask), (OpCode::Data(Data::Binary), Some(MASK)));
            let unmasked = come
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ MASK[at % 4]);
            assert!(unmasked.eq(payload(bytes)));
        }
    }

    #[test]
    fn a_compressed_payload_can_be_inflated() {
        let mut come = compressed(&payload(4096)).expect("compressed");
        assert!(come.len() < 3000, "{} of 4096 bytes", come.len());
        come.extend_from_slice(&[0, 0, 0xff, 0xff]);
        let mut text = Vec::with_capacity(8192);
        let mut inflate = flate2::Decompress::new(false);
        let flush = flate2::FlushDecompress::Sync;
        inflate
            .decompress_vec(&come, &mut text, flush)
            .expect("inflated");
        assert_eq!(text, payload(4096));
    }

    #[test]
    fn frames_are_counted_wherever_they_are_cut() {
        let mut stream = Vec::new();
        for bytes in [0, 1, 125, 126, 300, 65_536] {
            stream.extend(frame_of(BINARY, &payload(bytes), bytes % 2 == 0));
        }
        for piece in [1, 2, 3, 7, 100, stream.len()] {
            let mut counter = Counter::default();
            let counted: usize = stream.chunks(piece).map(|come| counter.take(come)).sum();
            assert_eq!(counted, 6, "in pieces of {piece}");
        }
    }

    #[test]
    fn closes_have_the_code_1000() {
        let (opcode, mask, payload) = read(SERVER_CLOSE.to_vec());
        assert_eq!((opcode, mask), (OpCode::Control(Control::Close), None));
        assert_eq!(payload, 1000_u16.to_be_bytes());
        let (opcode, mask, payload) = read(CLIENT_CLOSE.to_vec());
        assert_eq!(
            (opcode, mask),
            (OpCode::Control(Control::Close), Some(MASK))
        );
        assert_eq!(
            [payload[0] ^ MASK[0], payload[1] ^ MASK[1]],
            1000_u16.to_be_bytes()
        );
    }
}
