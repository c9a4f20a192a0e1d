//! What the server answered to an upgrade, as it is kept while the connection is open: in a few bytes.

use crate::deflate::DeflateParams;
use crate::fields::only_element;
use crate::handshake::UpgradeResponse;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// See the module.
pub(in crate::client) enum Answer {
    /// One that made no WebSocket of the connection.
    Whole(Arc<UpgradeResponse>),
    /// One that did.
    Packed(Packed),
}

/// An answer without the tables of a [`HeaderMap`], which take more than the connection.
pub(in crate::client) struct Packed {
    status: u16,
    deflate: Option<DeflateParams>,
    /// `name:value`, each behind a line end but the first: neither is in a name or a value.
    lines: Box<[u8]>,
}

impl Answer {
    /// Keeps what has no body in a short form.
    pub(in crate::client) fn packed(response: &UpgradeResponse) -> Self {
        let headers = &response.headers;
        let size = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 2);
        let mut lines = Vec::with_capacity(size.sum::<usize>().saturating_sub(1));
        for (name, value) in headers {
            if !lines.is_empty() {
                lines.push(b'\n');
            }
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.push(b':');
            lines.extend_from_slice(value.as_bytes());
        }
        Self::Packed(Packed {
            status: response.status,
            deflate: response.deflate,
            lines: lines.into_boxed_slice(),
        })
    }

    /// As it was.
    pub(in crate::client) fn response(&self) -> Arc<UpgradeResponse> {
        match self {
            Self::Whole(response) => response.clone(),
            Self::Packed(packed) => Arc::new(packed.response()),
        }
    }
}

impl Packed {
    fn response(&self) -> UpgradeResponse {
        let mut headers = HeaderMap::new();
        for line in self.lines.split(|byte| *byte == b'\n') {
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(colon.unwrap_or(line.len()));
            let name = HeaderName::from_bytes(name);
            let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default());
            // They were a name and a value before.
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        // There is one at most, as the handshake has seen to.
        let chosen = only_element(&headers, SEC_WEBSOCKET_PROTOCOL);
        let subprotocol = chosen.and_then(|name| String::from_utf8(name.to_vec()).ok());
        UpgradeResponse {
            status: self.status,
            subprotocol,
            headers,
            deflate: self.deflate,
            body_prefix: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let lines: [(&str, &[u8]); 8] = [
            ("upgrade", b"websocket"),
            ("set-cookie", b"a=1; Path=/"),
            ("connection", b"keep-alive, Upgrade"),
            ("set-cookie", b"b=\"2:3\""),
            ("x-empty", b""),
            ("x-colons", b"a:b: c"),
            ("x-bytes", b"\t\xff\x80 \xc3\xbc"),
            ("sec-websocket-protocol", b", chat.v2 ,"),
        ];
        for count in 0..=lines.len() {
            let mut headers = HeaderMap::new();
            for (name, value) in &lines[..count] {
                let value = HeaderValue::from_bytes(value).expect("a value");
                headers.append(HeaderName::from_static(name), value);
            }
            let response = UpgradeResponse {
                status: 101,
                headers,
                subprotocol: (count == lines.len()).then(|| "chat.v2".to_owned()),
                deflate: (count % 2 == 0).then_some(DeflateParams::NOTHING),
                body_prefix: Vec::new(),
            };
            let back = Answer::packed(&response).response();
            assert_eq!(*back, response);
            assert!(back.headers.iter().eq(response.headers.iter()));
        }
    }
}
