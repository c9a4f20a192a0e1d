//! Messages back from their compressed form (RFC 7692 section 7.2.2).

use super::TAIL;
use super::history::History;
use zlib_rs::{Inflate, InflateFlush, Status};

/// The window that zlib is told of. It has this one in any case, so that a peer which refers further back
/// than was agreed is understood where it could be.
const ZLIB_BITS: u8 = 15;

/// What it costs to begin a stream anew, as bytes inflated; its history aside.
const RESTART: usize = 4 * 1024;

/// What it costs to make a stream, as bytes inflated.
const MAKE: usize = 8 * 1024;

/// Inflates a connection's messages, piece by piece as they come.
pub(crate) struct Inflater {
    window_bits: u8,
    takes_context_over: bool,
    /// Made when it is needed, and dropped when the next message has no use for it.
    stream: Option<Stream>,
}

struct Stream {
    inflate: Inflate,
    /// The last bytes of output, which later ones may refer to. zlib has them, too, but forgets them
    /// behind a final block.
    history: History,
    /// A final block has ended: what comes next begins a stream of zlib's.
    ended: bool,
    /// Some of this message was there to inflate.
    begun: bool,
    /// All room was used: there may be more of what was given.
    full: bool,
}

/// The data is no DEFLATE, refers to what was never there, or ends inside a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidDeflate;

/// One step of inflating.
pub(crate) struct Step {
    /// How many bytes of the piece are done.
    pub(crate) taken: usize,
    /// How many bytes of the room are filled.
    pub(crate) given: usize,
    /// What it cost, as bytes inflated.
    pub(crate) cost: usize,
}

impl Inflater {
    /// For a peer whose window has at most so many bits.
    pub(crate) fn new(window_bits: u8, takes_context_over: bool) -> Self {
        Self {
            window_bits,
            takes_context_over,
            stream: None,
        }
    }

    /// Inflates some of a piece of a message into `room`: to be called again until all of it is taken
    /// and [`has_more`](Self::has_more) says no.
    pub(crate) fn step(&mut self, piece: &[u8], room: &mut [u8]) -> Result<Step, InvalidDeflate> {
        let mut cost = if self.stream.is_none() { MAKE } else { 0 };
        let bits = self.window_bits;
        let stream = self.stream.get_or_insert_with(|| Stream {
            inflate: Inflate::new(false, ZLIB_BITS),
            history: History::new(bits),
            ended: false,
            begun: false,
            full: false,
        });
        stream.begun |= !piece.is_empty();
        if stream.ended && !piece.is_empty() {
            cost += stream.restart()?;
        }
        let (taken, given) = stream.run(piece, room, InflateFlush::SyncFlush)?;
        stream.history.push(&room[..given]);
        let cost = cost + given;
        Ok(Step { taken, given, cost })
    }

    /// Whether there may be more output although all input was taken.
    pub(crate) fn has_more(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.full)
    }

    /// All pieces of the message were given, and all that came of them was taken.
    ///
    /// # Errors
    ///
    /// It does not end where a message may: inside a block, or before its first.
    pub(crate) fn finish(&mut self) -> Result<(), InvalidDeflate> {
        let stream = self.stream.as_mut().ok_or(InvalidDeflate)?;
        let whole = stream.end_message();
        if !self.takes_context_over {
            self.stream = None;
        }
        whole.then_some(()).ok_or(InvalidDeflate)
    }
}

impl Stream {
    /// Inflates as far as there is room; how much was taken and given.
    fn run(
        &mut self,
        piece: &[u8],
        room: &mut [u8],
        flush: InflateFlush,
    ) -> Result<(usize, usize), InvalidDeflate> {
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(piece, room, flush)
            .map_err(|_| InvalidDeflate)?;
        let taken = (self.inflate.total_in() - taken) as usize; // within the piece
        let given = (self.inflate.total_out() - given) as usize; // within the room
        self.ended |= status == Status::StreamEnd;
        self.full = given == room.len() && !self.ended;
        if taken + given == 0 && !piece.is_empty() && !self.ended {
            return Err(InvalidDeflate); // there would be no end to it
        }
        Ok((taken, given))
    }

    /// A final block has ended (section 7.2.3.4), and more comes: to zlib that is another stream, to the
    /// peer it is not, which may refer to what was before. What that costs.
    fn restart(&mut self) -> Result<usize, InvalidDeflate> {
        self.inflate.reset(false);
        self.ended = false;
        let parts = self.history.parts();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let set = self.inflate.set_dictionary(part);
            set.map_err(|_| InvalidDeflate)?;
        }
        Ok(RESTART + parts[0].len() + parts[1].len())
    }

    /// Whether the message may end here: behind a final block, or where the four bytes that are not sent
    /// make an empty block of what is left.
    fn end_message(&mut self) -> bool {
        if !std::mem::take(&mut self.begun) {
            return false;
        }
        if self.ended {
            return true;
        }
        // Stopping at the block's end, zlib leaves the byte that is one too many.
        let tail = [TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0];
        self.run(&tail, &mut [0], InflateFlush::Block) == Ok((TAIL.len(), 0))
    }
}

hvloop_event::debug_fields!(Inflater, this:
    "window_bits" = this.window_bits,
    "takes_context_over" = this.takes_context_over,
);

#[cfg(test)]
mod tests;
