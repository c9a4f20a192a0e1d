//! When to connect again after a connection has ended (libhv: `reconn_setting_t`).

use std::time::{Duration, Instant};

/// How the delay grows from one attempt to the next (libhv: `delay_policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Growth {
    /// Always the least delay.
    Fixed,
    /// By the least delay each time: 1, 2, 3, ...
    Linear,
    /// Times this factor each time; with 2: 1, 2, 4, ...
    Exponential(u32),
}

/// Whether, and after which delays, a client connects again.
///
/// The delays begin at `min_delay`, grow as `growth` says and never exceed `max_delay`. Every
/// failure counts, the first attempt's included; the series begins anew only after a session that
/// stayed open for `stable_after`, so that a server which accepts and drops sees growing delays.
///
/// `jitter` spreads the clients of a server that comes back: it is the part of each delay that is
/// left to chance. A delay of d becomes a random one from d * (1 - jitter) to d; the default, one
/// half, is known as *equal jitter*, one is *full jitter*, zero none. Jitter only shortens, so that
/// `max_delay` holds as it stands, while the first delays may be shorter than `min_delay`.
///
/// ```
/// use hvloop_event::ReconnectPolicy;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let policy = ReconnectPolicy::exponential(second, 30 * second).with_max_retries(Some(10));
/// policy.validate()?;
/// # Ok::<(), hvloop_event::PolicyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct ReconnectPolicy {
    /// The first delay. Default 1 s (libhv: `min_delay`).
    pub min_delay: Duration,
    /// What the delays grow to. Default 60 s (libhv: `max_delay`).
    pub max_delay: Duration,
    /// How they grow. Default: doubling (libhv: `delay_policy`).
    pub growth: Growth,
    /// How many attempts may follow one another without a stable session between them; `None`, the
    /// default: any number. The first attempt is not one of them (in libhv's `max_retry_cnt` it
    /// is).
    pub max_retries: Option<u32>,
    /// The random part of each delay, from 0 to 1. Default 0.5.
    pub jitter: f64,
    /// How long a session must have been open for the series to begin anew. Default 5 s; zero:
    /// every session does.
    pub stable_after: Duration,
}

impl ReconnectPolicy {
    /// The defaults: 1 s, 2 s, 4 s up to 60 s, without end, each shortened by up to a half.
    pub fn new() -> Self {
        Self {
            min_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            growth: Growth::Exponential(2),
            max_retries: None,
            jitter: 0.5,
            stable_after: Duration::from_secs(5),
        }
    }

    /// The same delay each time; otherwise as [`new`](Self::new), jitter included.
    pub fn fixed(delay: Duration) -> Self {
        Self {
            min_delay: delay,
            max_delay: delay,
            growth: Growth::Fixed,
            ..Self::new()
        }
    }

    /// Delays of `min`, 2 `min`, 3 `min` up to `max`; otherwise as [`new`](Self::new).
    pub fn linear(min: Duration, max: Duration) -> Self {
        Self {
            min_delay: min,
            max_delay: max,
            growth: Growth::Linear,
            ..Self::new()
        }
    }

    /// Delays of `min`, 2 `min`, 4 `min` up to `max`; otherwise as [`new`](Self::new).
    pub fn exponential(min: Duration, max: Duration) -> Self {
        Self {
            min_delay: min,
            max_delay: max,
            ..Self::new()
        }
    }

    setters! {
        /// Sets how the delays grow.
        with_growth(growth: Growth) => growth;

        /// Sets the random part of each delay, from 0 (none) to 1 (all of it).
        with_jitter(jitter: f64) => jitter;

        /// Sets how many attempts may follow one another; `None`: any number.
        with_max_retries(max_retries: impl Into<Option<u32>>) => max_retries;

        /// Sets how long a session must have been open for the series to begin anew.
        with_stable_after(stable_after: Duration) => stable_after;
    }

