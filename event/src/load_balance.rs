//! Choosing a loop for new work.

use crate::event_loop::EventLoop;
use crate::sync::Phase;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How [`EventLoopThreadPool::next_loop`](crate::EventLoopThreadPool::next_loop) and a
/// [`TcpServer`](crate::TcpServer) with workers choose.
///
/// Only loops that run are chosen. Where none does, it is one that is paused; else one that may still be
/// started; and one that was told to stop only if all of them were.
///
/// libhv: `load_balance_e`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadBalance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any one.
    Random,
    /// The one with the fewest connections, whoever's they are: clients, those of other servers, those
    /// that were moved there, and those still connecting or on their way included. Equal ones by turns.
    LeastConnections,
}

/// The state of the choice.
#[derive(Debug, Default)]
pub(crate) struct Chooser {
    next: AtomicUsize,
    random: AtomicU64,
}

impl Chooser {
    /// One of `count` loops, which is not zero; `at` has them by number. Any thread.
    pub(crate) fn choose<'a>(
        &self,
        balance: LoadBalance,
        count: usize,
        at: impl Fn(usize) -> &'a EventLoop,
    ) -> usize {
        let fitness: Vec<_> = (0..count).map(|n| Fitness::of(at(n))).collect();
        let best = fitness.iter().min().copied();
        let fit = |n: &usize| Some(fitness[*n]) == best;
        let fit: Vec<_> = (0..count).filter(fit).collect();
        let turn = match balance {
            LoadBalance::RoundRobin | LoadBalance::LeastConnections => {
                self.next.fetch_add(1, Ordering::Relaxed)
            }
            LoadBalance::Random => self.random() as usize,
        };
        let turn = turn.checked_rem(fit.len()).unwrap_or(0);
        let mut by_turns = fit.iter().cycle().skip(turn).take(fit.len());
        let chosen = match balance {
            LoadBalance::RoundRobin | LoadBalance::Random => by_turns.next(),
            LoadBalance::LeastConnections => by_turns.min_by_key(|n| at(**n).shared.load()),
        };
        chosen.copied().unwrap_or(0)
    }

    /// A number from a sequence that looks random (SplitMix64); nothing secret depends on it.
    fn random(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.random.fetch_add(STEP, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// How good a loop is for new work; the first is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    Runs,
    Paused,
    /// Nobody has run it yet.
    MayRun,
    /// It takes nothing any more.
    Ends,
}

impl Fitness {
    fn of(event_loop: &EventLoop) -> Self {
        match event_loop.status() {
            _ if event_loop.is_stopping() => Self::Ends,
            Phase::Running => Self::Runs,
            Phase::Paused => Self::Paused,
            Phase::Idle => Self::MayRun,
            Phase::Draining | Phase::Closing | Phase::Stopped => Self::Ends,
        }
    }
}
