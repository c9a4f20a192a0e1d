//! The client's side of HTTP's CONNECT (RFC 9110 section 9.3.6).

use super::error::ProxyError;
use super::settings::Proxy;
use super::tunnel::Target;
use data_encoding::BASE64;
use std::net::IpAddr;

/// How long the head of an answer may be, in bytes, interim answers included.
const MAX_HEAD: usize = 16 * 1024;
/// How many headers an answer may have.
const MAX_HEADERS: usize = 100;
/// How an answer begins; anything else is not HTTP/1.
const START: &[u8] = b"HTTP/1.";

/// See the module.
pub(crate) struct HttpConnect {
    /// Taken when it is sent.
    request: Vec<u8>,
    /// The head so far.
    head: Vec<u8>,
    /// Bytes of heads so far, of interim answers too.
    total: usize,
    /// Lines ended in this head.
    lines: usize,
}

impl HttpConnect {
    pub(super) fn new(proxy: &Proxy, target: &Target, port: u16) -> Self {
        let authority = match target {
            Target::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
            Target::Ip(IpAddr::V4(ip)) => format!("{ip}:{port}"),
            Target::Name(name) => format!("{name}:{port}"),
        };
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        let mut line = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                request.push_str(part);
            }
        };
        let authorizes = |(name, _): &(String, _)| name.eq_ignore_ascii_case("proxy-authorization");
        if let Some((user, password)) = &proxy.credentials
            && !proxy.headers.iter().any(authorizes)
        {
            let secret = BASE64.encode(format!("{user}:{password}").as_bytes());
            line("Proxy-Authorization", &format!("Basic {secret}"));
        }
        for (name, value) in &proxy.headers {
            line(name, value);
        }
        request.push_str("\r\n");
        Self {
            request: request.into_bytes(),
            head: Vec::new(),
            total: 0,
            lines: 0,
        }
    }

    pub(super) fn start(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.request);
    }

    /// Each byte is looked at once; the limits hold as they come.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProxyError> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.total >= MAX_HEAD {
                return Err(ProxyError::HeadTooLarge { limit: MAX_HEAD });
            }
            self.total += 1;
            if START
                .get(self.head.len())
                .is_some_and(|&start| start != byte)
            {
                return Err(ProxyError::Malformed("it does not begin with HTTP/1."));
            }
            self.head.push(byte);
            if byte != b'\n' {
                continue;
            }
            let whole = self.head.ends_with(b"\n\r\n") || self.head.ends_with(b"\n\n");
            if !whole {
                self.lines += 1;
                if self.lines > MAX_HEADERS + 1 {
                    return Err(ProxyError::TooManyHeaders { limit: MAX_HEADERS });
                }
                continue;
            }
            match status(&self.head)? {
                200..=299 => return Ok(Some(at + 1)),
                // The answer follows (RFC 9110 section 15.2); nobody asked for another protocol.
                100 | 102..=199 => {
                    self.head.clear();
                    self.lines = 0;
                }
                status => return Err(ProxyError::Refused { status }),
            }
        }
        Ok(None)
    }
}

/// The status of a whole head.
fn status(head: &[u8]) -> Result<u16, ProxyError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(head) {
        Ok(httparse::Status::Complete(size)) if size == head.len() => {
            answer.code.ok_or(ProxyError::Malformed("it has no status"))
        }
        Ok(_) => Err(ProxyError::Malformed("an empty line inside its head")),
        Err(httparse::Error::TooManyHeaders) => {
            Err(ProxyError::TooManyHeaders { limit: MAX_HEADERS })
        }
        Err(_) => Err(ProxyError::Malformed("it is not HTTP")),
    }
}

#[cfg(test)]
mod tests;
