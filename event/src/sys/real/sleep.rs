//! Sleeps until something is ready or a time has come.
//!
//! mio's `epoll_wait` counts in milliseconds, and the system adds a thousandth of a long sleep to it. So on Linux
//! what is short, and the end of what is long, is a sleep of `ppoll`, which counts in nanoseconds but has to ask
//! `epoll_wait` what is ready. A loop that others wake before its time makes one call, and so does one that
//! nobody wakes.

use crate::sys::Wait;
use std::io;

/// As [`mio::Poll::poll`]: what is ready is in `events`, and nothing if the time has come. `quiet`: that was
/// so the last time, and is expected to be so again.
///
/// # Errors
///
/// What the system said.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn sleep(
    poll: &mut mio::Poll,
    events: &mut mio::Events,
    wait: Wait,
    _quiet: bool,
) -> io::Result<()> {
    poll.poll(events, wait.left())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use exact::sleep;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod exact {
    use super::{Wait, io};
    use crate::sys::clock;
    use rustix::event::{PollFd, PollFlags, Timespec};
    use std::time::Duration;

    /// A sleep is one of `ppoll` alone if it is shorter than that where others wake the loop,
    const SHORT: Duration = Duration::from_millis(2);
    /// and than that where nobody does. The system adds 50 us to it.
    const SHORT_IF_QUIET: Duration = Duration::from_millis(50);
    /// The system may add so much of a longer sleep to it: a thousandth, or five of them for a process that is
    /// nice,
    const SLACK: u32 = 200;
    /// and no more than that.
    const MOST_SLACK: Duration = Duration::from_millis(100);
    /// No sleep is shorter: to wake costs more than most timers do, and who has many of them shares it.
    const LEAST: Duration = Duration::from_micros(80);

    /// See the module.
    pub(in crate::sys::real) fn sleep(
        poll: &mut mio::Poll,
        events: &mut mio::Events,
        wait: Wait,
        quiet: bool,
    ) -> io::Result<()> {
        let Wait::Until(mut left, until) = wait else {
            return poll.poll(events, wait.left());
        };
        let short = if quiet { SHORT_IF_QUIET } else { SHORT };
        if left > short {
            let coarse = left - MOST_SLACK.min(left / SLACK);
            let whole = u64::try_from(coarse.as_millis()).unwrap_or(u64::MAX);
            poll.poll(events, Some(Duration::from_millis(whole)))?;
            left = until.saturating_duration_since(clock::now());
            if !events.is_empty() || left.is_zero() {
                return Ok(());
            }
        }
        let left = Timespec::try_from(left.max(LEAST)).ok();
        let mut fds = [PollFd::new(poll.registry(), PollFlags::IN)];
        if rustix::event::poll(&mut fds, left.as_ref())? == 0 {
            events.clear();
            return Ok(());
        }
        poll.poll(events, Some(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock;
    use std::time::Duration;

    /// Whatever the length, and whatever was expected: not early, and woken by what is ready.
    #[test]
    fn sleeps_are_not_too_short_and_can_be_ended() {
        let mut poll = mio::Poll::new().expect("a poller");
        let mut events = mio::Events::with_capacity(8);
        let waker = mio::Waker::new(poll.registry(), mio::Token(7)).expect("a waker");
        for micros in [1, 70, 999, 1_000, 1_001, 2_345, 52_345] {
            for quiet in [true, false] {
                let left = Duration::from_micros(micros);
                let until = clock::now() + left;
                sleep(&mut poll, &mut events, Wait::Until(left, until), quiet).expect("a sleep");
                assert!(events.is_empty());
                assert!(clock::now() >= until, "{left:?}, quiet: {quiet}");
                waker.wake().expect("a wake");
                let hour = Duration::from_secs(3600);
                for wait in [Wait::Until(left, until), Wait::Until(hour, until + hour)] {
                    sleep(&mut poll, &mut events, wait, quiet).expect("a sleep");
                    let tokens: Vec<_> = events.iter().map(|event| event.token()).collect();
                    assert_eq!(tokens, [mio::Token(7)]);
                    waker.wake().expect("a wake");
                }
                sleep(&mut poll, &mut events, Wait::No, quiet).expect("a look");
                assert!(!events.is_empty());
                sleep(&mut poll, &mut events, Wait::No, quiet).expect("a look");
                assert!(events.is_empty(), "told once");
            }
        }
    }
}
