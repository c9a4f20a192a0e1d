//! The server's opening handshake: reads a request, which may or may not ask for an upgrade
//! (RFC 6455 section 4.2).

use super::bad_request::{BadRequest, UpgradeError};
use super::body::BodyReader;
use super::head::{MAX_HEADERS, body_length, header_map, scan};
use super::limits::HandshakeLimits;
use super::target::{Target, is_authority};
use crate::fields::{elements, has_token, is_token, single};
use http::header::{
    self, AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method};
use hvloop_event::Address;
use hvloop_event::http::{BodyLength, HeadOf, HeadScan};
use std::fmt;
use std::str;
use tungstenite::handshake::derive_accept_key;

/// A client's request (RFC 9112 section 3): for an upgrade, or plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The method: GET for an upgrade.
    pub method: Method,
    /// The path, as the client spelled it (percent-encoded): it begins with `/`, or is `*`.
    pub path: String,
    /// What stands behind the `?`, if there is one.
    pub query: Option<String>,
    /// All headers. If the target was a whole URL, Host is that URL's, whatever was sent (RFC 9112
    /// section 3.2.2).
    pub headers: HeaderMap,
    /// HTTP/1.1, and not 1.0.
    http_1_1: bool,
    /// How long a body follows; `None`: none does.
    length: Option<BodyLength>,
    /// The body, once it is there.
    pub(crate) body: Vec<u8>,
    /// Who asks, where that is known.
    pub(crate) peer: Option<Address>,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestProgress {
    /// Its head is not all there.
    NeedMore,
    /// It is there.
    Done {
        /// The request.
        request: Box<HttpRequest>,
        /// How many bytes of those fed last belong to its head.
        consumed: usize,
    },
}

/// Reads one request's head, in pieces as they come.
///
/// ```
/// use hvloop_ws::handshake::{HandshakeLimits, RequestProgress, ServerHandshake};
///
/// let mut handshake = ServerHandshake::new(HandshakeLimits::default());
/// assert_eq!(handshake.feed(b"GET /chat HTTP/1.1\r\nHo")?, RequestProgress::NeedMore);
/// let done = handshake.feed(b"st: example.com\r\n\r\n")?;
/// assert!(matches!(done, RequestProgress::Done { request, .. } if request.path == "/chat"));
/// # Ok::<(), hvloop_ws::handshake::BadRequest>(())
/// ```
pub struct ServerHandshake {
    scan: HeadScan,
    /// The head so far, when it came in pieces.
    head: Vec<u8>,
}

impl ServerHandshake {
    /// Waits for a request.
    pub fn new(limits: HandshakeLimits) -> Self {
        let limits = HandshakeLimits {
            max_headers: limits.max_headers.min(MAX_HEADERS),
            ..limits
        };
        Self {
            scan: scan(HeadOf::Request, limits),
            head: Vec::new(),
        }
    }

    /// Takes what the client sent next. Each byte is looked at once and parsed once, however small
    /// the pieces are.
    ///
    /// # Errors
    ///
    /// See [`BadRequest`]. After an error, and after [`RequestProgress::Done`], the handshake is
    /// over.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<RequestProgress, BadRequest> {
        let Some(consumed) = self.scan.end(bytes)? else {
            self.head.extend_from_slice(bytes);
            return Ok(RequestProgress::NeedMore);
        };
        let mut head = std::mem::take(&mut self.head);
        let request = if head.is_empty() {
            parse(&bytes[..consumed])?
        } else {
            head.extend_from_slice(&bytes[..consumed]);
            parse(&head)?
        };
        let request = Box::new(request);
        Ok(RequestProgress::Done { request, consumed })
    }
}

/// Parses a whole head.
fn parse(head: &[u8]) -> Result<HttpRequest, BadRequest> {
    let malformed = |what: &dyn fmt::Display| BadRequest::Malformed(what.to_string());
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut lines);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed(&"an empty line inside its head")),
        Err(httparse::Error::Version) if is_other_version(head) => return Err(BadRequest::Version),
        Err(e) => return Err(malformed(&e)),
    }
    let http_1_1 = parsed.version == Some(1);
    let method = parsed.method.unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).map_err(|e| malformed(&e))?;
    let target = Target::parse(&method, parsed.path.unwrap_or_default());
    let target = target.map_err(|what| malformed(&what))?;
    let mut headers = header_map(parsed.headers).map_err(BadRequest::Malformed)?;
    for name in [AUTHORIZATION, COOKIE] {
        if let header::Entry::Occupied(mut lines) = headers.entry(name) {
            // Not for logs.
            lines.iter_mut().for_each(|line| line.set_sensitive(true));
        }
    }
    let host = match (single(&headers, HOST), headers.contains_key(HOST)) {
        (Some(host), _) => is_authority(host),
        (None, several) => !several && !http_1_1,
    };
    if !host {
        return Err(BadRequest::Host);
    }
    if let Some(authority) = target.authority {
        let authority = HeaderValue::from_str(authority).map_err(|e| malformed(&e))?;
        headers.insert(HOST, authority);
    }
    let length = body_length(&headers, http_1_1).map_err(BadRequest::Framing)?;
    Ok(HttpRequest {
        path: target.path.to_owned(),
        query: target.query.map(str::to_owned),
        method,
        headers,
        http_1_1,
        length,
        body: Vec::new(),
        peer: None,
    })
}

