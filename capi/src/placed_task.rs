//! Tasks whose data have their place in the task itself: one allocation for each, as for a Rust closure.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::event_loop::hvloop_loop;
use crate::ffi::boundary::{boundary, status};
use hvloop::LocalLoop;
use hvloop::event::Task;
use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, offset_of};

/// The most bytes that a place has.
pub const HVLOOP_PLACE_SIZE: usize = 128;

type Call = unsafe extern "C" fn(data: *mut c_void);

/// What comes before the bytes of a place.
#[repr(C)]
struct Head {
    /// The size of the place.
    size: usize,
    call: Option<Call>,
    drop: Option<Call>,
}

/// A task, with a place for so many bytes of C's.
#[repr(C)]
struct Placed<const SIZE: usize> {
    head: Head,
    bytes: Bytes<SIZE>,
}

#[repr(C, align(16))]
struct Bytes<const SIZE: usize>([MaybeUninit<u8>; SIZE]);

/// From the head to the bytes, whatever their number.
const OFFSET: usize = offset_of!(Placed<16>, bytes);

// SAFETY: who gives a task lets its data be used on the loop's thread and given up there: a rule of the ABI.
unsafe impl<const SIZE: usize> Send for Placed<SIZE> {}

impl<const SIZE: usize> Task for Placed<SIZE> {
    fn run(mut self: Box<Self>, _: &LocalLoop) {
        if let Some(call) = self.head.call {
            // SAFETY: what is called, and with what, is C's own; once, on the loop's thread. It is where it was made.
            unsafe { call((&raw mut self.bytes).cast()) }
        }
    }
}

impl<const SIZE: usize> Drop for Placed<SIZE> {
    fn drop(&mut self) {
        if let Some(drop) = self.head.drop {
            // SAFETY: called once, after the last call, as whoever gave it was promised. Nobody has moved it.
            unsafe { drop((&raw mut self.bytes).cast()) }
        }
    }
}

impl<const SIZE: usize> Placed<SIZE> {
    /// Gives the place of a new one away.
    fn give() -> *mut c_void {
        const { assert!(offset_of!(Self, bytes) == OFFSET) };
        let head = Head {
            size: SIZE,
            call: None,
            drop: None,
        };
        let placed = Box::new(Self {
            head,
            bytes: Bytes([MaybeUninit::uninit(); SIZE]),
        });
        let whole = Box::into_raw(placed);
        // SAFETY: the bytes are within it.
        unsafe { (&raw mut (*whole).bytes).cast() }
    }
}

/// Takes a place back that was given away.
///
/// # Safety
///
/// Of `Placed::give`, and not taken back yet.
unsafe fn take(place: *mut c_void, call: Option<Call>, drop: Option<Call>) -> Box<dyn Task> {
    let whole = place.wrapping_byte_sub(OFFSET);
    // SAFETY: there is a head before each place, and it is the caller's.
    let head = unsafe { &mut *whole.cast::<Head>() };
    head.call = call;
    head.drop = drop;
    match head.size {
        // SAFETY: each is taken back as what it was made as.
        16 => unsafe { Box::from_raw(whole.cast::<Placed<16>>()) },
        // SAFETY: the same.
        32 => unsafe { Box::from_raw(whole.cast::<Placed<32>>()) },
        // SAFETY: the same.
        64 => unsafe { Box::from_raw(whole.cast::<Placed<64>>()) },
        // SAFETY: the same.
        _ => unsafe { Box::from_raw(whole.cast::<Placed<HVLOOP_PLACE_SIZE>>()) },
    }
}

/// A place for the data of a task, of so many bytes, as aligned as any C type: to be filled, and then given to
/// `hvloop_loop_queue_placed`, or back by `hvloop_task_unplace`. NULL if it fails: a place has no more than
/// `HVLOOP_PLACE_SIZE` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_task_place(size: usize) -> *mut c_void {
    boundary(|| match size {
        0..=16 => Ok(Placed::<16>::give()),
        17..=32 => Ok(Placed::<32>::give()),
        33..=64 => Ok(Placed::<64>::give()),
        65..=HVLOOP_PLACE_SIZE => Ok(Placed::<HVLOOP_PLACE_SIZE>::give()),
        _ => Err(Failure::argument("no place is so large")),
    })
}

