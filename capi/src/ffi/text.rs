//! Text, bytes and times, from C and to it.

use crate::error::{Failure, Outcome, hvloop_error};
use std::ffi::{CStr, c_char, c_void};
use std::time::Duration;

/// A text of C's.
///
/// # Errors
///
/// It is NULL, or not in UTF-8.
///
/// # Safety
///
/// NULL, or a text that ends with a NUL and stays what it is while the result is used.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Outcome<&'a str> {
    if text.is_null() {
        return Err(Failure::new(hvloop_error::Null, "the text is NULL"));
    }
    // SAFETY: the caller's word.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map_err(|_| Failure::argument("the text is not in UTF-8"))
}

/// Bytes of C's. No bytes may be at NULL.
///
/// # Errors
///
/// They are at NULL, or are more than there can be.
///
/// # Safety
///
/// There are so many bytes, which stay what they are while the result is used.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, size: usize) -> Outcome<&'a [u8]> {
    if size == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::new(hvloop_error::Null, "the bytes are at NULL"));
    }
    if isize::try_from(size).is_err() {
        return Err(Failure::argument("so many bytes there are not"));
    }
    // SAFETY: the caller's word; not at NULL, and no more than there can be.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), size) })
}

/// Writes a result to where C wants it; NULL: nowhere.
///
/// # Safety
///
/// NULL, or a place for one.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: the caller's word.
        unsafe { place.write(value) }
    }
}

/// A time in milliseconds; -1: none.
///
/// # Errors
///
/// It is negative otherwise.
pub(crate) fn millis(ms: i64) -> Outcome<Option<Duration>> {
    match u64::try_from(ms) {
        Ok(ms) => Ok(Some(Duration::from_millis(ms))),
        Err(_) if ms == -1 => Ok(None),
        Err(_) => Err(Failure::argument(format!("{ms} ms is no time"))),
    }
}

/// A time that has to be there.
///
/// # Errors
///
/// It is negative.
pub(crate) fn some_millis(ms: i64) -> Outcome<Duration> {
    millis(ms)?.ok_or_else(|| Failure::argument("a time is needed"))
}

/// In whole milliseconds, none of which is cut off; as many as there are at the most.
pub(crate) fn to_millis(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "one promise for all")]
mod tests {
    use super::*;

    #[test]
    fn what_c_gives_is_checked() {
        // SAFETY: texts and bytes that are there.
        unsafe {
            assert_eq!(text(c"tëxt".as_ptr()).expect("UTF-8"), "tëxt");
            let latin = text(c"t\xebxt".as_ptr()).expect_err("not in UTF-8");
            assert_eq!(latin.code, hvloop_error::Argument);
            assert_eq!(
                text(std::ptr::null()).expect_err("NULL").code,
                hvloop_error::Null
            );
            assert_eq!(bytes(std::ptr::null(), 0).expect("none"), b"");
            let null = bytes(std::ptr::null(), 1).expect_err("NULL");
            assert_eq!(null.code, hvloop_error::Null);
            let many = bytes(b"a".as_ptr().cast(), usize::MAX).expect_err("too many");
            assert_eq!(many.code, hvloop_error::Argument);
            assert_eq!(bytes(b"ab".as_ptr().cast(), 2).expect("two"), b"ab");
        }
    }

    #[test]
    fn times() {
        assert_eq!(millis(-1).expect("none"), None);
        assert_eq!(millis(0).expect("zero"), Some(Duration::ZERO));
        assert!(millis(-2).is_err() && some_millis(-1).is_err());
        assert_eq!(to_millis(Duration::from_micros(1001)), 2);
        assert_eq!(to_millis(Duration::MAX), i64::MAX);
    }
}
