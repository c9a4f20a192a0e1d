//! A connection of either side: a head, then whole messages counted by their bytes.

use super::wire::{Buffers, Wire, not_blocked};
use crate::Result;
use crate::frames::{CLOSE, Counter, HEAD_END, frame};
use std::io;

/// Bytes that one write takes at most, where frames are short.
const WRITE: usize = 256 * 1024;

/// What is sent: a frame made beforehand; and what comes.
pub struct Script {
    /// The frame that is sent, as often as it fits.
    out: Vec<u8>,
    out_frame: usize,
    /// The length of each frame that comes; `None`: how well the other side compresses is not known.
    in_frame: Option<usize>,
    pub deflate: bool,
}

impl Script {
    /// Messages of a size, as a client, or a server.
    pub fn new(bytes: usize, client: bool, deflate: bool) -> Result<Self> {
        let one = frame(bytes, client, deflate)?;
        let in_frame = match deflate {
            true => None,
            false => Some(frame(bytes, !client, false)?.len()),
        };
        Ok(Self {
            out: one.repeat((WRITE / one.len()).max(1)),
            out_frame: one.len(),
            in_frame,
            deflate,
        })
    }
}

/// See the module.
pub struct Peer {
    pub wire: Wire,
    /// What has come of the head; `None` once it is whole.
    head: Option<Vec<u8>>,
    /// Bytes that have come of a message that is not whole.
    got: usize,
    counter: Option<Box<Counter>>,
    /// Bytes that are still to be sent, and where in the frame the next one is.
    owed: usize,
    at: usize,
}

/// What has come.
pub enum Come {
    /// Nothing that matters yet.
    Nothing,
    /// The head, whole, for the first time; nothing is behind it.
    Head(Vec<u8>),
    /// So many messages.
    Messages(usize),
    /// A Close, or the end of the stream.
    Close,
}

impl Peer {
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            head: Some(Vec::new()),
            got: 0,
            counter: None,
            owed: 0,
            at: 0,
        }
    }

    /// Reads until there is no more.
    pub fn read(&mut self, buffers: &mut Buffers, script: &Script) -> io::Result<Come> {
        let mut messages = 0;
        loop {
            let (n, more) = match self.wire.read(buffers) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                other => other?,
            };
            let come = &buffers.plain[..n];
            if n == 0 {
                return Ok(Come::Close);
            }
            if let Some(head) = &mut self.head {
                head.extend_from_slice(come);
                if head.ends_with(HEAD_END) {
                    return Ok(Come::Head(self.head.take().unwrap_or_default()));
                }
            } else if self.got == 0 && self.counter.is_none() && come[0] == CLOSE {
                return Ok(Come::Close);
            } else {
                messages += match script.in_frame {
                    Some(length) => {
                        let whole = (self.got + n) / length;
                        self.got = (self.got + n) % length;
                        whole
                    }
                    None => self.counter.get_or_insert_default().take(come),
                };
            }
            if !more {
                break;
            }
        }
        Ok(match messages {
            0 => Come::Nothing,
            n => Come::Messages(n),
        })
    }

    /// Sends so many messages more, and what is still owed; as much as there is room for.
    pub fn send(&mut self, messages: usize, script: &Script) -> io::Result<()> {
        self.owed += messages * script.out_frame;
        while self.owed > 0 {
            let end = script.out.len().min(self.at + self.owed);
            match self.wire.write(&script.out[self.at..end]) {
                Ok(n) => {
                    self.owed -= n;
                    self.at = (self.at + n) % script.out_frame;
                }
                Err(e) => return not_blocked(Err(e)),
            }
        }
        self.wire.flush()
    }
}
