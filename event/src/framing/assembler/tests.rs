#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails
use super::*;

#[test]
fn what_is_left_to_the_next_rule() {
    let mut assembler = Assembler::new(Rule::Fixed(3), 9);
    let mut seen = Vec::new();
    let mut data = *b"abcdefghi";
    let result = assembler.run(&mut data, |package| {
        seen.push(package.to_vec());
        match seen.len() {
            1 => AfterPackage::Change(Rule::Fixed(2)),
            2 => AfterPackage::Change(Rule::Any),
            _ => AfterPackage::Stop,
        }
    });
    assert_eq!(result, Ok(()));
    assert_eq!(seen, [b"abc".as_slice(), b"de", b"fghi"]);
    assert_eq!((assembler.held(), assembler.capacity()), (0, 0));
}

#[test]
fn a_rule_that_is_changed_sees_what_is_held_again() {
    let mut assembler = Assembler::new(Rule::Fixed(9), 9);
    assembler
        .run(&mut b"ab".to_vec(), |_| AfterPackage::Stop)
        .unwrap();
    assembler.keep(b"cd").unwrap();
    assert_eq!((assembler.held(), assembler.partial), (4, false));
    assembler.run(&mut [], |_| AfterPackage::Stop).unwrap();
    assert!(assembler.partial);
    assembler.set(Rule::Fixed(4), 9);
    let mut seen = Vec::new();
    assembler
        .run(&mut b"x".to_vec(), |package| {
            seen = package.to_vec();
            AfterPackage::Stop
        })
        .unwrap();
    assert_eq!(
        (seen.as_slice(), assembler.take().as_slice()),
        (b"abcd".as_slice(), b"x".as_slice())
    );
}

#[test]
fn a_lower_limit_holds_for_what_is_held() {
    let mut assembler = Assembler::new(Rule::Fixed(9), 9);
    assembler.run(&mut [1; 8], |_| AfterPackage::Stop).unwrap();
    assembler.set(Rule::Fixed(9), 8);
    let error = UnpackError::TooLong {
        limit: 8,
        size: Some(9),
    };
    assert_eq!(assembler.run(&mut [], |_| AfterPackage::Stop), Err(error));
    assert_eq!(assembler.keep(&[1]), Err(error));
    assert_eq!(assembler.held(), 0);
}

#[test]
fn the_bytes_of_a_rest_move_a_bounded_number_of_times() {
    const LEN: usize = 1 << 16;
    let mut assembler = Assembler::new(Rule::Fixed(2), 2);
    assembler
        .run(&mut [1; LEN], |_| AfterPackage::Stop)
        .unwrap();
    let (mut moved, mut head) = (0, assembler.head);
    for _ in 0..LEN {
        assembler.run(&mut [1; 2], |_| AfterPackage::Stop).unwrap();
        if assembler.head < head {
            moved += assembler.held();
        }
        head = assembler.head;
        assert!(assembler.capacity() <= 4 * assembler.held());
    }
    assert!(moved > 0 && moved <= 3 * LEN, "{moved}");
}

#[test]
fn a_growing_package_takes_memory_in_few_steps() {
    let mut assembler = Assembler::new(Rule::Fixed(1 << 20), 1 << 20);
    let (mut steps, mut capacity) = (0, 0);
    for _ in 0..1 << 16 {
        assembler.run(&mut [1], |_| AfterPackage::Stop).unwrap();
        steps += usize::from(assembler.capacity() != capacity);
        capacity = assembler.capacity();
    }
    assert!(steps < 20, "{steps}");
}

#[test]
fn a_package_that_is_through_is_not_kept_below_the_next() {
    let mut assembler = Assembler::new(Rule::Fixed(1000), 1000);
    assembler.run(&mut [1; 500], |_| AfterPackage::Go).unwrap();
    assembler.run(&mut [1; 1200], |_| AfterPackage::Go).unwrap();
    assert_eq!((assembler.held(), assembler.head), (700, 0));
}
