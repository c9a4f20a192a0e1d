//! What the handshakes share of HTTP/1.1: where a head ends, how long a body is, its first
//! bytes, and which refusals last. No I/O here.
//!
//! For protocols that begin as HTTP; see RFC 9112.

mod body;
mod head;

pub use body::{BodyLength, BodyPrefix};
pub use head::{HeadOf, HeadScan, ScanError};

/// Whether the same request would most likely be refused in the same way: 301, 308, 4xx (but for 408, 421,
/// 423, 425 and 429, which pass), 501 and 505.
pub fn is_permanent_status(status: u16) -> bool {
    match status {
        408 | 421 | 423 | 425 | 429 => false,
        301 | 308 | 400..=499 | 501 | 505 => true,
        _ => false,
    }
}
