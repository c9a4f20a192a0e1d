//! What a connection knows that is no WebSocket yet: how far the request is, and what comes behind it.

use super::http_options::HttpOptions;
use crate::handshake::body::BodyReader;
use crate::handshake::{BadRequest, HandshakeLimits, HttpRequest};
use crate::handshake::{RequestProgress, ServerHandshake};
use hvloop_event::CloseReason;
use hvloop_event::conn::Conn;

/// Answers that wait for the socket, in bytes, above which no further request of the connection is looked at.
const AHEAD: usize = 64 * 1024;
/// What a request costs of a turn, in bytes.
const REQUEST: usize = 4096;

/// See the module.
pub(super) struct Http {
    pub(super) options: HttpOptions,
    limits: HandshakeLimits,
    handshake: ServerHandshake,
    /// The request whose body is being read.
    body: Option<(Box<HttpRequest>, BodyReader)>,
    /// What came behind an answer that is not out yet.
    pending: Vec<u8>,
    /// Some of the request is there.
    begun: bool,
    /// A request was answered before this one.
    answered: bool,
    /// The peer has ended its side behind what is pending.
    ended: bool,
}

/// What came of bytes.
pub(super) enum Step {
    NeedMore,
    /// The head of a request; so many bytes belong to it.
    Head(Box<HttpRequest>, usize),
    /// A request with its body; so many bytes belong to it.
    Whole(Box<HttpRequest>, usize),
}

impl Http {
    pub(super) fn new(limits: HandshakeLimits, options: HttpOptions) -> Self {
        Self {
            options,
            limits,
            handshake: ServerHandshake::new(limits),
            body: None,
            pending: Vec::new(),
            begun: false,
            answered: false,
            ended: false,
        }
    }

    /// Takes what came.
    pub(super) fn feed(&mut self, conn: &Conn<'_>, bytes: &[u8]) -> Result<Step, BadRequest> {
        if !self.begun && !bytes.is_empty() {
            self.begun = true;
            if self.answered {
                conn.restart_open_timeout(None);
            }
        }
        let Some((mut request, mut reader)) = self.body.take() else {
            return Ok(match self.handshake.feed(bytes)? {
                RequestProgress::NeedMore => Step::NeedMore,
                RequestProgress::Done {
                    mut request,
                    consumed,
                } => {
                    request.peer = conn.peer();
                    Step::Head(request, consumed)
                }
            });
        };
        match reader.feed(bytes)? {
            None => {
                conn.set_gathered(reader.gathered());
                self.body = Some((request, reader));
                Ok(Step::NeedMore)
            }
            Some(consumed) => {
                request.body = reader.into_bytes();
                Ok(Step::Whole(request, consumed))
            }
        }
    }

    /// The body of this request is read next.
    pub(super) fn read_body(&mut self, request: Box<HttpRequest>, reader: BodyReader) {
        self.body = Some((request, reader));
    }

    /// The request is answered, and another one may follow.
    pub(super) fn next(&mut self, conn: &Conn<'_>) {
        self.handshake = ServerHandshake::new(self.limits);
        self.begun = false;
        self.answered = true;
        conn.set_gathered(self.pending.len());
        conn.restart_open_timeout(self.options.keep_alive);
        conn.notify_sent();
    }

    /// The time for a request is over, or that for the next one.
    pub(super) fn timed_out(&self, conn: &Conn<'_>) {
        let answering = self.answered && (conn.unsent() > 0 || !self.pending.is_empty());
        match self.options.keep_alive {
            // The time for what is being written is another one.
            limit if answering => conn.restart_open_timeout(limit),
            Some(limit) if self.is_idle() => conn.finish(CloseReason::IdleTimedOut(limit)),
            _ => conn.open_timed_out(),
        }
    }

    /// Keeps what came, if it is not its turn yet. `true`: it has to wait.
    pub(super) fn waits(&mut self, conn: &Conn<'_>, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return false;
        }
        let behind = !self.pending.is_empty();
        let next = self.answered && !self.begun;
        let full = next && conn.unsent() > AHEAD;
        let wait = behind || full || (next && !conn.spend(REQUEST));
        if wait {
            self.pending.extend_from_slice(bytes);
            conn.set_gathered(self.pending.len());
            conn.pause_reading();
            if !behind && !full {
                conn.read_later();
            }
        }
        wait
    }

    /// What waits, if it has its turn now.
    pub(super) fn take_pending(&mut self, conn: &Conn<'_>) -> Vec<u8> {
        if self.pending.is_empty() || conn.unsent() > AHEAD {
            return Vec::new();
        }
        conn.set_gathered(0);
        conn.resume_reading();
        std::mem::take(&mut self.pending)
    }

    /// The peer has ended its side. `true`: all of its requests are answered, or being answered; `false`: one is
    /// cut; `None`: some wait for their turn.
    pub(super) fn end(&mut self) -> Option<bool> {
        self.ended = true;
        self.pending.is_empty().then(|| self.is_idle())
    }

    /// Whether the peer has ended its side.
    pub(super) fn has_ended(&self) -> bool {
        self.ended && self.pending.is_empty()
    }

    /// Whether a request was answered, and nothing of another one is there.
    pub(super) fn is_idle(&self) -> bool {
        self.answered && !self.begun && self.pending.is_empty()
    }

    /// Whether a request was answered.
    pub(super) fn has_answered(&self) -> bool {
        self.answered
    }
}
