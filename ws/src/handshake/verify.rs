//! Whether a 101 answers our request (RFC 6455 section 4.1, from "the client MUST validate" on).

use super::tokens::{has_token, single};
use super::{HandshakeError, UpgradeRequest};
use crate::deflate::{self, DeflateOptions, DeflateParams};
use tungstenite::handshake::derive_accept_key;
use tungstenite::http::HeaderMap;
use tungstenite::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};

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
        if !single(headers, UPGRADE).is_some_and(|v| v.eq_ignore_ascii_case(b"websocket")) {
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

    /// The subprotocol chosen. There may be one header at most (section 11.3.4), with one value.
    fn subprotocol(&self, headers: &HeaderMap) -> Result<Option<String>, HandshakeError> {
        let mut values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let Some(first) = values.next() else {
            return if self.subprotocol_required {
                Err(HandshakeError::MissingSubprotocol)
            } else {
                Ok(None)
            };
        };
        if let Some(second) = values.next() {
            let both = format!("{}, {}", lossy(first.as_bytes()), lossy(second.as_bytes()));
            return Err(HandshakeError::UnsolicitedSubprotocol(both));
        }
        let chosen = first.as_bytes().trim_ascii();
        match self
            .subprotocols
            .iter()
            .find(|offered| offered.as_bytes() == chosen)
        {
            Some(offered) => Ok(Some(offered.clone())),
            None => Err(HandshakeError::UnsolicitedSubprotocol(lossy(chosen))),
        }
    }
}

/// A value of the peer's, for an error's text.
fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
