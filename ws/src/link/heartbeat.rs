//! When to Ping, and when a silent peer is dead. Time is an argument.

use crate::mutant::mutant;
use std::time::{Duration, Instant};

/// Any byte counts as life. The Ping interval and the Pong deadline are apart: a silent peer is asked each
/// interval, and is dead a deadline after the first Ping that nothing came after.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    deadline: Duration,
    /// When the last byte came.
    last_life: Instant,
    /// When the first Ping was sent that nothing has come after.
    asked: Option<Instant>,
    /// When the last one was.
    last_ping: Instant,
    /// The first Ping stood behind bytes that the socket had not taken yet.
    behind: bool,
}

/// The send queue under the heartbeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Something is queued.
    pub(super) busy: bool,
    /// When the socket last took something of it.
    pub(super) taken: Instant,
    /// When bytes last came.
    pub(super) read: Instant,
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
            last_ping: now,
            behind: false,
        }
    }

    /// The peer lives, or cannot be told from one that does.
    pub(super) fn life(&mut self, now: Instant) {
        self.last_life = now;
        self.asked = None;
    }

    /// The timer fired. A peer that is still taking what stands before the Ping has its time for the
    /// answer after that: it is asked again.
    pub(super) fn beat(&mut self, now: Instant, line: Line) -> Beat {
        if line.read > self.asked.unwrap_or(self.last_life) {
            self.life(line.read);
        }
        let Some(asked) = self.asked else {
            return match rest(self.interval, self.last_life, now) {
                Some(rest) => Beat::Wait(rest),
                None => self.ask(now, line),
            };
        };
        let Some(left) = rest(self.deadline, asked, now) else {
            return match self.behind && line.taken > asked {
                true => self.ask(now, line),
                false => Beat::Dead(now.saturating_duration_since(self.last_life)),
            };
        };
        match rest(self.interval, self.last_ping, now) {
            _ if mutant!("one_ping_a_deadline") => Beat::Wait(left),
            Some(next) => Beat::Wait(next.min(left)),
            None => {
                self.last_ping = now;
                let next = self.interval.min(left);
                // On a line that stands there is a Ping already.
                match line.busy {
                    true => Beat::Wait(next),
                    false => Beat::Ping(next),
                }
            }
        }
    }

    /// The first Ping of a silence.
    fn ask(&mut self, now: Instant, line: Line) -> Beat {
        self.asked = Some(now);
        self.last_ping = now;
        self.behind = line.busy;
        Beat::Ping(self.interval.min(self.deadline))
    }
}

