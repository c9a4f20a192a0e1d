//! Through a proxy: between the connect and the target's stream.

use super::Conn;
use crate::error::CloseReason;
use crate::proxy::{ProxyError, Tunnel};
use crate::sys::clock;

/// Begins the handshake with the proxy that was connected to. `false`: there is to be none.
pub(super) fn begin(conn: &Conn<'_>) -> bool {
    let begun = with_tunnel(conn, |tunnel, out| tunnel.start(out));
    if begun.is_some() {
        conn.state().life.at_proxy();
    }
    begun.is_some()
}

/// Hands on what the proxy said. How much of that was its answer, once it leads to the target.
pub(super) fn feed(conn: &Conn<'_>, data: &[u8]) -> Result<Option<usize>, ProxyError> {
    let Some(consumed) = with_tunnel(conn, |tunnel, out| tunnel.feed(data, out)) else {
        return Ok(None);
    };
    let consumed = consumed?;
    if consumed.is_some() && conn.state().wants_write() {
        // What is left of the question would be taken for the target's.
        let how = "it came before the question was sent";
        return Err(ProxyError::Malformed(how));
    }
    Ok(consumed)
}

/// The refusal that the proxy had begun when the connection, or its time, was at its end.
pub(super) fn refusal(conn: &Conn<'_>) -> Option<CloseReason> {
    let refusal = with_tunnel(conn, |tunnel, _| tunnel.end())?;
    refusal.map(CloseReason::Proxy)
}

/// Runs `f` on the handshake, queues what it wants sent, and puts that on the account (I10).
fn with_tunnel<R>(conn: &Conn<'_>, f: impl FnOnce(&mut Tunnel, &mut Vec<u8>) -> R) -> Option<R> {
    let state = &mut *conn.state();
    let tunnel = state.connecting.as_mut()?.tunnel.as_mut()?;
    let mut question = Vec::new();
    let result = f(tunnel, &mut question);
    if !question.is_empty() {
        if state.out.is_empty() {
            state.write.progress = clock::now();
        }
        state.settings.budget.add(question.len());
        let out = state.out.tail(question.len(), &conn.core().buffers);
        out.append(&mut question);
    }
    Some(result)
}
