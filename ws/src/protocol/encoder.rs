//! Frames to be sent.

use super::close::fitting_reason;
use super::header::{FIN, MASKED, MAX_HEADER, RSV1};
use super::mask::append_masked;
use super::{MAX_CONTROL_PAYLOAD, OpCode};
use std::num::NonZeroUsize;

/// How many bytes a frame takes on the wire: header, mask and payload.
pub fn frame_len(payload_len: usize, masked: bool) -> usize {
    let header = match payload_len {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    header + if masked { 4 } else { 0 } + payload_len
}

/// Appends a frame to `out`, which grows by [`frame_len`] bytes and is all the memory it takes.
///
/// A client gives a `mask`, fresh and unpredictable for every frame (RFC 6455 section 5.3); a
/// server gives none. A control frame in fragments, or one of more than 125 bytes, is the caller's mistake:
/// a peer would refuse it.
pub fn encode_frame(
    out: &mut Vec<u8>,
    opcode: OpCode,
    fin: bool,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) {
    debug_assert!(
        !opcode.is_control() || (fin && payload.len() <= MAX_CONTROL_PAYLOAD),
        "a control frame is short and whole"
    );
    encode_head(out, opcode, fin, false, payload.len(), mask);
    append(out, payload, mask);
}

/// Appends the one frame of a message that is compressed (RFC 7692 section 6.1): `payload` is its
/// compressed form, `opcode` says what it is the form of. `mask` as in [`encode_frame`].
pub fn encode_compressed(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8], mask: Option<[u8; 4]>) {
    debug_assert!(
        matches!(opcode, OpCode::Text | OpCode::Binary),
        "nothing else is compressed"
    );
    encode_head(out, opcode, true, true, payload.len(), mask);
    append(out, payload, mask);
}

/// How many bytes a message takes on the wire as frames of at most `fragment` bytes of payload; `None`:
/// as one frame.
pub(crate) fn message_len(len: usize, fragment: Option<NonZeroUsize>, masked: bool) -> usize {
    let Some(fragment) = fragment.map(NonZeroUsize::get).filter(|size| *size < len) else {
        return frame_len(len, masked);
    };
    let (whole, rest) = (len / fragment, len % fragment);
    let last = if rest > 0 { frame_len(rest, masked) } else { 0 };
    whole
        .saturating_mul(frame_len(fragment, masked))
        .saturating_add(last)
}

/// The header of a message that goes out as one frame, as it is; how much of the array that is.
pub(crate) fn message_head(
    opcode: OpCode,
    len: usize,
    mask: Option<[u8; 4]>,
) -> ([u8; MAX_HEADER], usize) {
    head(opcode as u8 | FIN, len, mask)
}

/// Appends a message, which is in its compressed form or not, as frames of at most `fragment` bytes of
/// payload (RFC 6455 section 5.4); `None`: as one frame. `mask` gives each frame its own, as in
/// [`encode_frame`].
pub(crate) fn encode_message(
    out: &mut Vec<u8>,
    opcode: OpCode,
    compressed: bool,
    payload: &[u8],
    fragment: Option<NonZeroUsize>,
    mut mask: impl FnMut() -> Option<[u8; 4]>,
) {
    let size = fragment.map_or(payload.len(), NonZeroUsize::get);
    let (mut opcode, mut rsv1, mut rest) = (opcode, compressed, payload);
    loop {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        let mask = mask();
        encode_head(out, opcode, behind.is_empty(), rsv1, piece.len(), mask);
        append(out, piece, mask);
        if behind.is_empty() {
            return;
        }
        // Opcode and RSV1 are the first frame's (RFC 7692 section 6.1).
        (opcode, rsv1, rest) = (OpCode::Continuation, false, behind);
    }
}

fn append(out: &mut Vec<u8>, payload: &[u8], mask: Option<[u8; 4]>) {
    match mask {
        Some(mask) => append_masked(out, payload, mask, 0),
        None => out.extend_from_slice(payload),
    }
}

/// Appends a Close frame to `out`: empty, or with a code and a reason.
///
/// The reason is cut between two characters when it is over
/// [`MAX_CLOSE_REASON`](super::MAX_CLOSE_REASON) bytes. The code is for the caller to check
/// ([`is_sendable_close_code`](super::is_sendable_close_code)). `mask` as in [`encode_frame`].
pub fn encode_close(out: &mut Vec<u8>, close: Option<(u16, &str)>, mask: Option<[u8; 4]>) {
    let Some((code, reason)) = close else {
        encode_frame(out, OpCode::Close, true, &[], mask);
        return;
    };
    let reason = fitting_reason(reason);
    encode_head(out, OpCode::Close, true, false, 2 + reason.len(), mask);
    append(out, &code.to_be_bytes(), mask);
    // Behind two bytes.
    let mask = mask.map(|[a, b, c, d]| [c, d, a, b]);
    append(out, reason.as_bytes(), mask);
}

/// Appends the header, and makes room for the payload.
fn encode_head(
    out: &mut Vec<u8>,
    opcode: OpCode,
    fin: bool,
    rsv1: bool,
    payload_len: usize,
    mask: Option<[u8; 4]>,
) {
    out.reserve(frame_len(payload_len, mask.is_some()));
    let fin = if fin { FIN } else { 0 };
    let rsv1 = if rsv1 { RSV1 } else { 0 };
    let (head, size) = head(opcode as u8 | fin | rsv1, payload_len, mask);
    out.extend_from_slice(&head[..size]);
}

