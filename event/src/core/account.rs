//! What the connections of one server hold, on whatever loops they are, and the limit to it.

use super::shared::LoopShared;
use crate::memory_limit::OnMemoryLimit;
use crate::sync::lock;
use crate::sys::{Key, clock};
use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// What part of the limit is freed beyond what is too much: so that the greediest are not looked for again with each
/// byte.
const FREED: usize = 16;

/// A loop that has not answered in this time, since a callback keeps it, is not waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// See the module. Any thread.
pub(crate) struct Account {
    /// Bytes, as far as the loops have told.
    pub(super) held: AtomicUsize,
    /// `usize::MAX`: there is none.
    limit: AtomicUsize,
    manner: Mutex<OnMemoryLimit>,
    closes: AtomicU64,
    pauses: AtomicU64,
    /// Where its connections are, or were.
    loops: Mutex<Vec<Weak<LoopShared>>>,
    /// A loop has connections that wait to be read, and was not told since that they may.
    waits: AtomicBool,
    relief: Mutex<Option<Relief>>,
    reliefs: AtomicU64,
}

/// The greediest are looked for on all loops, and closed.
struct Relief {
    number: u64,
    /// When its stage did.
    began: Instant,
    stage: Stage,
    /// Parts of it that are not done.
    open: usize,
}

enum Stage {
    /// Each loop says who holds the most there.
    Asking(Vec<Greedy>),
    /// Those of all that hold the most are being closed.
    Closing,
}

/// What is to be done now, with no lock held.
pub(super) enum Next {
    Nothing,
    /// Close these, as the parts of a relief of that number, of which one is open.
    Close(u64, Vec<Greedy>),
    /// They are closed: each loop looks whether that was enough.
    Look,
}

/// A connection that holds much.
pub(super) struct Greedy {
    pub(super) at: Weak<LoopShared>,
    pub(super) key: Key,
    pub(super) holds: usize,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            held: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
            manner: Mutex::default(),
            closes: AtomicU64::new(0),
            pauses: AtomicU64::new(0),
            loops: Mutex::default(),
            waits: AtomicBool::new(false),
            relief: Mutex::default(),
            reliefs: AtomicU64::new(0),
        }
    }
}

