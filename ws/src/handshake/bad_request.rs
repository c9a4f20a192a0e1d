//! What can be wrong with a request, and the statuses that say so.

use hvloop_event::http::ScanError;

/// Why a request is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// It is not HTTP/1.
    #[error("the request is not HTTP/1: {0}")]
    Malformed(String),
    /// It is of another version of HTTP than 1.0 and 1.1.
    #[error("the request is not of HTTP/1.0 or HTTP/1.1")]
    Version,
    /// There is not one Host with a host in it, which HTTP/1.1 requires (RFC 9112 section 3.2).
    #[error("the request does not have one Host with a host in it")]
    Host,
    /// The headers that say how long its body is contradict each other or themselves (RFC 9112 section
    /// 6.3).
    #[error("the request has {0}")]
    Framing(&'static str),
    /// Its body comes in another transfer coding than `chunked` (RFC 9112 section 7).
    #[error("the request's body comes in a transfer coding that is not known")]
    TransferCoding,
    /// Its body is longer than [`HttpOptions::max_body`](crate::HttpOptions::max_body).
    #[error("the body of the request is over the limit of {limit} bytes")]
    BodyTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Its body is not chunked as it has to be (RFC 9112 section 7.1).
    #[error("the request's body has {0}")]
    Chunk(&'static str),
    /// It expects something else than `100-continue` (RFC 9110 section 10.1.1).
    #[error("the request expects what is not known")]
    Expectation,
    /// Its head is longer than [`HandshakeLimits::max_header_bytes`](super::HandshakeLimits::max_header_bytes).
    #[error("the head of the request is over the limit of {limit} bytes")]
    HeadersTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Its head has more lines than [`HandshakeLimits::max_headers`](super::HandshakeLimits::max_headers).
    #[error("the request has more headers than the limit of {limit}")]
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
}

/// Why a request makes no WebSocket (RFC 6455 section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// It does not ask for one: there is no `Upgrade: websocket`.
    #[error("the request has no header Upgrade: websocket")]
    NotAsked,
    /// The method is not GET.
    #[error("an upgrade takes the method GET")]
    Method,
    /// It is HTTP/1.0.
    #[error("an upgrade takes HTTP/1.1")]
    Version,
    /// There is no `Connection: Upgrade`.
    #[error("the request has no header Connection: Upgrade")]
    Connection,
    /// There is no Sec-WebSocket-Key, more than one, or it is not 16 bytes in base64.
    #[error("the request does not have one Sec-WebSocket-Key of 16 bytes")]
    Key,
    /// Sec-WebSocket-Version is not 13.
    #[error("the request's Sec-WebSocket-Version is not 13")]
    WebSocketVersion,
    /// It announces a body, of which a WebSocket has none: its bytes would be taken for frames.
    #[error("an upgrade has no body")]
    Body,
}

impl BadRequest {
    /// The status that answers it: 400, 413 for a body over the limit, 417 for an expectation, 431 for a head
    /// over a limit (RFC 6585), 501 for a transfer coding, or 505 for another version.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Host | Self::Framing(_) | Self::Chunk(_) => 400,
            Self::BodyTooLarge { .. } => 413,
            Self::Expectation => 417,
            Self::TransferCoding => 501,
            Self::Version => 505,
            Self::HeadersTooLarge { .. } | Self::TooManyHeaders { .. } => 431,
        }
    }
}

impl UpgradeError {
    /// The status that answers it: 426 for another version or none at all (RFC 6455 section 4.2.2),
    /// 405 for another method, else 400.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotAsked | Self::WebSocketVersion => 426,
            Self::Method => 405,
            _ => 400,
        }
    }
}

impl From<ScanError> for BadRequest {
    fn from(e: ScanError) -> Self {
        match e {
            ScanError::NotHttp => Self::Malformed("it does not begin with a method".to_owned()),
            ScanError::TooLarge { limit } => Self::HeadersTooLarge { limit },
            ScanError::TooManyHeaders { limit } => Self::TooManyHeaders { limit },
            _ => Self::Malformed(e.to_string()),
        }
    }
}
