//! Which proxy, and with what.

use super::error::{ProxyConfigError, ProxyTargetError};
use super::target::ProxyTarget;
use crate::sys::split_zone;
use crate::zone::put_zone;
use std::fmt;

/// What is spoken with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Socks5,
}

/// A proxy through which a connection is to be made: for
/// [`Connect::proxy`](crate::Connect::proxy).
///
/// Its own address is looked up and raced like any host's. The target's name is not looked up here:
/// the proxy is told the name. What is said to the proxy is not encrypted, credentials included; TLS,
/// if the connection has it, begins behind the proxy, and is with the target.
///
/// A proxy is used only where it is asked for. The environment's variables are read by
/// [`from_env`](Proxy::from_env) alone.
///
/// ```
/// use hvloop_event::{Connect, Proxy};
///
/// let proxy = Proxy::http("proxy.example.com", 3128).credentials("user", "secret")?;
/// let same = Proxy::parse("http://user:secret@proxy.example.com:3128")?;
/// assert_eq!(proxy, same);
/// let connect = Connect::to("example.com", 443).proxy(Some(proxy));
/// # Ok::<(), hvloop_event::ProxyConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Proxy {
    pub(super) kind: Kind,
    pub(super) host: String,
    pub(super) port: u16,
    /// User name and password.
    pub(super) credentials: Option<(String, String)>,
    /// Further headers of the CONNECT.
    pub(super) headers: Vec<(String, String)>,
}

impl Proxy {
    /// An HTTP proxy, which is asked to CONNECT (RFC 9110 section 9.3.6). `host` is a name, or an IP
    /// address without brackets.
    pub fn http(host: impl Into<String>, port: u16) -> Self {
        Self::new(Kind::Http, host.into(), port)
    }

    /// A SOCKS5 proxy (RFC 1928). `host` is a name, or an IP address without brackets.
    pub fn socks5(host: impl Into<String>, port: u16) -> Self {
        Self::new(Kind::Socks5, host.into(), port)
    }

    pub(super) fn new(kind: Kind, host: String, port: u16) -> Self {
        Self {
            kind,
            host,
            port,
            credentials: None,
            headers: Vec::new(),
        }
    }

    /// Logs in: Basic (RFC 7617, in UTF-8) with an HTTP proxy, user name and password (RFC 1929) with
    /// a SOCKS5 one. Both protocols send them readable.
    ///
    /// libhv: `proxy_setting_t::username`, `password`.
    ///
    /// # Errors
    ///
    /// [`UserName`](ProxyConfigError::UserName) or [`Password`](ProxyConfigError::Password): the
    /// protocol cannot carry it.
    pub fn credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, ProxyConfigError> {
        let (user, password) = (user.into(), password.into());
        let (user_fits, password_fits) = match self.kind {
            Kind::Http => (
                !user.contains(|c: char| c == ':' || c.is_control()),
                !password.contains(char::is_control),
            ),
            Kind::Socks5 => ((1..=255).contains(&user.len()), password.len() <= 255),
        };
        if !user_fits {
            return Err(ProxyConfigError::UserName);
        }
        if !password_fits {
            return Err(ProxyConfigError::Password);
        }
        self.credentials = Some((user, password));
        Ok(self)
    }

    /// Adds a header to the CONNECT, such as `User-Agent`, or `Proxy-Authorization` for another
    /// scheme than Basic, which then stands in the place of
    /// [`credentials`](Proxy::credentials).
    ///
    /// # Errors
    ///
    /// The name or the value cannot be sent, the header is the request's own (Host, Content-Length,
    /// Transfer-Encoding), or the proxy is a SOCKS one.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ProxyConfigError> {
        if self.kind == Kind::Socks5 {
            return Err(ProxyConfigError::HeaderForSocks);
        }
        if !is_token(name) {
            return Err(ProxyConfigError::HeaderName(name.to_owned()));
        }
        let reserved = ["host", "content-length", "transfer-encoding"];
        if reserved.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(ProxyConfigError::ReservedHeader(name.to_owned()));
        }
        if value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(ProxyConfigError::HeaderValue {
                name: name.to_owned(),
            });
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// The proxy's host: a name, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether a connection to `host` (a name in ASCII form, or an IP address without brackets) can be
    /// asked for.
    ///
    /// # Errors
    ///
    /// See [`ProxyTargetError`]. An attempt to connect there ends with the same.
    pub fn check_target(&self, host: &str) -> Result<(), ProxyTargetError> {
        ProxyTarget::new(host).map(|_| ())
    }
}

/// A token of HTTP (RFC 9110 section 5.6.2).
fn is_token(text: &str) -> bool {
    let in_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    !text.is_empty() && text.bytes().all(in_token)
}

/// The URL without the credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
        };
        let (host, zone) = split_zone(&self.host);
        match self.host.contains(':') {
            true => {
                let url = format!("{scheme}://[{host}]:{}", self.port);
                f.write_str(&zone.map_or_else(|| url.clone(), |zone| put_zone(&url, zone)))
            }
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

// Leaves out the password and the headers' values: they are secrets.
debug_fields!(Proxy, this:
    "at" = format_args!("{this}"),
    "user" = this.credentials.as_ref().map(|(user, _)| user),
    "headers" = this.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
);

#[cfg(test)]
mod tests;
