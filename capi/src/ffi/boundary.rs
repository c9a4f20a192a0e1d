//! Where C calls in: no panic gets out, and the thread's last error is kept.

use crate::error::{Failure, Outcome, hvloop_error};
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// What a function of the ABI returns.
pub(crate) trait Returned {
    /// What says that it failed.
    fn failed(code: hvloop_error) -> Self;
}

impl Returned for c_int {
    fn failed(code: hvloop_error) -> Self {
        code as Self
    }
}

impl Returned for i64 {
    fn failed(code: hvloop_error) -> Self {
        code as Self
    }
}

impl Returned for u64 {
    fn failed(_: hvloop_error) -> Self {
        0
    }
}

impl Returned for () {
    fn failed(_: hvloop_error) -> Self {}
}

impl<T> Returned for *mut T {
    fn failed(_: hvloop_error) -> Self {
        ptr::null_mut()
    }
}

impl<T> Returned for *const T {
    fn failed(_: hvloop_error) -> Self {
        ptr::null()
    }
}

/// Runs what a function of the ABI does.
pub(crate) fn boundary<R: Returned>(f: impl FnOnce() -> Outcome<R>) -> R {
    let failure = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(returned)) => return returned,
        Ok(Err(failure)) => failure,
        Err(payload) => Failure::new(hvloop_error::Panic, text_of(payload)),
    };
    let code = failure.code;
    keep(failure.text);
    R::failed(code)
}

/// As [`boundary`], for what returns 0 if it does not fail.
pub(crate) fn status(f: impl FnOnce() -> Outcome) -> c_int {
    boundary(|| f().map(|()| 0))
}

/// The text of a panic. Its payload may panic as it is dropped, which is the end of it.
fn text_of(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<String>().cloned().or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    });
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    text.map_or_else(|| "a panic".to_owned(), |text| format!("a panic: {text}"))
}

fn keep(text: String) {
    let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
    // Gone while the thread ends, and so is whoever would ask.
    let _ = LAST.try_with(|last| last.replace(text));
}

/// See [`hvloop_last_error`](crate::last_error::hvloop_last_error).
pub(crate) fn last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr())
        .unwrap_or(<&CStr>::default().as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> String {
        // SAFETY: the text of this thread, which fails nowhere meanwhile.
        let last = unsafe { CStr::from_ptr(last_error()) };
        last.to_str().expect("UTF-8").to_owned()
    }

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(status(|| panic!("at the {}", "disco")), -2);
        assert_eq!(last(), "a panic: at the disco");
        assert_eq!(boundary(|| Ok(7_u64)), 7);
        assert_eq!(last(), "a panic: at the disco", "kept until the next one");
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert!(boundary::<*mut u8>(|| std::panic::panic_any(Bomb)).is_null());
        assert_eq!(last(), "a panic");
    }

    #[test]
    fn errors_are_of_their_thread() {
        assert_eq!(status(|| Err(Failure::argument("too\0long"))), -3);
        assert_eq!(last(), "too long");
        std::thread::spawn(|| assert_eq!(last(), ""))
            .join()
            .expect("no panic");
    }
}
