//! Timers by the calendar.

use crate::core::current;
use crate::core::timers::TimerId;
use crate::sys::clock;
use chrono::{DateTime, Datelike, Local, NaiveDate};
use croner::{Cron, CronComponent, Weekday, YEAR_LOWER_LIMIT, YEAR_UPPER_LIMIT};
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

/// The longest pattern that is read. Every number of every field, written out, is about 500 bytes.
const MAX_PATTERN: usize = 1024;

/// In how many years that have a day of the schedule a time is looked for. One is enough unless the
/// change to summer time takes the hour away on each of its days; a date comes on another weekday
/// within fewer years than these.
const YEARS: usize = 8;

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule: {0}")]
pub struct CronError(String);

impl CronSchedule {
    /// The usual five fields: minute, hour, day of the month, month, day of the week (0 and 7 are
    /// Sunday); or six, with seconds in front. `*`, lists, ranges and steps are understood.
    ///
    /// # Errors
    ///
    /// It is not a schedule, or one that never comes; or it is longer than 1,024 bytes.
    pub fn parse(pattern: &str) -> Result<Self, CronError> {
        if pattern.len() > MAX_PATTERN {
            let len = pattern.len();
            let text = format!("{len} bytes, {MAX_PATTERN} are allowed");
            return Err(CronError(text));
        }
        let cron = Cron::from_str(pattern).map_err(|e| CronError(e.to_string()))?;
        // A list of nothing but commas is read, too. The search would try every second there is.
        let fields = &cron.pattern;
        for (name, field) in [
            ("second", &fields.seconds),
            ("minute", &fields.minutes),
            ("hour", &fields.hours),
            ("month", &fields.months),
            ("year", &fields.years),
        ] {
            if field.values().is_empty() {
                return Err(CronError(format!("no {name} in {pattern:?}")));
            }
        }
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

    /// The first time after `time`. The search goes from second to second where it finds no day, so
    /// it is shown only years that have one.
    fn after(&self, time: DateTime<Local>) -> Option<DateTime<Local>> {
        let mut kinds = [None; 14];
        let years = (time.year().max(YEAR_LOWER_LIMIT)..=YEAR_UPPER_LIMIT)
            .filter(|year| self.has_day_in(*year, &mut kinds))
            .take(YEARS);
        let (first, last) = (YEAR_LOWER_LIMIT as u16, YEAR_UPPER_LIMIT as u16);
        let mut near = CronComponent::new(first, last, 0, 0);
        let mut any = false;
        for year in years {
            near.set_bit(u16::try_from(year).ok()?, ALL).ok()?;
            any = true;
        }
        if !any {
            return None;
        }
        let mut cron = self.0.clone();
        cron.pattern.years = near;
        cron.find_next_occurrence(&time, false).ok()
    }

    /// Whether the schedule has a day in that year. There are 14 kinds of year, by their first
    /// weekday and their length; what was found of each is kept in `kinds`.
    fn has_day_in(&self, year: i32, kinds: &mut [Option<bool>; 14]) -> bool {
        let Some(first) = NaiveDate::from_ymd_opt(year, 1, 1) else {
            return false;
        };
        if !self.0.pattern.year_match(year).unwrap_or(false) {
            return false;
        }
        let weekday = first.weekday().num_days_from_sunday();
        let kind = weekday as usize + if first.leap_year() { 7 } else { 0 };
        *kinds[kind].get_or_insert_with(|| {
            first.iter_days().take(366).any(|day| {
                let weekday = Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
                let pattern = &self.0.pattern;
                day.year() == year
                    && pattern.month_match(day.month()).unwrap_or(false)
                    && pattern
                        .day_match(year, day.month(), day.day(), weekday)
                        .unwrap_or(false)
            })
        })
    }
}

/// The bit of a component's value that is chosen as such, without a modifier.
const ALL: u8 = 1;

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

    /// The timer fired: calls if it is time, and looks again later.
    fn look(&mut self, id: TimerId) {
        let is_time = self.advance(clock::wall());
        // Before the call: it may panic, and must not come again for that.
        again(id, self.wait());
        if is_time {
            (self.callback)(id);
        }
    }

    /// Whether it is time; then that one is over.
    fn advance(&mut self, now: DateTime<Local>) -> bool {
        let Some(next) = self.next else { return false };
        if now < next {
            // The calendar was set back: an earlier time may come first.
            self.next = self.schedule.after(now).map(|first| first.min(next));
            return false;
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        let more = self.left != Some(0);
        self.next = self.schedule.after(now).filter(|_| more);
        true
    }
}

/// What a timer of a schedule is armed with: how long until its first look, how often it fires, and its
/// callback.
pub(crate) fn timer<F: FnMut(TimerId)>(
    schedule: CronSchedule,
    repeat: Option<u32>,
    callback: F,
) -> (Duration, Option<u32>, impl FnMut(TimerId)) {
    let mut scheduled = Scheduled::new(schedule, repeat, callback);
    let wait = scheduled.wait().unwrap_or(LOOK_AGAIN);
    let repeat = repeat.filter(|repeat| *repeat == 0);
    (wait, repeat, move |id| scheduled.look(id))
}

/// Lets the timer that fires now look again after that time, or takes it off.
fn again(id: TimerId, wait: Option<Duration>) {
    if let Some(local) = current::ticking() {
        match wait {
            Some(wait) => local.core().reset_timer(id, Some(wait)),
            None => local.core().kill_timer(id),
        };
    }
}

#[cfg(test)]
mod tests;