/// Gives a place back in which nothing is. NULL is allowed.
///
/// # Safety
///
/// NULL, or of `hvloop_task_place`, and the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_task_unplace(place: *mut c_void) {
    if !place.is_null() {
        boundary(|| {
            // SAFETY: the caller's word.
            drop(unsafe { take(place, None, None) });
            Ok(())
        });
    }
}

/// As `hvloop_loop_queue_in_loop`, with data that are in a place: `call(place)` is called once, and `drop(place)` follows,
/// or comes instead. The place is no more the caller's, also if this fails: `drop` was called then. 0, or a negative
/// `hvloop_error`: the loop takes no more.
///
/// # Safety
///
/// A loop; of `hvloop_task_place`, and the caller's; what is in it may be used, and dropped, on the loop's thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_loop_queue_placed(
    event_loop: *const hvloop_loop,
    place: *mut c_void,
    call: Option<unsafe extern "C" fn(place: *mut c_void)>,
    drop: Option<unsafe extern "C" fn(place: *mut c_void)>,
) -> c_int {
    status(|| {
        let null = |what: &str| Failure::new(hvloop_error::Null, format!("the {what} is NULL"));
        if place.is_null() {
            return Err(null("place"));
        }
        // SAFETY: the caller's word.
        let task = unsafe { take(place, call, drop) };
        call.ok_or_else(|| null("callback"))?;
        // SAFETY: the caller's word.
        let event_loop = unsafe { crate::event_loop::event_loop(event_loop)? };
        let queued: Outcome = event_loop.queue_task(task).map_err(|closed| {
            Failure::new(hvloop_error::Closed, closed.without_value().to_string())
        });
        queued
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static DROPS: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn call(place: *mut c_void) {
        // SAFETY: what the test has put there.
        CALLS.fetch_add(unsafe { *place.cast::<usize>() }, Ordering::SeqCst);
    }

    unsafe extern "C" fn drop_it(place: *mut c_void) {
        // SAFETY: what the test has put there.
        DROPS.fetch_add(unsafe { *place.cast::<usize>() }, Ordering::SeqCst);
    }

    #[test]
    fn each_is_dropped_once() {
        let event_loop = hvloop::EventLoop::new().expect("a loop");
        let handle = crate::share::share(&event_loop);
        for size in [8, 16, 17, 32, 33, 64, 65, HVLOOP_PLACE_SIZE] {
            let place = hvloop_task_place(size);
            assert_eq!(place.addr() % 16, 0);
            // SAFETY: there is a place for one.
            unsafe { place.cast::<usize>().write(1) };
            // SAFETY: a loop, and a place that is filled.
            let queued =
                unsafe { hvloop_loop_queue_placed(handle, place, Some(call), Some(drop_it)) };
            assert_eq!(queued, 0);
        }
        // SAFETY: nothing is in it.
        unsafe { hvloop_task_unplace(hvloop_task_place(8)) };
        assert!(hvloop_task_place(HVLOOP_PLACE_SIZE + 1).is_null());
        let stops = event_loop.clone();
        event_loop
            .queue_in_loop(move || stops.stop())
            .expect("open");
        event_loop.run().expect("it runs");
        assert_eq!(CALLS.load(Ordering::SeqCst), 8);
        assert_eq!(DROPS.load(Ordering::SeqCst), 8);
        // A loop that has stopped takes none, and gives it up.
        let place = hvloop_task_place(8);
        // SAFETY: as before.
        unsafe { place.cast::<usize>().write(100) };
        // SAFETY: as before.
        let queued = unsafe { hvloop_loop_queue_placed(handle, place, Some(call), Some(drop_it)) };
        assert_eq!(queued, hvloop_error::Closed as c_int);
        assert_eq!(DROPS.load(Ordering::SeqCst), 108);
        assert_eq!(CALLS.load(Ordering::SeqCst), 8);
        // SAFETY: the count of `share`.
        unsafe { crate::event_loop::hvloop_loop_release(handle) };
    }
}
