//! Frames made beforehand (RFC 6455 section 5.2), and the heads of the upgrade.

/// What every payload is made of.
pub const BYTE: u8 = 0x2a;
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

/// A client's request.
pub const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The answer to a request.
pub fn response(request: &[u8]) -> crate::Result<Vec<u8>> {
    let request = std::str::from_utf8(request)?;
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim())
    });
    let key = key.ok_or("a request without a key")?;
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes())
}

/// A binary message of one frame.
pub fn frame(bytes: usize, masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut frame = vec![0x82];
    match bytes {
        0..126 => frame.push(bit | bytes as u8),
        126..65536 => {
            frame.push(bit | 126);
            frame.extend_from_slice(&(bytes as u16).to_be_bytes());
        }
        _ => {
            frame.push(bit | 127);
            frame.extend_from_slice(&(bytes as u64).to_be_bytes());
        }
    }
    if masked {
        frame.extend_from_slice(&MASK);
        frame.extend((0..bytes).map(|at| BYTE ^ MASK[at % 4]));
    } else {
        frame.resize(frame.len() + bytes, BYTE);
    }
    frame
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
            let (opcode, mask, payload) = read(frame(bytes, false));
            assert_eq!((opcode, mask), (OpCode::Data(Data::Binary), None));
            assert_eq!(payload, vec![BYTE; bytes]);
            let (opcode, mask, payload) = read(frame(bytes, true));
            assert_eq!((opcode, mask), (OpCode::Data(Data::Binary), Some(MASK)));
            let unmasked = payload
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ MASK[at % 4]);
            assert!(unmasked.eq(vec![BYTE; bytes]));
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
