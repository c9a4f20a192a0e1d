//! How long a head may be.

/// How long the head of the server's answer, or of the client's request, may be. Checked as it
/// arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct HandshakeLimits {
    /// Bytes of the first line and the headers. Default 16 KiB.
    pub max_header_bytes: usize,
    /// Lines of headers. Default 100; the parser's own limit, 124, holds above that.
    pub max_headers: usize,
}

impl HandshakeLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            max_header_bytes: 16 * 1024,
            max_headers: 100,
        }
    }

    /// Sets the most bytes of the first line and the headers.
    pub const fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// Sets the most lines of headers.
    pub const fn max_headers(mut self, lines: usize) -> Self {
        self.max_headers = lines;
        self
    }
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self::new()
    }
}
