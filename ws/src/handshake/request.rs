//! The client's half of the opening handshake (RFC 6455 section 4.1).

use super::HeadError;
use crate::WsUrl;
use crate::deflate::{self, DeflateOptions};
use crate::fields::is_token;
use http::header::{HeaderName, HeaderValue};
use hvloop_event::setters;
use std::fmt;

/// Headers that are the handshake's own, or that would announce a body; lower case.
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
];

/// What a client asks for. Serves any number of attempts: each gets a key of its own from
/// [`ClientHandshake::start`](super::ClientHandshake::start).
///
/// ```
/// use hvloop_ws::WsUrl;
/// use hvloop_ws::handshake::UpgradeRequest;
///
/// let url: WsUrl = "ws://example.com/chat".parse()?;
/// let request = UpgradeRequest::new(&url)
///     .header("Authorization", "Bearer 123")?
///     .subprotocol("chat.v2")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct UpgradeRequest {
    resource: String,
    host: HeaderValue,
    origin: Option<HeaderValue>,
    /// Further headers, with the names as the user spelled them.
    headers: Vec<(String, HeaderValue)>,
    subprotocols: Vec<String>,
    subprotocol_required: bool,
    deflate: Option<DeflateOptions>,
}

impl UpgradeRequest {
    /// Asks for the resource of `url`, with no further headers.
    pub fn new(url: &WsUrl) -> Self {
        Self {
            resource: url.resource().to_owned(),
            // A host that passed the URL's parser is ASCII without control characters; were it
            // not, then the server would refuse the empty value.
            host: HeaderValue::from_str(url.host_header())
                .unwrap_or_else(|_| HeaderValue::from_static("")),
            origin: None,
            headers: Vec::new(),
            subprotocols: Vec::new(),
            subprotocol_required: false,
            deflate: None,
        }
    }

    /// Adds a header. The same name may be added again; Host and Origin are replaced.
    ///
    /// # Errors
    ///
    /// [`BadHeaderName`](HeadError::BadHeaderName),
    /// [`BadHeaderValue`](HeadError::BadHeaderValue), or
    /// [`ReservedHeader`](HeadError::ReservedHeader) for what belongs to the handshake:
    /// Connection, Upgrade, Content-Length, Transfer-Encoding and Sec-WebSocket-*.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeadError> {
        let known = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| HeadError::BadHeaderName(name.to_owned()))?;
        if RESERVED.contains(&known.as_str()) {
            return Err(HeadError::ReservedHeader(name.to_owned()));
        }
        // Bytes above ASCII are legal in a value, line ends and control characters are not.
        let value =
            HeaderValue::from_bytes(value.as_bytes()).map_err(|_| HeadError::BadHeaderValue {
                name: name.to_owned(),
            })?;
        match known.as_str() {
            "host" => self.host = value,
            "origin" => self.origin = Some(value),
            _ => self.headers.push((name.to_owned(), value)),
        }
        Ok(self)
    }

    /// Sets the Origin header (RFC 6455 section 4.1, item 8).
    ///
    /// # Errors
    ///
    /// [`BadHeaderValue`](HeadError::BadHeaderValue).
    pub fn origin(self, origin: &str) -> Result<Self, HeadError> {
        self.header("Origin", origin)
    }

    /// Offers a subprotocol; the first one offered is the one liked best.
    ///
    /// # Errors
    ///
    /// [`BadSubprotocol`](HeadError::BadSubprotocol) or
    /// [`DuplicateSubprotocol`](HeadError::DuplicateSubprotocol).
    pub fn subprotocol(mut self, name: &str) -> Result<Self, HeadError> {
        if !is_token(name.as_bytes()) {
            return Err(HeadError::BadSubprotocol(name.to_owned()));
        }
        if self.offers(name) {
            return Err(HeadError::DuplicateSubprotocol(name.to_owned()));
        }
        self.subprotocols.push(name.to_owned());
        Ok(self)
    }

    setters! {
        /// Whether an answer without a subprotocol is refused, if any was offered. Default `false`:
        /// RFC 6455 lets a server choose none.
        require_subprotocol(required: bool) => subprotocol_required;

        /// Offers permessage-deflate (RFC 7692); `None`, the default: does not.
        deflate(options: impl Into<Option<DeflateOptions>>) => deflate;
    }

    /// What was offered of permessage-deflate.
    pub(super) fn offered_deflate(&self) -> Option<DeflateOptions> {
        self.deflate
    }

    /// Whether the subprotocol is one of those offered; names are case-sensitive.
    pub(super) fn offers(&self, name: &str) -> bool {
        self.subprotocols.iter().any(|offered| offered == name)
    }

    /// Whether the answer must choose a subprotocol.
    pub(super) fn insists_on_subprotocol(&self) -> bool {
        self.subprotocol_required && !self.subprotocols.is_empty()
    }

    /// The subprotocols offered, in the order of preference.
    pub(super) fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The request on the wire, with this Sec-WebSocket-Key.
    pub(super) fn to_bytes(&self, key: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.resource.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let mut line = |name: &str, value: &[u8]| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        };
        // In the spelling of RFC 6455: some servers compare it byte by byte.
        line("Host", self.host.as_bytes());
        line("Upgrade", b"websocket");
        line("Connection", b"Upgrade");
        line("Sec-WebSocket-Key", key.as_bytes());
        line("Sec-WebSocket-Version", b"13");
        if !self.subprotocols.is_empty() {
            line(
                "Sec-WebSocket-Protocol",
                self.subprotocols.join(", ").as_bytes(),
            );
        }
        if let Some(options) = &self.deflate {
            line(
                "Sec-WebSocket-Extensions",
                deflate::offer(options).as_bytes(),
            );
        }
        if let Some(origin) = &self.origin {
            line("Origin", origin.as_bytes());
        }
        for (name, value) in &self.headers {
            line(name, value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

impl fmt::Debug for UpgradeRequest {
    /// Leaves out the headers' values: one may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("UpgradeRequest")
            .field("host", &self.host)
            .field("origin", &self.origin)
            .field("headers", &names)
            .field("subprotocols", &self.subprotocols)
            .finish_non_exhaustive()
    }
}
