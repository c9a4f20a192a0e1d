use super::*;

const S: Duration = Duration::from_secs(1);

/// The delays, in seconds, after `count` failures in a row.
fn schedule(policy: ReconnectPolicy, count: usize) -> Vec<Option<u64>> {
    let now = Instant::now();
    let mut backoff = Backoff::new(policy.with_jitter(0.0));
    let mut fail = || backoff.on_close(now, 7).map(|delay| delay.as_secs());
    (0..count).map(|_| fail()).collect()
}

#[test]
fn backoff_schedule() {
    let exponential = ReconnectPolicy::exponential(S, 10 * S);
    let table = [
        (ReconnectPolicy::fixed(3 * S), [3, 3, 3, 3, 3, 3]),
        (ReconnectPolicy::linear(2 * S, 9 * S), [2, 4, 6, 8, 9, 9]),
        (exponential, [1, 2, 4, 8, 10, 10]),
        (
            exponential.with_growth(Growth::Exponential(3)),
            [1, 3, 9, 10, 10, 10],
        ),
        (exponential.with_growth(Growth::Exponential(1)), [1; 6]),
        (ReconnectPolicy::default(), [1, 2, 4, 8, 16, 32]),
    ];
    for (policy, expected) in table {
        assert_eq!(policy.validate(), Ok(()));
        assert_eq!(schedule(policy, 6), expected.map(Some), "{policy:?}");
    }
}

#[test]
fn retries_are_counted_and_end() {
    let policy = ReconnectPolicy::fixed(S);
    for max in 0..4 {
        let delays = schedule(policy.with_max_retries(Some(max)), 5);
        let granted = delays.iter().filter(|delay| delay.is_some()).count();
        assert_eq!(granted, max as usize);
        assert!(delays[granted..].iter().all(Option::is_none));
    }
}

#[test]
fn first_attempt_fails_then_reconnects() {
    let now = Instant::now();
    let mut backoff = Backoff::new(ReconnectPolicy::fixed(S).with_jitter(0.0));
    assert_eq!(backoff.attempt(), 0);
    assert_eq!(backoff.on_close(now, 0), Some(S));
    assert_eq!(backoff.attempt(), 1);
}

#[test]
fn accept_then_drop_backs_off() {
    let policy = ReconnectPolicy::exponential(S, 60 * S)
        .with_jitter(0.0)
        .with_stable_after(5 * S);
    let mut backoff = Backoff::new(policy);
    let mut now = Instant::now();
    let mut session = |backoff: &mut Backoff, open_for: Duration| {
        backoff.on_open(now);
        now += open_for;
        backoff.on_close(now, 0)
    };
    let nearly = 5 * S - Duration::from_nanos(1);
    assert_eq!(session(&mut backoff, Duration::ZERO), Some(S));
    assert_eq!(session(&mut backoff, nearly), Some(2 * S));
    assert_eq!(session(&mut backoff, nearly), Some(4 * S));
    assert_eq!(backoff.attempt(), 3);
    assert_eq!(session(&mut backoff, 5 * S), Some(S), "that one was stable");
    assert_eq!(backoff.attempt(), 1);
    assert_eq!(session(&mut backoff, nearly), Some(2 * S));
}

#[test]
fn an_attempt_that_never_opened_is_not_stable() {
    let mut backoff = Backoff::new(ReconnectPolicy::new().with_jitter(0.0));
    let now = Instant::now();
    backoff.on_open(now);
    assert_eq!(backoff.on_close(now + 9 * S, 0), Some(S));
    // An hour later, without an `on_open`: the session of before is used up.
    assert_eq!(backoff.on_close(now + 3600 * S, 0), Some(2 * S));
}

#[test]
fn a_stable_session_gives_the_retries_back() {
    let policy = ReconnectPolicy::fixed(S).with_max_retries(Some(1));
    let mut backoff = Backoff::new(policy);
    let now = Instant::now();
    assert!(backoff.on_close(now, 0).is_some());
    assert!(backoff.on_close(now, 0).is_none());
    backoff.on_open(now);
    assert!(backoff.on_close(now + 5 * S, 0).is_some());
}

#[test]
fn backoff_jitter_bounds() {
    for jitter in [0.0, 0.25, 0.5, 1.0] {
        let mut backoff = Backoff::new(ReconnectPolicy::fixed(4 * S).with_jitter(jitter));
        let now = Instant::now();
        let floor = (4 * S).mul_f64(1.0 - jitter);
        let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
        for n in 0..10_000_u64 {
            // Scattered evenly over all of `u64`.
            let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let delay = backoff.on_close(now, random).expect("no limit is set");
            assert!(delay >= floor && delay <= 4 * S, "{delay:?} at {jitter}");
            least = least.min(delay);
            most = most.max(delay);
        }
        // All of the range is used.
        let slack = Duration::from_millis(10);
        assert!(least <= floor + slack && most >= 4 * S - slack);
        assert!(backoff.on_close(now, u64::MAX) >= Some(floor));
        assert_eq!(backoff.on_close(now, 0), Some(4 * S));
    }
}

#[test]
fn delays_saturate() {
    let now = Instant::now();
    for growth in [Growth::Linear, Growth::Exponential(u32::MAX)] {
        let policy = ReconnectPolicy::linear(Duration::MAX / 2, Duration::MAX);
        let mut backoff = Backoff::new(policy.with_growth(growth).with_jitter(1.0));
        for _ in 0..100 {
            assert!(backoff.on_close(now, u64::MAX) < Some(2 * S * u32::MAX));
        }
        assert_eq!(backoff.on_close(now, 0), Some(Duration::MAX));
    }
    let tiny = Duration::from_nanos(1);
    let mut backoff = Backoff::new(ReconnectPolicy::exponential(tiny, 60 * S).with_jitter(0.0));
    let last = (0..100).map(|_| backoff.on_close(now, 0)).last();
    assert_eq!(last, Some(Some(60 * S)));
}

#[test]
fn validate_names_what_is_out_of_range() {
    let good = ReconnectPolicy::new();
    let long = PolicyError::MinOverMax { min: 2 * S, max: S };
    let table = [
        (good, None),
        (good.with_jitter(1.0), None),
        (ReconnectPolicy::linear(2 * S, S), Some(long)),
        (
            ReconnectPolicy::fixed(Duration::ZERO),
            Some(PolicyError::ZeroDelay),
        ),
        (
            good.with_growth(Growth::Exponential(0)),
            Some(PolicyError::ZeroFactor),
        ),
        (
            good.with_jitter(-0.1),
            Some(PolicyError::JitterOutOfRange(-0.1)),
        ),
        (
            good.with_jitter(1.1),
            Some(PolicyError::JitterOutOfRange(1.1)),
        ),
    ];
    for (policy, expected) in table {
        assert_eq!(policy.validate().err(), expected, "{policy:?}");
    }
    for jitter in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = good.with_jitter(jitter).validate().expect_err("no number");
        assert!(matches!(error, PolicyError::JitterOutOfRange(_)));
        assert!(error.to_string().contains("not from 0 to 1"));
    }
}

#[test]
fn an_invalid_policy_is_bent_not_obeyed() {
    let now = Instant::now();
    let policy = ReconnectPolicy::linear(9 * S, S).with_growth(Growth::Exponential(0));
    for jitter in [f64::NAN, -5.0, 5.0] {
        let mut backoff = Backoff::new(policy.with_jitter(jitter));
        for _ in 0..3 {
            assert_eq!(backoff.on_close(now, 0), Some(S));
            let delay = backoff.on_close(now, u64::MAX);
            assert!(delay <= Some(S) && delay.is_some());
        }
    }
}
