//! A build without TLS.

use super::state::ConnState;
use super::{Conn, Fed};
use crate::conn::{Connect, Handler};
use std::convert::Infallible;

pub(super) fn begin(_conn: &Conn<'_>, _options: &Connect) -> bool {
    false
}

pub(super) fn accept(_conn: &Conn<'_>, config: &Infallible) {
    match *config {}
}

pub(super) fn is_there(_conn: &Conn<'_>) -> bool {
    false
}

pub(super) fn has_ended(_conn: &Conn<'_>) -> bool {
    false
}

pub(super) fn feed(conn: &Conn<'_>, handler: &mut Box<dyn Handler>, data: &mut [u8]) -> Fed {
    conn.deliver(handler, data)
}

impl ConnState {
    pub(super) fn begin_tls_end(&mut self) -> bool {
        false
    }

    pub(super) fn is_truncated(&self) -> bool {
        false
    }
}
