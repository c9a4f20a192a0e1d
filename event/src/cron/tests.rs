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

/// A callback that panics was called: not again before the next time, and not more often than asked.
#[test]
fn a_callback_that_panics_has_had_its_turn() {
    let schedule = CronSchedule::parse("0 0 * * *").expect("a schedule");
    let mut calls = 0;
    let mut scheduled = Scheduled::new(schedule, Some(2), |_| {
        calls += 1;
        panic!("on purpose, in a cron callback");
    });
    let id = TimerId::apart(1);
    for left in [1, 0] {
        scheduled.next = Some(clock::wall());
        for _ in 0..3 {
            let look = std::panic::AssertUnwindSafe(|| scheduled.look(id));
            let _ = std::panic::catch_unwind(look);
        }
        assert_eq!(scheduled.left, Some(left));
        assert_eq!(scheduled.wait().is_some(), left > 0);
    }
    assert_eq!(calls, 2);
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

/// Whatever the pattern: an answer or an error, and soon. A field without a value, or a day that
/// never comes, has made the search try every second, or day, of the next 3,000 years.
#[test]
fn no_pattern_costs_much() {
    let long = format!("{} * * * *", "1,".repeat(1_000_000));
    for (pattern, comes) in [
        (" , 0 4 5 * ,1", false),
        ("0 , 4 5 * 1", false),
        ("0 0 , 5 * 1", false),
        ("* * , * *", false),
        ("* * * , *", false),
        ("* * * * ,", false),
        ("0 0 * 1 1 * ,", false),
        (",,,, ,,, ,,, ,,, ,,, ,,,", false),
        ("* * * 30 2 *", false),
        ("0 0 31 2,4,6,9,11 *", false),
        ("0 0 31W 2,4,6,9,11 +", false),
        ("* * * 29 2 +1 2027-2031", false),
        ("* * * 31 12 +1#1", false),
        ("0 0 0 1 1 * 1-2000", false),
        ("* * * 29 2 +1", true),
        ("0 0 0 29 2 +6 4000-5000", true),
        ("* * * * * * 5000", true),
        ("0 0 1 1 1 * 5000", true),
        (&long, false),
        ("\u{130}\u{df} * * * *", false),
        ("@yearly", true),
        ("@", false),
        ("", false),
        ("0-65535 * * * *", false),
        ("1-59/65535 * * * *", false),
        ("*/0 * * * *", false),
    ] {
        // The best of some: a busy machine may have had other things to do meanwhile.
        let timed = || {
            let began = clock::now();
            let schedule = CronSchedule::parse(pattern);
            (began.elapsed(), schedule)
        };
        let tries = (0..5).map(|_| timed());
        let (took, schedule) = tries.min_by_key(|(took, _)| *took).expect("five");
        let start = &pattern[..pattern.len().min(40)];
        assert_eq!(schedule.is_ok(), comes, "{start}: {schedule:?}");
        // Twenty times what it takes without optimisation; it was seconds.
        assert!(took < Duration::from_millis(200), "{start}: {took:?}");
    }
}

/// The rarest day there is: the 29th of February on one weekday, over a century without it.
#[test]
fn rare_days_are_found() {
    let schedule = CronSchedule::parse("0 0 29 2 +1").expect("a schedule");
    for (from, next) in [
        ("2026-01-01 00:00:00", "2044-02-29 00:00:00"),
        ("2072-03-01 00:00:00", "2112-02-29 00:00:00"),
    ] {
        assert_eq!(schedule.after(local(from)), Some(local(next)), "{from}");
    }
}
