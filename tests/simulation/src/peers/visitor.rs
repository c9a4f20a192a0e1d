//! A WebSocket client, more or less, that connects to the library's server.

use super::frames::{Frame, Frames, Nonsense, PING, PONG};
use super::{AT, Act, FLOOD, Log, LogOf, READ, Talk, garbage, leave, rest};
use crate::deflating::Wish;
use crate::history::Manner;
use std::collections::VecDeque;
use std::time::Duration;

/// What a visitor comes for.
pub struct Errand {
    pub manner: Manner,
    pub messages: VecDeque<(Vec<u8>, bool)>,
    /// Messages go right behind the request.
    pub hasty: bool,
    /// Its offer of compression, and what must come of it.
    pub offer: Option<Wish>,
    pub agreed: Option<Wish>,
}

/// See the module.
pub struct Visitor {
    errand: Errand,
    log: LogOf,
    frames: Frames,
    /// The answer, until it is whole.
    head: Option<Vec<u8>>,
    /// Messages to come back before it is content.
    echoes: usize,
    /// It says nothing more.
    done: bool,
    shut: bool,
    vanished: bool,
}

const CHAT: u64 = 4;
/// The nonce of RFC 6455 section 1.3, and what has to be answered to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl Visitor {
    pub fn new(errand: Errand, log: LogOf) -> Self {
        Self {
            log,
            frames: Frames::new(true),
            head: Some(Vec::new()),
            echoes: errand.messages.len(),
            errand,
            done: false,
            shut: false,
            vanished: false,
        }
    }

    fn request(&self) -> String {
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
        let (path, upgrade, version) = match self.errand.manner {
            Manner::HttpError => match self.log.fd() % 6 {
                0 => ("/room", "", 13),
                1 => ("/nowhere", upgrade, 13),
                2 => ("/closed", upgrade, 13),
                3 => ("/page", "", 13),
                4 => ("/room\u{1}", upgrade, 13),
                _ => ("/room", upgrade, 7),
            },
            _ => ("/room", upgrade, 13),
        };
        let extensions = match self.errand.offer {
            Some(offer) => format!("Sec-WebSocket-Extensions: {}\r\n", offer.header(true)),
            None => String::new(),
        };
        format!(
            "GET {path} HTTP/1.1\r\nHost: name.test\r\n{upgrade}{extensions}\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: {version}\r\n\r\n"
        )
    }

    /// The next of its messages, if there is one.
    fn next(&mut self) -> Option<Vec<u8>> {
        let (data, text) = self.errand.messages.pop_front()?;
        self.log.with(|log| log.sent.push(data.clone()));
        Some(self.frames.message(&data, text))
    }

    /// The answer, when it is whole; what is behind it.
    fn answered(&mut self, out: &mut Vec<Act>) -> Option<Vec<u8>> {
        let head = self.head.as_ref()?;
        let end = head.windows(4).position(|at| at == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&head[..end]).into_owned();
        let rest = head[end..].to_vec();
        self.head = None;
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        self.log.with(|log| log.status = status);
        if status != Some(101) {
            self.done = true;
            return None;
        }
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(": "));
            let mut of_name = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name));
            of_name.next().map(|(_, value)| value.to_owned())
        };
        let extensions = value("sec-websocket-extensions");
        let expected = self.errand.agreed.map(|agreed| agreed.header(false));
        if value("sec-websocket-accept").as_deref() != Some(ACCEPT) || extensions != expected {
            let wrong = format!("{text} instead of {ACCEPT}, {expected:?}");
            self.log.with(|log| log.nonsense = Some(wrong));
        }
        if let Some(agreed) = self.errand.agreed {
            self.frames.set_deflate(agreed);
        }
        self.begin(out);
        Some(rest)
    }

    /// It is a WebSocket now.
    fn begin(&mut self, out: &mut Vec<Act>) {
        if let Some(after) = self.errand.manner.leaves() {
            out.push(Act::Timer(after, AT));
        }
        match self.errand.manner {
            Manner::CloseFirst(after)
            | Manner::Reset(after)
            | Manner::Vanish(after)
            | Manner::Garbage(after) => out.push(Act::Timer(after, AT)),
            Manner::Flood => {
                self.errand.messages.push_back((vec![0x55; FLOOD], false));
            }
            Manner::Chatty => return self.chat(out),
            _ => {}
        }
        while let Some(frames) = self.next() {
            out.push(Act::Send(frames));
        }
        self.close_if_content(out);
    }

    /// A message and a Ping, and later the next.
    fn chat(&mut self, out: &mut Vec<Act>) {
        let Some(mut frames) = self.next() else {
            return self.close_if_content(out);
        };
        let ping = self.log.with(Log::ping);
        frames.extend(self.frames.control(PING, &ping));
        out.push(Act::Send(frames));
        let left = self.errand.messages.len() as u64;
        out.push(Act::Timer(Duration::from_millis(1 + left), CHAT));
    }

    fn close_if_content(&mut self, out: &mut Vec<Act>) {
        let polite = matches!(
            self.errand.manner,
            Manner::Good | Manner::Chatty | Manner::Dribble | Manner::Slow(_)
        );
        let come = self.log.with(|log| log.messages.len());
        if polite && self.errand.messages.is_empty() && come >= self.echoes {
            self.close(1000, out);
        }
    }

    fn close(&mut self, code: u16, out: &mut Vec<Act>) {
        if !std::mem::replace(&mut self.done, true) {
            self.log.with(|log| {
                log.close_sent = true;
                log.said = Some(code);
            });
            out.push(Act::Send(self.frames.close(code)));
        }
    }

    fn shut(&mut self, how: Act, out: &mut Vec<Act>) {
        self.done = true;
        if !std::mem::replace(&mut self.shut, true) {
            out.push(how);
        }
    }

    fn frames(&mut self, data: &[u8], out: &mut Vec<Act>) {
        self.frames.feed(data);
        loop {
            match self.frames.next_for(&self.log) {
                Ok(None) => return,
                Ok(Some(Frame::Message(..))) => {
                    if !self.done {
                        self.close_if_content(out);
                    }
                }
                Ok(Some(Frame::Ping(payload))) => {
                    if !self.done && self.errand.manner.is_good() {
                        out.push(Act::Send(self.frames.control(PONG, &payload)));
                    }
                }
                Ok(Some(Frame::Pong(_))) => {}
                Ok(Some(Frame::Close(code))) => {
                    let stays = matches!(self.errand.manner, Manner::Flood | Manner::NoAnswer);
                    // The server ends the stream (RFC 6455 section 7.1.1).
                    if !stays {
                        self.close(code, out);
                    }
                }
                Err(Nonsense) => return self.shut(Act::Reset, out),
            }
        }
    }
}

