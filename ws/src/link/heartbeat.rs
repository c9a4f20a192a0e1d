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
    /// That Ping stood behind bytes that the socket had not taken yet.
    behind: bool,
}

/// The send queue under the heartbeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Something is queued.
    pub(super) busy: bool,
    /// When the socket last took something of it.
    pub(super) taken: Instant,
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
            behind: false,
        }
    }

    /// A byte came.
    pub(super) fn life(&mut self, now: Instant) {
        self.last_life = now;
        self.asked = None;
    }

    /// The timer fired. A peer that is still taking what stands before the Ping has its time for the
    /// answer after that: it is asked again.
    pub(super) fn beat(&mut self, now: Instant, line: Line) -> Beat {
        let Some(asked) = self.asked else {
            let idle = now.saturating_duration_since(self.last_life);
            return match self.interval.checked_sub(idle) {
                Some(rest) if !rest.is_zero() => Beat::Wait(rest),
                _ => self.ask(now, line),
            };
        };
        let waited = now.saturating_duration_since(asked);
        match self.deadline.checked_sub(waited) {
            Some(rest) if !rest.is_zero() => Beat::Wait(rest),
            _ if self.behind && line.taken > asked => self.ask(now, line),
            _ => Beat::Dead(now.saturating_duration_since(self.last_life)),
        }
    }

    fn ask(&mut self, now: Instant, line: Line) -> Beat {
        self.asked = Some(now);
        self.behind = line.busy;
        Beat::Ping(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn free(start: Instant) -> Line {
        Line {
            busy: false,
            taken: start,
        }
    }

    #[test]
    fn pings_when_idle_and_gives_up_after_the_deadline() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        let line = free(start);
        assert_eq!(heart.beat(start + 10 * S, line), Beat::Wait(20 * S));
        assert_eq!(heart.beat(start + 30 * S, line), Beat::Ping(10 * S));
        assert_eq!(heart.beat(start + 35 * S, line), Beat::Wait(5 * S));
        assert_eq!(heart.beat(start + 40 * S, line), Beat::Dead(40 * S));
    }

    #[test]
    fn any_byte_is_life() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        let line = free(start);
        assert_eq!(heart.beat(start + 30 * S, line), Beat::Ping(10 * S));
        heart.life(start + 39 * S);
        assert_eq!(heart.beat(start + 40 * S, line), Beat::Wait(29 * S));
        assert_eq!(heart.beat(start + 69 * S, line), Beat::Ping(10 * S));
    }

    #[test]
    fn asks_again_while_the_peer_takes_what_stands_before_the_ping() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        let busy = |taken| Line { busy: true, taken };
        assert_eq!(heart.beat(start + 30 * S, busy(start)), Beat::Ping(10 * S));
        // Some of it went meanwhile, then the rest; the line is free, and a full deadline begins.
        let at = start + 40 * S;
        assert_eq!(heart.beat(at, busy(at - S)), Beat::Ping(10 * S));
        let line = free(at + S);
        assert_eq!(heart.beat(at + 10 * S, line), Beat::Ping(10 * S));
        assert_eq!(heart.beat(at + 20 * S, line), Beat::Dead(60 * S));
    }

    #[test]
    fn a_full_line_that_does_not_move_is_dead() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        let stuck = Line {
            busy: true,
            taken: start + S,
        };
        assert_eq!(heart.beat(start + 30 * S, stuck), Beat::Ping(10 * S));
        assert_eq!(heart.beat(start + 40 * S, stuck), Beat::Dead(40 * S));
    }
}
