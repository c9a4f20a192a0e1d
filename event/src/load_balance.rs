//! Choosing a loop for new work.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How [`EventLoopThreadPool::next_loop`](crate::EventLoopThreadPool::next_loop) and a
/// [`TcpServer`](crate::TcpServer) with workers choose.
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
    /// The one with the fewest connections, those still connecting included.
    LeastConnections,
}

/// The state of the choice.
#[derive(Debug, Default)]
pub(crate) struct Chooser {
    next: AtomicUsize,
    random: AtomicU64,
}

impl Chooser {
    /// One of `count`, which is not zero. Any thread.
    pub(crate) fn choose(
        &self,
        balance: LoadBalance,
        count: usize,
        connections: impl Fn(usize) -> u64,
    ) -> usize {
        match balance {
            LoadBalance::RoundRobin => self.next.fetch_add(1, Ordering::Relaxed) % count,
            LoadBalance::Random => self.random() as usize % count,
            LoadBalance::LeastConnections => {
                let least = (0..count).min_by_key(|n| connections(*n));
                least.unwrap_or(0)
            }
        }
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
