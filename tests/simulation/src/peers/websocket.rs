//! A WebSocket server, more or less.

use super::{Act, FLOOD, LogOf, Talk, garbage, leave};
use crate::history::Manner;
use hvloop_ws::protocol::{Event, Input, Limits, Reader, Role, encode_close, encode_frame, opcode};
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;

/// See the module.
pub struct WebSocketPeer {
    manner: Manner,
    log: LogOf,
    /// The request, until it is answered.
    head: Option<Vec<u8>>,
    reader: Reader,
    /// Nothing more is said.
    done: bool,
    vanished: bool,
    chat: u32,
}

const AT: u64 = 0;
const READ: u64 = 2;
const CHAT: u64 = 4;
/// Messages that a chatty peer sends of its own.
const CHATS: u32 = 20;

impl WebSocketPeer {
    pub fn new(manner: Manner, log: LogOf) -> Self {
        Self {
            manner,
            log,
            head: Some(Vec::new()),
            reader: Reader::new(Role::Server, Limits::default()),
            done: false,
            vanished: false,
            chat: 0,
        }
    }

    fn upgrade(&mut self, out: &mut Vec<Act>) -> Option<Vec<u8>> {
        let head = self.head.as_ref()?;
        let end = head.windows(4).position(|at| at == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&head[..end]).into_owned();
        let rest = head[end..].to_vec();
        self.head = None;
        let key = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
            .map(|(_, key)| key.trim().to_owned())
            .unwrap_or_default();
        let answer = if self.manner == Manner::HttpError {
            self.done = true;
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned()
        } else {
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\nX-Connection: {}\r\n\r\n",
                derive_accept_key(key.as_bytes()),
                self.log.fd()
            )
        };
        out.push(Act::Send(answer.into_bytes()));
        if self.done {
            out.push(Act::Shutdown);
            return None;
        }
        match self.manner {
            Manner::CloseFirst(after)
            | Manner::Leave(after)
            | Manner::Reset(after)
            | Manner::Vanish(after)
            | Manner::Garbage(after) => out.push(Act::Timer(after, AT)),
            Manner::Chatty => self.chat(out),
            Manner::Flood => self.say(&[0x55; FLOOD], false, out),
            _ => {}
        }
        Some(rest)
    }

    fn say(&mut self, data: &[u8], text: bool, out: &mut Vec<Act>) {
        let mut frame = Vec::new();
        let code = if text { opcode::TEXT } else { opcode::BINARY };
        encode_frame(&mut frame, code, true, data, None);
        self.log.with(|log| log.sent.push(data.to_vec()));
        out.push(Act::Send(frame));
    }

    /// Some messages and a Ping, all at once, so that they may come in one read.
    fn chat(&mut self, out: &mut Vec<Act>) {
        for _ in 0..1 + self.chat % 3 {
            self.chat += 1;
            let text = format!("chat {}", self.chat);
            self.say(text.as_bytes(), true, out);
        }
        let mut frame = Vec::new();
        encode_frame(&mut frame, opcode::PING, true, b"?", None);
        self.log.with(|log| log.pings += 1);
        out.push(Act::Send(frame));
        if self.chat < CHATS {
            out.push(Act::Timer(
                Duration::from_millis(u64::from(self.chat)),
                CHAT,
            ));
        }
    }

    fn flood(&mut self, out: &mut Vec<Act>) {
        self.say(&[0x55; 3_000], false, out);
    }

    fn close(&mut self, code: u16, out: &mut Vec<Act>) {
        let mut frame = Vec::new();
        encode_close(&mut frame, (code != 1005).then_some((code, "")), None);
        self.log.with(|log| log.close_sent = true);
        out.push(Act::Send(frame));
    }

    fn frames(&mut self, mut data: Vec<u8>, out: &mut Vec<Act>) {
        let mut input = Input::new(&mut data);
        loop {
            let closed = self.log.with(|log| log.close.is_some());
            let echo = match self.reader.next(&mut input) {
                Ok(None) => {
                    if closed && input.remaining() > 0 {
                        self.log.with(|log| log.after_close = true);
                    }
                    return;
                }
                Ok(Some(Event::Text(text))) => Some((text.as_bytes().to_vec(), true)),
                Ok(Some(Event::Binary(data))) => Some((data.to_vec(), false)),
                Ok(Some(Event::Ping(payload))) => {
                    if !self.done && self.manner.is_good() {
                        let mut frame = Vec::new();
                        encode_frame(&mut frame, opcode::PONG, true, payload, None);
                        out.push(Act::Send(frame));
                    }
                    None
                }
                Ok(Some(Event::Pong(_))) => {
                    self.log.with(|log| log.pongs += 1);
                    None
                }
                Ok(Some(Event::Close(frame))) => {
                    let code = frame.map_or(1005, |(code, _)| code);
                    self.closed(code, out);
                    return;
                }
                Err(e) => {
                    self.log.with(|log| log.nonsense = Some(e.to_string()));
                    self.done = true;
                    out.push(Act::Reset);
                    return;
                }
            };
            if let Some((data, text)) = echo {
                self.log.with(|log| log.messages.push(data.clone()));
                let echoes = !matches!(self.manner, Manner::Flood | Manner::NoAnswer);
                if !self.done && echoes {
                    self.say(&data, text, out);
                }
            }
        }
    }

    fn closed(&mut self, code: u16, out: &mut Vec<Act>) {
        self.log.with(|log| log.close = Some(code));
        if matches!(self.manner, Manner::Flood | Manner::NoAnswer) || self.vanished {
            return;
        }
        if !self.log.with(|log| log.close_sent) && !self.done {
            self.close(code, out);
        }
        self.done = true;
        out.push(Act::Shutdown);
    }
}

