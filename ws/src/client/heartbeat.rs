//! When to Ping, and when a silent peer is dead. Time is an argument.

use std::time::{Duration, Instant};

/// Any byte counts as life; the Ping interval and the Pong deadline are apart.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    deadline: Duration,
    /// When the last byte came.
    last_life: Instant,
    /// When a Ping was sent that nothing has come after.
    asked: Option<Instant>,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Look again then.
    Wait(Duration),
    /// Send a Ping, and look again then.
    Ping(Duration),
    /// The peer was silent for that long.
    Dead(Duration),
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, deadline: Duration, now: Instant) -> Self {
        Self {
            interval,
            deadline,
            last_life: now,
            asked: None,
        }
    }

    /// A byte came.
    pub(super) fn life(&mut self, now: Instant) {
        self.last_life = now;
        self.asked = None;
    }

    /// The timer fired.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if let Some(asked) = self.asked {
            let waited = now.saturating_duration_since(asked);
            return match self.deadline.checked_sub(waited) {
                Some(rest) if !rest.is_zero() => Beat::Wait(rest),
                _ => Beat::Dead(now.saturating_duration_since(self.last_life)),
            };
        }
        let idle = now.saturating_duration_since(self.last_life);
        match self.interval.checked_sub(idle) {
            Some(rest) if !rest.is_zero() => Beat::Wait(rest),
            _ => {
                self.asked = Some(now);
                Beat::Ping(self.deadline)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn pings_when_idle_and_gives_up_after_the_deadline() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        assert_eq!(heart.beat(start + 10 * S), Beat::Wait(20 * S));
        assert_eq!(heart.beat(start + 30 * S), Beat::Ping(10 * S));
        assert_eq!(heart.beat(start + 35 * S), Beat::Wait(5 * S));
        assert_eq!(heart.beat(start + 40 * S), Beat::Dead(40 * S));
    }

    #[test]
    fn any_byte_is_life() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        assert_eq!(heart.beat(start + 30 * S), Beat::Ping(10 * S));
        heart.life(start + 39 * S);
        assert_eq!(heart.beat(start + 40 * S), Beat::Wait(29 * S));
        assert_eq!(heart.beat(start + 69 * S), Beat::Ping(10 * S));
    }
}
