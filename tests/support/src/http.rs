//! The server's side of the opening handshake (RFC 6455, section 4.2), as text.

use tungstenite::handshake::derive_accept_key;

/// Longest request head that is read, in bytes.
pub(crate) const HEAD_LIMIT: usize = 256 * 1024;

/// The head of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// The request line, such as `GET /path HTTP/1.1`.
    pub request_line: String,
    /// Header names as sent, with their values, in the order of sending.
    pub headers: Vec<(String, String)>,
}

impl RequestHead {
    /// Reads a head, up to and without the empty line.
    pub fn parse(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        Self {
            request_line: lines.next().unwrap_or_default().to_owned(),
            headers: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        }
    }

    /// The first value of the header `name`, in any case of letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// What was asked for: path and query.
    pub fn target(&self) -> &str {
        self.request_line.split(' ').nth(1).unwrap_or_default()
    }
}

/// Where the head ends in `bytes`: the index after the empty line.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The answer 101 to `request`, with `extra` header lines (`Name: value`, without line ends).
pub fn upgrade_response(request: &RequestHead, extra: &[&str]) -> String {
    let key = request.header("Sec-WebSocket-Key").unwrap_or_default();
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        derive_accept_key(key.as_bytes())
    );
    for line in extra {
        response.push_str(line);
        response.push_str("\r\n");
    }
    response.push_str("\r\n");
    response
}
