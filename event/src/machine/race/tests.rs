use super::*;
use std::net::SocketAddr;

const DELAY: u64 = 250;

/// What happens to the race, at a time in milliseconds.
#[derive(Debug, Clone, Copy)]
enum Event {
    Poll,
    Failed(usize),
}

/// What [`Action`] is expected, with times in milliseconds and addresses by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Start(usize),
    Until(u64),
    Wait,
    Failed,
}

use Event::Poll;
use Expect::{Start, Until, Wait};

fn run(count: u16, script: &[(u64, Event, Expect)]) {
    let zero = Instant::now();
    let at = |ms| zero + Duration::from_millis(ms);
    let address = |n: u16| SocketAddr::from(([127, 0, 0, 1], 1000 + n));
    let addresses = (0..count).map(address).collect();
    let mut race = ConnectRace::new(addresses, zero, Duration::from_millis(DELAY));
    for (step, &(ms, event, expect)) in script.iter().enumerate() {
        match event {
            Poll => {}
            Event::Failed(index) => race.on_failed(index, at(ms)),
        }
        let expected = match expect {
            Start(index) => Action::Start(index, address(index as u16)),
            Until(ms) => Action::WaitUntil(at(ms)),
            Wait => Action::Wait,
            Expect::Failed => Action::Failed,
        };
        assert_eq!(
            race.poll(at(ms)),
            expected,
            "step {step}: {event:?} at {ms}"
        );
    }
}

#[test]
fn no_address_has_failed() {
    run(0, &[(0, Poll, Expect::Failed)]);
}

#[test]
fn one_address() {
    let (start, wait) = ((0, Poll, Start(0)), (900, Poll, Wait));
    run(1, &[start, wait, (901, Event::Failed(0), Expect::Failed)]);
}

#[test]
fn the_next_starts_after_the_delay_of_the_one_before() {
    run(
        3,
        &[
            (0, Poll, Start(0)),
            (0, Poll, Until(250)),
            (249, Poll, Until(250)),
            // Polled late: the delay counts from the start.
            (260, Poll, Start(1)),
            (260, Poll, Until(510)),
            (510, Poll, Start(2)),
            (510, Poll, Wait),
            (9000, Poll, Wait),
        ],
    );
}

#[test]
fn first_address_refused() {
    run(
        3,
        &[
            (0, Poll, Start(0)),
            (5, Event::Failed(0), Start(1)),
            (5, Poll, Until(255)),
            (255, Poll, Start(2)),
            // Of two that run, one fails: nothing is left to start.
            (256, Event::Failed(1), Wait),
            (257, Event::Failed(2), Expect::Failed),
        ],
    );
}

#[test]
fn a_failure_is_counted_once() {
    run(
        2,
        &[
            (0, Event::Failed(0), Start(0)),
            (1, Event::Failed(1), Until(250)),
            (1, Event::Failed(7), Until(250)),
            (2, Event::Failed(0), Start(1)),
            (3, Event::Failed(0), Wait),
            (4, Event::Failed(1), Expect::Failed),
            (5, Event::Failed(1), Expect::Failed),
        ],
    );
}

#[test]
fn an_endless_delay_starts_the_next_on_failure_alone() {
    let zero = Instant::now();
    let addresses = vec![SocketAddr::from(([1, 1, 1, 1], 1)); 2];
    let mut race = ConnectRace::new(addresses, zero, Duration::MAX);
    assert!(matches!(race.poll(zero), Action::Start(0, _)));
    assert_eq!(race.poll(zero), Action::Wait);
    race.on_failed(0, zero);
    assert!(matches!(race.poll(zero), Action::Start(1, _)));
}
