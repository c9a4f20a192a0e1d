//! The client's side of HTTP's CONNECT (RFC 9110 section 9.3.6).

use super::answer::ProxyAnswer;
use super::error::ProxyError;
use super::settings::Proxy;
use super::target::ProxyTarget;
use crate::http::{BodyLength, BodyPrefix, HeadOf, HeadScan, ScanError};
use data_encoding::BASE64;
use std::net::IpAddr;
use std::sync::Arc;

/// How long the head of an answer may be, in bytes, interim answers included.
const MAX_HEAD: usize = 16 * 1024;
/// How many headers an answer may have.
const MAX_HEADERS: usize = 100;

/// See the module.
pub(crate) struct HttpConnect {
    /// Taken when it is sent.
    request: Vec<u8>,
    /// The head so far.
    head: Vec<u8>,
    scan: HeadScan,
    /// It refused, and the body is being read.
    refusal: Option<Box<Refusal>>,
}

struct Refusal {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: BodyPrefix,
}

impl From<Refusal> for ProxyError {
    fn from(refusal: Refusal) -> Self {
        let answer = ProxyAnswer {
            headers: refusal.headers,
            body: refusal.body.into_bytes(),
        };
        Self::Refused {
            status: refusal.status,
            answer: Arc::new(answer),
        }
    }
}

impl From<ScanError> for ProxyError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::NotHttp => Self::Malformed("it does not begin with HTTP/1."),
            ScanError::LineEnd => Self::Malformed("a line does not end in CR and LF"),
            ScanError::TooLarge { limit } => Self::HeadTooLarge { limit },
            ScanError::TooManyHeaders { limit } => Self::TooManyHeaders { limit },
        }
    }
}

impl HttpConnect {
    pub(super) fn new(proxy: &Proxy, target: &ProxyTarget, port: u16) -> Self {
        let authority = match target {
            ProxyTarget::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
            ProxyTarget::Ip(IpAddr::V4(ip)) => format!("{ip}:{port}"),
            ProxyTarget::Name(name) => format!("{name}:{port}"),
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
            scan: HeadScan::new(HeadOf::Answer, MAX_HEAD, MAX_HEADERS).lone_line_feeds(),
            refusal: None,
        }
    }

    pub(super) fn start(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.request);
    }

    /// Each byte is looked at once; the limits hold as they come.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProxyError> {
        if self.refusal.is_some() {
            return self.read_body(bytes);
        }
        let mut rest = bytes;
        while let Some(end) = self.scan.end(rest)? {
            let (head, behind) = rest.split_at(end);
            self.head.extend_from_slice(head);
            let refusal = parse(&std::mem::take(&mut self.head))?;
            match refusal.status {
                200..=299 => return Ok(Some(bytes.len() - behind.len())),
                // The answer follows (RFC 9110 section 15.2); nobody asked for another protocol.
                100 | 102..=199 => self.scan.restart(),
                _ => {
                    self.refusal = Some(Box::new(refusal));
                    return self.read_body(behind);
                }
            }
            rest = behind;
        }
        self.head.extend_from_slice(rest);
        Ok(None)
    }

    /// Nothing more comes: the refusal, with what came of its body; `None`: the proxy had not refused.
    pub(super) fn end(&mut self) -> Option<ProxyError> {
        self.refusal.take().map(|refusal| (*refusal).into())
    }

    /// Reads on in the body of a refusal; an error, once it is whole.
    fn read_body(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProxyError> {
        let whole = match &mut self.refusal {
            Some(refusal) => refusal.body.feed(bytes),
            None => false,
        };
        match self.refusal.take_if(|_| whole) {
            Some(refusal) => Err((*refusal).into()),
            None => Ok(None),
        }
    }
}

/// A whole head.
fn parse(head: &[u8]) -> Result<Refusal, ProxyError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(head) {
        Ok(httparse::Status::Complete(size)) if size == head.len() => {}
        Ok(_) => return Err(ProxyError::Malformed("an empty line inside its head")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(ProxyError::TooManyHeaders { limit: MAX_HEADERS });
        }
        Err(_) => return Err(ProxyError::Malformed("it is not HTTP")),
    }
    let status = answer
        .code
        .ok_or(ProxyError::Malformed("it has no status"))?;
    let lines = answer.headers.iter().map(|line| (line.name, line.value));
    let body = match BodyLength::of(lines.clone(), answer.version == Some(1)) {
        Ok(length) => BodyPrefix::new(status, length),
        // What is its body nobody knows; the status is what matters.
        Err(_) => BodyPrefix::nothing(),
    };
    Ok(Refusal {
        status,
        headers: lines
            .map(|(name, value)| (name.to_owned(), value.to_vec()))
            .collect(),
        body,
    })
}

#[cfg(test)]
mod tests;
