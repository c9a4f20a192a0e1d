//! `ws` and `wss` URLs (RFC 6455 section 3), and those of Unix sockets.

#[cfg(unix)]
mod unix;

use http::uri::PathAndQuery;
use hvloop_event::zone::{BadZone, cut_zone, put_zone};
use std::fmt;
use std::net::IpAddr;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use url::{Host, ParseError, Url};

/// A URL to which a WebSocket can be opened: `ws://host[:port][/path][?query]`, or `wss` for TLS.
///
/// The host may be a domain name, which is brought to its ASCII form, or an IP address, IPv6 in
/// brackets. An address of one link has a zone (RFC 6874), the name or the number of a network interface:
/// `ws://[fe80::1%25eth0]/`, or `%eth0`. It is for this host alone, and goes neither into the Host header
/// nor into TLS.
///
/// On Unix also `ws+unix:/path/of/the.sock[:/path][?query]` (and `wss+unix`), in the form of Node's
/// `ws`: the path of the socket, which is absolute and may be percent-encoded, and behind a colon the
/// resource, by default `/`. `ws+unix:///path/of/the.sock` is the same. On Linux and Android also
/// `ws+unix:@name[:/path][?query]`, for a socket with an abstract name.
///
/// ```
/// use hvloop_ws::WsUrl;
///
/// let url: WsUrl = "wss://example.com/chat?room=1".parse()?;
/// assert!(url.is_tls());
/// assert_eq!((url.host(), url.port()), (Some("example.com"), Some(443)));
/// assert_eq!(url.resource(), "/chat?room=1");
/// # Ok::<(), hvloop_ws::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WsUrl(Arc<Parsed>);

/// What clones of a URL share.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Parsed {
    /// The whole, as the parser wrote it.
    text: String,
    tls: bool,
    target: WsTarget,
    resource: String,
    host_header: String,
}

/// Where the URL of a WebSocket leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WsTarget {
    /// A host and a TCP port.
    Host {
        /// As a resolver takes it: a domain name in ASCII, or an IP address without brackets, with its
        /// zone if it has one (`fe80::1%eth0`).
        host: String,
        /// The address, if the host is an IP literal, without its zone: there is nothing to resolve then.
        ip: Option<IpAddr>,
        /// The port, by default 80 for `ws` and 443 for `wss`.
        port: u16,
    },
    /// The socket at a path.
    #[cfg(unix)]
    Unix(PathBuf),
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

    /// Whether the connection is to be TLS: the scheme is `wss` or `wss+unix`.
    pub fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// Where it leads.
    pub fn target(&self) -> &WsTarget {
        &self.0.target
    }

    /// The host to resolve and to verify: a domain name in ASCII, or an IP address without
    /// brackets, with its zone if it has one. `None`: it leads to a Unix socket.
    pub fn host(&self) -> Option<&str> {
        match &self.0.target {
            WsTarget::Host { host, .. } => Some(host),
            #[cfg(unix)]
            WsTarget::Unix(_) => None,
        }
    }

    /// The address, if the host is an IP literal, without its zone: there is nothing to resolve then.
    pub fn ip(&self) -> Option<IpAddr> {
        match &self.0.target {
            WsTarget::Host { ip, .. } => *ip,
            #[cfg(unix)]
            WsTarget::Unix(_) => None,
        }
    }

    /// The port, by default 80 for `ws` and 443 for `wss`. `None`: it leads to a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match &self.0.target {
            WsTarget::Host { port, .. } => Some(*port),
            #[cfg(unix)]
            WsTarget::Unix(_) => None,
        }
    }

    /// The path of the Unix socket that it leads to, if it does.
    #[cfg(unix)]
    pub fn unix_path(&self) -> Option<&Path> {
        match &self.0.target {
            WsTarget::Unix(path) => Some(path),
            WsTarget::Host { .. } => None,
        }
    }

    /// The resource name of RFC 6455 section 3: the path, at least `/`, and the query.
    pub fn resource(&self) -> &str {
        &self.0.resource
    }

    /// The value of the Host header: the host, IPv6 in brackets, and the port unless it is the
    /// scheme's default (RFC 6455 section 4.1, item 4). Of a Unix socket: `localhost`.
    pub fn host_header(&self) -> &str {
        &self.0.host_header
    }

    /// The URL as text, normalised.
    pub fn as_str(&self) -> &str {
        &self.0.text
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
            #[cfg(unix)]
            _ if scheme.eq_ignore_ascii_case("ws+unix") => return unix::parse(false, rest),
            #[cfg(unix)]
            _ if scheme.eq_ignore_ascii_case("wss+unix") => return unix::parse(true, rest),
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
        let zoned = cut_zone(text)
            .transpose()
            .map_err(|BadZone| UrlError::Zone)?;
        let without = zoned.as_ref().map_or(text, |zoned| &zoned.url);
        let url = Url::parse(without).map_err(|error| match error {
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
            Some(Host::Ipv6(address)) => {
                let zone = zoned.as_ref().map(|zoned| format!("%{}", zoned.zone));
                let host = format!("{address}{}", zone.unwrap_or_default());
                (host, Some(IpAddr::V6(address)))
            }
        };
        // Without the zone, which says nothing to another host (RFC 6874 section 3).
        let in_url = match ip {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.clone(),
        };
        let host_header = match url.port() {
            Some(port) => format!("{in_url}:{port}"),
            None => in_url,
        };
        Ok(Self(Arc::new(Parsed {
            resource: resource(&url)?,
            target: WsTarget::Host {
                host,
                ip,
                port: url.port().unwrap_or(if tls { 443 } else { 80 }),
            },
            text: match zoned {
                Some(zoned) => put_zone(url.as_str(), &zoned.zone),
                None => url.into(),
            },
            tls,
            host_header,
        })))
    }
}

