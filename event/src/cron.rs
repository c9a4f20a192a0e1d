//! Timers by the calendar.

use crate::core::timers::TimerId;
use crate::error::LoopClosed;
use crate::event_loop::EventLoop;
use crate::local_loop::LocalLoop;
use crate::sys::clock;
use chrono::{DateTime, Local};
use croner::Cron;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// When a timer fires by the calendar, in the local time of the machine.
///
/// ```
/// use hvloop_event::CronSchedule;
///
/// let every_five_minutes = CronSchedule::parse("*/5 * * * *")?;
/// let mondays_at_nine = CronSchedule::period(Some(0), Some(9), None, Some(1), None)?;
/// # let _ = (every_five_minutes, mondays_at_nine);
/// # Ok::<(), hvloop_event::CronError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CronSchedule(Cron);

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronError(String);

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a schedule: {}", self.0)
    }
}

impl Error for CronError {}

impl CronSchedule {
    /// The usual five fields: minute, hour, day of the month, month, day of the week (0 and 7 are
    /// Sunday); or six, with seconds in front. `*`, lists, ranges and steps are understood.
    ///
    /// # Errors
    ///
    /// It is not a schedule, or one that never comes.
    pub fn parse(pattern: &str) -> Result<Self, CronError> {
        let cron = Cron::from_str(pattern).map_err(|e| CronError(e.to_string()))?;
        let schedule = Self(cron);
        // From any time: it is asked whether there is one at all.
        match schedule.after(clock::wall()) {
            Some(_) => Ok(schedule),
            None => Err(CronError(format!("{pattern} never comes"))),
        }
    }

    /// At that minute (0 to 59), hour (0 to 23), day of the month (1 to 31), day of the week (0 to
    /// 6, 0 is Sunday) and month (1 to 12); `None`: at every one.
    ///
    /// # Errors
    ///
    /// One of them is out of its range, or the day never comes.
    ///
    /// libhv: `htimer_add_period`, whose negative numbers (every so many minutes) are
    /// [`parse`](CronSchedule::parse) with `*/n`.
    pub fn period(
        minute: Option<u8>,
        hour: Option<u8>,
        day: Option<u8>,
        week: Option<u8>,
        month: Option<u8>,
    ) -> Result<Self, CronError> {
        let field = |field: Option<u8>| field.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let fields = [minute, hour, day, month, week].map(field);
        Self::parse(&fields.join(" "))
    }

    /// The first time after `time`.
    fn after(&self, time: DateTime<Local>) -> Option<DateTime<Local>> {
        self.0.find_next_occurrence(&time, false).ok()
    }
}

/// How long to wait at most before looking at the calendar again: it may be set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A callback by the calendar.
struct Scheduled<F> {
    schedule: CronSchedule,
    next: Option<DateTime<Local>>,
    left: Option<u32>,
    callback: F,
}

impl<F: FnMut(TimerId)> Scheduled<F> {
    fn new(schedule: CronSchedule, repeat: Option<u32>, callback: F) -> Self {
        Self {
            next: schedule.after(clock::wall()),
            schedule,
            left: repeat,
            callback,
        }
    }

    /// How long until it is time to look.
    fn wait(&self) -> Option<Duration> {
        let rest = self.next?.signed_duration_since(clock::wall()).to_std();
        // Not zero: the clock of the calendar may be coarser than that of the timers.
        let rest = rest.unwrap_or_default().max(Duration::from_millis(1));
        Some(rest.min(LOOK_AGAIN))
    }

    /// The timer fired: calls if it is time, and says how long until the next look.
    fn look(&mut self, id: TimerId) -> Option<Duration> {
        let now = clock::wall();
        if self.next.is_some_and(|next| now >= next) {
            (self.callback)(id);
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    return None;
                }
            }
            self.next = self.schedule.after(now);
        } else if let Some(next) = self.next {
            // The calendar was set back: an earlier time may come first.
            self.next = self.schedule.after(now).map(|first| first.min(next));
        }
        self.wait()
    }
}

impl EventLoop {
    /// Calls `f` at the times of a schedule, `repeat` times (`None`: for ever). What was missed, as
    /// by a machine that slept, is made up for by one call. [`kill_timer`](EventLoop::kill_timer)
    /// takes it off.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    ///
    /// libhv: `htimer_add_period`.
    pub fn set_cron<F>(
        &self,
        schedule: CronSchedule,
        repeat: Option<u32>,
        f: F,
    ) -> Result<TimerId, LoopClosed>
    where
        F: FnMut(TimerId) + Send + 'static,
    {
        let mut scheduled = Scheduled::new(schedule, repeat, f);
        let wait = scheduled.wait().unwrap_or(LOOK_AGAIN);
        let repeat = repeat.filter(|repeat| *repeat == 0);
        self.set_timer(wait, repeat, move |id| again(id, scheduled.look(id)))
    }
}

impl LocalLoop {
    /// Calls `f` at the times of a schedule. See [`EventLoop::set_cron`]; `f` need not be `Send`.
    pub fn set_cron(
        &self,
        schedule: CronSchedule,
        repeat: Option<u32>,
        f: impl FnMut(TimerId) + 'static,
    ) -> TimerId {
        let mut scheduled = Scheduled::new(schedule, repeat, f);
        let wait = scheduled.wait().unwrap_or(LOOK_AGAIN);
        let repeat = repeat.filter(|repeat| *repeat == 0);
        self.set_timer(wait, repeat, move |id| again(id, scheduled.look(id)))
    }
}

/// Lets the timer that fires now look again after that time, or takes it off.
fn again(id: TimerId, wait: Option<Duration>) {
    let Some(local) = EventLoop::current() else {
        return;
    };
    match wait {
        Some(wait) => {
            local.reset_timer(id, Some(wait));
        }
        None => {
            local.kill_timer(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn local(text: &str) -> DateTime<Local> {
        let naive = chrono::NaiveDateTime::parse_from_str(text, "%F %T").expect("a time");
        Local
            .from_local_datetime(&naive)
            .earliest()
            .expect("it exists")
    }

    #[test]
    fn next_times() {
        for (pattern, from, next) in [
            ("*/5 * * * *", "2026-01-05 10:02:30", "2026-01-05 10:05:00"),
            ("0 9 * * 1", "2026-01-05 09:00:00", "2026-01-12 09:00:00"),
            (
                "30 4 1,15 * *",
                "2026-01-02 00:00:00",
                "2026-01-15 04:30:00",
            ),
            (
                "*/10 * * * * *",
                "2026-01-05 10:02:31",
                "2026-01-05 10:02:40",
            ),
        ] {
            let schedule = CronSchedule::parse(pattern).expect("a schedule");
            assert_eq!(schedule.after(local(from)), Some(local(next)), "{pattern}");
        }
    }

    #[test]
    fn periods_are_those_of_libhv() {
        let monday = CronSchedule::period(Some(30), Some(4), None, Some(1), None);
        let monday = monday.expect("a period");
        assert_eq!(
            monday.after(local("2026-01-06 00:00:00")),
            Some(local("2026-01-12 04:30:00"))
        );
        for bad in [
            CronSchedule::period(Some(60), None, None, None, None),
            CronSchedule::period(None, Some(24), None, None, None),
            CronSchedule::period(None, None, Some(30), None, Some(2)),
            CronSchedule::parse("every day"),
        ] {
            assert!(bad.is_err(), "{bad:?}");
        }
    }
}
