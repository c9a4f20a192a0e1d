//! `ws` and `wss` URLs (RFC 6455 section 3).

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use tungstenite::http::uri::PathAndQuery;
use url::{Host, ParseError, Url};

/// A URL to which a WebSocket can be opened: `ws://host[:port][/path][?query]`, or `wss` for TLS.
///
/// The host may be a domain name, which is brought to its ASCII form, or an IP address, IPv6 in
/// brackets.
///
/// ```
/// use hvloop_ws::WsUrl;
///
/// let url: WsUrl = "wss://example.com/chat?room=1".parse()?;
/// assert!(url.is_tls());
/// assert_eq!((url.host(), url.port()), ("example.com", 443));
/// assert_eq!(url.resource(), "/chat?room=1");
/// # Ok::<(), hvloop_ws::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WsUrl {
    /// The whole, as the parser wrote it.
    text: String,
    tls: bool,
    /// As a resolver takes it: no brackets.
    host: String,
    ip: Option<IpAddr>,
    port: u16,
    resource: String,
    host_header: String,
}

impl WsUrl {
    /// Parses a URL; the same as `text.parse()`.
    ///
    /// # Errors
    ///
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        text.parse()
    }

    /// Whether the connection is to be TLS: the scheme is `wss`.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host to resolve and to verify: a domain name in ASCII, or an IP address without
    /// brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address, if the host is an IP literal: there is nothing to resolve then.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// The port, by default 80 for `ws` and 443 for `wss`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The resource name of RFC 6455 section 3: the path, at least `/`, and the query.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The value of the Host header: the host, IPv6 in brackets, and the port unless it is the
    /// scheme's default (RFC 6455 section 4.1, item 4).
    pub fn host_header(&self) -> &str {
        &self.host_header
    }

    /// The URL as text, normalised.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for WsUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        // The parser, as browsers do, drops tabs and line ends silently.
        if text.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(UrlError::Syntax(ParseError::RelativeUrlWithoutBase));
        };
        let tls = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UrlError::UnsupportedScheme(scheme.to_owned())),
        };
        // It also takes any number of slashes, so that `ws:///path` would be the host "path".
        match rest.strip_prefix("//") {
            None => return Err(UrlError::MissingSlashes),
            Some(authority) if authority.starts_with(['/', '\\']) => {
                return Err(UrlError::EmptyHost);
            }
            Some(_) => {}
        }
        let url = Url::parse(text).map_err(|error| match error {
            ParseError::EmptyHost => UrlError::EmptyHost,
            other => UrlError::Syntax(other),
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let (host, ip) = match url.host() {
            None | Some(Host::Domain("")) => return Err(UrlError::EmptyHost),
            Some(Host::Domain(domain)) => (domain.to_owned(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
        };
        let in_url = if ip.is_some_and(|ip| ip.is_ipv6()) {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let host_header = match url.port() {
            Some(port) => format!("{in_url}:{port}"),
            None => in_url,
        };
        let mut resource = url.path().to_owned();
        if let Some(query) = url.query() {
            resource.push('?');
            resource.push_str(query);
        }
        // It goes into a request line as it is.
        if PathAndQuery::try_from(resource.as_str()).is_err() {
            return Err(UrlError::Resource);
        }
        Ok(Self {
            port: url.port().unwrap_or(if tls { 443 } else { 80 }),
            text: url.into(),
            tls,
            host,
            ip,
            resource,
            host_header,
        })
    }
}

impl fmt::Display for WsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not the URL of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is no URL at all, or its port or host is malformed.
    Syntax(ParseError),
    /// The scheme is neither `ws` nor `wss`.
    UnsupportedScheme(String),
    /// There is no `//` after the scheme.
    MissingSlashes,
    /// There is no host.
    EmptyHost,
    /// There is a fragment, `#...`: RFC 6455 section 3 forbids it; `%23` is the character.
    Fragment,
    /// There is a user name or a password.
    UserInfo,
    /// There is a tab, a line end or another control character.
    ControlCharacter,
    /// The path or the query cannot go into a request line.
    Resource,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "not a URL: {error}"),
            Self::UnsupportedScheme(scheme) => match scheme.to_ascii_lowercase().as_str() {
                "http" => f.write_str("the scheme is http; a WebSocket's is ws"),
                "https" => f.write_str("the scheme is https; a WebSocket's is wss"),
                _ => write!(f, "the scheme {scheme:?} is neither ws nor wss"),
            },
            Self::MissingSlashes => f.write_str("the scheme is not followed by //"),
            Self::EmptyHost => f.write_str("the URL has no host"),
            Self::Fragment => {
                f.write_str("a WebSocket URL has no fragment (write %23 for the character #)")
            }
            Self::UserInfo => f.write_str(
                "a user name or password in the URL is not sent: use an Authorization header",
            ),
            Self::ControlCharacter => f.write_str("the URL contains a control character"),
            Self::Resource => {
                f.write_str("the path or query contains a character that HTTP does not allow")
            }
        }
    }
}

impl Error for UrlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Syntax(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
