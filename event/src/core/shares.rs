//! The limits that servers set to what their connections hold: this loop's part of each, who waits for it, and
//! how the greediest are found, on whatever loops they are.

use super::LocalLoop;
use super::account::{Account, Greedy, Next, PATIENCE};
use super::current;
use super::entity::Role;
use super::loop_timers::TimerAction;
use super::share::Share;
use super::shared::LoopShared;
use crate::log;
use crate::memory_limit::OnMemoryLimit;
use crate::sys::{Key, clock};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// See the module.
#[derive(Default)]
pub(crate) struct Shares {
    all: RefCell<Vec<Rc<Share>>>,
    /// Parts of reliefs that are done when what was closed has given back what it held.
    done: RefCell<Vec<Part>>,
    /// It is to be looked whether that was enough: the next turn comes at once.
    more: Cell<bool>,
}

impl Shares {
    /// This loop's part of an account.
    pub(crate) fn of(&self, account: &Arc<Account>, at: &Arc<LoopShared>) -> Rc<Share> {
        if let Some(share) = self.find(account) {
            return share;
        }
        let mut all = self.all.borrow_mut();
        // Servers come and go.
        all.retain(|share| Rc::strong_count(share) > 1);
        let share = Rc::new(Share::new(account, at));
        all.push(share.clone());
        share
    }

    fn find(&self, account: &Arc<Account>) -> Option<Rc<Share>> {
        let all = self.all.borrow();
        let mut shares = all.iter();
        let share = shares.find(|share| Arc::ptr_eq(&share.account, account));
        share.cloned()
    }

    /// Whether the next turn is to come at once.
    pub(super) fn has_work(&self) -> bool {
        self.more.get()
    }

    /// The bytes on this loop of each account, and who waits there, in the order of `all`.
    #[cfg(hvloop_sim)]
    pub(super) fn all(&self) -> Vec<Rc<Share>> {
        self.all.borrow().clone()
    }
}

/// A connection has to wait before it is read.
pub(crate) fn wait(local: &LocalLoop, share: &Rc<Share>, key: Key) {
    share.wait(key);
    if share.timer.get().is_none() {
        share.since.set(clock::now());
        if let OnMemoryLimit::PauseReading(_) = share.account.manner() {
            share.account.count_pause();
            let (held, limit) = (share.account.held(), share.account.limit());
            log::warn!(
                "hvloop: a server's connections hold {held} bytes, near or over its limit of {limit}: reading \
                 pauses on loop {}",
                local.core().shared.options.name
            );
        }
        watch(local, share);
    }
}

/// Looks after those that wait, again and again: another loop may have made room, or nobody does.
fn watch(local: &LocalLoop, share: &Rc<Share>) {
    let patience = share.patience();
    let after = match patience {
        Duration::ZERO => PATIENCE,
        patience => patience.min(PATIENCE),
    };
    let (at, weak) = (local.clone(), Rc::downgrade(share));
    let look = move |_| {
        if let Some(share) = weak.upgrade() {
            share.timer.set(None);
            look_after(&at, &share);
        }
    };
    let deadline = clock::now().checked_add(after);
    let action = TimerAction::User(Box::new(look));
    let timer = local.core().arm(None, deadline, None, Some(1), action);
    share.timer.set(Some(timer));
}

fn look_after(local: &LocalLoop, share: &Rc<Share>) {
    if share.waiting.borrow().is_empty() && share.first.get().is_none() {
        return;
    }
    let now = clock::now();
    let waited = now.saturating_duration_since(share.since.get());
    if waited >= share.patience() && !share.may_go_on() {
        go_on(&share.account, share.account.give_up_waiting(now));
        begin(&share.account);
    }
    watch(local, share);
}

/// Closes the greediest connections of a server that holds too much, if that is what it does then.
pub(super) fn relieve(local: &LocalLoop) {
    let all = local.core().shares.all.borrow();
    let over = all.iter().find(|s| s.is_over() && !s.tried.get()).cloned();
    drop(all);
    if let Some(share) = over {
        share.tried.set(true);
        if share.account.manner() == OnMemoryLimit::CloseGreediest {
            begin(&share.account);
        }
    }
}

/// The end of a turn: what was closed has given back what it held.
pub(super) fn end_turn(local: &LocalLoop) {
    let shares = &local.core().shares;
    if shares.all.borrow().is_empty() {
        return;
    }
    shares.more.set(false);
    shares.all.borrow().iter().for_each(|share| {
        share.tried.set(false);
        share.tell();
    });
    let done = shares.done.take();
    drop(done);
    if shares.all.borrow().iter().any(|share| share.has_to_close()) {
        // They sent it as others were being closed.
        shares.more.set(true);
    }
    let concerned =
        |share: &&Rc<Share>| share.timer.get().is_some() || share.account.is_to_be_told();
    let concerned: Vec<_> = {
        let all = shares.all.borrow();
        all.iter().filter(concerned).cloned().collect()
    };
    for share in concerned {
        attend(local, &share);
    }
}

/// Lets those be read that may.
#[cold]
fn attend(local: &LocalLoop, share: &Rc<Share>) {
    if share.may_go_on() {
        tell_all(&share.account, |_| {});
        read_all(local, share);
    } else if let OnMemoryLimit::PauseReading(_) = share.account.manner() {
        read_first(local, share);
    }
}

