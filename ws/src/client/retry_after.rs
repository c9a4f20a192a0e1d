//! When a server that refused wants to be asked again. Pure.

use crate::events::{CloseEvent, ConnectionError};
use crate::handshake::HandshakeError;
use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// How long a server that is busy (503, 429) wants to be left alone (RFC 9110 section 10.2.3), but at
/// most so long.
pub(super) fn retry_after(event: &CloseEvent, limit: Duration) -> Option<Duration> {
    let Some(ConnectionError::Handshake(e)) = &event.error else {
        return None;
    };
    match &**e {
        HandshakeError::Status {
            status: 429 | 503,
            headers,
            ..
        } => delay(headers).map(|delay| delay.min(limit)),
        _ => None,
    }
}

fn delay(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let value = text(RETRY_AFTER)?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a number holds are more than the limit, too.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    // By the server's own clock, if it tells the time.
    let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    at.duration_since(now.unwrap_or_else(wall_clock)).ok()
}

/// A jump of it makes one wait longer or shorter, within the limit.
#[allow(
    clippy::disallowed_methods,
    reason = "a moment in the server's calendar is to be compared with ours"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::testkit::refused;

    #[test]
    fn when_to_come_back() {
        let second = Duration::from_secs(1);
        let after = |status, headers: &[_]| retry_after(&refused(status, headers), 3600 * second);
        let at = |value| after(503, &[("retry-after", value)]);
        assert_eq!(at("0"), Some(Duration::ZERO));
        assert_eq!(at("120"), Some(120 * second));
        assert_eq!(at("3601"), Some(3600 * second));
        assert_eq!(at("99999999999999999999999"), Some(3600 * second));
        for bad in ["", "-1", "1.5", "soon", "1 2", "Sun, 06 Nov 1994 08:49:37"] {
            assert_eq!(at(bad), None, "{bad:?}");
        }
        // In all three forms of RFC 9110 section 5.6.7, by the server's own clock.
        let date = ("date", "Sun, 06 Nov 1994 08:49:07 GMT");
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            let delay = after(429, &[("retry-after", value), date]);
            assert_eq!(delay, Some(30 * second), "{value}");
            // Over by our clock.
            assert_eq!(at(value), None, "{value}");
        }
        let tomorrow = httpdate::fmt_http_date(wall_clock() + 100 * second);
        let delay = at(&tomorrow).expect("a date in the future");
        assert!(delay > 90 * second && delay <= 100 * second, "{delay:?}");
        let far = after(503, &[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")]);
        assert_eq!(far, Some(3600 * second));
        assert_eq!(after(503, &[]), None);
        assert_eq!(after(500, &[("retry-after", "1")]), None);
    }
}