impl Talk for Visitor {
    fn start(&mut self, out: &mut Vec<Act>) {
        rest(self.errand.manner, out);
        match self.errand.manner {
            Manner::Drop => return self.shut(Act::Shutdown, out),
            Manner::Mute => return,
            Manner::HttpError => self.log.with(|log| log.bad_request = true),
            _ => {}
        }
        let mut bytes = self.request().into_bytes();
        if self.errand.hasty && self.errand.manner != Manner::HttpError {
            while let Some(frames) = self.next() {
                bytes.extend(frames);
            }
        }
        out.push(Act::Send(bytes));
    }

    fn data(&mut self, data: &[u8], out: &mut Vec<Act>) {
        rest(self.errand.manner, out);
        if self.vanished {
            return;
        }
        match self.head.as_mut() {
            Some(head) => {
                head.extend(data);
                if let Some(rest) = self.answered(out) {
                    self.frames(&rest, out);
                }
            }
            None if self.log.with(|log| log.status) == Some(101) => self.frames(data, out),
            None => {} // the body of a refusal
        }
    }

    fn end(&mut self, out: &mut Vec<Act>) {
        let stays = matches!(
            self.errand.manner,
            Manner::Mute | Manner::NoAnswer | Manner::Flood
        );
        if !stays && !self.vanished {
            self.shut(Act::Shutdown, out);
        }
    }

    fn timer(&mut self, tag: u64, out: &mut Vec<Act>) {
        match tag {
            READ => return out.push(Act::Read(true)),
            CHAT if !self.done => return self.chat(out),
            CHAT => return,
            _ => {}
        }
        if self.done {
            return;
        }
        match self.errand.manner {
            Manner::Reset(_) => self.shut(Act::Reset, out),
            Manner::Leave(after) | Manner::Depart(after) => self.shut(leave(after), out),
            Manner::Vanish(_) => {
                self.vanished = true;
                self.done = true;
                self.log.with(|log| log.misbehaved = true);
                out.push(Act::Read(false));
            }
            Manner::Garbage(after) => {
                self.done = true;
                self.log.with(|log| log.misbehaved = true);
                out.push(garbage(after));
            }
            _ => self.close(4000, out),
        }
    }

    fn room(&mut self, out: &mut Vec<Act>) {
        let sent = self
            .log
            .with(|log| log.sent.iter().map(Vec::len).sum::<usize>());
        let open = self.log.with(|log| log.status) == Some(101);
        if self.errand.manner == Manner::Flood && open && !self.shut && sent < 2 * FLOOD {
            self.errand.messages.push_back((vec![0x55; 3_000], false));
            if let Some(frames) = self.next() {
                out.push(Act::Send(frames));
            }
        }
    }
}
