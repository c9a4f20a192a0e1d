//! From the bytes of a peer to messages (RFC 6455 sections 5.4 to 5.6).

use super::close::parse_close;
use super::header::{HeaderReader, Kind, NegotiatedBits};
use super::mask::apply_mask;
use super::utf8::TextBuffer;
use super::{Input, Limits, ProtocolError, Role};
use crate::deflate::{DeflateParams, Inflater};
use crate::mutant::mutant;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::str;

/// How much memory a buffer keeps from one message to the next, in bytes. An idle connection has
/// to be small; a stream of short messages cut by the ends of reads should not allocate each time.
const KEEP: usize = 256;

/// The least that is allocated ahead of the data, in bytes, for a message that spans reads.
const MIN_AHEAD: usize = 1024;

/// The most that is allocated ahead of the data, in bytes: what a peer announces is no reason to
/// give it memory.
const MAX_AHEAD: usize = 1 << 20;

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

/// What a peer said. Borrowed from the input when it lay there as a whole, else from the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A Ping: to be answered by a Pong with the same payload.
    Ping(&'a [u8]),
    /// A Pong.
    Pong(&'a [u8]),
    /// A Close, with its code and reason if it carries them. Nothing comes after it.
    Close(Option<(u16, &'a str)>),
}

/// Parses what a peer sends: one per connection, fed with every read in order.
///
/// It unmasks in place and copies nothing that lies in the input as a whole. A message in fragments
/// or over several reads is gathered in the reader, whose memory grows with what really arrived and
/// is given back after the message. Text is checked as it arrives.
pub struct Reader {
    role: Role,
    limits: Limits,
    negotiated: NegotiatedBits,
    header: HeaderReader,
    /// The frame whose payload is not all there.
    frame: Option<Frame>,
    /// A data message has begun whose last frame has not: continuations belong to it. And whether it
    /// is compressed.
    fragmented: Option<(Target, bool)>,
    text: TextBuffer,
    binary: Vec<u8>,
    control: Vec<u8>,
    /// permessage-deflate was negotiated. Apart, since most connections have none.
    inflater: Option<Box<Inflater>>,
    /// How many bytes at the front of the input were unmasked, and not inflated yet.
    unmasked: usize,
    /// What inflating has cost, in bytes inflated, that nobody has asked about.
    work: usize,
    /// Messages are no longer wanted: they are passed over.
    skipping: bool,
    /// The last event was borrowed from the buffers: they are to be cleared.
    delivered: bool,
    /// After a Close or an error.
    fused: bool,
}

/// Whose payload a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Text,
    Binary,
    Ping,
    Pong,
    Close,
}

/// A frame whose header is read.
#[derive(Debug, Clone, Copy)]
struct Frame {
    target: Target,
    /// The message ends with this frame.
    fin: bool,
    /// The message is compressed.
    compressed: bool,
    /// Nothing of the message is in the buffers: if the rest of the frame is in the input, then the
    /// message is.
    untouched: bool,
    mask: Option<[u8; 4]>,
    /// How many bytes of the payload were unmasked.
    done: usize,
    /// How many bytes of the payload are to come.
    left: usize,
}

/// What is ready to be delivered, without the borrow.
enum Ready {
    /// Nothing: the input is used up.
    Nothing,
    /// A message that lies in the input.
    InPlace(Target, Range<usize>),
    /// A message in the buffers.
    Gathered(Target),
    /// Nothing yet, after much work.
    Busy,
}

/// What [`Reader::next_within`] found.
pub(crate) enum Found<'a> {
    /// What the peer said.
    Event(Event<'a>),
    /// Nothing more: the input is used up.
    Nothing,
    /// Nothing yet: there is more to inflate. The rest of the input is to be given again, as it is.
    Busy,
}

impl Frame {
    /// Whether it is one of a message.
    fn is_data(&self) -> bool {
        matches!(self.target, Target::Text | Target::Binary)
    }
}

impl Reader {
    /// A reader for a connection that just became a WebSocket, in which we have this `role`.
    pub fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            negotiated: NegotiatedBits::NONE,
            header: HeaderReader::default(),
            frame: None,
            fragmented: None,
            text: TextBuffer::default(),
            binary: Vec::new(),
            control: Vec::new(),
            inflater: None,
            unmasked: 0,
            work: 0,
            skipping: false,
            delivered: false,
            fused: false,
        }
    }

    /// The handshake agreed on permessage-deflate (RFC 7692): messages may come compressed from now
    /// on. [`Limits::max_frame`] then limits what is on the wire, and [`Limits::max_message`] what
    /// comes of it.
    pub fn set_deflate(&mut self, params: &DeflateParams) {
        let (bits, alone) = match self.role {
            Role::Client => (
                params.server_max_window_bits,
                params.server_no_context_takeover,
            ),
            Role::Server => (
                params.client_max_window_bits,
                params.client_no_context_takeover,
            ),
        };
        self.negotiated = NegotiatedBits::DEFLATE;
        self.inflater = Some(Box::new(Inflater::new(bits, !alone)));
    }

    /// The next thing the peer said, or `None` when the input is used up. To be called until then:
    /// the reader has no other place for the rest of an input.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol or a limit: see [`ProtocolError::close_code`]. After an error,
    /// as after [`Event::Close`], all further input is discarded and `None` is the only answer.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let ready = loop {
            match self.find(input)? {
                Ready::Busy => {}
                ready => break ready,
            }
        };
        self.event(ready, input)
    }

    /// As [`next`](Self::next), but breaks off where a message takes much inflating, so that others
    /// have their turn.
    pub(crate) fn next_within<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
    ) -> Result<Found<'a>, ProtocolError> {
        let ready = self.find(input)?;
        if let Ready::Busy = ready {
            return Ok(Found::Busy);
        }
        let event = self.event(ready, input)?;
        Ok(event.map_or(Found::Nothing, Found::Event))
    }

    /// What inflating has cost since this was asked last, as bytes inflated.
    pub(crate) fn take_work(&mut self) -> usize {
        std::mem::take(&mut self.work)
    }

    /// Whether the peer is inside a message or a frame: its first byte has come, and its last has not.
    pub(crate) fn is_inside(&self) -> bool {
        self.frame.is_some() || self.fragmented.is_some() || self.header.is_inside()
    }

    /// From now on messages are passed over: neither gathered nor inflated, nor looked into. What frames
    /// there may be is still checked.
    pub(crate) fn skip_messages(&mut self) {
        if !std::mem::replace(&mut self.skipping, true) {
            // A control frame may be half there.
            self.text.clear(0);
            self.binary = Vec::new();
            self.inflater = None;
        }
    }

    /// Goes on to what is to be delivered.
    fn find(&mut self, input: &mut Input<'_>) -> Result<Ready, ProtocolError> {
        if self.fused {
            self.release();
            input.discard();
            return Ok(Ready::Nothing);
        }
        self.recycle();
        self.advance(input).map_err(|error| self.fail(error, input))
    }

    /// What is ready, with the borrow.
    fn event<'a>(
        &'a mut self,
        ready: Ready,
        input: &'a Input<'_>,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let (target, payload) = match ready {
            Ready::Nothing | Ready::Busy => return Ok(None),
            Ready::InPlace(Target::Text, range) => {
                return match str::from_utf8(input.get(range)) {
                    Ok(text) => Ok(Some(Event::Text(text))),
                    Err(_) => {
                        self.fused = true;
                        Err(ProtocolError::InvalidUtf8)
                    }
                };
            }
            Ready::InPlace(target, range) => (target, input.get(range)),
            Ready::Gathered(target) => {
                self.delivered = true;
                match target {
                    Target::Text => return Ok(Some(Event::Text(self.text.as_str()))),
                    Target::Binary => (target, self.binary.as_slice()),
                    _ => (target, self.control.as_slice()),
                }
            }
        };
        match target {
            Target::Binary => Ok(Some(Event::Binary(payload))),
            Target::Ping => Ok(Some(Event::Ping(payload))),
            Target::Pong => Ok(Some(Event::Pong(payload))),
            // Text went out above: a Close is what is left.
            Target::Close | Target::Text => {
                self.fused = true;
                parse_close(payload).map(|close| Some(Event::Close(close)))
            }
        }
    }

    /// Bytes of memory that unfinished messages take.
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity() + self.binary.capacity() + self.control.capacity()
    }

    /// Whether a Close or an error ended the reading.
    pub fn is_finished(&self) -> bool {
        self.fused
    }

    /// Goes on until something is ready or the input is used up.
    fn advance(&mut self, input: &mut Input<'_>) -> Result<Ready, ProtocolError> {
        let limit = self.work.saturating_add(BREATH);
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.begin(input)? {
                    Some(frame) => frame,
                    None => return Ok(Ready::Nothing),
                },
            };
            if self.skipping && frame.is_data() {
                frame.left -= input.take(frame.left.min(input.remaining())).len();
                if frame.left > 0 {
                    self.frame = Some(frame);
                    return Ok(Ready::Nothing);
                }
                continue;
            }
            if frame.compressed {
                let inflated = self.inflate(&mut frame, input, limit)?;
                if frame.left > 0 || !inflated {
                    self.frame = Some(frame);
                    return Ok(if inflated {
                        Ready::Nothing
                    } else {
                        Ready::Busy
                    });
                }
            } else {
                let available = frame.left.min(input.remaining());
                let range = input.take(available);
                if let Some(mask) = frame.mask {
                    apply_mask(input.get_mut(range.clone()), mask, frame.done);
                }
                frame.done += available;
                frame.left -= available;
                if frame.left == 0 && frame.fin && frame.untouched {
                    return Ok(Ready::InPlace(frame.target, range));
                }
                if available > 0 {
                    frame.untouched = false;
                    self.gather(frame.target, input.get(range), frame.left)?;
                }
                if frame.left > 0 {
                    self.frame = Some(frame);
                    return Ok(Ready::Nothing);
                }
            }
            if frame.fin {
                if frame.compressed {
                    let inflater = self.inflater.as_mut();
                    let inflater = inflater.ok_or(ProtocolError::ReservedBits)?;
                    inflater
                        .finish()
                        .map_err(|_| ProtocolError::InvalidDeflate)?;
                }
                let unchecked = mutant!("character_cut_before_empty_fragment") && frame.done == 0;
                if frame.target == Target::Text && !unchecked {
                    self.text.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
                }
                return Ok(Ready::Gathered(frame.target));
            }
        }
    }

    /// Reads a header and finds the message its payload belongs to; checks order and limits.
    fn begin(&mut self, input: &mut Input<'_>) -> Result<Option<Frame>, ProtocolError> {
        let Some(header) = self.header.next(self.role, self.negotiated, input)? else {
            return Ok(None);
        };
        let first = header.compressed;
        let (target, is_data, compressed) = match (header.kind, self.fragmented) {
            (Kind::Ping, _) => (Target::Ping, false, false),
            (Kind::Pong, _) => (Target::Pong, false, false),
            (Kind::Close, _) => (Target::Close, false, false),
            (Kind::Continuation, Some((target, compressed))) => (target, true, compressed),
            (Kind::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            (_, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
            (Kind::Text, None) => (Target::Text, true, first),
            (Kind::Binary, None) => (Target::Binary, true, first),
        };
        let untouched = !compressed && (!is_data || self.fragmented.is_none());
        if is_data {
            self.check_limits(header.len, compressed)?;
            self.fragmented = (!header.fin).then_some((target, compressed));
            self.work += if compressed { COMPRESSED } else { 0 };
        }
        Ok(Some(Frame {
            target,
            fin: header.fin,
            compressed,
            untouched,
            mask: header.mask,
            done: 0,
            left: header.len as usize, // within a limit or 125, both of which are usize
        }))
    }

    /// Holds the announced length of a data frame against the limits.
    fn check_limits(&self, len: u64, compressed: bool) -> Result<(), ProtocolError> {
        let Limits {
            max_frame,
            max_message,
        } = self.limits;
        if len > max_frame as u64 {
            return Err(ProtocolError::FrameTooBig {
                limit: max_frame,
                size: len,
            });
        }
        if compressed {
            return Ok(()); // what comes of it is looked at as it comes
        }
        // One of the two is empty; the sum is far from overflow, as `len` is below 2^63.
        let size = len + (self.text.len() + self.binary.len()) as u64;
        if size > max_message as u64 {
            return Err(ProtocolError::MessageTooBig {
                limit: max_message,
                size,
            });
        }
        Ok(())
    }

    /// Inflates what is there of a compressed payload. `false`: there is more to inflate, but that was
    /// enough work for now.
    fn inflate(
        &mut self,
        frame: &mut Frame,
        input: &mut Input<'_>,
        limit: usize,
    ) -> Result<bool, ProtocolError> {
        // Taken out for the time: there is one, since without it RSV1 is refused.
        let mut inflater = self.inflater.take().ok_or(ProtocolError::ReservedBits)?;
        let inflated = ROOM
            .with_borrow_mut(|room| self.inflate_into(room, &mut inflater, frame, input, limit));
        self.inflater = Some(inflater);
        inflated
    }

    fn inflate_into(
        &mut self,
        room: &mut [u8],
        inflater: &mut Inflater,
        frame: &mut Frame,
        input: &mut Input<'_>,
        limit: usize,
    ) -> Result<bool, ProtocolError> {
        loop {
            let piece = frame.left.min(input.remaining()).min(PIECE);
            if piece == 0 && !inflater.has_more() {
                return Ok(true);
            }
            if self.work >= limit && !mutant!("inflate_without_budget") {
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
            self.gather_inflated(frame.target, &room[..step.given])?;
        }
    }

    /// Adds a portion of what was inflated, if the limit lets it.
    fn gather_inflated(&mut self, target: Target, portion: &[u8]) -> Result<(), ProtocolError> {
        let size = self.text.len() + self.binary.len() + portion.len();
        let limit = self.limits.max_message;
        let unlimited = mutant!("inflated_text_unlimited") && target == Target::Text;
        if size > limit && !unlimited {
            let size = size as u64;
            return Err(ProtocolError::MessageTooBig { limit, size });
        }
        self.gather(target, portion, 0)
    }

    /// Adds a piece of a payload to its buffer; `left` bytes of the same frame are to come.
    fn gather(&mut self, target: Target, piece: &[u8], left: usize) -> Result<(), ProtocolError> {
        match target {
            Target::Text => {
                let (len, capacity) = (self.text.len(), self.text.capacity());
                if let Some(additional) = grow_by(len, capacity, piece.len(), left) {
                    self.text.reserve(additional);
                }
                self.text
                    .push(piece)
                    .map_err(|_| ProtocolError::InvalidUtf8)
            }
            Target::Binary => {
                let (len, capacity) = (self.binary.len(), self.binary.capacity());
                if let Some(additional) = grow_by(len, capacity, piece.len(), left) {
                    self.binary.reserve_exact(additional);
                }
                self.binary.extend_from_slice(piece);
                Ok(())
            }
            Target::Ping | Target::Pong | Target::Close => {
                self.control.reserve_exact(piece.len() + left); // at most 125 bytes
                self.control.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Clears the buffer that was delivered last. A control frame may have come between the
    /// fragments of a message, whose buffer then stays.
    fn recycle(&mut self) {
        if !self.delivered {
            return;
        }
        self.delivered = false;
        self.control = Vec::new();
        if self.fragmented.is_none() {
            self.text.clear(KEEP);
            if self.binary.capacity() > KEEP {
                self.binary = Vec::new();
            } else {
                self.binary.clear();
            }
        }
    }

    /// Gives back all memory.
    fn release(&mut self) {
        self.text.clear(0);
        self.binary = Vec::new();
        self.control = Vec::new();
        self.inflater = None;
    }

    /// Ends the reading by an error.
    fn fail(&mut self, error: ProtocolError, input: &mut Input<'_>) -> ProtocolError {
        self.fused = true;
        self.release();
        input.discard();
        error
    }
}

/// By how many bytes a buffer of `len` bytes should grow to take `piece` bytes, when `left` more
/// are announced; `None` when it has room.
///
/// Room is made for the announced rest, as far as that does not exceed what arrived
/// ([`MIN_AHEAD`] and [`MAX_AHEAD`] aside); and always for half of what is there, so that the
/// copies of a growing buffer stay linear in its final size, however short the pieces are.
fn grow_by(len: usize, capacity: usize, piece: usize, left: usize) -> Option<usize> {
    if capacity.saturating_sub(len) >= piece {
        return None;
    }
    let ahead = (len + piece).clamp(MIN_AHEAD, MAX_AHEAD);
    Some((piece + left.min(ahead)).max(len / 2))
}

impl fmt::Debug for Reader {
    /// Leaves out what the peer said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("role", &self.role)
            .field("limits", &self.limits)
            .field("frame", &self.frame)
            .field("fragmented", &self.fragmented)
            .field("gathered", &(self.text.len() + self.binary.len()))
            .field("fused", &self.fused)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod deflated;
#[cfg(test)]
mod tests;
