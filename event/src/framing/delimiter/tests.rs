#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails
use super::*;

#[test]
fn first_place_of_a_needle() {
    let table: [(&[u8], &[u8], Option<usize>); 8] = [
        (b"", b"a", None),
        (b"a", b"ab", None),
        (b"ab", b"ab", Some(0)),
        (b"aab", b"ab", Some(1)),
        (b"aaaab", b"aab", Some(2)),
        (b"ababac", b"abac", Some(2)),
        (b"abab", b"abac", None),
        (b"xabxab", b"ab", Some(1)),
    ];
    for (haystack, needle, at) in table {
        assert_eq!(find(haystack, needle), at, "{haystack:?} {needle:?}");
    }
}

#[test]
fn only_the_seam_is_searched_of_what_is_held() {
    let delimiter = Delimiter::new(b"ab").expect("two bytes");
    // Held bytes that would match, were they looked at again.
    assert_eq!(delimiter.find_end(b"ab--", b"--ab", 99), Ok(Some(4)));
    assert_eq!(delimiter.find_end(b"ab-a", b"b", 99), Ok(Some(1)));
    assert_eq!(delimiter.find_end(b"ab-a", b"", 99), Ok(None));
}

#[test]
fn from_one_byte_to_sixteen() {
    for len in [0, 17, 1000] {
        let error = UnpackSettingError::DelimiterLength { len };
        assert_eq!(Delimiter::new(&vec![1; len]), Err(error));
    }
    for len in 1..=MAX_DELIMITER {
        let delimiter = Delimiter::new(&vec![1; len]).expect("in range");
        assert_eq!(delimiter.as_bytes(), vec![1; len]);
    }
    assert_eq!(Delimiter::new(b"\n"), Ok(Delimiter::byte(b'\n')));
}
