//! The client's side of SOCKS5 (RFC 1928) with user name and password (RFC 1929).

use super::error::{ProxyError, SocksReply};
use super::settings::Proxy;
use super::target::ProxyTarget;
use std::net::IpAddr;

const VERSION: u8 = 5;
/// The version of RFC 1929's negotiation.
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What the proxy is to say next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Method,
    Login,
    Reply,
}

/// See the module.
pub(crate) struct Socks5 {
    /// The message of RFC 1929, if there are credentials.
    login: Option<Vec<u8>>,
    request: Vec<u8>,
    awaited: Awaited,
    /// What came of the awaited message.
    message: Vec<u8>,
}

impl Socks5 {
    pub(super) fn new(proxy: &Proxy, target: &ProxyTarget, port: u16) -> Self {
        let login = proxy.credentials.as_ref().map(|(user, password)| {
            let mut login = vec![LOGIN_VERSION];
            push_short(&mut login, user.as_bytes());
            push_short(&mut login, password.as_bytes());
            login
        });
        let mut request = vec![VERSION, CONNECT, 0];
        match target {
            ProxyTarget::Ip(IpAddr::V4(ip)) => {
                request.push(IPV4);
                request.extend_from_slice(&ip.octets());
            }
            ProxyTarget::Ip(IpAddr::V6(ip)) => {
                request.push(IPV6);
                request.extend_from_slice(&ip.octets());
            }
            ProxyTarget::Name(name) => {
                request.push(NAME);
                push_short(&mut request, name.as_bytes());
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        Self {
            login,
            request,
            awaited: Awaited::Method,
            message: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, out: &mut Vec<u8>) {
        match self.login {
            Some(_) => out.extend_from_slice(&[VERSION, 2, NO_LOGIN, USER_AND_PASSWORD]),
            None => out.extend_from_slice(&[VERSION, 1, NO_LOGIN]),
        }
    }

    /// See [`Tunnel::feed`](super::Tunnel::feed). The longest message has 262 bytes.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, ProxyError> {
        for (at, &byte) in bytes.iter().enumerate() {
            self.message.push(byte);
            let next = match self.awaited {
                Awaited::Method => self.method(out)?,
                Awaited::Login => self.logged_in(out)?,
                Awaited::Reply if is_whole(&self.message)? => return Ok(Some(at + 1)),
                Awaited::Reply => None,
            };
            if let Some(next) = next {
                self.awaited = next;
                self.message.clear();
            }
        }
        Ok(None)
    }

    /// RFC 1928 section 3.
    fn method(&mut self, out: &mut Vec<u8>) -> Result<Option<Awaited>, ProxyError> {
        match self.message[..] {
            [VERSION] => Ok(None),
            [VERSION, NO_LOGIN] => {
                out.append(&mut self.request);
                Ok(Some(Awaited::Reply))
            }
            [VERSION, NONE_ACCEPTABLE] => Err(ProxyError::NoAcceptableMethod),
            [VERSION, USER_AND_PASSWORD] => match self.login.take() {
                Some(login) => {
                    out.extend_from_slice(&login);
                    Ok(Some(Awaited::Login))
                }
                None => Err(ProxyError::Malformed("a method that was not offered")),
            },
            [VERSION, ..] => Err(ProxyError::Malformed("a method that was not offered")),
            _ => Err(ProxyError::Malformed("it is not SOCKS5")),
        }
    }

    /// RFC 1929 section 2.
    fn logged_in(&mut self, out: &mut Vec<u8>) -> Result<Option<Awaited>, ProxyError> {
        match self.message[..] {
            [LOGIN_VERSION] => Ok(None),
            [LOGIN_VERSION, 0] => {
                out.append(&mut self.request);
                Ok(Some(Awaited::Reply))
            }
            [LOGIN_VERSION, ..] => Err(ProxyError::LoginFailed),
            _ => Err(ProxyError::Malformed("another version of the login")),
        }
    }
}

/// Whether the reply of RFC 1928 section 6 is all there. Of a failure the address is not waited for:
/// some proxies send none.
fn is_whole(reply: &[u8]) -> Result<bool, ProxyError> {
    match *reply {
        [] | [VERSION] | [VERSION, 0] | [VERSION, 0, _] => Ok(false),
        [VERSION, 0, _, IPV4, ref rest @ ..] => Ok(rest.len() == 4 + 2),
        [VERSION, 0, _, IPV6, ref rest @ ..] => Ok(rest.len() == 16 + 2),
        [VERSION, 0, _, NAME] => Ok(false),
        [VERSION, 0, _, NAME, size, ref rest @ ..] => Ok(rest.len() == usize::from(size) + 2),
        [VERSION, 0, ..] => Err(ProxyError::Malformed("an unknown type of address")),
        [VERSION, number, ..] => Err(ProxyError::Socks(SocksReply::of(number))),
        _ => Err(ProxyError::Malformed("it is not SOCKS5")),
    }
}

/// Appends a text behind its length; it has at most 255 bytes, which its owner has checked.
fn push_short(out: &mut Vec<u8>, text: &[u8]) {
    let size = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.push(size);
    out.extend_from_slice(&text[..usize::from(size)]);
}

#[cfg(test)]
mod tests;
