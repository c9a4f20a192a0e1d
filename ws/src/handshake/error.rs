//! What can be wrong with an upgrade, on either side.

use http::HeaderMap;
use std::error::Error;
use std::fmt;

/// Why the head of a request, or of an answer, cannot be made of what the user gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The name is not a token (RFC 9110 section 5.1).
    BadHeaderName(String),
    /// The value has a line end, a NUL or another control character (RFC 9110 section 5.5).
    BadHeaderValue {
        /// Whose value it is.
        name: String,
    },
    /// The header belongs to the handshake, or to a body that the request does not have.
    ReservedHeader(String),
    /// The user name has a colon, or it or the password a control character (RFC 7617 section 2).
    BadCredentials,
    /// The token is not one (RFC 6750 section 2.1).
    BadToken,
    /// The name of the cookie is not a token, or its value has a character that is not allowed there
    /// (RFC 6265 section 4.1.1): a space, a comma, a semicolon, a backslash, a quote inside, a control
    /// character, or one above ASCII.
    BadCookie {
        /// Its name.
        name: String,
    },
    /// The subprotocol's name is not a token (RFC 6455 section 4.1, item 10).
    BadSubprotocol(String),
    /// The subprotocol is offered twice (RFC 6455 section 4.1, item 10).
    DuplicateSubprotocol(String),
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadHeaderName(name) => write!(f, "{name:?} is not the name of a header"),
            Self::BadHeaderValue { name } => {
                write!(f, "the value of header {name} contains a control character")
            }
            Self::ReservedHeader(name) => {
                write!(f, "header {name} is the handshake's and cannot be set")
            }
            Self::BadCredentials => {
                f.write_str("a user name or password cannot be sent by Basic authentication")
            }
            Self::BadToken => {
                f.write_str("the bearer token contains a character that is not allowed")
            }
            Self::BadCookie { name } => write!(f, "cookie {name:?} cannot be sent as it is"),
            Self::BadSubprotocol(name) => write!(f, "{name:?} is not the name of a subprotocol"),
            Self::DuplicateSubprotocol(name) => write!(f, "subprotocol {name} is offered twice"),
        }
    }
}

impl Error for HeadError {}

/// Why the server's answer did not make a WebSocket of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server answered with another status than 101.
    Status {
        /// The HTTP status.
        status: u16,
        /// The headers, such as Location or WWW-Authenticate.
        headers: Box<HeaderMap>,
        /// The beginning of its body, at most 1 KiB; less, if the connection or its time ended first.
        body_prefix: Vec<u8>,
    },
    /// The answer is not HTTP.
    Malformed(String),
    /// The answer is HTTP, but not 1.1 (RFC 6455 section 4.1).
    WrongVersion,
    /// The head of the answer is longer than
    /// [`HandshakeLimits::max_header_bytes`](super::HandshakeLimits::max_header_bytes).
    HeadersTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head of the answer has more lines than
    /// [`HandshakeLimits::max_headers`](super::HandshakeLimits::max_headers).
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
    /// The answer is a 101 with a body, which has none (RFC 9110 section 15.2): its bytes would be
    /// taken for frames.
    UnexpectedBody,
    /// There is no `Upgrade: websocket`.
    MissingUpgrade,
    /// There is no `Connection: Upgrade`.
    MissingConnectionUpgrade,
    /// Sec-WebSocket-Accept is missing, there twice, or does not answer our key.
    AcceptMismatch,
    /// The server uses an extension that was not offered, or otherwise than it was offered.
    UnsolicitedExtension(String),
    /// The server chose a subprotocol that we did not offer, or several.
    UnsolicitedSubprotocol(String),
    /// The server chose none of our subprotocols, and the request insists on one.
    MissingSubprotocol,
    /// The handshake was over before: a mistake of the caller.
    Finished,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, .. } => {
                write!(
                    f,
                    "the server refused the upgrade with HTTP status {status}"
                )
            }
            Self::Malformed(what) => write!(f, "the answer is not HTTP: {what}"),
            Self::WrongVersion => f.write_str("the answer is not HTTP/1.1"),
            Self::HeadersTooLarge { limit } => {
                write!(
                    f,
                    "the head of the answer is over the limit of {limit} bytes"
                )
            }
            Self::TooManyHeaders { limit } => {
                write!(f, "the answer has more headers than the limit of {limit}")
            }
            Self::UnexpectedBody => f.write_str("the answer is a 101 with a body"),
            Self::MissingUpgrade => f.write_str("the answer has no header Upgrade: websocket"),
            Self::MissingConnectionUpgrade => {
                f.write_str("the answer has no header Connection: Upgrade")
            }
            Self::AcceptMismatch => {
                f.write_str("the answer's Sec-WebSocket-Accept does not match the key")
            }
            Self::UnsolicitedExtension(value) => {
                write!(
                    f,
                    "the server uses an extension otherwise than it was offered: {value:?}"
                )
            }
            Self::UnsolicitedSubprotocol(value) => {
                write!(
                    f,
                    "the server chose a subprotocol that was not offered: {value:?}"
                )
            }
            Self::MissingSubprotocol => {
                f.write_str("the server chose none of the subprotocols offered")
            }
            Self::Finished => f.write_str("the handshake is over already"),
        }
    }
}

impl Error for HandshakeError {}
