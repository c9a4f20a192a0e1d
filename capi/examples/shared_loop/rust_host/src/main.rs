//! A Rust program that has a C++ component on its loop: questions go one way, answers the other, and one `stop()`
//! ends both.

use hvloop::{EventLoop, TimerId};
use hvloop_capi::share;
use std::cell::Cell;
use std::error::Error;
use std::ffi::c_void;
use std::time::Duration;

const QUESTIONS: u32 = 5;

/// What `squares.h` declares.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn squares_new(
        event_loop: *mut c_void,
        answer: extern "C" fn(*mut c_void, u32, u32),
        data: *mut c_void,
    ) -> *mut Opaque;
    fn squares_ask(squares: *mut Opaque, n: u32);
    fn squares_free(squares: *mut Opaque);
}

/// The C++ component. On the loop's thread only: it is not `Send`.
struct Squares {
    inner: *mut Opaque,
    answers: Box<Answers>,
}

struct Answers {
    event_loop: EventLoop,
    sum: Cell<u32>,
}

impl Squares {
    fn new(event_loop: &EventLoop) -> Self {
        let answers = Box::new(Answers {
            event_loop: event_loop.clone(),
            sum: Cell::new(0),
        });
        let handle = share::share(event_loop);
        let data = (&raw const *answers).cast_mut().cast();
        // SAFETY: the handle is valid, and the answers are there for as long as the component is.
        let inner = unsafe { squares_new(handle.cast(), answered, data) };
        // SAFETY: the count that `share` gave; the component has its own.
        unsafe { hvloop_capi::event_loop::hvloop_loop_release(handle) };
        Self { inner, answers }
    }

    fn ask(&self, n: u32) {
        println!("rust asks for the square of {n}");
        // SAFETY: it was not freed yet.
        unsafe { squares_ask(self.inner, n) }
    }
}

impl Drop for Squares {
    fn drop(&mut self) {
        println!("the sum is {}", self.answers.sum.get());
        // SAFETY: once, and nothing is answered after it.
        unsafe { squares_free(self.inner) }
    }
}

/// C++ calls this on the loop's thread.
extern "C" fn answered(data: *mut c_void, n: u32, square: u32) {
    println!("c++ answers that of {n}: {square}");
    // SAFETY: what `Squares::new` gave.
    let answers = unsafe { &*data.cast::<Answers>() };
    answers.sum.set(answers.sum.get() + square);
    if n == QUESTIONS {
        answers.event_loop.stop();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::new()?;
    event_loop.with_local(|local| {
        let squares = Squares::new(&local.event_loop());
        let asked = Cell::new(0);
        // The loop owns the component, and drops it on its own thread when it has stopped.
        local.set_interval(Duration::from_millis(5), move |_: TimerId| {
            if asked.get() < QUESTIONS {
                asked.set(asked.get() + 1);
                squares.ask(asked.get());
            }
        });
    })?;
    let report = event_loop.run()?;
    println!(
        "one report: {}",
        if report.is_clean() {
            "clean"
        } else {
            "not clean"
        }
    );
    Ok(())
}
