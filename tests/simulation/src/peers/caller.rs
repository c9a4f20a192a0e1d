//! Peers that connect to the library's servers.

use super::{
    AT, Act, Certificates, FLOOD, Log, LogOf, Logs, READ, Talk, Transport, garbage, leave, rest,
};
use crate::history::Manner;
use hvloop_event::sim::{Peer, PeerIo};
use std::rc::Rc;

/// How messages are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Not at all.
    None,
    /// Each ends with a `\n`.
    Lines,
    /// Each begins with its length, in four bytes.
    Lengths,
}

impl Framing {
    /// A message of about that size, with its number in it.
    pub fn message(self, number: u64, size: usize) -> Vec<u8> {
        let mut body = format!("{number}:").into_bytes();
        let filler = b'a' + (number % 26) as u8;
        body.resize(size.max(body.len()), filler);
        match self {
            Self::None => body,
            Self::Lines => {
                body.push(b'\n');
                body
            }
            Self::Lengths => {
                let mut whole = (body.len() as u32).to_be_bytes().to_vec();
                whole.append(&mut body);
                whole
            }
        }
    }
}

/// Sends its messages, reads what comes back, and ends when it has had as much as it sent.
pub struct Caller {
    manner: Manner,
    messages: Vec<Vec<u8>>,
    log: LogOf,
    done: bool,
}

impl Caller {
    pub fn new(manner: Manner, messages: Vec<Vec<u8>>, log: LogOf) -> Self {
        Self {
            manner,
            messages,
            log,
            done: false,
        }
    }

    fn send(&self, data: &[u8], out: &mut Vec<Act>) {
        self.log.with(|log| {
            log.bytes_sent += data.len();
            log.sent.push(data.to_vec());
        });
        out.push(Act::Send(data.to_vec()));
    }
}

impl Talk for Caller {
    fn start(&mut self, out: &mut Vec<Act>) {
        for message in std::mem::take(&mut self.messages) {
            self.send(&message, out);
        }
        if let Some(after) = self.manner.leaves() {
            out.push(Act::Timer(after, AT));
        }
        match self.manner {
            Manner::Drop => {
                self.done = true;
                out.push(Act::Shutdown);
            }
            Manner::CloseFirst(after)
            | Manner::Reset(after)
            | Manner::Vanish(after)
            | Manner::Garbage(after) => out.push(Act::Timer(after, AT)),
            Manner::Flood => self.send(&[b'f'; FLOOD], out),
            Manner::Slow(_) => rest(self.manner, out),
            _ => {}
        }
    }

    fn data(&mut self, data: &[u8], out: &mut Vec<Act>) {
        let enough = self.log.with(|log| {
            log.bytes.extend(data);
            log.bytes.len() >= log.bytes_sent
        });
        let ends = matches!(
            self.manner,
            Manner::Good | Manner::Chatty | Manner::Dribble | Manner::Slow(_) | Manner::Sip(_)
        );
        if enough && ends && !std::mem::replace(&mut self.done, true) {
            out.push(Act::Shutdown);
        }
        rest(self.manner, out);
    }

    fn end(&mut self, out: &mut Vec<Act>) {
        let stays = matches!(self.manner, Manner::Mute | Manner::NoAnswer | Manner::Flood);
        if !stays && !std::mem::replace(&mut self.done, true) {
            out.push(Act::Shutdown);
        }
    }

    fn timer(&mut self, tag: u64, out: &mut Vec<Act>) {
        if tag == READ {
            return out.push(Act::Read(true));
        }
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        match self.manner {
            Manner::Reset(_) => out.push(Act::Reset),
            Manner::Garbage(after) => match garbage(after) {
                // To a server of bytes these are bytes like others.
                Act::Send(data) => self.send(&data, out),
                below => out.push(below),
            },
            Manner::Leave(after) | Manner::Depart(after) => out.push(leave(after)),
            Manner::Vanish(_) => {
                self.log.with(|log| log.misbehaved = true);
                out.push(Act::Read(false));
            }
            _ => out.push(Act::Shutdown),
        }
    }

    fn room(&mut self, _out: &mut Vec<Act>) {}
}

/// A peer that is made when its connection is there, and so has a number.
struct Dialer {
    make: Option<Box<dyn FnOnce(u64) -> Transport>>,
    peer: Option<Transport>,
}

/// The peer of a connection to server `s`, with that to say.
pub fn dialer(
    s: usize,
    manner: Manner,
    tls: Option<Rc<Certificates>>,
    logs: &Logs,
    talk: impl FnOnce(LogOf) -> Box<dyn Talk> + 'static,
) -> Box<dyn Peer> {
    let logs = logs.clone();
    let make = move |fd| {
        let log = Log {
            client: s,
            ..Log::default()
        };
        logs.borrow_mut().insert(fd, log);
        let log = LogOf { logs, fd };
        let tls = tls
            .filter(|_| manner != Manner::Mute)
            .map(|certificates| certificates.caller());
        Transport::new(talk(log.clone()), tls, log, manner)
    };
    Box::new(Dialer {
        make: Some(Box::new(make)),
        peer: None,
    })
}

impl Peer for Dialer {
    fn on_connect(&mut self, io: &mut PeerIo) {
        if let Some(make) = self.make.take() {
            let peer = self.peer.insert(make(io.id()));
            peer.on_connect(io);
        }
    }

    fn on_data(&mut self, io: &mut PeerIo, data: &[u8]) {
        if let Some(peer) = &mut self.peer {
            peer.on_data(io, data);
        }
    }

    fn on_end(&mut self, io: &mut PeerIo) {
        if let Some(peer) = &mut self.peer {
            peer.on_end(io);
        }
    }

    fn on_reset(&mut self, io: &mut PeerIo) {
        if let Some(peer) = &mut self.peer {
            peer.on_reset(io);
        }
    }

    fn on_timer(&mut self, io: &mut PeerIo, tag: u64) {
        if let Some(peer) = &mut self.peer {
            peer.on_timer(io, tag);
        }
    }

    fn on_room(&mut self, io: &mut PeerIo) {
        if let Some(peer) = &mut self.peer {
            peer.on_room(io);
        }
    }
}
