//! What an HTTP proxy says when it refuses.

/// The answer of an HTTP proxy that refused: its headers, such as the challenge of a 407, and the
/// beginning of its body.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ProxyAnswer {
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl ProxyAnswer {
    /// The headers in their order, with the names as the proxy spelled them.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The value of a header, if it is there and is text; the first, if it is there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The challenges (RFC 9110 section 11.7.1): the value of each Proxy-Authenticate header that is
    /// text.
    pub fn challenges(&self) -> impl Iterator<Item = &str> {
        self.values("proxy-authenticate")
    }

    /// The beginning of its body, at most 1 KiB; less, if the connection or its time ended first.
    pub fn body_prefix(&self) -> &[u8] {
        &self.body
    }

    fn values(&self, wanted: &str) -> impl Iterator<Item = &str> {
        let lines = self.headers();
        let lines = lines.filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
        lines.filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }
}

// Leaves out the values: one may be a secret.
debug_fields!(ProxyAnswer, this:
    "headers" = this.headers().map(|(name, _)| name).collect::<Vec<_>>(),
    "body" = this.body.len(),
);
