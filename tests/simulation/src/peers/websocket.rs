//! A WebSocket server, more or less.

use super::frames::{Frame, Frames, Nonsense, PING, PONG};
use super::{AT, Act, FLOOD, Log, LogOf, READ, Talk, garbage, leave, rest};
use crate::deflating::Wish;
use crate::history::Manner;
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;

/// See the module.
pub struct WebSocketPeer {
    manner: Manner,
    log: LogOf,
    /// The request, until it is answered.
    head: Option<Vec<u8>>,
    frames: Frames,
    /// What comes of a client's offer of compression.
    deflate: Option<Wish>,
    /// Redirects before the upgrade.
    hops: u32,
    /// Nothing more is said.
    done: bool,
    vanished: bool,
    chat: u32,
}

const CHAT: u64 = 4;
/// Messages that a chatty peer sends of its own.
const CHATS: u32 = 20;

impl WebSocketPeer {
    pub fn new(manner: Manner, deflate: Option<Wish>, hops: u32, log: LogOf) -> Self {
        Self {
            manner,
            log,
            head: Some(Vec::new()),
            frames: Frames::new(false),
            deflate,
            hops,
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
        let hop = hop(&text);
        let answer = if hop < self.hops {
            self.done = true;
            let to = hop + 1;
            format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: /{to}\r\nContent-Length: 0\r\n\r\n"
            )
        } else if self.manner == Manner::HttpError {
            self.done = true;
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned()
        } else {
            let offered = text.contains("permessage-deflate");
            let extensions = match self.deflate.filter(|_| offered) {
                Some(agreed) => {
                    self.frames.set_deflate(agreed);
                    format!("Sec-WebSocket-Extensions: {}\r\n", agreed.header(false))
                }
                None => String::new(),
            };
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\nX-Connection: {}\r\n{extensions}\r\n",
                derive_accept_key(key.as_bytes()),
                self.log.fd()
            )
        };
        out.push(Act::Send(answer.into_bytes()));
        if self.done {
            out.push(Act::Shutdown);
            return None;
        }
        if let Some(after) = self.manner.leaves() {
            out.push(Act::Timer(after, AT));
        }
        match self.manner {
            Manner::CloseFirst(after)
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
        self.log.with(|log| log.sent.push(data.to_vec()));
        out.push(Act::Send(self.frames.message(data, text)));
    }

    /// Some messages and a Ping, all at once, so that they may come in one read.
    fn chat(&mut self, out: &mut Vec<Act>) {
        for _ in 0..1 + self.chat % 3 {
            self.chat += 1;
            let text = format!("chat {}", self.chat);
            self.say(text.as_bytes(), true, out);
        }
        let ping = self.log.with(Log::ping);
        out.push(Act::Send(self.frames.control(PING, &ping)));
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
        self.log.with(|log| log.close_sent = true);
        out.push(Act::Send(self.frames.close(code)));
    }

    fn frames(&mut self, data: &[u8], out: &mut Vec<Act>) {
        self.frames.feed(data);
        loop {
            match self.frames.next_for(&self.log) {
                Ok(None) => return,
                Ok(Some(Frame::Message(data, text))) => {
                    let echoes = !matches!(self.manner, Manner::Flood | Manner::NoAnswer);
                    if !self.done && echoes {
                        self.say(&data, text, out);
                    }
                }
                Ok(Some(Frame::Ping(payload))) => {
                    if !self.done && self.manner.is_good() {
                        out.push(Act::Send(self.frames.control(PONG, &payload)));
                    }
                }
                Ok(Some(Frame::Pong(_))) => {}
                Ok(Some(Frame::Close(code))) => self.closed(code, out),
                Err(Nonsense) => {
                    self.done = true;
                    return out.push(Act::Reset);
                }
            }
        }
    }

    fn closed(&mut self, code: u16, out: &mut Vec<Act>) {
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

/// How many redirects led to that request: its path says so.
fn hop(request: &str) -> u32 {
    let path = request.split(' ').nth(1).unwrap_or_default();
    path.trim_start_matches('/').parse().unwrap_or(0)
}

impl Talk for WebSocketPeer {
    fn start(&mut self, out: &mut Vec<Act>) {
        match self.manner {
            Manner::Drop => {
                self.done = true;
                out.push(Act::Shutdown);
            }
            Manner::Slow(_) => rest(self.manner, out),
            _ => {}
        }
    }

    fn data(&mut self, data: &[u8], out: &mut Vec<Act>) {
        rest(self.manner, out);
        if matches!(self.manner, Manner::Mute | Manner::Mum) || self.vanished {
            return;
        }
        match self.head.as_mut() {
            Some(head) => {
                head.extend(data);
                if let Some(rest) = self.upgrade(out) {
                    self.frames(&rest, out);
                }
            }
            None => self.frames(data, out),
        }
    }

    fn end(&mut self, out: &mut Vec<Act>) {
        let stays = matches!(
            self.manner,
            Manner::Mute | Manner::Mum | Manner::NoAnswer | Manner::Flood
        );
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
            Manner::Leave(after) | Manner::Depart(after) => {
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
