//! What C holds: counted, opaque, and told apart from what it is not.

use crate::error::{Failure, Outcome, hvloop_error};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Its address is another one in each copy of the library that a program has.
static COPY: AtomicU8 = AtomicU8::new(0);

/// A type of which C only sees pointers.
pub(crate) trait Opaque {
    /// What these really point to.
    type Body;
    /// No two types have the same one.
    const KIND: usize;
}

/// What a pointer to an `O` points to.
#[repr(C)]
pub(crate) struct Object<O: Opaque> {
    /// First, so that it is found in an object of another kind, too.
    magic: AtomicUsize,
    pub(crate) body: O::Body,
}

impl<O: Opaque> Object<O> {
    fn magic() -> usize {
        (&raw const COPY).addr().rotate_left(16) ^ O::KIND.wrapping_mul(0x9e37_79b9)
    }

    /// One that C does not know yet.
    pub(crate) fn new(body: O::Body) -> Arc<Self> {
        let magic = AtomicUsize::new(Self::magic());
        Arc::new(Self { magic, body })
    }
}

impl<O: Opaque> Drop for Object<O> {
    fn drop(&mut self) {
        // Found by those who come too late, if they are lucky.
        self.magic.store(0, Ordering::Relaxed);
    }
}

/// Gives C one count of it.
pub(crate) fn give<O: Opaque>(object: Arc<Object<O>>) -> *mut O {
    Arc::into_raw(object).cast_mut().cast()
}

/// What C calls it, for as long as somebody has a count: for the time of a callback.
pub(crate) fn lend<O: Opaque>(object: &Arc<Object<O>>) -> *mut O {
    Arc::as_ptr(object).cast_mut().cast()
}

/// What C points to, for the time of a call.
///
/// # Errors
///
/// It is NULL, or no handle of this kind.
///
/// # Safety
///
/// The pointer is NULL, or that of an object that some copy of the library gave, and of which the caller has a
/// count for as long as the result is used.
pub(crate) unsafe fn get<'a, O: Opaque>(handle: *const O) -> Outcome<&'a Object<O>> {
    if handle.is_null() {
        return Err(Failure::new(hvloop_error::Null, "the handle is NULL"));
    }
    let magic = handle.cast::<AtomicUsize>();
    // SAFETY: each object begins with its magic, whatever its kind, by the caller's word.
    let magic = unsafe { &*magic };
    if magic.load(Ordering::Relaxed) != Object::<O>::magic() {
        let text = "the handle is of another kind, of another copy of hvloop, or was freed";
        return Err(Failure::new(hvloop_error::Handle, text));
    }
    // SAFETY: it is of this kind and of this copy.
    Ok(unsafe { &*handle.cast::<Object<O>>() })
}

/// One more count of what C points to, for Rust.
///
/// # Errors
///
/// As [`get`].
///
/// # Safety
///
/// As [`get`].
pub(crate) unsafe fn share<O: Opaque>(handle: *const O) -> Outcome<Arc<Object<O>>> {
    // SAFETY: the caller's word.
    unsafe { get(handle)? };
    let object = handle.cast::<Object<O>>();
    // SAFETY: made by `Arc::into_raw`, as all handles of this copy are; the caller has a count.
    unsafe { Arc::increment_strong_count(object) };
    // SAFETY: that count.
    Ok(unsafe { Arc::from_raw(object) })
}

/// Takes a count from C.
///
/// # Errors
///
/// As [`get`]; NULL is none, and nothing is done.
///
/// # Safety
///
/// As [`get`]; the caller does not use its count any more.
pub(crate) unsafe fn take<O: Opaque>(handle: *mut O) -> Outcome<Option<Arc<Object<O>>>> {
    if handle.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's word.
    unsafe { get(handle)? };
    // SAFETY: made by `Arc::into_raw`; the caller's count.
    Ok(Some(unsafe { Arc::from_raw(handle.cast::<Object<O>>()) }))
}

#[cfg(test)]
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "one promise for all")]
mod tests {
    use super::*;

    struct A;
    struct B;

    impl Opaque for A {
        type Body = String;
        const KIND: usize = 1001;
    }

    impl Opaque for B {
        type Body = [u64; 3];
        const KIND: usize = 1002;
    }

    #[test]
    fn a_handle_is_what_it_is() {
        let a: *mut A = give(Object::<A>::new("a".to_owned()));
        // SAFETY: one count, which is given back at the end.
        unsafe {
            assert_eq!(get(a).expect("it is one").body, "a");
            let other = get(a.cast::<B>()).err().expect("it is none");
            assert_eq!(other.code, hvloop_error::Handle);
            let none = get(std::ptr::null::<A>()).err().expect("it is none");
            assert_eq!(none.code, hvloop_error::Null);
            let shared = share(a).expect("it is one");
            assert_eq!(Arc::strong_count(&shared), 2);
            drop(take(a).expect("it is one"));
            assert_eq!(Arc::strong_count(&shared), 1);
            assert!(take(std::ptr::null_mut::<B>()).expect("nothing").is_none());
        }
    }
}
