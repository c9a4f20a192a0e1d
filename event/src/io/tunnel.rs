//! Through a proxy: between the connect and the target's stream.

use super::dispatch::Fed;
use crate::conn::{Conn, Handler};
use crate::core::LoopCore;
use crate::error::CloseReason;
use crate::local_loop::LocalLoop;
use crate::machine::lifecycle::Lifecycle;
use crate::proxy::{ProxyError, Tunnel};
use crate::sys::{Key, clock};

impl LoopCore {
    /// Begins the handshake with the proxy that was connected to. `false`: there is to be none.
    pub(super) fn begin_tunnel(&self, key: Key) -> bool {
        let begun = self.with_tunnel(key, |tunnel, out| tunnel.start(out));
        if begun.is_some()
            && let Some(slot) = self.slots.borrow_mut().get_mut(key)
        {
            slot.life.at_proxy();
        }
        begun.is_some()
    }

    pub(super) fn is_tunnelling(&self, key: Key) -> bool {
        let slots = self.slots.borrow();
        slots
            .get(key)
            .is_some_and(|slot| slot.life == Lifecycle::Tunnelling)
    }

    /// Hands on what the proxy said, and what comes behind its answer to TLS or the handler: no event
    /// will tell of it again.
    pub(super) fn feed_tunnel(
        &self,
        local: &LocalLoop,
        key: Key,
        handler: &mut Box<dyn Handler>,
        data: &mut [u8],
    ) -> Fed {
        let rest = match self.with_tunnel(key, |tunnel, out| tunnel.feed(data, out)) {
            Some(Ok(None)) => {
                self.mark_dirty(key);
                return self.fed(key);
            }
            Some(Ok(Some(consumed))) => data.get_mut(consumed..).unwrap_or_default(),
            Some(Err(e)) => return self.not_through(key, e),
            None => return Fed::Stop,
        };
        let early = self
            .slots
            .borrow()
            .get(key)
            .is_some_and(|s| s.wants_write());
        if early {
            // What is left of the question would be taken for the target's.
            let how = "it came before the question was sent";
            return self.not_through(key, ProxyError::Malformed(how));
        }
        self.through(local, key, handler);
        match rest.is_empty() {
            true => self.fed(key),
            false => self.feed(local, key, handler, rest),
        }
    }

    /// The refusal that the proxy had begun when the connection, or its time, was at its end.
    pub(super) fn tunnel_refusal(&self, key: Key) -> Option<CloseReason> {
        let refusal = self.with_tunnel(key, |tunnel, _| tunnel.end())?;
        refusal.map(CloseReason::Proxy)
    }

    fn not_through(&self, key: Key, error: ProxyError) -> Fed {
        self.begin_close(key, CloseReason::Proxy(error));
        Fed::Stop
    }

    /// The stream is the target's now.
    fn through(&self, local: &LocalLoop, key: Key, handler: &mut Box<dyn Handler>) {
        let Some(connecting) = self.take_connecting(key) else {
            return;
        };
        if self.begin_tls(key, &connecting.options) {
            return self.mark_dirty(key);
        }
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.life.tunnelled(false);
        }
        self.watch_quiet(key);
        let conn = Conn::new(local, key);
        self.guarded(handler, &conn, |handler, conn| handler.on_up(conn));
    }

    /// Runs `f` on the handshake, queues what it wants sent, and puts that on the account (I10).
    fn with_tunnel<R>(
        &self,
        key: Key,
        f: impl FnOnce(&mut Tunnel, &mut Vec<u8>) -> R,
    ) -> Option<R> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key)?;
        let tunnel = slot.connecting.as_mut()?.tunnel.as_mut()?;
        let mut question = Vec::new();
        let result = f(tunnel, &mut question);
        if !question.is_empty() {
            if slot.out.is_empty() {
                slot.last_progress = clock::now();
            }
            slot.settings.budget.add(question.len());
            slot.out.tail(&self.buffers).append(&mut question);
        }
        Some(result)
    }
}
