#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails
use super::*;

#[test]
fn what_is_left_to_the_next_rule() {
    let mut gather = Gather::new(Rule::Fixed(3), 9);
    let mut seen = Vec::new();
    let mut data = *b"abcdefghi";
    let result = gather.run(&mut data, |package| {
        seen.push(package.to_vec());
        match seen.len() {
            1 => Step::Change(Rule::Fixed(2)),
            2 => Step::Change(Rule::Any),
            _ => Step::Stop,
        }
    });
    assert_eq!(result, Ok(()));
    assert_eq!(seen, [b"abc".as_slice(), b"de", b"fghi"]);
    assert_eq!((gather.held(), gather.capacity()), (0, 0));
}

#[test]
fn a_rule_that_is_changed_sees_what_is_held_again() {
    let mut gather = Gather::new(Rule::Fixed(9), 9);
    gather.run(&mut b"ab".to_vec(), |_| Step::Stop).unwrap();
    gather.keep(b"cd").unwrap();
    assert_eq!((gather.held(), gather.partial), (4, false));
    gather.run(&mut [], |_| Step::Stop).unwrap();
    assert!(gather.partial);
    gather.set(Rule::Fixed(4), 9);
    let mut seen = Vec::new();
    gather
        .run(&mut b"x".to_vec(), |package| {
            seen = package.to_vec();
            Step::Stop
        })
        .unwrap();
    assert_eq!(
        (seen.as_slice(), gather.take().as_slice()),
        (b"abcd".as_slice(), b"x".as_slice())
    );
}

#[test]
fn a_lower_limit_holds_for_what_is_held() {
    let mut gather = Gather::new(Rule::Fixed(9), 9);
    gather.run(&mut [1; 8], |_| Step::Stop).unwrap();
    gather.set(Rule::Fixed(9), 8);
    let error = UnpackError::TooLong {
        limit: 8,
        size: Some(9),
    };
    assert_eq!(gather.run(&mut [], |_| Step::Stop), Err(error));
    assert_eq!(gather.keep(&[1]), Err(error));
    assert_eq!(gather.held(), 0);
}

#[test]
fn the_bytes_of_a_rest_move_a_bounded_number_of_times() {
    const LEN: usize = 1 << 16;
    let mut gather = Gather::new(Rule::Fixed(2), 2);
    gather.run(&mut [1; LEN], |_| Step::Stop).unwrap();
    let (mut moved, mut head) = (0, gather.head);
    for _ in 0..LEN {
        gather.run(&mut [1; 2], |_| Step::Stop).unwrap();
        if gather.head < head {
            moved += gather.held();
        }
        head = gather.head;
        assert!(gather.capacity() <= 4 * gather.held());
    }
    assert!(moved > 0 && moved <= 3 * LEN, "{moved}");
}

#[test]
fn a_growing_package_takes_memory_in_few_steps() {
    let mut gather = Gather::new(Rule::Fixed(1 << 20), 1 << 20);
    let (mut steps, mut capacity) = (0, 0);
    for _ in 0..1 << 16 {
        gather.run(&mut [1], |_| Step::Stop).unwrap();
        steps += usize::from(gather.capacity() != capacity);
        capacity = gather.capacity();
    }
    assert!(steps < 20, "{steps}");
}

#[test]
fn a_package_that_is_through_is_not_kept_below_the_next() {
    let mut gather = Gather::new(Rule::Fixed(1000), 1000);
    gather.run(&mut [1; 500], |_| Step::Go).unwrap();
    gather.run(&mut [1; 1200], |_| Step::Go).unwrap();
    assert_eq!((gather.held(), gather.head), (700, 0));
}