/// Path and query, as they go into a request line.
fn resource(url: &Url) -> Result<String, UrlError> {
    let mut resource = url.path().to_owned();
    if let Some(query) = url.query() {
        resource.push('?');
        resource.push_str(query);
    }
    match PathAndQuery::try_from(resource.as_str()) {
        Ok(_) => Ok(resource),
        Err(_) => Err(UrlError::Resource),
    }
}

impl fmt::Display for WsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// Why a text is not the URL of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is no URL at all, or its port or host is malformed.
    #[error("not a URL: {0}")]
    Syntax(#[source] ParseError),
    /// The scheme is not one of a WebSocket: `ws`, `wss`, and on Unix `ws+unix` and `wss+unix`.
    #[error("{}", unsupported(.0))]
    UnsupportedScheme(String),
    /// There is no `//` after the scheme.
    #[error("the scheme is not followed by //")]
    MissingSlashes,
    /// There is no host.
    #[error("the URL has no host")]
    EmptyHost,
    /// What stands behind the `%` of an IPv6 address is not a zone.
    #[error(
        "what is behind the % of the IPv6 address is not a zone (write %25eth0, or %25 and a number)"
    )]
    Zone,
    /// There is a fragment, `#...`: RFC 6455 section 3 forbids it; `%23` is the character.
    #[error("a WebSocket URL has no fragment (write %23 for the character #)")]
    Fragment,
    /// There is a user name or a password.
    #[error("a user name or password in the URL is not sent: use an Authorization header")]
    UserInfo,
    /// There is a tab, a line end or another control character.
    #[error("the URL contains a control character")]
    ControlCharacter,
    /// The path or the query cannot go into a request line.
    #[error("the path or query contains a character that HTTP does not allow")]
    Resource,
    /// There is no absolute path of a Unix socket, or it has a NUL, or a `?` that is not written
    /// `%3F`.
    #[error("there is no absolute path of a Unix socket (write %3A for :, %3F for ? in it)")]
    SocketPath,
    /// The URL of a Unix socket has a host.
    #[error("the URL of a Unix socket has no host")]
    SocketHost,
}

fn unsupported(scheme: &str) -> String {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => "the scheme is http; a WebSocket's is ws".to_owned(),
        "https" => "the scheme is https; a WebSocket's is wss".to_owned(),
        _ => format!("the scheme {scheme:?} is neither ws nor wss"),
    }
}

#[cfg(test)]
mod tests;
