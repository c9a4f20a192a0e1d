//! Tasks, timers, holds and lookups, and what must hold of each.

use crate::ctx::Ctx;
use crate::history::Place;
use hvloop_event::{DnsQuery, EventLoop, Hold, LoopStatus, TimerId};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Default)]
pub struct Work {
    tasks: RefCell<Vec<Task>>,
    /// The last task that ran, by sender.
    last_ran: RefCell<BTreeMap<u64, usize>>,
    timers: RefCell<Vec<Timer>>,
    /// The last timer of this turn: the turn and its deadline.
    last_fired: Cell<Option<(u64, Instant)>>,
    holds: RefCell<Vec<Hold>>,
    lookups: RefCell<Vec<Lookup>>,
    /// Closures of the history that the library has and has not dropped.
    alive: Cell<usize>,
}

struct Task {
    sender: u64,
    /// Its place among all that was done.
    number: u64,
    accepted: bool,
    ran: bool,
}

struct Timer {
    id: Option<TimerId>,
    /// Not before then; `None`: it cannot be told, for a reset from another thread.
    due: Option<Instant>,
    period: Duration,
    left: Option<u32>,
    killed: bool,
    /// Its callback runs.
    firing: bool,
    /// Armed and reset on the loop's thread alone, so that the loop knows of it at once.
    local: bool,
}

impl Timer {
    /// Its id names nothing any more.
    fn is_over(&self) -> bool {
        self.killed || self.left == Some(0) && !self.firing
    }
}

struct Lookup {
    /// It was asked for after the drain had begun, which gives up only what was there.
    late: bool,
    query: Option<DnsQuery>,
    cancelled: bool,
    answered: bool,
}

/// In every closure: tells when it is dropped.
struct Alive(());

impl Alive {
    fn new(ctx: &Ctx) -> Self {
        ctx.work.alive.set(ctx.work.alive.get() + 1);
        Self(())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        Ctx::with(|ctx| ctx.work.alive.set(ctx.work.alive.get() - 1));
    }
}

impl Work {
    fn new_task(&self, ctx: &Ctx) -> usize {
        let mut tasks = self.tasks.borrow_mut();
        tasks.push(Task {
            sender: ctx.world.thread(),
            number: ctx.next_number(),
            accepted: false,
            ran: false,
        });
        tasks.len() - 1
    }

    /// `queue_in_loop`, or `run_in_loop`, which on the loop's thread is a call.
    pub fn task(&self, ctx: &Rc<Ctx>, at_once: bool) {
        let n = self.new_task(ctx);
        let alive = Alive::new(ctx);
        if at_once && ctx.on_loop_thread() && ctx.event_loop.is_in_loop_thread() {
            let ran = ctx.event_loop.run_in_loop(move || {
                let _alive = alive;
                Ctx::with(|ctx| {
                    let mut tasks = ctx.work.tasks.borrow_mut();
                    tasks[n].ran = true;
                    tasks[n].accepted = true;
                });
            });
            let ran = ran.is_ok() && self.tasks.borrow()[n].ran;
            return ctx.check(ran, || {
                "run_in_loop on the loop's thread ran nothing".to_owned()
            });
        }
        let task = move || {
            let _alive = &alive;
            ran(n);
        };
        let sent = match at_once {
            true => ctx.event_loop.run_in_loop(task),
            false => ctx.event_loop.queue_in_loop(task),
        };
        let accepted = sent.is_ok();
        if accepted {
            self.tasks.borrow_mut()[n].accepted = true;
        }
        self.check_refusal(ctx, accepted);
        drop(sent);
    }

    /// A task that is not `Send`.
    pub fn local_task(&self, ctx: &Rc<Ctx>) {
        let Some(local) = ctx.event_loop.local() else {
            return;
        };
        let n = self.new_task(ctx);
        let alive = Alive::new(ctx);
        let token = Rc::new(());
        let kept = Rc::downgrade(&token);
        local.queue_in_loop(move || {
            let _alive = (&alive, &token);
            ran(n);
        });
        // What is refused is dropped there.
        let accepted = kept.strong_count() > 0;
        self.tasks.borrow_mut()[n].accepted = accepted;
        self.check_refusal(ctx, accepted);
    }

    fn check_refusal(&self, ctx: &Ctx, accepted: bool) {
        let status = ctx.event_loop.status();
        // A loop that is to stop takes no more than it can still run.
        let may_refuse = status >= LoopStatus::Closing || ctx.first_stop().is_some();
        ctx.check(accepted || may_refuse, || {
            format!("I3: a task was refused while the loop was {status}")
        });
    }

