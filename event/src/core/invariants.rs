//! What must hold between any two turns (`docs/design.md`, section "Invariants"). For the simulation,
//! which looks after every turn.

use super::LoopCore;
use super::slots;
use super::sources::SourceIo;
use crate::io::conn::ConnSlot;
use crate::machine::lifecycle::Lifecycle;
use crate::sync::Phase;
use std::collections::BTreeMap;

impl LoopCore {
    /// The first invariant that does not hold.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        self.slots.borrow().check_invariants()?;
        self.attachments.borrow().check_invariants()?;
        self.lookups.borrow().check_invariants()?;
        self.sources.borrow().check_invariants()?;
        self.idles.borrow().check_invariants()?;
        self.check_lists()?;
        self.check_holds()?;
        let slots = self.slots.borrow();
        for (key, slot) in slots.iter() {
            check_slot(slot).map_err(|e| format!("{e}: {key:?}, {}", slot.describe()))?;
        }
        self.check_memory()?;
        let counted = self.shared.counters.timers.get();
        let timers = self.timers.borrow().len() as u64;
        if counted != timers {
            return Err(format!("{timers} timers, {counted} counted"));
        }
        Ok(())
    }

    /// I5: what is closed is on the closing list, once, and nothing else is; and the marks on the
    /// slots are those of the other lists.
    fn check_lists(&self) -> Result<(), String> {
        let slots = self.slots.borrow();
        let mut closing = BTreeMap::new();
        for (key, _) in self.closing.borrow().iter() {
            *closing.entry(key.to_token()).or_insert(0) += 1;
            let there = match slots::is_source(*key) {
                true => self.sources.borrow().get(*key).is_some(),
                false => slots.get(*key).is_some(),
            };
            if !there {
                return Err(format!("I5: {key:?} is to be closed and has gone"));
            }
        }
        for (key, slot) in slots.iter() {
            let listed = closing.get(&key.to_token()).copied().unwrap_or(0);
            if listed != usize::from(slot.life.is_closed()) {
                return Err(format!(
                    "I5: {key:?} is {:?}, and {listed} times to be closed",
                    slot.life
                ));
            }
            let dirty = self.dirty.borrow().iter().filter(|k| **k == key).count();
            if dirty != usize::from(slot.in_dirty) {
                return Err(format!("{key:?} is {dirty} times to be flushed"));
            }
            let ready = self.ready.borrow().iter().filter(|k| **k == key).count();
            let handshakes = self.handshakes.borrow();
            let ready = ready + handshakes.iter().filter(|k| **k == key).count();
            if ready != usize::from(slot.in_ready) {
                return Err(format!("{key:?} is {ready} times to be read"));
            }
        }
        for (key, slot) in self.sources.borrow().iter() {
            let listed = closing.get(&key.to_token()).copied().unwrap_or(0);
            if listed != usize::from(slot.closed) {
                return Err(format!(
                    "I5: {} is {listed} times to be closed",
                    slot.describe()
                ));
            }
            let ready = self.ready.borrow().iter().filter(|k| **k == key).count();
            if ready != usize::from(slot.in_ready) {
                return Err(format!(
                    "{} is {ready} times to be looked at",
                    slot.describe()
                ));
            }
            let own = match &slot.io {
                Some(SourceIo::Listener(_)) => true,
                Some(SourceIo::Datagrams(socket)) => !socket.is_finishing(),
                Some(SourceIo::Foreign) | None => false,
            };
            if own && slot.readable && !slot.closed && !slot.in_ready && !slot.waiting {
                return Err(format!("{} was left unread", slot.describe()));
            }
            if let (Some(SourceIo::Datagrams(socket)), false) = (&slot.io, slot.closed) {
                let holds = socket.check_invariants(slot.writable, slot.in_ready);
                holds.map_err(|e| format!("{}: {e}", slot.describe()))?;
            }
            if slot.handler.is_none() {
                return Err(format!(
                    "the handler of {} was not put back",
                    slot.describe()
                ));
            }
        }
        Ok(())
    }

    /// The account of memory is what the connections hold, shared bytes once.
    fn check_memory(&self) -> Result<(), String> {
        let slots = self.slots.borrow();
        let (mut own, mut shared) = (0, BTreeMap::new());
        for (key, slot) in slots.iter() {
            own += slot.charged;
            if !slot.life.is_closed() && slot.charged != slot.memory() {
                let (held, charged) = (slot.memory(), slot.charged);
                return Err(format!(
                    "{key:?} holds {held} bytes, and {charged} are counted: {}",
                    slot.describe()
                ));
            }
            for data in slot.queues().flat_map(|queue| queue.shared_data()) {
                shared.insert(data.as_ptr().addr(), data.len());
            }
        }
        let shared: usize = shared.values().sum();
        let (counted, together) = (self.memory.own(), self.buffers.shared_bytes());
        if (own, shared) != (counted, together) {
            return Err(format!(
                "{own} bytes and {shared} shared ones are held, {counted} and {together} counted"
            ));
        }
        Ok(())
    }

    /// I8: one hold a connection or source, and one a `Hold`.
    fn check_holds(&self) -> Result<(), String> {
        if matches!(self.shared.gate.phase(), Phase::Closing | Phase::Stopped) {
            return Ok(()); // by force, with holds left
        }
        let holds = self.shared.gate.holds();
        let connections = self.slots.borrow().len() as u64;
        let sources = self.sources.borrow();
        let sources = sources.iter().filter(|(_, slot)| !slot.background).count() as u64;
        let explicit = self.shared.hold_names().len() as u64;
        if holds != connections + sources + explicit {
            return Err(format!(
                "I8: {holds} holds of {connections} connections, {sources} sources and {explicit} others"
            ));
        }
        Ok(())
    }
}

