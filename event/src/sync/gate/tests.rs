//! The gate on one thread; every interleaving: [`super::super::models`].

use super::*;

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<Gate>();
};

fn gate() -> Gate {
    Gate::new(Duration::from_secs(5))
}

/// A gate in this phase, with that many holds.
fn gate_in(phase: Phase, holds: u64) -> Gate {
    let gate = gate();
    for _ in 0..holds {
        assert!(gate.acquire());
    }
    if phase > Phase::Idle {
        assert_eq!(gate.begin_run(7), Ok(()));
    }
    if phase == Phase::Paused {
        assert!(gate.pause());
    }
    if phase >= Phase::Draining {
        assert!(gate.request_stop(None));
        gate.begin_drain();
    }
    if phase >= Phase::Closing {
        assert_eq!(gate.force_close(), holds);
    }
    if phase == Phase::Stopped {
        gate.finish();
    }
    assert_eq!((gate.phase(), gate.holds()), (phase, holds));
    gate
}

const PHASES: [Phase; 6] = [
    Phase::Idle,
    Phase::Running,
    Phase::Paused,
    Phase::Draining,
    Phase::Closing,
    Phase::Stopped,
];

#[test]
fn the_owner_is_there_from_running_to_closing() {
    for phase in PHASES {
        let owned = !matches!(phase, Phase::Idle | Phase::Stopped);
        assert_eq!(gate_in(phase, 0).owner(), if owned { 7 } else { 0 });
    }
}

#[test]
fn a_loop_runs_once_and_on_one_thread() {
    for phase in PHASES {
        let expected = match phase {
            Phase::Idle => Ok(()),
            Phase::Stopped => Err(BeginRunError::Closed),
            _ => Err(BeginRunError::AlreadyRunning),
        };
        for owner in [7, 8] {
            let gate = gate_in(phase, 0);
            let before = gate.owner();
            assert_eq!(gate.begin_run(owner), expected, "{phase}");
            let after = if expected.is_ok() { owner } else { before };
            assert_eq!(gate.owner(), after, "{phase}");
        }
    }
}

#[test]
fn holds_are_taken_until_closing_and_given_back_always() {
    for phase in PHASES {
        let gate = gate_in(phase, 2);
        let open = phase < Phase::Closing;
        assert_eq!(gate.acquire(), open, "{phase}");
        if open {
            assert!(!gate.release(), "{phase}");
        }
        assert!(!gate.release(), "{phase}");
        let last = phase == Phase::Draining;
        assert_eq!(gate.release(), last, "{phase}");
        assert_eq!((gate.phase(), gate.holds()), (phase, 0));
    }
}

#[test]
fn only_a_drained_loop_closes() {
    for phase in PHASES {
        for holds in [0, 1] {
            let gate = gate_in(phase, holds);
            let may = phase == Phase::Draining && holds == 0;
            assert_eq!(gate.try_close(), may, "{phase}, {holds} holds");
            let after = if may { Phase::Closing } else { phase };
            assert_eq!(gate.phase(), after, "{phase}, {holds} holds");
        }
    }
}

#[test]
fn a_stop_is_latched_in_every_phase() {
    for phase in PHASES {
        let gate = gate_in(phase, 1);
        let first = phase < Phase::Draining;
        assert_eq!(gate.request_stop(None), first, "{phase}");
        assert!(!gate.request_stop(None), "{phase}");
        assert!(gate.stop_requested(), "{phase}");
        assert_eq!((gate.phase(), gate.holds()), (phase, 1));
    }
}

#[test]
fn a_stop_before_the_run_stays() {
    let gate = gate();
    assert!(gate.request_stop(None));
    assert_eq!(gate.begin_run(1), Ok(()));
    assert!(gate.stop_requested());
}

#[test]
fn pause_and_resume_work_until_a_stop() {
    for phase in PHASES {
        let gate = gate_in(phase, 0);
        assert_eq!(gate.pause(), phase < Phase::Paused, "{phase}");
        assert!(!gate.pause(), "{phase}");
        assert_eq!(gate.resume(), phase <= Phase::Paused, "{phase}");
        assert!(!gate.resume(), "{phase}");
        let paused = phase <= Phase::Paused && gate.pause();
        gate.request_stop(None);
        assert!(!gate.pause() && !gate.resume(), "{phase}");
        if paused && phase > Phase::Idle {
            assert_eq!(gate.phase(), Phase::Paused);
            gate.begin_drain();
            assert_eq!(gate.phase(), Phase::Draining);
        }
    }
}

#[test]
fn a_pause_before_the_run_holds_it() {
    let gate = gate();
    assert!(gate.pause());
    assert_eq!(gate.phase(), Phase::Idle);
    assert_eq!(gate.begin_run(1), Ok(()));
    assert_eq!(gate.phase(), Phase::Paused);
}

#[test]
fn the_drain_limit_is_only_shortened() {
    let gate = gate();
    for (limit, expected) in [(9, 5), (3, 3), (4, 3), (0, 0), (1, 0)] {
        gate.request_stop(Some(Duration::from_secs(limit)));
        assert_eq!(gate.drain_timeout(), Duration::from_secs(expected));
    }
    let for_ever = Gate::new(Duration::MAX);
    assert_eq!(for_ever.drain_timeout(), Duration::from_nanos(u64::MAX));
}

#[test]
fn a_wait_ends_with_its_time_or_the_loop() {
    let gate = gate();
    assert!(!gate.wait_stopped(Some(Duration::ZERO)));
    gate.finish();
    assert!(gate.wait_stopped(Some(Duration::ZERO)));
    assert!(gate.wait_stopped(Some(Duration::MAX)));
    assert!(gate.wait_stopped(None));
}
