//! What a server answers: the acceptance of an upgrade, or plain HTTP.

use super::HeadError;
use crate::fields::is_token;
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::borrow::Cow;

/// Headers of an answer that are not the user's: the handshake's, and those that frame the body.
const RESERVED: [&str; 7] = [
    "connection",
    "content-length",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "transfer-encoding",
    "upgrade",
];

/// Accepts an upgrade: what a server's `on_upgrade` returns.
///
/// ```
/// use hvloop_ws::handshake::Accept;
///
/// let accept = Accept::new().subprotocol("chat.v2")?.header("X-Shard", "7")?;
/// # Ok::<(), hvloop_ws::handshake::HeadError>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Accept {
    headers: Headers,
    subprotocol: Option<String>,
}

/// Whether a connection goes on behind an answer (RFC 9112 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// It ends.
    Close,
    /// Another request may follow.
    KeepAlive,
}

/// A plain HTTP answer: the refusal of an upgrade, or what a request is answered. After a refusal the connection
/// ends.
///
/// ```
/// use hvloop_ws::handshake::HttpResponse;
/// use hvloop_ws::http::StatusCode;
///
/// let refusal = HttpResponse::text(StatusCode::UNAUTHORIZED, "who are you?")
///     .header("WWW-Authenticate", "Basic realm=\"chat\"")?;
/// let page = HttpResponse::html("<!doctype html><title>hello</title>");
/// # Ok::<(), hvloop_ws::handshake::HeadError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct HttpResponse {
    status: StatusCode,
    headers: Headers,
    body: Cow<'static, [u8]>,
}

/// Further headers, in their order, with the names as the user spelled them.
#[derive(Clone, Default)]
struct Headers(Vec<(String, HeaderValue)>);

impl Headers {
    fn add(&mut self, name: &str, value: &str) -> Result<(), HeadError> {
        let known = HeaderName::from_bytes(name.as_bytes());
        let known = known.map_err(|_| HeadError::BadHeaderName(name.to_owned()))?;
        if RESERVED.contains(&known.as_str()) {
            return Err(HeadError::ReservedHeader(name.to_owned()));
        }
        let bad = |_| HeadError::BadHeaderValue {
            name: name.to_owned(),
        };
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(bad)?;
        self.0.push((name.to_owned(), value));
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        let mut names = self.0.iter().map(|(name, _)| name);
        names.any(|known| known.eq_ignore_ascii_case(name))
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            line(out, name, value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

impl Accept {
    /// Accepts, with no subprotocol and no further headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header to the answer, such as Set-Cookie. The same name may be added again.
    ///
    /// # Errors
    ///
    /// [`BadHeaderName`](HeadError::BadHeaderName), [`BadHeaderValue`](HeadError::BadHeaderValue),
    /// or [`ReservedHeader`](HeadError::ReservedHeader) for what belongs to the handshake.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeadError> {
        self.headers.add(name, value)?;
        Ok(self)
    }

    /// Chooses a subprotocol, which has to be one of those that the client offers: if it is not,
    /// the upgrade is refused with status 500.
    ///
    /// # Errors
    ///
    /// [`BadSubprotocol`](HeadError::BadSubprotocol).
    pub fn subprotocol(mut self, name: &str) -> Result<Self, HeadError> {
        if !is_token(name.as_bytes()) {
            return Err(HeadError::BadSubprotocol(name.to_owned()));
        }
        self.subprotocol = Some(name.to_owned());
        Ok(self)
    }

    /// The subprotocol chosen.
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The answer on the wire; `key` is the value for Sec-WebSocket-Accept, `extensions` that for
    /// Sec-WebSocket-Extensions, if there are any.
    pub fn to_bytes(&self, key: &str, extensions: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        line(&mut out, "Upgrade", b"websocket");
        line(&mut out, "Connection", b"Upgrade");
        line(&mut out, "Sec-WebSocket-Accept", key.as_bytes());
        if let Some(name) = &self.subprotocol {
            line(&mut out, "Sec-WebSocket-Protocol", name.as_bytes());
        }
        if let Some(extensions) = extensions {
            line(&mut out, "Sec-WebSocket-Extensions", extensions.as_bytes());
        }
        self.headers.write(&mut out);
        out
    }
}

impl HttpResponse {
    /// An answer with no body. An interim status (1xx) would be none: it becomes 500.
    pub fn new(status: StatusCode) -> Self {
        let status = match status.is_informational() {
            true => StatusCode::INTERNAL_SERVER_ERROR,
            false => status,
        };
        Self {
            status,
            headers: Headers::default(),
            body: Cow::Borrowed(b""),
        }
    }

    /// An answer with a text.
    pub fn text(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self::with(status, "text/plain; charset=utf-8", text.into())
    }

    /// A page, with status 200.
    pub fn html(page: impl Into<Cow<'static, str>>) -> Self {
        Self::with(StatusCode::OK, "text/html; charset=utf-8", page.into())
    }

    fn with(status: StatusCode, kind: &'static str, text: Cow<'static, str>) -> Self {
        let body = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        let mut response = Self::new(status).body(body);
        let kind = ("Content-Type".to_owned(), HeaderValue::from_static(kind));
        response.headers.0.push(kind);
        response
    }

    /// Adds a header. The same name may be added again.
    ///
    /// # Errors
    ///
    /// [`BadHeaderName`](HeadError::BadHeaderName), [`BadHeaderValue`](HeadError::BadHeaderValue),
    /// or [`ReservedHeader`](HeadError::ReservedHeader) for what frames the body or belongs to the
    /// handshake.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeadError> {
        self.headers.add(name, value)?;
        Ok(self)
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body = body.into();
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer on the wire, to a request of this method: one to HEAD has no body. What says 426 ends the
    /// connection.
    pub fn to_bytes(&self, method: &Method, persistence: Persistence) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.body.len());
        let reason = self.status.canonical_reason().unwrap_or_default();
        let first = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16());
        out.extend_from_slice(first.as_bytes());
        let upgrade = self.status == StatusCode::UPGRADE_REQUIRED;
        let connection: &[u8] = match persistence {
            _ if upgrade => b"close, Upgrade",
            Persistence::Close => b"close",
            Persistence::KeepAlive => b"keep-alive",
        };
        line(&mut out, "Connection", connection);
        // These two have no body, and must not announce one (RFC 9110 section 8.6).
        let bodiless = matches!(
            self.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        if !bodiless {
            line(
                &mut out,
                "Content-Length",
                self.body.len().to_string().as_bytes(),
            );
        }
        if upgrade {
            if !self.headers.has("Sec-WebSocket-Version") {
                line(&mut out, "Sec-WebSocket-Version", b"13");
            }
            line(&mut out, "Upgrade", b"websocket");
        }
        self.headers.write(&mut out);
        if !bodiless && method != Method::HEAD {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

impl From<StatusCode> for HttpResponse {
    /// An answer with the status' name as its text.
    fn from(status: StatusCode) -> Self {
        Self::text(status, status.canonical_reason().unwrap_or_default())
    }
}

// Leaves out the headers' values: one may be a secret.
hvloop_event::debug_fields!(Accept, this: "subprotocol" = this.subprotocol);

// Leaves out the headers' values and the body.
hvloop_event::debug_fields!(HttpResponse, this: "status" = this.status, "body" = this.body.len());