    pub fn timer(&self, ctx: &Rc<Ctx>, delay: Duration, repeat: Option<u32>) {
        // An endless timer of no period would keep the clock from moving.
        let delay = if repeat.is_none() {
            delay.max(Duration::from_millis(1))
        } else {
            delay
        };
        let n = {
            let mut timers = self.timers.borrow_mut();
            timers.push(Timer {
                id: None,
                due: Some(now(ctx) + delay),
                period: delay,
                left: repeat,
                killed: false,
                firing: false,
                local: ctx.on_loop_thread(),
            });
            timers.len() - 1
        };
        let alive = Alive::new(ctx);
        let armed = ctx.event_loop.set_timer(delay, repeat, move |id| {
            let _alive = &alive;
            fired(n, id);
        });
        self.timers.borrow_mut()[n].id = armed.ok();
    }

    pub fn kill(&self, ctx: &Rc<Ctx>, n: usize) {
        let Some((n, id)) = self.pick(n) else { return };
        match ctx.event_loop.local() {
            Some(local) => {
                let was_there = local.kill_timer(id);
                let mut timers = self.timers.borrow_mut();
                let timer = &mut timers[n];
                ctx.check(!was_there || !timer.is_over(), || {
                    format!("timer {n} was killed after its end")
                });
                timer.killed = true;
            }
            None => drop(ctx.event_loop.kill_timer(id)),
        }
    }

    pub fn reset(&self, ctx: &Rc<Ctx>, n: usize, delay: Option<Duration>) {
        let Some((n, id)) = self.pick(n) else { return };
        let delay = delay.map(|delay| delay.max(Duration::from_millis(1)));
        match ctx.event_loop.local() {
            Some(local) => {
                if local.reset_timer(id, delay) {
                    let mut timers = self.timers.borrow_mut();
                    let timer = &mut timers[n];
                    ctx.check(!timer.is_over(), || {
                        format!("timer {n} was reset after its end")
                    });
                    timer.period = delay.unwrap_or(timer.period);
                    timer.due = timer.due.map(|_| now(ctx) + timer.period);
                    if timer.left == Some(0) {
                        timer.left = Some(1);
                    }
                }
            }
            None => {
                if ctx.event_loop.reset_timer(id, delay).is_ok() {
                    self.timers.borrow_mut()[n].due = None;
                }
            }
        }
    }

    fn pick(&self, n: usize) -> Option<(usize, TimerId)> {
        let timers = self.timers.borrow();
        let n = n.checked_rem(timers.len())?;
        // As a foreign interface has it.
        let id = TimerId::from_raw(timers[n].id?.raw());
        Some((n, id?))
    }

    pub fn hold(&self, ctx: &Rc<Ctx>) {
        match ctx.event_loop.hold("the history") {
            Ok(hold) => self.holds.borrow_mut().push(hold),
            Err(_) => {
                let status = ctx.event_loop.status();
                // A loop that is to stop takes no more than it can still run.
                let may_refuse = status >= LoopStatus::Closing || ctx.first_stop().is_some();
                ctx.check(may_refuse, || {
                    format!("a hold was refused while the loop was {status}")
                });
            }
        }
    }

    pub fn release(&self) {
        let hold = self.holds.borrow_mut().pop();
        drop(hold);
    }

    /// How many holds the history has.
    pub fn held(&self) -> usize {
        self.holds.borrow().len()
    }

    pub fn resolve(&self, ctx: &Rc<Ctx>) {
        let Some(local) = ctx.event_loop.local() else {
            return;
        };
        let n = {
            let mut lookups = self.lookups.borrow_mut();
            lookups.push(Lookup {
                late: ctx.event_loop.status() >= LoopStatus::Draining,
                query: None,
                cancelled: false,
                answered: false,
            });
            lookups.len() - 1
        };
        let alive = Alive::new(ctx);
        let asked = local.resolve_dns("lookup.test", move |_| {
            let _alive = &alive;
            Ctx::with(|ctx| {
                ctx.callback(
                    Place::Dns,
                    || format!("lookup {n}"),
                    || {
                        let lookup = &mut ctx.work.lookups.borrow_mut()[n];
                        ctx.check(!lookup.cancelled && !lookup.answered, || {
                            format!("lookup {n} was cancelled or answered before")
                        });
                        lookup.answered = true;
                        let status = ctx.event_loop.status();
                        ctx.check(lookup.late || status < LoopStatus::Draining, || {
                            format!("lookup {n} is answered while the loop is {status}")
                        });
                    },
                );
            });
        });
        self.lookups.borrow_mut()[n].query = asked.ok();
    }

