//! Makes a failing history short: fewer actions, fewer clients that matter, fewer faults.

use crate::history::History;
use hvloop_event::sim::Faults;

/// The shortest history found that still fails, by `fails`.
pub fn shrink(history: &History, fails: impl Fn(&History) -> bool) -> History {
    let mut best = history.clone();
    loop {
        let before = size(&best);
        fewer_actions(&mut best, &fails);
        fewer_faults(&mut best, &fails);
        if size(&best) == before {
            return best;
        }
    }
}

fn size(history: &History) -> (usize, usize) {
    let faults = CALMER.iter().filter(|calm| {
        let mut calmed = history.faults.clone();
        calm(&mut calmed);
        calmed != history.faults
    });
    (history.actions.len(), faults.count())
}

/// Takes out halves, quarters and so on, down to single actions.
fn fewer_actions(best: &mut History, fails: &impl Fn(&History) -> bool) {
    let mut chunk = best.actions.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < best.actions.len() {
            let mut shorter = best.clone();
            let end = (at + chunk).min(shorter.actions.len());
            shorter.actions.drain(at..end);
            if fails(&shorter) {
                *best = shorter;
            } else {
                at += chunk;
            }
        }
        if chunk == 1 {
            return;
        }
        chunk = chunk.div_ceil(2);
    }
}

/// Each makes the world behave better in one way.
const CALMER: [fn(&mut Faults); 18] = [
    |faults| faults.short_read = 0.0,
    |faults| faults.short_write = 0.0,
    |faults| faults.read_stop = 0.0,
    |faults| faults.interrupted = 0.0,
    |faults| faults.poll_interrupted = 0.0,
    |faults| faults.spurious = 0.0,
    |faults| faults.postponed = 0.0,
    |faults| faults.late_wake = 0.0,
    |faults| faults.oversleep = 0.0,
    |faults| faults.no_fd = 0.0,
    |faults| faults.no_thread = 0.0,
    |faults| faults.reset = 0.0,
    |faults| faults.accept_gone = 0.0,
    |faults| faults.accept_exhausted = 0.0,
    |faults| faults.datagram_lost = 0.0,
    |faults| faults.datagram_twice = 0.0,
    |faults| faults.datagram_refused = 0.0,
    |faults| faults.poll_fails = 0.0,
];

fn fewer_faults(best: &mut History, fails: &impl Fn(&History) -> bool) {
    for calm in CALMER {
        let mut calmer = best.clone();
        calm(&mut calmer.faults);
        if calmer.faults != best.faults && fails(&calmer) {
            *best = calmer;
        }
    }
}