/// Nothing waits for an event that has been, and every wait has its deadline.
fn check_slot(slot: &ConnSlot) -> Result<(), String> {
    let live = slot.stream.is_some() && !slot.life.is_closed();
    if live && slot.wants_write() && slot.writable && !slot.in_dirty && !slot.in_ready {
        return Err("bytes wait for a socket that takes them".to_owned());
    }
    let comes_up = slot.life == Lifecycle::Connecting; // adopted, and told in the next turn
    let reads = !slot.holds_back() && !comes_up;
    if live && reads && slot.readable && !slot.read_closed && !slot.in_ready {
        return Err("bytes were left unread, and no event will tell of them".to_owned());
    }
    let told = slot.readable || slot.read_closed;
    if live && !told && slot.stream.as_ref().is_some_and(|s| !s.tells_of_data()) {
        return Err("bytes are left in the socket, and no event will tell of them".to_owned());
    }
    if live && slot.tls.as_ref().is_some_and(|tls| tls.has_unread()) {
        return Err("plaintext was left in TLS".to_owned());
    }
    if slot.settings.budget.queued() < slot.unsent() {
        return Err(format!(
            "I10: {} bytes are queued, and {} are on the account",
            slot.unsent(),
            slot.settings.budget.queued()
        ));
    }
    let timed = match slot.life {
        // Adopted from another loop, and up in the next turn.
        Lifecycle::Connecting if slot.connecting.is_none() => true,
        Lifecycle::Resolving
        | Lifecycle::Connecting
        | Lifecycle::Tunnelling
        | Lifecycle::Securing
        | Lifecycle::Opening => slot.open_timer.is_some(),
        Lifecycle::Flushing => slot.in_dirty || slot.stall_timer.is_some(),
        Lifecycle::Lingering => slot.linger_timer.is_some(),
        Lifecycle::Open | Lifecycle::Closed => true,
    };
    let stands = live && slot.stream.is_some() && slot.wants_write() && !slot.in_dirty;
    if stands && slot.stall_limit().is_some() && slot.stall_timer.is_none() {
        return Err("a queue stands without a limit".to_owned());
    }
    if !timed {
        return Err(format!("{:?} without a deadline", slot.life));
    }
    if slot.life == Lifecycle::Lingering && slot.is_flooded() && slot.flood_timer.is_none() {
        return Err("flooded, without a deadline".to_owned());
    }
    if slot.handler.is_none() {
        return Err("the handler was not put back".to_owned());
    }
    Ok(())
}
