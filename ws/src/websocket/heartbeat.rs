//! When to Ping, and when a silent peer is dead. Time is an argument: that of the turn for what is looked
//! at, that of the clock for what begins.

use std::time::{Duration, Instant};

/// Any byte counts as life. The Ping interval and the Pong time-out are apart: a silent peer is asked each
/// interval, and is dead a time-out after the first Ping that nothing came after.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When the last byte came.
    last_life: Instant,
    /// Apart: of many connections few are silent at a time.
    asked: Option<Box<Asked>>,
}

/// What a peer was asked that nothing has come after.
#[derive(Debug)]
struct Asked {
    /// When the first Ping was sent.
    first: Instant,
    /// When the last one was.
    last: Instant,
    /// The first Ping stood behind bytes that the socket had not taken yet.
    behind: bool,
}

/// The Ping interval and the Pong time-out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

/// How far sending is, under the heartbeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendProgress {
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
    /// Send a Ping, tell [`Heartbeat::pinged`], and look again then.
    Ping(Duration),
    /// The peer was silent for that long.
    Dead(Duration),
}

impl Heartbeat {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_life: now,
            asked: None,
        }
    }

    /// The peer lives, or cannot be told from one that does.
    pub(super) fn life(&mut self, now: Instant) {
        self.last_life = now;
        self.asked = None;
    }

    /// The timer fired. A peer that is still taking what stands before the Ping has its time for the
    /// answer after that: it is asked again.
    pub(super) fn beat(&mut self, times: Times, now: Instant, progress: SendProgress) -> Beat {
        let Times { interval, timeout } = times;
        let since = self
            .asked
            .as_ref()
            .map_or(self.last_life, |asked| asked.first);
        if progress.read > since {
            self.life(progress.read);
        }
        let Some(asked) = &mut self.asked else {
            return match rest(interval, self.last_life, now) {
                Some(rest) => Beat::Wait(rest),
                None => Beat::Ping(interval.min(timeout)),
            };
        };
        let Some(left) = rest(timeout, asked.first, now) else {
            if asked.behind && progress.taken > asked.first {
                // The first Ping of a silence, once more.
                self.asked = None;
                return Beat::Ping(interval.min(timeout));
            }
            return Beat::Dead(now.saturating_duration_since(self.last_life));
        };
        match rest(interval, asked.last, now) {
            Some(next) => Beat::Wait(next.min(left)),
            // On a line that stands there is a Ping already.
            None if progress.busy => {
                asked.last = now;
                Beat::Wait(interval.min(left))
            }
            None => Beat::Ping(interval.min(left)),
        }
    }

    /// The Ping has gone, or, `behind` what the socket has not taken, waits to: the peer's time for the
    /// answer begins.
    pub(super) fn pinged(&mut self, now: Instant, behind: bool) {
        match &mut self.asked {
            Some(asked) => asked.last = now,
            None => {
                self.asked = Some(Box::new(Asked {
                    first: now,
                    last: now,
                    behind,
                }));
            }
        }
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

    /// With its times.
    struct Tested(Heartbeat, Times);

    impl Tested {
        fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
            Self(Heartbeat::new(now), Times { interval, timeout })
        }

        fn beat(&mut self, now: Instant, progress: SendProgress) -> Beat {
            self.0.beat(self.1, now, progress)
        }

        fn pinged(&mut self, now: Instant, behind: bool) {
            self.0.pinged(now, behind);
        }
    }

    /// A line that is free; `read`: when bytes last came.
    fn free(read: Instant) -> SendProgress {
        SendProgress {
            busy: false,
            taken: read,
            read,
        }
    }

    /// A beat in a turn that began at that moment, and a Ping, if there is to be one, in it.
    fn beat(heart: &mut Tested, at: Instant, progress: SendProgress) -> Beat {
        let beat = heart.beat(at, progress);
        if matches!(beat, Beat::Ping(_)) {
            heart.pinged(at, progress.busy);
        }
        beat
    }

    #[test]
    fn pings_when_idle_and_gives_up_after_the_deadline() {
        let start = Instant::now();
        let mut heart = Tested::new(30 * S, 10 * S, start);
        let progress = free(start);
        assert_eq!(
            beat(&mut heart, start + 10 * S, progress),
            Beat::Wait(20 * S)
        );
        assert_eq!(
            beat(&mut heart, start + 30 * S, progress),
            Beat::Ping(10 * S)
        );
        assert_eq!(
            beat(&mut heart, start + 35 * S, progress),
            Beat::Wait(5 * S)
        );
        assert_eq!(
            beat(&mut heart, start + 40 * S, progress),
            Beat::Dead(40 * S)
        );
    }

    /// Neither period takes the other's place, whichever is longer.
    #[test]
    fn pings_each_interval_until_the_deadline() {
        for (interval, deadline) in [(1, 10), (3, 10), (10, 10), (10, 3), (1, 1), (7, 8)] {
            let start = Instant::now();
            let mut heart = Tested::new(interval * S, deadline * S, start);
            let (mut at, mut pings) = (start, Vec::new());
            loop {
                match beat(&mut heart, at, free(start)) {
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
        let mut heart = Tested::new(S, 10 * S, start);
        for second in 1..=5 {
            let at = start + second * S;
            assert_eq!(beat(&mut heart, at, free(start)), Beat::Ping(S));
        }
        // A byte came between the fifth and now; the next silence is asked in after an interval.
        let read = start + 5 * S + S / 2;
        assert_eq!(
            beat(&mut heart, start + 6 * S, free(read)),
            Beat::Wait(S / 2)
        );
        assert_eq!(beat(&mut heart, read + S, free(read)), Beat::Ping(S));
        assert_eq!(
            beat(&mut heart, read + 11 * S, free(read)),
            Beat::Dead(11 * S)
        );
    }

    #[test]
    fn limits_that_no_clock_can_tell() {
        let start = Instant::now();
        let progress = free(start);
        let mut never_dead = Tested::new(S, Duration::MAX, start);
        assert_eq!(beat(&mut never_dead, start + S, progress), Beat::Ping(S));
        assert_eq!(
            beat(&mut never_dead, start + 900 * S, progress),
            Beat::Ping(S)
        );
        let mut never_asks = Tested::new(Duration::MAX, S, start);
        let wait = Duration::MAX - 9 * S;
        assert_eq!(
            beat(&mut never_asks, start + 9 * S, progress),
            Beat::Wait(wait)
        );
        // No time for an answer: silence for the interval is the end.
        let mut strict = Tested::new(S, Duration::ZERO, start);
        assert_eq!(
            beat(&mut strict, start + S, progress),
            Beat::Ping(Duration::ZERO)
        );
        assert_eq!(beat(&mut strict, start + S, progress), Beat::Dead(S));
    }

    #[test]
    fn any_byte_is_life() {
        let start = Instant::now();
        let mut heart = Tested::new(30 * S, 10 * S, start);
        assert_eq!(
            beat(&mut heart, start + 30 * S, free(start)),
            Beat::Ping(10 * S)
        );
        let progress = free(start + 39 * S);
        assert_eq!(
            beat(&mut heart, start + 40 * S, progress),
            Beat::Wait(29 * S)
        );
        assert_eq!(
            beat(&mut heart, start + 69 * S, progress),
            Beat::Ping(10 * S)
        );
    }

    /// The turn of the Ping began long before it: each time for an answer begins with the Ping.
    #[test]
    fn a_slow_turn_is_not_the_peers() {
        for interval in [S, 3 * S, 20 * S] {
            let start = Instant::now();
            let (mut heart, progress) = (Tested::new(interval, 10 * S, start), free(start));
            let next = interval.min(10 * S);
            assert_eq!(heart.beat(start + interval, progress), Beat::Ping(next));
            let asked = start + interval + 8 * S;
            heart.pinged(asked, false);
            // It may be looked at in the same turn.
            assert_eq!(heart.beat(start + interval, progress), Beat::Wait(next));
            let mut at = asked;
            loop {
                at += match beat(&mut heart, at, progress) {
                    Beat::Wait(next) | Beat::Ping(next) => next,
                    Beat::Dead(silent) => break assert_eq!(silent, interval + 18 * S),
                };
            }
            assert_eq!(at, asked + 10 * S);
        }
    }

    /// What came in the turn of the Ping was read before it.
    #[test]
    fn a_byte_of_the_pings_own_turn_is_no_answer() {
        let start = Instant::now();
        let mut heart = Tested::new(S, S, start);
        let asked = start + S;
        assert_eq!(beat(&mut heart, asked, free(start)), Beat::Ping(S));
        assert_eq!(beat(&mut heart, asked + S, free(asked)), Beat::Dead(2 * S));
    }

    #[test]
    fn asks_again_while_the_peer_takes_what_stands_before_the_ping() {
        let start = Instant::now();
        let mut heart = Tested::new(30 * S, 10 * S, start);
        let busy = |taken| SendProgress {
            busy: true,
            taken,
            read: start,
        };
        assert_eq!(
            beat(&mut heart, start + 30 * S, busy(start)),
            Beat::Ping(10 * S)
        );
        // Some of it went meanwhile, then the rest; the line is free, and a full deadline begins.
        let at = start + 40 * S;
        assert_eq!(beat(&mut heart, at, busy(at - S)), Beat::Ping(10 * S));
        let progress = SendProgress {
            busy: false,
            ..busy(at + S)
        };
        assert_eq!(beat(&mut heart, at + 10 * S, progress), Beat::Ping(10 * S));
        assert_eq!(beat(&mut heart, at + 20 * S, progress), Beat::Dead(60 * S));
    }

    #[test]
    fn a_full_line_that_does_not_move_is_dead_and_gets_one_ping() {
        let start = Instant::now();
        let mut heart = Tested::new(3 * S, 10 * S, start);
        let stuck = SendProgress {
            busy: true,
            taken: start + S,
            read: start,
        };
        assert_eq!(beat(&mut heart, start + 3 * S, stuck), Beat::Ping(3 * S));
        assert_eq!(beat(&mut heart, start + 6 * S, stuck), Beat::Wait(3 * S));
        assert_eq!(beat(&mut heart, start + 9 * S, stuck), Beat::Wait(3 * S));
        assert_eq!(beat(&mut heart, start + 12 * S, stuck), Beat::Wait(S));
        assert_eq!(beat(&mut heart, start + 13 * S, stuck), Beat::Dead(13 * S));
    }
}
