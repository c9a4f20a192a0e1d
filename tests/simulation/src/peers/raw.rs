//! A peer of plain bytes.

use super::{AT, Act, FLOOD, LogOf, READ, Talk, garbage, leave, rest};
use crate::history::Manner;

/// See the module.
pub struct RawPeer {
    manner: Manner,
    log: LogOf,
    done: bool,
}

impl RawPeer {
    pub fn new(manner: Manner, log: LogOf) -> Self {
        Self {
            manner,
            log,
            done: false,
        }
    }

    fn send(&self, data: &[u8], out: &mut Vec<Act>) {
        self.log.with(|log| log.bytes_sent += data.len());
        out.push(Act::Send(data.to_vec()));
    }
}

impl Talk for RawPeer {
    fn start(&mut self, out: &mut Vec<Act>) {
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
            Manner::Flood => self.send(&[0x55; FLOOD], out),
            Manner::Slow(_) => rest(self.manner, out),
            _ => {}
        }
    }

    fn data(&mut self, data: &[u8], out: &mut Vec<Act>) {
        self.log.with(|log| log.bytes.extend(data));
        if self.done {
            return;
        }
        match self.manner {
            Manner::Mute | Manner::NoAnswer | Manner::Flood => {}
            _ => self.send(data, out),
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
            Manner::Garbage(after) => out.push(garbage(after)),
            Manner::Leave(after) | Manner::Depart(after) => out.push(leave(after)),
            Manner::Vanish(_) => {
                self.log.with(|log| log.misbehaved = true);
                out.push(Act::Read(false));
            }
            _ => out.push(Act::Shutdown),
        }
    }

    fn room(&mut self, out: &mut Vec<Act>) {
        if self.manner == Manner::Flood && self.log.with(|log| log.bytes_sent) < 2 * FLOOD {
            self.send(&[0x55; 10_000], out);
        }
    }
}