impl Talk for WebSocketPeer {
    fn start(&mut self, out: &mut Vec<Act>) {
        match self.manner {
            Manner::Drop => {
                self.done = true;
                out.push(Act::Shutdown);
            }
            Manner::Slow(pause) => {
                out.push(Act::Read(false));
                out.push(Act::Timer(pause, READ));
            }
            _ => {}
        }
    }

    fn data(&mut self, data: &[u8], out: &mut Vec<Act>) {
        if let Manner::Slow(pause) = self.manner {
            out.push(Act::Read(false));
            out.push(Act::Timer(pause, READ));
        }
        if self.manner == Manner::Mute || self.vanished {
            return;
        }
        match self.head.as_mut() {
            Some(head) => {
                head.extend(data);
                if let Some(rest) = self.upgrade(out) {
                    self.frames(rest, out);
                }
            }
            None => self.frames(data.to_vec(), out),
        }
    }

    fn end(&mut self, out: &mut Vec<Act>) {
        let stays = matches!(self.manner, Manner::Mute | Manner::NoAnswer | Manner::Flood);
        if !stays && !self.vanished && !std::mem::replace(&mut self.done, true) {
            out.push(Act::Shutdown);
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
        match self.manner {
            Manner::Reset(_) => {
                self.done = true;
                out.push(Act::Reset);
            }
            Manner::Leave(after) => {
                self.done = true;
                out.push(leave(after));
            }
            Manner::Vanish(_) => {
                self.vanished = true;
                self.log.with(|log| log.misbehaved = true);
                out.push(Act::Read(false));
            }
            Manner::Garbage(after) => {
                self.log.with(|log| log.misbehaved = true);
                self.done = true;
                out.push(garbage(after));
            }
            _ => {
                // From now on it says nothing more, and reads on until the answer.
                self.chat(out);
                self.done = true;
                self.close(1001, out);
            }
        }
    }

    fn room(&mut self, out: &mut Vec<Act>) {
        let sent = self
            .log
            .with(|log| log.sent.iter().map(Vec::len).sum::<usize>());
        if self.manner == Manner::Flood && self.head.is_none() && sent < 2 * FLOOD {
            self.flood(out);
        }
    }
}