    pub fn cancel_resolve(&self, ctx: &Rc<Ctx>) {
        let Some(local) = ctx.event_loop.local() else {
            return;
        };
        let last = {
            let lookups = self.lookups.borrow();
            let last = lookups.iter().rposition(|lookup| !lookup.cancelled);
            last.and_then(|n| Some((n, lookups[n].query?)))
        };
        if let Some((n, query)) = last {
            let there = local.cancel_dns(query);
            let mut lookups = self.lookups.borrow_mut();
            ctx.check(
                there != lookups[n].answered || ctx.event_loop.is_stopping(),
                || format!("cancelling lookup {n} said {there}"),
            );
            lookups[n].cancelled = true;
        }
    }

    /// After `run()` has returned.
    pub fn check_end(&self, ctx: &Ctx) {
        for (n, task) in self.tasks.borrow().iter().enumerate() {
            ctx.check(task.accepted == task.ran, || {
                format!("I3: task {n}: accepted {}, ran {}", task.accepted, task.ran)
            });
        }
        let alive = self.alive.get();
        ctx.check(alive == 0, || {
            format!("{alive} closures are left of tasks, timers and lookups")
        });
    }

    /// Lets everything go that the history keeps.
    pub fn clear(&self) {
        let holds = std::mem::take(&mut *self.holds.borrow_mut());
        drop(holds);
    }
}

/// A queued task runs.
fn ran(n: usize) {
    Ctx::with(|ctx| {
        ctx.callback(
            Place::Task,
            || format!("task {n}"),
            || {
                let mut tasks = ctx.work.tasks.borrow_mut();
                let task = &mut tasks[n];
                ctx.check(!task.ran, || format!("I3: task {n} ran twice"));
                task.ran = true;
                let in_time = ctx
                    .first_stop()
                    .is_none_or(|stop| task.number > stop.number)
                    || ctx.event_loop.status() < LoopStatus::Draining
                    || ctx.history.faults.poll_fails > 0.0
                    || ctx.is_late();
                ctx.check(in_time, || {
                    format!("task {n} was accepted before the stop and runs after the drain began")
                });
                let before = ctx.work.last_ran.borrow_mut().insert(task.sender, n);
                ctx.check(before.is_none_or(|before| before < n), || {
                    format!("I3: task {n} ran after task {before:?} of the same sender")
                });
            },
        );
    });
}

/// A timer fires.
fn fired(n: usize, id: TimerId) {
    Ctx::with(|ctx| {
        ctx.callback(
            Place::Timer,
            || format!("timer {n}"),
            || {
                let mut timers = ctx.work.timers.borrow_mut();
                let timer = &mut timers[n];
                ctx.check(timer.id == Some(id), || format!("timer {n} came as {id}"));
                ctx.check(!timer.killed, || {
                    format!("timer {n} fired after it was killed")
                });
                ctx.check(timer.left != Some(0), || {
                    format!("timer {n} fired too often")
                });
                let Some(local) = EventLoop::current() else {
                    return ctx.violation("a timer fired outside of the loop");
                };
                let turn = local.now();
                if let Some(due) = timer.due {
                    ctx.check(turn >= due, || {
                        format!("timer {n} was {:?} early", due - turn)
                    });
                    let waited = timer.local && !ctx.paused.get();
                    let overdue = ctx.turns.last_now().is_some_and(|now| due < now);
                    ctx.check(!waited || !overdue, || format!("timer {n} missed a turn"));
                    let ticks = ctx.event_loop.metrics().ticks;
                    if let Some((tick, before)) = ctx.work.last_fired.replace(Some((ticks, due))) {
                        ctx.check(tick != ticks || before <= due, || {
                            format!("timer {n} fired after a later one of the same turn")
                        });
                    }
                    timer.due = Some(next(due, timer.period, turn));
                }
                timer.left = timer.left.map(|left| left.saturating_sub(1));
                timer.firing = true;
            },
        );
        ctx.work.timers.borrow_mut()[n].firing = false;
    });
}

/// The next deadline on the grid of `due` and `period` that is later than `now`.
fn next(due: Instant, period: Duration, now: Instant) -> Instant {
    if period.is_zero() {
        return now;
    }
    let missed = (now - due).as_nanos() / period.as_nanos();
    due + period * (missed as u32 + 1)
}

fn now(ctx: &Ctx) -> Instant {
    ctx.world.instant()
}
