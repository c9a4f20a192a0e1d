//! What must hold between any two turns (`docs/design.md`, section "Invariants"). For the simulation,
//! which looks after every turn.

use super::LoopCore;
use super::entity::Role;
use super::registry::Registry;
use crate::sync::Phase;
use std::collections::BTreeMap;

/// The first invariant that does not hold.
pub(super) fn check(core: &LoopCore) -> Result<(), String> {
    core.registry.entities.borrow().check_invariants()?;
    core.users.check_invariants()?;
    check_lists(&core.registry)?;
    check_holds(core)?;
    for entity in core.registry.all(|_| true) {
        let held = entity.check();
        held.map_err(|e| format!("{e}: {:?}, {}", entity.place().key(), entity.describe()))?;
    }
    check_memory(core)?;
    check_shares(core)?;
    let counted = core.shared.counters.timers.get();
    let timers = core.timers.len();
    if counted != timers {
        return Err(format!("{timers} timers, {counted} counted"));
    }
    Ok(())
}

/// I5: what is closed is on the closing list, once, and nothing else is; and the marks on the
/// entities are those of the other lists.
fn check_lists(lists: &Registry) -> Result<(), String> {
    let mut closing = BTreeMap::new();
    for (key, _) in lists.closing.borrow().iter() {
        *closing.entry(key.to_token()).or_insert(0) += 1;
        if lists.find(*key).is_none() {
            return Err(format!("I5: {key:?} is to be closed and has gone"));
        }
    }
    for entity in lists.all(|_| true) {
        let (place, name) = (entity.place(), entity.describe());
        let key = place.key();
        let listed = closing.get(&key.to_token()).copied().unwrap_or(0);
        if listed != usize::from(place.is_closing()) {
            return Err(format!("I5: {name} is {listed} times to be closed"));
        }
        let dirty = lists.dirty.borrow().iter().filter(|k| **k == key).count();
        if dirty != usize::from(place.is_dirty()) {
            return Err(format!("{name} is {dirty} times to be flushed"));
        }
        let ready = lists.ready.borrow().iter().filter(|k| **k == key).count();
        let costly = lists.costly.borrow().iter().filter(|k| **k == key).count();
        if ready + costly != usize::from(place.is_ready()) {
            return Err(format!("{name} is {ready} times to be looked at"));
        }
    }
    Ok(())
}

/// The account of memory is what the connections hold, shared bytes once.
fn check_memory(core: &LoopCore) -> Result<(), String> {
    let (mut own, mut shared) = (0, BTreeMap::new());
    for entity in core.registry.all(|_| true) {
        own += entity.check_memory(&mut shared)?;
    }
    let shared: usize = shared.values().sum();
    let (counted, together) = (core.memory.own(), core.buffers.shared_bytes());
    if (own, shared) != (counted, together) {
        return Err(format!(
            "{own} bytes and {shared} shared ones are held, {counted} and {together} counted"
        ));
    }
    Ok(())
}

/// What a server's account has of this loop is what its connections hold. Who waits for it is looked after, and
/// it is not left over its limit.
fn check_shares(core: &LoopCore) -> Result<(), String> {
    for share in core.shares.all() {
        let all = core.registry.all(|role| role == Role::Connection);
        let account = share.account();
        let held: usize = all.iter().map(|entity| entity.held_for(&account)).sum();
        let counted = share.own();
        if held != counted {
            return Err(format!(
                "I13: a server's connections hold {held} bytes, {counted} are counted"
            ));
        }
        share.check()?;
        if share.has_to_close() && !core.has_work() {
            return Err("a server is left over its limit of memory".to_owned());
        }
    }
    Ok(())
}

/// I8: one hold a connection or source, and one a `Hold`.
fn check_holds(core: &LoopCore) -> Result<(), String> {
    if matches!(core.shared.gate.phase(), Phase::Closing | Phase::Stopped) {
        return Ok(()); // by force, with holds left
    }
    let holds = core.shared.gate.holds();
    let held = core.registry.all(|role| role != Role::Background).len() as u64;
    let explicit = core.shared.hold_names().len() as u64;
    if holds != held + explicit {
        return Err(format!(
            "I8: {holds} holds of {held} connections and sources, and {explicit} others"
        ));
    }
    Ok(())
}
