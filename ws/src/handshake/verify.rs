//! Whether a 101 answers our request (RFC 6455 section 4.1, from "the client MUST validate" on).

use super::{HandshakeError, UpgradeRequest};
use crate::deflate::{self, DeflateOptions, DeflateParams};
use crate::fields::{elements, has_token, only_element, single};
use http::HeaderMap;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use tungstenite::handshake::derive_accept_key;

/// What an answer is held against.
#[derive(Debug)]
pub(super) struct Expected {
    /// The Sec-WebSocket-Accept that answers our key.
    accept: String,
    /// The subprotocols offered.
    subprotocols: Vec<String>,
    /// One of them has to be chosen.
    subprotocol_required: bool,
    /// What was offered of permessage-deflate.
    deflate: Option<DeflateOptions>,
}

impl Expected {
    /// What answers `request`, when it was sent with this key.
    pub(super) fn new(request: &UpgradeRequest, key: &str) -> Self {
        Self {
            accept: derive_accept_key(key.as_bytes()),
            subprotocols: request.subprotocols().to_vec(),
            subprotocol_required: request.insists_on_subprotocol(),
            deflate: request.offered_deflate(),
        }
    }

    /// Checks the headers of a 101; the subprotocol and the compression chosen, if any.
    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
    ) -> Result<(Option<String>, Option<DeflateParams>), HandshakeError> {
        let upgrade = only_element(headers, UPGRADE);
        if !upgrade.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket")) {
            return Err(HandshakeError::MissingUpgrade);
        }
        if !has_token(headers, CONNECTION, b"upgrade") {
            return Err(HandshakeError::MissingConnectionUpgrade);
        }
        if single(headers, SEC_WEBSOCKET_ACCEPT) != Some(self.accept.as_bytes()) {
            return Err(HandshakeError::AcceptMismatch);
        }
        let deflate = deflate::check_answer(headers, self.deflate.as_ref())
            .map_err(HandshakeError::UnsolicitedExtension)?;
        Ok((self.subprotocol(headers)?, deflate))
    }

    /// The subprotocol chosen. There may be one at most (section 11.3.4).
    fn subprotocol(&self, headers: &HeaderMap) -> Result<Option<String>, HandshakeError> {
        let chosen: Vec<_> = elements(headers, SEC_WEBSOCKET_PROTOCOL).collect();
        match chosen[..] {
            [] if self.subprotocol_required => Err(HandshakeError::MissingSubprotocol),
            [] => Ok(None),
            [name] if self.offers(name) => Ok(String::from_utf8(name.to_vec()).ok()),
            _ => {
                let all = chosen.join(&b", "[..]);
                let all = String::from_utf8_lossy(&all).into_owned();
                Err(HandshakeError::UnsolicitedSubprotocol(all))
            }
        }
    }

    fn offers(&self, name: &[u8]) -> bool {
        let mut offered = self.subprotocols.iter();
        offered.any(|offered| offered.as_bytes() == name)
    }
}
