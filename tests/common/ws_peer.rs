//! A WebSocket client that does what it is told, and nothing by itself.

use super::net::{End, Net, Peer};
use hvloop_test_support::{Frame, FrameReader, opcode};
use std::net::SocketAddr;

/// The key of RFC 6455 section 1.3, and what answers it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A proper request with further header lines, each with its line end.
pub fn request(path: &str, further: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{further}\r\n"
    )
}

/// The bytes of a masked frame.
pub fn frame(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = hvloop_test_support::encode_frame(opcode, fin, payload);
    let head = bytes.len() - payload.len();
    bytes[1] |= 0x80;
    let mask = [0x11, 0x22, 0x33, 0x44];
    bytes.splice(head..head, mask);
    for (n, byte) in bytes[head + 4..].iter_mut().enumerate() {
        *byte ^= mask[n % 4];
    }
    bytes
}

pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    frame(opcode::CLOSE, true, &payload)
}

pub struct WsPeer {
    pub peer: Peer,
    frames: FrameReader,
}

impl WsPeer {
    /// Connected, and nothing sent.
    #[track_caller]
    pub fn mute(net: &Net, to: SocketAddr) -> Self {
        Self {
            peer: net.connect(to),
            frames: FrameReader::default(),
        }
    }

    /// Open.
    #[track_caller]
    pub fn open(net: &Net, to: SocketAddr, path: &str) -> Self {
        let mut peer = Self::mute(net, to);
        peer.peer.send(request(path, "").as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(
            head.contains(&format!("Sec-WebSocket-Accept: {ACCEPT}\r\n")),
            "{head}"
        );
        peer
    }

    /// The head of the answer.
    #[track_caller]
    pub fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.peer.expect(1));
        }
        String::from_utf8(head).unwrap()
    }

    #[track_caller]
    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.peer.send(&frame(opcode, true, payload));
    }

    /// The next frame, which a server does not mask.
    #[track_caller]
    pub fn frame(&mut self) -> Frame {
        self.try_frame().expect("the stream ended")
    }

    /// Open, with that extension agreed on.
    #[track_caller]
    pub fn open_with(net: &Net, to: SocketAddr, extension: &str) -> Self {
        let mut peer = Self::mute(net, to);
        let offer = format!("Sec-WebSocket-Extensions: {extension}\r\n");
        peer.peer.send(request("/", &offer).as_bytes());
        let head = peer.head();
        assert!(head.contains(&offer), "{head}");
        peer
    }

    /// The next frame; `None`: the stream has ended.
    pub fn try_frame(&mut self) -> Option<Frame> {
        let frame = self.any_frame()?;
        assert_eq!(frame.rsv, 0);
        Some(frame)
    }

    /// The next frame, which may be compressed; `None`: the stream has ended.
    pub fn any_frame(&mut self) -> Option<Frame> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(frame) = self.frames.next_frame() {
                assert_eq!(frame.mask, None);
                return Some(frame);
            }
            match self.peer.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.frames.push(&buffer[..n]),
            }
        }
    }

    /// The next frame is a Close with that code; its reason.
    #[track_caller]
    pub fn expect_close(&mut self, code: u16) -> String {
        let frame = self.frame();
        assert_eq!(
            (frame.opcode, frame.close_code()),
            (opcode::CLOSE, Some(code))
        );
        String::from_utf8(frame.payload[2..].to_vec()).unwrap()
    }

    /// Says Close and waits for the answer and the end, which is clean.
    #[track_caller]
    pub fn close(mut self) {
        self.peer.send(&close_frame(1000, ""));
        self.expect_close(1000);
        self.expect_end();
    }

    /// Nothing more comes, and the stream ends in order.
    #[track_caller]
    pub fn expect_end(mut self) {
        assert!(!self.frames.is_mid_frame());
        let (rest, end) = self.peer.rest();
        assert_eq!((rest.len(), end), (0, End::Clean));
    }
}