impl Account {
    pub(crate) fn set_limit(&self, limit: Option<usize>) {
        self.limit
            .store(limit.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    pub(crate) fn set_manner(&self, manner: OnMemoryLimit) {
        *lock(&self.manner) = manner;
    }

    pub(super) fn manner(&self) -> OnMemoryLimit {
        *lock(&self.manner)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Where those in the midst of something long are to pause.
    pub(super) fn tight(&self) -> usize {
        let limit = self.limit();
        limit - limit / FREED
    }

    /// Bytes held, as far as the loops have told.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn closes(&self) -> u64 {
        self.closes.load(Ordering::Relaxed)
    }

    pub(crate) fn pauses(&self) -> u64 {
        self.pauses.load(Ordering::Relaxed)
    }

    pub(super) fn count_close(&self) {
        self.closes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_pause(&self) {
        self.pauses.fetch_add(1, Ordering::Relaxed);
    }

    /// The loops where it has connections.
    pub(super) fn loops(&self) -> Vec<Arc<LoopShared>> {
        lock(&self.loops).iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether somebody waits who may be read now, and has to be told; once.
    pub(super) fn is_to_be_told(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
            && self.may_go_on(self.held.load(Ordering::SeqCst))
            && self.waits.swap(false, Ordering::SeqCst)
    }

    /// Whether all that wait may be read on, if so many bytes are held.
    #[cold]
    pub(super) fn may_go_on(&self, held: usize) -> bool {
        held <= match self.manner() {
            OnMemoryLimit::CloseGreediest => self.limit(),
            OnMemoryLimit::PauseReading(_) => self.tight(),
        }
    }

    /// Begins a relief, unless one is under way: its number. One part of it is open.
    pub(super) fn begin_relief(&self, now: Instant) -> Option<u64> {
        let mut relief = lock(&self.relief);
        if relief.is_some() {
            return None;
        }
        let number = self.next_relief();
        *relief = Some(Relief {
            number,
            began: now,
            stage: Stage::Asking(Vec::new()),
            open: 1,
        });
        Some(number)
    }

    fn next_relief(&self) -> u64 {
        self.reliefs.fetch_add(1, Ordering::Relaxed)
    }

    /// One more part of that relief is open, if it is the one that is under way.
    pub(super) fn open_part(&self, number: u64) {
        if let Some(relief) = lock(&self.relief).as_mut().filter(|r| r.number == number) {
            relief.open += 1;
        }
    }

    /// What a loop has found for that relief.
    pub(super) fn found(&self, number: u64, more: Vec<Greedy>) {
        if let Some(Relief {
            number: under_way,
            stage: Stage::Asking(found),
            ..
        }) = lock(&self.relief).as_mut()
            && *under_way == number
        {
            found.extend(more);
        }
    }

    /// A part of it is done: what is to be done with the last of a stage.
    pub(super) fn part_done(&self, number: u64) -> Next {
        let mut under_way = lock(&self.relief);
        let Some(relief) = under_way.as_mut().filter(|r| r.number == number) else {
            return Next::Nothing;
        };
        relief.open -= 1;
        match relief.open {
            0 => self.go_on(&mut under_way),
            _ => Next::Nothing,
        }
    }

    /// As `part_done`, for the loops that have not answered, or closed anybody, for too long.
    pub(super) fn give_up_waiting(&self, now: Instant) -> Next {
        let mut under_way = lock(&self.relief);
        let is_late = under_way
            .as_ref()
            .is_some_and(|relief| now.saturating_duration_since(relief.began) >= PATIENCE);
        match is_late {
            true => self.go_on(&mut under_way),
            false => Next::Nothing,
        }
    }

    /// A stage is over.
    fn go_on(&self, under_way: &mut Option<Relief>) -> Next {
        let chosen = match under_way {
            Some(Relief {
                stage: Stage::Asking(found),
                ..
            }) => self.choose(std::mem::take(found)),
            _ => {
                *under_way = None;
                return Next::Look;
            }
        };
        if chosen.is_empty() {
            *under_way = None;
            return Next::Nothing;
        }
        if let Some(relief) = under_way {
            // Who answers later is not heard.
            relief.number = self.next_relief();
            relief.stage = Stage::Closing;
            relief.began = clock::now();
            relief.open = 1;
            return Next::Close(relief.number, chosen);
        }
        Next::Nothing
    }

    /// Those that hold the most, as many as it takes.
    pub(super) fn choose(&self, mut found: Vec<Greedy>) -> Vec<Greedy> {
        let mut too_much = self.too_much();
        found.sort_unstable_by_key(|greedy| Reverse(greedy.holds));
        let enough = found.iter().position(|greedy| {
            let is_enough = too_much == 0;
            too_much = too_much.saturating_sub(greedy.holds);
            is_enough
        });
        found.truncate(enough.unwrap_or(found.len()));
        found
    }

    /// Whether somebody is to be closed.
    pub(super) fn is_too_much(&self) -> bool {
        self.too_much() > 0
    }

    /// Whether the greediest are being looked for, or closed.
    pub(super) fn is_relieving(&self) -> bool {
        lock(&self.relief).is_some()
    }

    /// One more loop where it has connections.
    pub(super) fn add_loop(&self, at: &Arc<LoopShared>) {
        let mut loops = lock(&self.loops);
        loops.retain(|at| at.strong_count() > 0);
        loops.push(Arc::downgrade(at));
    }

    /// It has none there any more.
    pub(super) fn remove_loop(&self, at: &Weak<LoopShared>) {
        lock(&self.loops).retain(|other| !other.ptr_eq(at));
    }

    /// On some loop somebody waits.
    pub(super) fn note_wait(&self) {
        self.waits.store(true, Ordering::SeqCst);
    }

    /// Bytes that are to be freed, while it is over where that begins.
    fn too_much(&self) -> usize {
        let (limit, held) = (self.limit(), self.held());
        let (from, to) = match self.manner() {
            OnMemoryLimit::CloseGreediest => (limit, limit - limit / FREED),
            OnMemoryLimit::PauseReading(_) => (self.tight(), limit - limit / FREED * 2),
        };
        if held > from { held - to } else { 0 }
    }
}
