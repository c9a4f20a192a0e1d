//! What can be wrong with an upgrade, on either side.

use http::HeaderMap;

/// Why the head of a request, or of an answer, cannot be made of what the user gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The name is not a token (RFC 9110 section 5.1).
    #[error("{0:?} is not the name of a header")]
    BadHeaderName(String),
    /// The value has a line end, a NUL or another control character (RFC 9110 section 5.5).
    #[error("the value of header {name} contains a control character")]
    BadHeaderValue {
        /// Whose value it is.
        name: String,
    },
    /// The header belongs to the handshake, or to a body that the request does not have.
    #[error("header {0} is the handshake's and cannot be set")]
    ReservedHeader(String),
    /// The user name has a colon, or it or the password a control character (RFC 7617 section 2).
    #[error("a user name or password cannot be sent by Basic authentication")]
    BadCredentials,
    /// The token is not one (RFC 6750 section 2.1).
    #[error("the bearer token contains a character that is not allowed")]
    BadToken,
    /// The name of the cookie is not a token, or its value has a character that is not allowed there
    /// (RFC 6265 section 4.1.1): a space, a comma, a semicolon, a backslash, a quote inside, a control
    /// character, or one above ASCII.
    #[error("cookie {name:?} cannot be sent as it is")]
    BadCookie {
        /// Its name.
        name: String,
    },
    /// The subprotocol's name is not a token (RFC 6455 section 4.1, item 10).
    #[error("{0:?} is not the name of a subprotocol")]
    BadSubprotocol(String),
    /// The subprotocol is offered twice (RFC 6455 section 4.1, item 10).
    #[error("subprotocol {0} is offered twice")]
    DuplicateSubprotocol(String),
}

/// Why the server's answer did not make a WebSocket of the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server answered with another status than 101.
    #[error("the server refused the upgrade with HTTP status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The headers, such as Location or WWW-Authenticate.
        headers: Box<HeaderMap>,
        /// The beginning of its body, at most 1 KiB; less, if the connection or its time ended first.
        body_prefix: Vec<u8>,
    },
    /// The answer is not HTTP.
    #[error("the answer is not HTTP: {0}")]
    Malformed(String),
    /// The answer is HTTP, but not 1.1 (RFC 6455 section 4.1).
    #[error("the answer is not HTTP/1.1")]
    WrongVersion,
    /// The head of the answer is longer than
    /// [`HandshakeLimits::max_header_bytes`](super::HandshakeLimits::max_header_bytes).
    #[error("the head of the answer is over the limit of {limit} bytes")]
    HeadersTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head of the answer has more lines than
    /// [`HandshakeLimits::max_headers`](super::HandshakeLimits::max_headers).
    #[error("the answer has more headers than the limit of {limit}")]
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
    /// The answer is a 101 with a body, which has none (RFC 9110 section 15.2): its bytes would be
    /// taken for frames.
    #[error("the answer is a 101 with a body")]
    UnexpectedBody,
    /// There is no `Upgrade: websocket`.
    #[error("the answer has no header Upgrade: websocket")]
    MissingUpgrade,
    /// There is no `Connection: Upgrade`.
    #[error("the answer has no header Connection: Upgrade")]
    MissingConnectionUpgrade,
    /// Sec-WebSocket-Accept is missing, there twice, or does not answer our key.
    #[error("the answer's Sec-WebSocket-Accept does not match the key")]
    AcceptMismatch,
    /// The server uses an extension that was not offered, or otherwise than it was offered.
    #[error("the server uses an extension otherwise than it was offered: {0:?}")]
    UnsolicitedExtension(String),
    /// The server chose a subprotocol that we did not offer, or several.
    #[error("the server chose a subprotocol that was not offered: {0:?}")]
    UnsolicitedSubprotocol(String),
    /// The server chose none of our subprotocols, and the request insists on one.
    #[error("the server chose none of the subprotocols offered")]
    MissingSubprotocol,
    /// The handshake was over before: a mistake of the caller.
    #[error("the handshake is over already")]
    Finished,
}