/// Whether the first line is a request's, in a version of HTTP (RFC 9112 section 2.3) that is not known
/// here.
fn is_other_version(head: &[u8]) -> bool {
    let mut lines = head
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let mut words = first.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let proper = method.is_some_and(is_token) && target.is_some_and(|target| !target.is_empty());
    let known = matches!(version, Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
        if major.is_ascii_digit() && minor.is_ascii_digit());
    proper && known && words.next().is_none() && !matches!(version, Some(b"HTTP/1.0" | b"HTTP/1.1"))
}

impl HttpRequest {
    /// The value of a header, if it is there and is text; the first, if it is there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The address of the client, or of what is before it; `None`: it was read by
    /// [`ServerHandshake`] alone.
    ///
    /// libhv: `HttpRequest::client_addr`.
    pub fn peer(&self) -> Option<&Address> {
        self.peer.as_ref()
    }

    /// The body, up to [`HttpOptions::max_body`](crate::HttpOptions::max_body); empty for an upgrade, which has none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The host that it is for, maybe with a port: the URL's, if the target is a whole one, else the Host
    /// header's. `None`: neither is there, as HTTP/1.0 allows.
    pub fn host(&self) -> Option<&str> {
        self.header(HOST.as_str())
    }

    /// The value of the cookie of that name, as it was sent; the first, if there are several (RFC 6265
    /// section 5.4).
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(COOKIE).iter();
        let texts = lines.filter_map(|line| str::from_utf8(line.as_bytes()).ok());
        let pairs = texts.flat_map(|text| text.split(';'));
        let mut pairs = pairs.filter_map(|pair| pair.trim_ascii().split_once('='));
        pairs.find(|pair| pair.0 == name).map(|pair| pair.1)
    }

    /// The Origin header: the site whose page makes the request, if a browser makes it (RFC 6454).
    pub fn origin(&self) -> Option<&str> {
        single(&self.headers, ORIGIN).and_then(|value| str::from_utf8(value).ok())
    }

    /// The subprotocols that the client offers, in its order of preference. What is no token (RFC 6455
    /// section 4.1, item 10) is no subprotocol, and left out.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        let names = elements(&self.headers, SEC_WEBSOCKET_PROTOCOL);
        let names = names.filter(|name| is_token(name));
        names.filter_map(|name| str::from_utf8(name).ok())
    }

    /// Whether the request asks for a WebSocket, well or not.
    pub fn is_upgrade(&self) -> bool {
        has_token(&self.headers, UPGRADE, b"websocket")
    }

    /// Whether a body follows the head.
    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.length, None | Some(BodyLength::Known(0)))
    }

    /// What reads the body that follows, of `limit` bytes at most.
    pub(crate) fn body_reader(&self, limit: usize) -> Result<BodyReader, BadRequest> {
        let length = self.length.unwrap_or(BodyLength::Known(0));
        let codings = elements(&self.headers, TRANSFER_ENCODING).count();
        if length == BodyLength::Chunked && codings > 1 {
            return Err(BadRequest::TransferCoding);
        }
        BodyReader::new(length, limit)
    }

    /// Whether the client waits for an interim answer before it sends the body (RFC 9110 section 10.1.1). Who
    /// speaks HTTP/1.0 does not.
    pub(crate) fn expects_continue(&self) -> Result<bool, BadRequest> {
        let mut expected = elements(&self.headers, EXPECT);
        if !self.http_1_1 {
            return Ok(false);
        }
        match expected.all(|element| element.eq_ignore_ascii_case(b"100-continue")) {
            true => Ok(self.headers.contains_key(EXPECT)),
            false => Err(BadRequest::Expectation),
        }
    }

    /// Whether the client would have another request follow (RFC 9112 section 9.3).
    pub(crate) fn keeps_alive(&self) -> bool {
        let says = |token| has_token(&self.headers, CONNECTION, token);
        !says(b"close") && (self.http_1_1 || says(b"keep-alive"))
    }

    /// The value for Sec-WebSocket-Accept, if this is a proper request for a WebSocket.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check_upgrade(&self) -> Result<String, UpgradeError> {
        let ensure = |holds: bool, error| if holds { Ok(()) } else { Err(error) };
        let headers = &self.headers;
        ensure(self.is_upgrade(), UpgradeError::NotAsked)?;
        ensure(self.method == Method::GET, UpgradeError::Method)?;
        ensure(self.http_1_1, UpgradeError::Version)?;
        ensure(!self.has_body(), UpgradeError::Body)?;
        let connection = has_token(headers, CONNECTION, b"upgrade");
        ensure(connection, UpgradeError::Connection)?;
        let version = single(headers, SEC_WEBSOCKET_VERSION);
        ensure(version == Some(b"13"), UpgradeError::WebSocketVersion)?;
        let key = single(headers, SEC_WEBSOCKET_KEY).filter(|key| is_nonce(key));
        let key = key.ok_or(UpgradeError::Key)?;
        Ok(derive_accept_key(key))
    }
}

/// Whether these are 16 bytes in base64: 22 characters and two that pad.
fn is_nonce(key: &[u8]) -> bool {
    let Some((digits, b"==")) = key.split_at_checked(22) else {
        return false;
    };
    digits
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

// Leaves out the headers.
hvloop_event::debug_fields!(ServerHandshake, this: "gathered" = this.head.len());
