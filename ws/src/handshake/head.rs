//! What both roles make of a head.

use super::limits::HandshakeLimits;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use hvloop_event::http::{BodyLength, HeadOf, HeadScan};

/// The most lines of headers that are parsed, whatever the limits say.
pub(super) const MAX_HEADERS: usize = 124;

/// A scan within these limits. Each line ends in CR and LF.
pub(super) fn scan(of: HeadOf, limits: HandshakeLimits) -> HeadScan {
    HeadScan::new(of, limits.max_header_bytes, limits.max_headers)
}

/// The headers that a parser found, in their order.
pub(super) fn header_map(lines: &[httparse::Header<'_>]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|e| e.to_string())?;
        let value = HeaderValue::from_bytes(line.value).map_err(|e| e.to_string())?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// What the headers say of the message's body.
pub(super) fn body_length(
    headers: &HeaderMap,
    http_1_1: bool,
) -> Result<Option<BodyLength>, &'static str> {
    let lines = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    BodyLength::of(lines, http_1_1)
}
