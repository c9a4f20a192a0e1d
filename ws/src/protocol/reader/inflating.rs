//! Compressed messages on their way to their buffers (RFC 7692).

use super::frame::Frame;
use super::gathered::{Buffers, Gathered};
use crate::deflate::Inflater;
use crate::protocol::mask::apply_mask;
use crate::protocol::{Input, ProtocolError};
use std::cell::RefCell;

/// Bytes inflated before [`Reader::next_within`] breaks off.
const BREATH: usize = 64 * 1024;

/// Bytes of a compressed payload that are given to zlib at a time: blocks that say little cost much.
const PIECE: usize = 4 * 1024;

/// What a compressed message costs by itself, and each frame of it, as bytes inflated.
const COMPRESSED: usize = 256;

thread_local! {
    /// Where messages are inflated to, portion by portion.
    static ROOM: RefCell<[u8; 8 * 1024]> = const { RefCell::new([0; 8 * 1024]) };
}

/// See the module.
#[derive(Default)]
pub(super) struct Inflating {
    /// permessage-deflate was negotiated. Apart, since most connections have none.
    inflater: Option<Box<Inflater>>,
    /// How many bytes at the front of the input were unmasked, and not inflated yet.
    unmasked: usize,
    /// What inflating has cost, in bytes inflated, that nobody has asked about.
    work: usize,
}

impl Inflating {
    /// For a peer whose window has at most so many bits.
    pub(super) fn new(window_bits: u8, takes_context_over: bool) -> Self {
        let inflater = Inflater::new(window_bits, takes_context_over);
        Self {
            inflater: Some(Box::new(inflater)),
            ..Self::default()
        }
    }

    /// What inflating has cost since this was asked last.
    pub(super) fn take_work(&mut self) -> usize {
        std::mem::take(&mut self.work)
    }

    /// How far the work may go before others have their turn.
    pub(super) fn limit(&self) -> usize {
        self.work.saturating_add(BREATH)
    }

    /// A frame of a compressed message begins.
    pub(super) fn begin_frame(&mut self) {
        self.work += COMPRESSED;
    }

    /// The message is over, and must end where one may.
    pub(super) fn finish(&mut self) -> Result<(), ProtocolError> {
        // There is one: without it RSV1 is refused.
        let inflater = self.inflater.as_mut().ok_or(ProtocolError::ReservedBits)?;
        inflater.finish().map_err(|_| ProtocolError::InvalidDeflate)
    }

    /// Inflates what is there of a compressed payload. `false`: there is more to inflate, but that was
    /// enough work for now.
    pub(super) fn run(
        &mut self,
        frame: &mut Frame,
        input: &mut Input<'_>,
        limit: usize,
        to: &mut Gathered,
        buffers: &dyn Buffers,
    ) -> Result<bool, ProtocolError> {
        ROOM.with_borrow_mut(|room| self.run_in(room, frame, input, limit, to, buffers))
    }

    fn run_in(
        &mut self,
        room: &mut [u8],
        frame: &mut Frame,
        input: &mut Input<'_>,
        limit: usize,
        to: &mut Gathered,
        buffers: &dyn Buffers,
    ) -> Result<bool, ProtocolError> {
        // There is one: without it RSV1 is refused.
        let inflater = self.inflater.as_mut().ok_or(ProtocolError::ReservedBits)?;
        loop {
            let piece = frame.left.min(input.remaining()).min(PIECE);
            if piece == 0 && !inflater.has_more() {
                return Ok(true);
            }
            if self.work >= limit {
                return Ok(false);
            }
            let range = input.ahead(piece);
            if let Some(mask) = frame.mask {
                let done = self.unmasked.min(piece);
                let rest = range.start + done..range.end;
                apply_mask(input.get_mut(rest), mask, frame.done + done);
                self.unmasked = self.unmasked.max(piece);
            }
            let step = inflater
                .step(input.get(range), room)
                .map_err(|_| ProtocolError::InvalidDeflate)?;
            self.work += step.cost;
            input.take(step.taken);
            frame.done += step.taken;
            frame.left -= step.taken;
            self.unmasked = self.unmasked.saturating_sub(step.taken);
            to.add_inflated(frame.target, &room[..step.given], buffers)?;
        }
    }
}