/// All that wait are read on; who is too much waits again.
fn read_all(local: &LocalLoop, share: &Rc<Share>) {
    let core = local.core();
    if let Some(timer) = share.timer.take() {
        core.kill_timer(timer);
    }
    share.first.set(None);
    let waiting = share.waiting.take();
    for entity in waiting
        .into_iter()
        .filter_map(|key| core.registry.find(key))
    {
        entity.read_on(local);
    }
}

/// One of those that wait is read all the same: the one that needs the least, until it has it.
fn read_first(local: &LocalLoop, share: &Rc<Share>) {
    let core = local.core();
    if let Some(first) = share.first.take().and_then(|key| core.registry.find(key))
        && first.need().is_some_and(|need| need.holds > 0)
    {
        return share.first.set(Some(first.place().key()));
    }
    let waiting = share.waiting.take();
    let there: Vec<_> = waiting
        .into_iter()
        .filter_map(|key| core.registry.find(key))
        .filter(|entity| !entity.place().is_closing())
        .collect();
    let needs = there.iter().enumerate();
    let needs = needs.filter_map(|(n, entity)| Some((entity.need()?, n)));
    let least = needs.min_by_key(|(need, n)| (need.missing, std::cmp::Reverse(need.holds), *n));
    let first = least.map(|(_, n)| n);
    // Between the two marks those go on that hold nothing.
    let all_but_parts = !share.is_over();
    for (n, entity) in there.into_iter().enumerate() {
        let key = entity.place().key();
        if first == Some(n) {
            share.first.set(Some(key));
            entity.read_on(local);
        } else if all_but_parts && entity.need().is_some_and(|need| need.holds == 0) {
            entity.read_on(local);
        } else {
            share.waiting.borrow_mut().push_back(key);
        }
    }
}

/// A part of a relief, on its way or under way. With the last one that is dropped, maybe with the loop that had
/// it, the relief goes on.
struct Part {
    account: Arc<Account>,
    number: u64,
}

impl Part {
    /// One more.
    fn another(&self) -> Self {
        self.account.open_part(self.number);
        Self {
            account: self.account.clone(),
            number: self.number,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        go_on(&self.account, self.account.part_done(self.number));
    }
}

/// Runs on a loop: at once if that is under way here, else in its next turn.
fn tell(at: &Arc<LoopShared>, f: impl FnOnce(&LocalLoop) + Send + 'static) {
    let here = current::ticking().filter(|local| Arc::ptr_eq(&local.core().shared, at));
    if let Some(local) = here {
        f(&local);
    } else if let Some(permit) = at.reserve() {
        permit.send(Box::new(f));
    } // else it has ended, with all of its connections
}

fn tell_all(account: &Account, f: impl Fn(&LocalLoop) + Clone + Send + 'static) {
    for at in account.loops() {
        tell(&at, f.clone());
    }
}

/// Asks all loops for their greediest, unless that is under way.
#[cold]
fn begin(account: &Arc<Account>) {
    let Some(number) = account.begin_relief(clock::now()) else {
        return;
    };
    let account = account.clone();
    let part = Part { account, number };
    for at in part.account.loops() {
        let part = part.another();
        tell(&at, move |local| answer(local, &part));
    }
}

/// Tells of those that hold the most here, as many as it would take if there were no others.
fn answer(local: &LocalLoop, part: &Part) {
    let core = local.core();
    let Some(share) = core.shares.find(&part.account) else {
        return;
    };
    share.tell();
    let connections = core.registry.all(|role| role == Role::Connection);
    let holding = connections.iter().filter_map(|entity| {
        let holds = entity.held_for(&part.account);
        let counts = holds > 0 && !entity.place().is_closing();
        counts.then(|| Greedy {
            at: Arc::downgrade(&core.shared),
            key: entity.place().key(),
            holds,
        })
    });
    let greediest = part.account.choose(holding.collect());
    part.account.found(part.number, greediest);
}

/// Does what is to be done next.
fn go_on(account: &Arc<Account>, next: Next) {
    let (number, greediest) = match next {
        Next::Nothing => return,
        Next::Look => return tell_all(account, |local| local.core().shares.more.set(true)),
        Next::Close(number, greediest) => (number, greediest),
    };
    let account = account.clone();
    let part = Part { account, number };
    let mut by_loop: HashMap<*const LoopShared, (Weak<LoopShared>, Vec<Key>)> = HashMap::new();
    for Greedy { at, key, .. } in greediest {
        let keys = by_loop.entry(at.as_ptr()).or_insert((at, Vec::new()));
        keys.1.push(key);
    }
    for (at, keys) in by_loop.into_values() {
        if let Some(at) = at.upgrade() {
            let part = part.another();
            tell(&at, move |local| close(local, keys, part));
        }
    }
}

/// Closes these, if it is still too much.
fn close(local: &LocalLoop, keys: Vec<Key>, part: Part) {
    let core = local.core();
    let account = &part.account;
    for entity in keys.into_iter().filter_map(|key| core.registry.find(key)) {
        let (holds, used, limit) = (entity.held_for(account), account.held(), account.limit());
        if holds == 0 || entity.place().is_closing() || !account.is_too_much() {
            continue;
        }
        let (loop_name, name) = (&core.shared.options.name, entity.describe());
        log::warn!(
            "hvloop: a server's connections hold {used} bytes, over its limit of {limit}: closing the {name} \
             with {holds}, on loop {loop_name}"
        );
        core.shared.counters.memory_closes.add(1);
        account.count_close();
        entity.relieve(local, limit);
    }
    core.shares.done.borrow_mut().push(part);
}
