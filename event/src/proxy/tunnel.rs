//! The handshake with a proxy, of either kind: bytes in, bytes out.

use super::error::{ProxyError, ProxyTargetError};
use super::http_connect::HttpConnect;
use super::settings::{Kind, Proxy};
use super::socks5::Socks5;
use super::target::ProxyTarget;

/// A handshake, from the connect to the proxy until the proxy's stream is the target's.
pub(crate) enum Tunnel {
    Http(HttpConnect),
    Socks5(Socks5),
}

impl Tunnel {
    /// A handshake that has not begun.
    pub(crate) fn new(proxy: &Proxy, host: &str, port: u16) -> Result<Self, ProxyTargetError> {
        let target = ProxyTarget::new(host)?;
        Ok(match proxy.kind {
            Kind::Http => Self::Http(HttpConnect::new(proxy, &target, port)),
            Kind::Socks5 => Self::Socks5(Socks5::new(proxy, &target, port)),
        })
    }

    /// Begins: appends what is to be sent.
    pub(crate) fn start(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Http(http) => http.start(out),
            Self::Socks5(socks) => socks.start(out),
        }
    }

    /// Takes what the proxy sent next, and appends what is to be sent in answer. `Some`: the tunnel is
    /// there, and so many of the bytes belonged to the proxy's answer. The others are the target's.
    ///
    /// After an error, and after `Some`, the handshake is over.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, ProxyError> {
        match self {
            Self::Http(http) => http.feed(bytes),
            Self::Socks5(socks) => socks.feed(bytes, out),
        }
    }

    /// Nothing more comes, because the connection or its time is at its end: the refusal that the proxy
    /// had begun; `None`: there was none.
    pub(crate) fn end(&mut self) -> Option<ProxyError> {
        match self {
            Self::Http(http) => http.end(),
            Self::Socks5(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