/// A header and its size; `first` is its first byte.
fn head(first: u8, len: usize, mask: Option<[u8; 4]>) -> ([u8; MAX_HEADER], usize) {
    let mut head = [0; MAX_HEADER];
    head[0] = first;
    let mut size = match len {
        0..=125 => {
            head[1] = len as u8;
            2
        }
        126..=0xFFFF => {
            head[1] = 126;
            head[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            4
        }
        _ => {
            head[1] = 127;
            head[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            10
        }
    };
    if let Some(mask) = mask {
        head[1] |= MASKED;
        head[size..size + 4].copy_from_slice(&mask);
        size += 4;
    }
    (head, size)
}

#[cfg(test)]
mod tests {
    use super::super::mask::apply_mask;
    use super::*;
    use tungstenite::protocol::frame::{FrameHeader, coding};

    #[test]
    fn the_examples_of_rfc_6455_section_5_7() {
        let mut out = Vec::new();
        encode_frame(&mut out, OpCode::Text, true, b"Hello", None);
        assert_eq!(out, b"\x81\x05Hello");
        out.clear();
        encode_frame(
            &mut out,
            OpCode::Text,
            true,
            b"Hello",
            Some([0x37, 0xfa, 0x21, 0x3d]),
        );
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        out.clear();
        encode_frame(&mut out, OpCode::Text, false, b"Hel", None);
        encode_frame(&mut out, OpCode::Continuation, true, b"lo", None);
        assert_eq!(out, b"\x01\x03Hel\x80\x02lo");
        out.clear();
        encode_frame(&mut out, OpCode::Binary, true, &[7; 256], None);
        assert_eq!(out[..4], [0x82, 0x7e, 0x01, 0x00]);
        out.clear();
        encode_frame(&mut out, OpCode::Binary, true, &[7; 65536], None);
        assert_eq!(out[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn frame_len_is_what_is_appended() {
        for len in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut out = b"before".to_vec();
                encode_frame(&mut out, OpCode::Binary, true, &vec![0; len], mask);
                assert_eq!(
                    out.len() - 6,
                    frame_len(len, mask.is_some()),
                    "{len} {mask:?}"
                );
                assert!(out.starts_with(b"before"));
            }
        }
    }

    #[test]
    fn the_head_of_a_server_is_that_of_its_frame() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            for opcode in [OpCode::Text, OpCode::Binary] {
                let mut frame = Vec::new();
                encode_frame(&mut frame, opcode, true, &vec![7; len], None);
                let (head, size) = message_head(opcode, len, None);
                assert_eq!(head[..size], frame[..frame.len() - len], "{len}");
            }
        }
    }

    #[test]
    fn messages_in_fragments() {
        for (len, fragment) in [(0, 1), (1, 1), (5, 2), (6, 2), (6, 6), (6, 7), (300, 126)] {
            for masks in [None, Some([[1, 2, 3, 4], [5, 6, 7, 8]])] {
                for compressed in [false, true] {
                    let fragment = NonZeroUsize::new(fragment);
                    let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
                    let (mut out, mut frames) = (Vec::new(), 0);
                    encode_message(
                        &mut out,
                        OpCode::Text,
                        compressed,
                        &payload,
                        fragment,
                        || {
                            frames += 1;
                            masks.map(|masks| masks[frames % 2])
                        },
                    );
                    assert_eq!(out.len(), message_len(len, fragment, masks.is_some()));
                    let (mut at, mut back, mut n) = (0, Vec::new(), 0);
                    while at < out.len() {
                        let mut head = std::io::Cursor::new(&out[at..]);
                        let (header, size) = FrameHeader::parse(&mut head)
                            .expect("a header")
                            .expect("whole");
                        at += head.position() as usize;
                        let mut piece = out[at..at + size as usize].to_vec();
                        if let Some(mask) = header.mask {
                            apply_mask(&mut piece, mask, 0);
                        }
                        back.extend(piece);
                        at += size as usize;
                        n += 1;
                        assert_eq!(header.mask, masks.map(|masks| masks[n % 2]));
                        assert_eq!(header.rsv1, compressed && n == 1);
                        assert_eq!(
                            header.opcode == coding::OpCode::from(OpCode::Text as u8),
                            n == 1
                        );
                        assert_eq!(header.is_final, at == out.len());
                    }
                    assert_eq!((back, n), (payload, frames));
                }
            }
        }
    }

    #[test]
    fn close_frames() {
        let mut out = Vec::new();
        encode_close(&mut out, None, None);
        assert_eq!(out, b"\x88\x00");
        out.clear();
        encode_close(&mut out, Some((1000, "bye")), None);
        assert_eq!(out, b"\x88\x05\x03\xe8bye");
        out.clear();
        encode_close(&mut out, Some((1011, &"€".repeat(100))), Some([9, 8, 7, 6]));
        assert_eq!(out[..2], [0x88, 0x80 | 125]);
        assert_eq!(out.len(), 2 + 4 + 125);
        apply_mask(&mut out[6..], [9, 8, 7, 6], 0);
        assert_eq!(out[6..8], 1011u16.to_be_bytes());
        assert_eq!(&out[8..], "€".repeat(41).as_bytes());
    }
}