/// What is left of a limit; `None`: it has passed.
fn rest(limit: Duration, since: Instant, now: Instant) -> Option<Duration> {
    let rest = limit.checked_sub(now.saturating_duration_since(since));
    rest.filter(|rest| !rest.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// A line that is free; `read`: when bytes last came.
    fn free(read: Instant) -> Line {
        Line {
            busy: false,
            taken: read,
            read,
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

    /// Neither period takes the other's place, whichever is longer.
    #[test]
    fn pings_each_interval_until_the_deadline() {
        for (interval, deadline) in [(1, 10), (3, 10), (10, 10), (10, 3), (1, 1), (7, 8)] {
            let start = Instant::now();
            let mut heart = Heartbeat::new(interval * S, deadline * S, start);
            let (mut at, mut pings) = (start, Vec::new());
            loop {
                match heart.beat(at, free(start)) {
                    Beat::Wait(next) => at += next,
                    Beat::Ping(next) => {
                        pings.push((at - start).as_secs() as u32);
                        at += next;
                    }
                    Beat::Dead(silent) => {
                        assert_eq!(silent, (interval + deadline) * S);
                        break;
                    }
                }
            }
            let last = interval + deadline;
            let expected = (1..).map(|n| n * interval).take_while(|at| *at < last);
            assert_eq!(pings, expected.collect::<Vec<_>>(), "{interval} {deadline}");
        }
    }

    /// The deadline runs from the first Ping that is unanswered, and from none that was answered.
    #[test]
    fn an_answer_to_any_of_them_ends_the_deadline() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(S, 10 * S, start);
        for second in 1..=5 {
            let at = start + second * S;
            assert_eq!(heart.beat(at, free(start)), Beat::Ping(S));
        }
        // A byte came between the fifth and now; the next silence is asked in after an interval.
        let read = start + 5 * S + S / 2;
        assert_eq!(heart.beat(start + 6 * S, free(read)), Beat::Wait(S / 2));
        assert_eq!(heart.beat(read + S, free(read)), Beat::Ping(S));
        assert_eq!(heart.beat(read + 11 * S, free(read)), Beat::Dead(11 * S));
    }

    #[test]
    fn limits_that_no_clock_can_tell() {
        let start = Instant::now();
        let line = free(start);
        let mut never_dead = Heartbeat::new(S, Duration::MAX, start);
        assert_eq!(never_dead.beat(start + S, line), Beat::Ping(S));
        assert_eq!(never_dead.beat(start + 900 * S, line), Beat::Ping(S));
        let mut never_asks = Heartbeat::new(Duration::MAX, S, start);
        let wait = Duration::MAX - 9 * S;
        assert_eq!(never_asks.beat(start + 9 * S, line), Beat::Wait(wait));
        // No time for an answer: silence for the interval is the end.
        let mut strict = Heartbeat::new(S, Duration::ZERO, start);
        assert_eq!(strict.beat(start + S, line), Beat::Ping(Duration::ZERO));
        assert_eq!(strict.beat(start + S, line), Beat::Dead(S));
    }

    #[test]
    fn any_byte_is_life() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        assert_eq!(heart.beat(start + 30 * S, free(start)), Beat::Ping(10 * S));
        let line = free(start + 39 * S);
        assert_eq!(heart.beat(start + 40 * S, line), Beat::Wait(29 * S));
        assert_eq!(heart.beat(start + 69 * S, line), Beat::Ping(10 * S));
    }

    /// What came in the turn of the Ping was read before it.
    #[test]
    fn a_byte_of_the_pings_own_turn_is_no_answer() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(S, S, start);
        let asked = start + S;
        assert_eq!(heart.beat(asked, free(start)), Beat::Ping(S));
        assert_eq!(heart.beat(asked + S, free(asked)), Beat::Dead(2 * S));
    }

    #[test]
    fn asks_again_while_the_peer_takes_what_stands_before_the_ping() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(30 * S, 10 * S, start);
        let busy = |taken| Line {
            busy: true,
            taken,
            read: start,
        };
        assert_eq!(heart.beat(start + 30 * S, busy(start)), Beat::Ping(10 * S));
        // Some of it went meanwhile, then the rest; the line is free, and a full deadline begins.
        let at = start + 40 * S;
        assert_eq!(heart.beat(at, busy(at - S)), Beat::Ping(10 * S));
        let line = Line {
            busy: false,
            ..busy(at + S)
        };
        assert_eq!(heart.beat(at + 10 * S, line), Beat::Ping(10 * S));
        assert_eq!(heart.beat(at + 20 * S, line), Beat::Dead(60 * S));
    }

    #[test]
    fn a_full_line_that_does_not_move_is_dead_and_gets_one_ping() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(3 * S, 10 * S, start);
        let stuck = Line {
            busy: true,
            taken: start + S,
            read: start,
        };
        assert_eq!(heart.beat(start + 3 * S, stuck), Beat::Ping(3 * S));
        assert_eq!(heart.beat(start + 6 * S, stuck), Beat::Wait(3 * S));
        assert_eq!(heart.beat(start + 9 * S, stuck), Beat::Wait(3 * S));
        assert_eq!(heart.beat(start + 12 * S, stuck), Beat::Wait(S));
        assert_eq!(heart.beat(start + 13 * S, stuck), Beat::Dead(13 * S));
    }
}
