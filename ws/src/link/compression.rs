//! Compressed messages on their way out.

use super::Link;
use super::sending::Outgoing;
use crate::deflate::{DeflateOptions, DeflateParams, Deflater};
use crate::mutant::mutant;
use crate::protocol::Role;
use hvloop_event::conn::Conn;
use hvloop_event::{LocalLoop, SendError, TimerId};
use std::cell::RefCell;
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
    deflater: Deflater,
    threshold: usize,
    release_after: Option<Duration>,
    last_use: Instant,
    pub(super) timer: Option<TimerId>,
}

impl Compression {
    /// `None`: the peer wants a window that there is not, so that nothing is compressed.
    pub(super) fn new(
        role: Role,
        options: &DeflateOptions,
        params: &DeflateParams,
        now: Instant,
    ) -> Option<Self> {
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
        Some(Self {
            deflater: Deflater::new(options, bits, !alone)?,
            threshold: options.threshold,
            release_after: options.release_after,
            last_use: now,
            timer: None,
        })
    }

    /// The peer has got a message that this compressor does not know: it may refer to nothing from
    /// before that.
    pub(super) fn forget(&mut self) {
        self.deflater.forget();
    }
}

impl Link {
    /// Whether it is to be compressed.
    pub(super) fn compresses(&self, message: &Outgoing<'_>) -> bool {
        let compression = self.compression.borrow();
        let threshold = compression.as_ref().map(|c| c.threshold);
        message.is_data() && threshold.is_some_and(|t| message.payload().len() >= t)
    }

    /// Queues a message in its compressed form, if that is shorter; `size` bytes of room are taken,
    /// of which the rest is given back. `None`: it is not shorter.
    pub(super) fn send_compressed(
        self: &Rc<Self>,
        conn: &Conn<'_>,
        size: usize,
        message: &Outgoing<'_>,
    ) -> Option<Result<(), SendError>> {
        let sent = SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            if !self
                .compression
                .borrow_mut()
                .as_mut()?
                .deflater
                .deflate(message.payload(), scratch)
            {
                return None;
            }
            let message = message.with(scratch);
            let short = message.queue_size(self.role);
            if let Some(budget) = conn.budget() {
                match size.checked_sub(short) {
                    Some(_) if mutant!("compressed_room_kept") => {}
                    Some(less) => budget.release(less),
                    // Some bytes over the limit, where it is wanted in any case.
                    None => budget.add(short - size),
                }
            }
            let local = conn.local();
            let sent = conn.send_reserved(short, |out| self.encode(local, out, &message, true));
            if scratch.capacity() > KEEP {
                *scratch = Vec::new();
            }
            Some(sent)
        });
        self.release_later(conn.local());
        sent
    }

    /// Sees to it that the compressor's memory is given back, if that is wanted.
    fn release_later(self: &Rc<Self>, local: &LocalLoop) {
        let mut compression = self.compression.borrow_mut();
        let Some(compression) = compression.as_mut() else {
            return;
        };
        let Some(idle) = compression
            .release_after
            .filter(|_| compression.deflater.is_loaded())
        else {
            return;
        };
        compression.last_use = local.clock_now();
        if compression.timer.is_none() {
            let link = Rc::downgrade(self);
            let at = local.clone();
            let timer = local.set_interval(idle.max(Duration::from_millis(1)), move |timer| {
                let next = link
                    .upgrade()
                    .and_then(|link| link.release_if_idle(&at, idle));
                match next {
                    Some(next) => at.reset_timer(timer, Some(next)),
                    None => at.kill_timer(timer),
                };
            });
            compression.timer = Some(timer);
        }
    }

    /// When to look again; `None`: the memory is given back.
    fn release_if_idle(&self, local: &LocalLoop, idle: Duration) -> Option<Duration> {
        let mut compression = self.compression.borrow_mut();
        let compression = compression.as_mut()?;
        let unused = local.now().saturating_duration_since(compression.last_use);
        let rest = idle.checked_sub(unused).filter(|rest| !rest.is_zero());
        if rest.is_none() {
            compression.timer = None;
            compression.forget();
        }
        rest
    }
}
