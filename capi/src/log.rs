//! What hvloop, and C++ code beside it, has to say.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::callback::Callback;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// How much a line matters.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_log_level {
    /// Nothing at all, for `hvloop_log_set_level`.
    Off = 0,
    /// Something was lost, or does not work.
    Error = 1,
    /// Something that should not be.
    Warn = 2,
    /// What an operator may want to know.
    Info = 3,
    /// What a developer may want to know.
    Debug = 4,
    /// Each step.
    Trace = 5,
}

/// Who is told each line: `call(data, level, target, text)`, on any thread, on several at a time. `level` is a
/// `hvloop_log_level`; both texts are valid for the call, and `target` says who speaks. `drop(data)`, unless it is
/// NULL, comes exactly once, after the last call.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_log_handler {
    /// What is called. NULL: lines go to stderr.
    pub call: Option<
        unsafe extern "C" fn(
            data: *mut c_void,
            level: c_int,
            target: *const c_char,
            text: *const c_char,
        ),
    >,
    /// How `data` is given up; NULL: there is nothing to be done.
    pub drop: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// What both are called with.
    pub data: *mut c_void,
}

type Call = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char);

/// Where the `log` crate's records go, once C asked for it.
struct Sink(Mutex<Option<Arc<Callback<Call>>>>);

static SINK: Sink = Sink(Mutex::new(None));

impl Sink {
    /// Takes the process's records, unless a Rust program has a logger of its own.
    fn install(&'static self) -> Outcome {
        static INSTALLED: Mutex<bool> = Mutex::new(false);
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if *installed {
            return Ok(());
        }
        log::set_logger(self).map_err(|_| {
            Failure::new(hvloop_error::State, "the program has a logger of its own")
        })?;
        *installed = true;
        log::set_max_level(LevelFilter::Warn);
        Ok(())
    }

    fn handler(&self) -> Option<Arc<Callback<Call>>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let Some(handler) = self.handler() else {
            // Nobody is left to be told if stderr is closed.
            let _ = writeln!(
                std::io::stderr(),
                "{:<5} {}: {}",
                record.level(),
                record.target(),
                record.args()
            );
            return;
        };
        let target = c_text(record.target().to_owned());
        let text = c_text(record.args().to_string());
        let level = record.level() as c_int;
        // SAFETY: what is called, and with what, is C's own; on any thread, as it was told. Nothing is locked.
        unsafe { handler.function()(handler.data(), level, target.as_ptr(), text.as_ptr()) }
    }

    fn flush(&self) {}
}

fn c_text(text: String) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// Has each line told to somebody, instead of on stderr. 0, or a negative `hvloop_error`: the program is a Rust
/// program with a logger of its own, which gets the lines; `drop` was called then.
///
/// # Safety
///
/// The callback may be called on any thread, and dropped on any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_log_set_handler(handler: hvloop_log_handler) -> c_int {
    status(|| {
        let handler = match handler.call {
            None if handler.drop.is_none() => None,
            call => Some(Arc::new(Callback::new(call, handler.drop, handler.data)?)),
        };
        SINK.install()?;
        let mut sink = SINK.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *sink, handler);
        drop(sink);
        // With nothing locked.
        drop(before);
        Ok(())
    })
}

/// The lines that are told: those of this `hvloop_log_level`, and of those that matter more. Without a call these
/// are the warnings, once anything is told at all. 0, or a negative `hvloop_error`: it is none.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_log_set_level(level: c_int) -> c_int {
    status(|| {
        let level = match level {
            0 => LevelFilter::Off,
            level => self::level(level)?.to_level_filter(),
        };
        // Its own level, if a Rust program has a logger of its own.
        let _ = SINK.install();
        log::set_max_level(level);
        Ok(())
    })
}

/// The level of the lines that are told.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_log_max_level() -> c_int {
    boundary(|| Ok(log::max_level() as c_int))
}

/// Tells a line, to whoever is told hvloop's own: a handler, a Rust program's logger, else stderr. What is no
/// `hvloop_log_level` is an error; NULL is nothing; what is not in UTF-8 is told with marks in its place.
///
/// # Safety
///
/// NULL, or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_log_write(level: c_int, text: *const c_char) {
    if text.is_null() {
        return;
    }
    boundary(|| {
        // Its own way, if a Rust program has a logger of its own.
        let _ = SINK.install();
        // SAFETY: the caller's word; not NULL.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        log::log!(target: "c++", self::level(level)?, "{text}");
        Ok(())
    })
}

/// The thread's number, as the system has it: what debuggers and `top` show. 0: the system has none.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_thread_id() -> i64 {
    boundary(|| Ok(crate::ffi::thread::number()))
}

fn level(level: c_int) -> Outcome<Level> {
    match level {
        1 => Ok(Level::Error),
        2 => Ok(Level::Warn),
        3 => Ok(Level::Info),
        4 => Ok(Level::Debug),
        5 => Ok(Level::Trace),
        _ => Err(Failure::argument(format!("{level} is no hvloop_log_level"))),
    }
}