    /// Checks the values against each other.
    ///
    /// # Errors
    ///
    /// Which of them is out of its range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        if self.min_delay.is_zero() {
            return Err(PolicyError::ZeroDelay);
        }
        if self.min_delay > self.max_delay {
            return Err(PolicyError::MinOverMax {
                min: self.min_delay,
                max: self.max_delay,
            });
        }
        if self.growth == Growth::Exponential(0) {
            return Err(PolicyError::ZeroFactor);
        }
        // A NaN is in no range.
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(PolicyError::JitterOutOfRange(self.jitter));
        }
        Ok(())
    }
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// What is wrong with a [`ReconnectPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// `min_delay` is zero: a client of a server that refuses would never rest.
    #[error("the least reconnect delay is zero")]
    ZeroDelay,
    /// `min_delay` is more than `max_delay`.
    #[error("the least reconnect delay, {min:?}, is over the greatest, {max:?}")]
    MinOverMax {
        /// The `min_delay`.
        min: Duration,
        /// The `max_delay`.
        max: Duration,
    },
    /// The factor of [`Growth::Exponential`] is zero.
    #[error("the growth factor of the reconnect delay is zero")]
    ZeroFactor,
    /// `jitter` is not a number from 0 to 1.
    #[error("the reconnect jitter, {0}, is not from 0 to 1")]
    JitterOutOfRange(f64),
}

/// The state of a series of attempts under a [`ReconnectPolicy`]. Reads no clock and draws no
/// random numbers: both are arguments.
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: ReconnectPolicy,
    /// The last delay before jitter; `None`: the series has not begun.
    delay: Option<Duration>,
    attempt: u32,
    /// Since when the session is open.
    opened: Option<Instant>,
}

impl Backoff {
    /// A series that has not begun. A policy that [`validate`](ReconnectPolicy::validate) refuses
    /// is taken as the nearest valid one, save that a delay of zero stays zero.
    pub fn new(policy: ReconnectPolicy) -> Self {
        Self {
            policy,
            delay: None,
            attempt: 0,
            opened: None,
        }
    }

    /// The policy that it goes by.
    pub fn policy(&self) -> &ReconnectPolicy {
        &self.policy
    }

    /// Goes by another policy from now on. What there was of the series still counts: the next delay grows from
    /// the last one, within the new limits.
    pub fn set_policy(&mut self, policy: ReconnectPolicy) {
        self.policy = policy;
    }

    /// How many times [`on_close`](Self::on_close) has granted another attempt since the last
    /// stable session: 0 for the first attempt, then 1, 2, ... It still counts while a session is
    /// open, so that `on_open` can tell a reconnect from a first connect.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The session is open: for WebSocket, after the handshake.
    pub fn on_open(&mut self, now: Instant) {
        self.opened = Some(now);
    }

    /// The session, or the attempt at one, has ended. Returns after which delay from now to try
    /// again; `None`: the retries are used up. `random` is to be uniform over all of `u64`.
    pub fn on_close(&mut self, now: Instant, random: u64) -> Option<Duration> {
        let stable = self.opened.take().is_some_and(|opened| {
            now.saturating_duration_since(opened) >= self.policy.stable_after
        });
        if stable {
            self.delay = None;
            self.attempt = 0;
        }
        if self
            .policy
            .max_retries
            .is_some_and(|max| self.attempt >= max)
        {
            return None;
        }
        self.attempt = self.attempt.saturating_add(1);
        let delay = self.next_delay();
        self.delay = Some(delay);
        Some(shorten(delay, self.policy.jitter, random))
    }

    /// The next delay before jitter.
    fn next_delay(&self) -> Duration {
        let min = self.policy.min_delay;
        let grown = match (self.delay, self.policy.growth) {
            (None, _) | (_, Growth::Fixed) => min,
            (Some(delay), Growth::Linear) => delay.saturating_add(min),
            (Some(delay), Growth::Exponential(factor)) => delay.saturating_mul(factor.max(1)),
        };
        // The last one may be of another policy.
        grown.max(min).min(self.policy.max_delay)
    }
}

/// Takes a random part, of at most `jitter`, off a delay. In integers: a `Duration` times an `f64`
/// may overflow.
fn shorten(delay: Duration, jitter: f64, random: u64) -> Duration {
    const ONE: f64 = (1_u64 << 32) as f64;
    // A cast of a float saturates, and makes a NaN 0.
    let jitter = (jitter.clamp(0.0, 1.0) * ONE) as u128;
    let random = u128::from(random >> 32);
    // 94 bits of nanoseconds and 33 of a factor at most, twice.
    let most = (delay.as_nanos() * jitter) >> 32;
    let left = delay.as_nanos() - ((most * random) >> 32);
    // No more than `delay`, which is a `Duration`.
    Duration::new((left / 1_000_000_000) as u64, (left % 1_000_000_000) as u32)
}

#[cfg(test)]
mod tests;
