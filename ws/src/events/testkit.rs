//! Ends, for tests.

use super::{CloseEvent, ConnectionError, Initiator};
use crate::handshake::HandshakeError;
use http::HeaderMap;
use std::sync::Arc;

/// The end by a refusal.
pub(crate) fn refused(status: u16, headers: &[(&'static str, &str)]) -> CloseEvent {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().expect("a value"));
    }
    let error = HandshakeError::Status {
        status,
        headers: Box::new(map),
        body_prefix: Vec::new(),
    };
    event(ConnectionError::Handshake(Arc::new(error)))
}

/// The end by that.
pub(crate) fn event(error: ConnectionError) -> CloseEvent {
    CloseEvent {
        code: 1006,
        reason: String::new(),
        clean: false,
        initiator: Initiator::Remote,
        error: Some(error),
        http_status: None,
        was_open: false,
        attempt: 1,
        reconnect_in: None,
        lost: Default::default(),
    }
}
