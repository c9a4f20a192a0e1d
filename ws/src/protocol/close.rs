//! Close codes and the payload of a Close frame (RFC 6455 sections 5.5.1 and 7.4).

use super::{MAX_CONTROL_PAYLOAD, ProtocolError};
use std::str;
use tungstenite::protocol::frame::coding::CloseCode;

/// The longest reason that fits a Close frame beside its code, in bytes.
pub const MAX_CLOSE_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// Bad Gateway, registered after RFC 6455; tungstenite does not know it.
const BAD_GATEWAY: u16 = 1014;

/// Whether a peer may put this code into a Close frame: what RFC 6455 section 7.4 and the IANA
/// registry name (1000 to 1003, 1007 to 1014) and what libraries and applications use among
/// themselves (3000 to 4999).
pub fn is_receivable_close_code(code: u16) -> bool {
    code == BAD_GATEWAY || CloseCode::from(code).is_allowed()
}

/// Whether an application may send this code in a Close frame. 1004, 1005, 1006 and 1015 never go
/// over the wire, and nothing is defined below 1000, from 1016 to 2999 and from 5000 on.
pub fn is_sendable_close_code(code: u16) -> bool {
    is_receivable_close_code(code)
}

/// The code with which an application's close goes out, where 1005 is a Close without one: so go 1005,
/// 1006 and 1015, which tell an application of an end and never go over the wire (section 7.4.1), and
/// which one that relays hands on. `None`: no application may close with this code.
pub(crate) fn outgoing_close_code(code: u16) -> Option<u16> {
    match code {
        1005 | 1006 | 1015 => Some(1005),
        _ => is_sendable_close_code(code).then_some(code),
    }
}

/// The code and reason of a received Close; `None` when it carries neither.
pub(super) fn parse_close(payload: &[u8]) -> Result<Option<(u16, &str)>, ProtocolError> {
    match payload {
        [] => Ok(None),
        [_] => Err(ProtocolError::CloseTooShort),
        [high, low, reason @ ..] => {
            let reason = str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
            let code = u16::from_be_bytes([*high, *low]);
            if is_receivable_close_code(code) {
                Ok(Some((code, reason)))
            } else {
                Err(ProtocolError::BadCloseCode(code))
            }
        }
    }
}

/// As much of the reason as fits a Close frame, cut between two characters.
pub(super) fn fitting_reason(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_CLOSE_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_on_the_wire() {
        let good = [1000..=1003, 1007..=1014, 3000..=4999];
        for code in 0..=u16::MAX {
            let expected = good.iter().any(|range| range.contains(&code));
            assert_eq!(is_receivable_close_code(code), expected, "receive {code}");
            assert_eq!(is_sendable_close_code(code), expected, "send {code}");
            let outgoing = match code {
                1005 | 1006 | 1015 => Some(1005),
                _ => expected.then_some(code),
            };
            assert_eq!(outgoing_close_code(code), outgoing, "close with {code}");
        }
    }

    #[test]
    fn payloads() {
        assert_eq!(parse_close(b""), Ok(None));
        assert_eq!(parse_close(b"\x03"), Err(ProtocolError::CloseTooShort));
        assert_eq!(parse_close(b"\x03\xe8"), Ok(Some((1000, ""))));
        assert_eq!(
            parse_close("\u{3}éé".as_bytes()),
            Err(ProtocolError::InvalidCloseReason)
        );
        assert_eq!(parse_close(b"\x03\xe9going"), Ok(Some((1001, "going"))));
        assert_eq!(
            parse_close(b"\x03\xed"),
            Err(ProtocolError::BadCloseCode(1005))
        );
        assert_eq!(
            parse_close(b"\x03\xe8\xe2\x82"),
            Err(ProtocolError::InvalidCloseReason)
        );
    }

    #[test]
    fn close_reason_123() {
        let ascii = "x".repeat(200);
        assert_eq!(fitting_reason(&ascii).len(), 123);
        assert_eq!(fitting_reason(&ascii[..123]).len(), 123);
        // 3-byte characters: 41 of them are 123 bytes; shifted by one byte only 40 fit.
        assert_eq!(fitting_reason(&"€".repeat(50)), "€".repeat(41));
        assert_eq!(
            fitting_reason(&format!("a{}", "€".repeat(50))),
            format!("a{}", "€".repeat(40))
        );
        assert_eq!(fitting_reason(&"𝄞".repeat(50)), "𝄞".repeat(30));
        assert_eq!(fitting_reason(""), "");
    }
}
