//! What can be set about plain HTTP.

use std::time::Duration;

/// Options of the requests that a [`WebSocketServer`](super::WebSocketServer) answers by
/// [`on_http`](super::WebSocketServer::on_http). The time for a request, from its first byte to the last of its
/// body, is the listener's [`open_timeout`](hvloop_event::Listen::open_timeout); that for an answer is its
/// [`write_timeout`](hvloop_event::Listen::write_timeout).
///
/// ```
/// use hvloop_ws::HttpOptions;
///
/// let options = HttpOptions::new().max_body(64 * 1024).keep_alive(None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct HttpOptions {
    /// The longest body of a request, in bytes. Default 1 MiB.
    pub max_body: usize,
    /// How long a connection waits for the next request; `None`: it ends after an answer. Default 15 s.
    pub keep_alive: Option<Duration>,
}

impl HttpOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            max_body: 1024 * 1024,
            keep_alive: Some(Duration::from_secs(15)),
        }
    }

    /// Sets the longest body of a request, in bytes: one that is longer is answered with status 413.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how long a connection waits for the next request; `None`: it ends after an answer.
    ///
    /// libhv: `http_service.keepalive_timeout`.
    pub fn keep_alive(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.keep_alive = timeout.into();
        self
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self::new()
    }
}
