//! From the bytes of a peer to messages (RFC 6455 sections 5.4 to 5.6).
//!
//! | file | holds |
//! |---|---|
//! | `binary` | a binary message that comes in pieces |
//! | `frame` | a frame whose header is read |
//! | `gathered` | messages that are not whole, and control frames |
//! | `inflating` | compressed messages on their way to those |

mod binary;
mod frame;
mod gathered;
mod inflating;

use self::frame::{Frame, Payload};
pub(crate) use self::gathered::Buffers;
use self::gathered::{Fresh, Gathered};
use self::inflating::Inflating;
use super::close::parse_close;
use super::header::{HeaderReader, NegotiatedBits};
use super::mask::apply_mask;
use super::{Input, Limits, OpCode, ProtocolError, Role};
use crate::deflate::DeflateParams;
use std::fmt;
use std::ops::Range;
use std::str;

/// What a peer said. Borrowed from the input when it lay there as a whole, else from the reader. The
/// protocol has no others.
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
    fragmented: Option<(Payload, bool)>,
    gathered: Gathered,
    inflating: Inflating,
    /// Messages are no longer wanted: they are passed over.
    skipping: bool,
    /// After a Close or an error.
    fused: bool,
}

/// What is ready to be delivered, without the borrow.
enum Ready {
    /// Nothing: the input is used up.
    Nothing,
    /// A message that lies in the input.
    InPlace(Payload, Range<usize>),
    /// A message in the buffers.
    Gathered(Payload),
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
            gathered: Gathered::new(limits.max_message),
            inflating: Inflating::default(),
            skipping: false,
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
        self.inflating = Inflating::new(bits, !alone);
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
            match self.find(input, &Fresh)? {
                Ready::Busy => {}
                ready => break ready,
            }
        };
        self.event(ready, input)
    }

    /// As [`next`](Self::next), but with these `buffers`, and breaks off where a message takes much inflating,
    /// so that others have their turn.
    pub(crate) fn next_within<'a>(
        &'a mut self,
        input: &'a mut Input<'_>,
        buffers: &dyn Buffers,
    ) -> Result<Found<'a>, ProtocolError> {
        let ready = self.find(input, buffers)?;
        if let Ready::Busy = ready {
            return Ok(Found::Busy);
        }
        let event = self.event(ready, input)?;
        Ok(event.map_or(Found::Nothing, Found::Event))
    }

    /// Where the next bytes of the input may be read to instead of being copied there: the rest of a long binary
    /// frame. [`filled`](Self::filled) says how many were.
    pub(crate) fn room(&mut self, buffers: &dyn Buffers) -> Option<&mut [u8]> {
        let frame = self.frame.as_ref()?;
        let is_long = frame.target == Payload::Binary && !frame.compressed && !self.skipping;
        match is_long && !self.fused {
            true => self.gathered.room(frame.left, buffers),
            false => None,
        }
    }

    /// So many bytes of the input are in the last [`room`](Self::room). What they make whole comes with the next
    /// call of [`next`](Self::next), whose input may be empty.
    pub(crate) fn filled(&mut self, size: usize) {
        let Some(frame) = self.frame.as_mut() else {
            debug_assert!(false, "there was room for a frame");
            return;
        };
        let piece = self.gathered.filled(size);
        if let Some(mask) = frame.mask {
            apply_mask(piece, mask, frame.done);
        }
        frame.done += size;
        frame.left -= size;
        frame.untouched = false;
    }

    /// What inflating has cost since this was asked last, as bytes inflated.
    pub(crate) fn take_work(&mut self) -> usize {
        self.inflating.take_work()
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
            self.gathered.drop_messages();
            self.inflating = Inflating::default();
        }
    }

    /// Goes on to what is to be delivered.
    fn find(
        &mut self,
        input: &mut Input<'_>,
        buffers: &dyn Buffers,
    ) -> Result<Ready, ProtocolError> {
        if self.fused {
            self.release();
            input.discard();
            return Ok(Ready::Nothing);
        }
        self.gathered.recycle(self.fragmented.is_some(), buffers);
        self.advance(input, buffers)
            .map_err(|error| self.fail(error, input))
    }

    /// What is ready, with the borrow.
    fn event<'a>(
        &'a mut self,
        ready: Ready,
        input: &'a Input<'_>,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let (target, payload) = match ready {
            Ready::Nothing | Ready::Busy => return Ok(None),
            Ready::InPlace(Payload::Text, range) => {
                return match str::from_utf8(input.get(range)) {
                    Ok(text) => Ok(Some(Event::Text(text))),
                    Err(_) => {
                        self.fused = true;
                        Err(ProtocolError::InvalidUtf8)
                    }
                };
            }
            Ready::InPlace(target, range) => (target, input.get(range)),
            Ready::Gathered(Payload::Text) => return Ok(Some(Event::Text(self.gathered.text()))),
            Ready::Gathered(target) => (target, self.gathered.bytes(target)),
        };
        match target {
            Payload::Binary => Ok(Some(Event::Binary(payload))),
            Payload::Ping => Ok(Some(Event::Ping(payload))),
            Payload::Pong => Ok(Some(Event::Pong(payload))),
            // Text went out above: a Close is what is left.
            Payload::Close | Payload::Text => {
                self.fused = true;
                parse_close(payload).map(|close| Some(Event::Close(close)))
            }
        }
    }

    /// Bytes of memory that unfinished messages take.
    pub(crate) fn memory(&self) -> usize {
        self.gathered.memory()
    }

    /// How many bytes are to come until the message under way is whole, on the wire, as far as the peer has
    /// said.
    pub(crate) fn missing(&self) -> Option<usize> {
        let frame = self.frame.as_ref()?;
        (frame.fin && frame.is_data()).then_some(frame.left)
    }

    /// Whether a Close or an error ended the reading.
    pub fn is_finished(&self) -> bool {
        self.fused
    }

    /// Goes on until something is ready or the input is used up.
    fn advance(
        &mut self,
        input: &mut Input<'_>,
        buffers: &dyn Buffers,
    ) -> Result<Ready, ProtocolError> {
        let limit = self.inflating.limit();
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
                let inflated =
                    self.inflating
                        .run(&mut frame, input, limit, &mut self.gathered, buffers)?;
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
                    self.gathered
                        .add(frame.target, input.get(range), frame.left, buffers)?;
                }
                if frame.left > 0 {
                    self.frame = Some(frame);
                    return Ok(Ready::Nothing);
                }
            }
            if frame.fin {
                if frame.compressed {
                    self.inflating.finish()?;
                }
                if frame.target == Payload::Text {
                    self.gathered.finish_text()?;
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
        let (target, is_data, compressed) = match (header.opcode, self.fragmented) {
            (OpCode::Ping, _) => (Payload::Ping, false, false),
            (OpCode::Pong, _) => (Payload::Pong, false, false),
            (OpCode::Close, _) => (Payload::Close, false, false),
            (OpCode::Continuation, Some((target, compressed))) => (target, true, compressed),
            (OpCode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            (_, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
            (OpCode::Text, None) => (Payload::Text, true, first),
            (OpCode::Binary, None) => (Payload::Binary, true, first),
        };
        let untouched = !compressed && (!is_data || self.fragmented.is_none());
        if is_data {
            self.check_limits(header.len, compressed)?;
            self.fragmented = (!header.fin).then_some((target, compressed));
            if compressed {
                self.inflating.begin_frame();
            }
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
        // Far from overflow, as `len` is below 2^63.
        let size = len + self.gathered.len() as u64;
        if size > max_message as u64 {
            return Err(ProtocolError::MessageTooBig {
                limit: max_message,
                size,
            });
        }
        Ok(())
    }

    /// Gives back all memory.
    fn release(&mut self) {
        self.gathered.release();
        self.inflating = Inflating::default();
    }

    /// Ends the reading by an error.
    fn fail(&mut self, error: ProtocolError, input: &mut Input<'_>) -> ProtocolError {
        self.fused = true;
        self.release();
        input.discard();
        error
    }
}

impl fmt::Debug for Reader {
    /// Leaves out what the peer said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("role", &self.role)
            .field("limits", &self.limits)
            .field("frame", &self.frame)
            .field("fragmented", &self.fragmented)
            .field("gathered", &self.gathered.len())
            .field("fused", &self.fused)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod deflated;
#[cfg(test)]
mod in_place;
#[cfg(test)]
mod tests;
