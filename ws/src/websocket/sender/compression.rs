//! Compressed messages on their way out.

use crate::deflate::{DeflateOptions, DeflateParams, Deflater};
use crate::protocol::Role;
use hvloop_event::{LocalLoop, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Memory that a thread keeps for compressed messages, in bytes.
const KEEP: usize = 1 << 20;

thread_local! {
    /// Where a message is compressed before it is framed: its length comes first.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The compressor of a connection on which permessage-deflate was agreed.
pub(super) struct Compression {
    deflater: RefCell<Deflater>,
    threshold: usize,
    release_timeout: Option<Duration>,
    last_use: Cell<Instant>,
    /// Looks whether it is to be released.
    timer: Cell<Option<TimerId>>,
}

impl Compression {
    /// `None`: the peer wants a window that there is not, so that nothing is compressed.
    pub(super) fn new(
        role: Role,
        options: &DeflateOptions,
        params: &DeflateParams,
        now: Instant,
    ) -> Option<Rc<Self>> {
        let (bits, alone) = match role {
            Role::Client => (
                params.client_max_window_bits,
                params.client_no_context_takeover,
            ),
            Role::Server => (
                params.server_max_window_bits,
                params.server_no_context_takeover,
            ),
        };
        Some(Rc::new(Self {
            deflater: RefCell::new(Deflater::new(options, bits, !alone)?),
            threshold: options.threshold,
            release_timeout: options.release_timeout,
            last_use: Cell::new(now),
            timer: Cell::new(None),
        }))
    }

    /// Whether a message of that size is to be compressed.
    pub(super) fn wants(&self, size: usize) -> bool {
        size >= self.threshold
    }

    /// Compresses a message and hands it to `send`. `None`: it gets no shorter, and is to be sent as it is.
    pub(super) fn compress<T>(
        self: &Rc<Self>,
        local: &LocalLoop,
        message: &[u8],
        send: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let sent = SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            let shorter = self.deflater.borrow_mut().deflate(message, scratch);
            let sent = shorter.then(|| send(scratch));
            if scratch.capacity() > KEEP {
                *scratch = Vec::new();
            }
            sent
        });
        self.release_later(local);
        sent
    }

    /// The next message refers to none before it; the memory is given back. To be called when the peer
    /// has got a message that this compressor does not know, too.
    pub(super) fn forget(&self) {
        self.deflater.borrow_mut().forget();
    }

    /// The connection has ended.
    pub(super) fn end(&self, local: &LocalLoop) {
        if let Some(timer) = self.timer.take() {
            local.kill_timer(timer);
        }
        self.forget();
    }

    /// Sees to it that the compressor's memory is given back, if that is wanted.
    fn release_later(self: &Rc<Self>, local: &LocalLoop) {
        let is_loaded = self.deflater.borrow().is_loaded();
        let Some(idle) = self.release_timeout.filter(|_| is_loaded) else {
            return;
        };
        self.last_use.set(local.clock_now());
        if self.timer.get().is_some() {
            return;
        }
        let (compression, at) = (Rc::downgrade(self), local.clone());
        let timer = local.set_interval(idle.max(Duration::from_millis(1)), move |timer| {
            let compression = compression.upgrade();
            let next = compression.and_then(|c| c.release_if_idle(at.now(), idle));
            match next {
                Some(next) => at.reset_timer(timer, Some(next)),
                None => at.kill_timer(timer),
            };
        });
        self.timer.set(Some(timer));
    }

    /// When to look again; `None`: the memory is given back.
    fn release_if_idle(&self, now: Instant, idle: Duration) -> Option<Duration> {
        let unused = now.saturating_duration_since(self.last_use.get());
        let rest = idle.checked_sub(unused).filter(|rest| !rest.is_zero());
        if rest.is_none() {
            self.timer.set(None);
            self.forget();
        }
        rest
    }
}
