//! Headers that hold one value, and headers that list tokens (RFC 9110 section 5.6).

use tungstenite::http::HeaderMap;
use tungstenite::http::header::HeaderName;

/// The value of a header that must be there exactly once.
pub(super) fn single(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes().trim_ascii()),
        _ => None,
    }
}

/// Whether a header that lists tokens names this one, in any of its lines and in any case.
pub(super) fn has_token(headers: &HeaderMap, name: HeaderName, token: &[u8]) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

/// Whether this is a token: visible ASCII without separators (RFC 6455 section 4.1, item 10).
pub(crate) fn is_token(name: &[u8]) -> bool {
    let in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(in_token)
}
