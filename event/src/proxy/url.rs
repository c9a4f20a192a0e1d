//! A proxy's URL.

use super::error::ProxyConfigError;
use super::settings::{Kind, Proxy};
use crate::zone::{BadZone, cut_zone};
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::str::FromStr;
use url::{Host, ParseError, Url};

impl Proxy {
    /// Parses a URL; the same as `text.parse()`: `http://[user:password@]host[:port]`, or the same
    /// with `socks5` or `socks5h`, which mean the same here: the proxy looks the target up. Without a
    /// port it is 80, or 1080 for SOCKS. User name and password are percent-decoded.
    ///
    /// # Errors
    ///
    /// See [`ProxyConfigError`]. A proxy that is itself spoken to over TLS (`https`) is not
    /// supported.
    pub fn parse(text: &str) -> Result<Self, ProxyConfigError> {
        text.parse()
    }
}

impl FromStr for Proxy {
    type Err = ProxyConfigError;

    fn from_str(text: &str) -> Result<Self, ProxyConfigError> {
        let zoned = cut_zone(text.trim()).transpose();
        let zoned = zoned.map_err(|BadZone| ProxyConfigError::Host)?;
        let text = zoned.as_ref().map_or(text.trim(), |zoned| &zoned.url);
        let url = Url::parse(text).map_err(|e| match e {
            ParseError::EmptyHost => ProxyConfigError::Host,
            other => ProxyConfigError::Syntax(other),
        })?;
        let (kind, default_port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            other => return Err(ProxyConfigError::UnsupportedScheme(other.to_owned())),
        };
        let bare = matches!(url.path(), "" | "/");
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyConfigError::Superfluous);
        }
        let host = match url.host() {
            None => return Err(ProxyConfigError::Host),
            // Of a scheme that the parser does not know, the host is as it was written.
            Some(Host::Domain(name)) if name.is_empty() || name.contains('%') => {
                return Err(ProxyConfigError::Host);
            }
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => IpAddr::V4(address).to_string(),
            Some(Host::Ipv6(address)) => match &zoned {
                Some(zoned) => format!("{address}%{}", zoned.zone),
                None => address.to_string(),
            },
        };
        let proxy = Self::new(kind, host, url.port().unwrap_or(default_port));
        if url.username().is_empty() && url.password().is_none() {
            return Ok(proxy);
        }
        let user = decoded(url.username()).ok_or(ProxyConfigError::UserName)?;
        let password = decoded(url.password().unwrap_or_default());
        proxy.credentials(user, password.ok_or(ProxyConfigError::Password)?)
    }
}

/// `None`: it is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests;
