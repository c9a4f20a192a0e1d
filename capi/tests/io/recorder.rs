//! Callbacks that note what was called.

use crate::support::DEADLINE;
use hvloop_capi::io::callbacks::hvloop_io_callbacks;
use hvloop_capi::io::common::hvloop_io_id;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::udp::hvloop_udp_callbacks;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Instant;

/// What was called, and of which handle: its number, 0 of NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Open(u64),
    Message(u64, Vec<u8>),
    Written(u64, usize),
    Error(u64, i32),
    Close(u64, i32, String),
    Dropped,
}

impl Event {
    pub fn is_close(&self) -> bool {
        matches!(self, Self::Close(..))
    }

    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }
}

type Hook = Arc<dyn Fn(&Event, *mut hvloop_io) + Send + Sync>;

/// See the module.
#[derive(Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    told: Condvar,
    hook: OnceLock<Hook>,
    /// Nothing may be called any more.
    pub over: AtomicBool,
    /// How many calls came all the same.
    pub late: AtomicUsize,
}

impl Recorder {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One that does something in each call, too.
    pub fn with(hook: impl Fn(&Event, *mut hvloop_io) + Send + Sync + 'static) -> Arc<Self> {
        let recorder = Self::new();
        assert!(recorder.hook.set(Arc::new(hook)).is_ok());
        recorder
    }

    fn record(&self, event: Event, io: *mut hvloop_io) {
        if self.over.load(Ordering::SeqCst) && event != Event::Dropped {
            self.late.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(hook) = self.hook.get() {
            hook(&event, io);
        }
        self.events.lock().unwrap().push(event);
        self.told.notify_all();
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub fn count(&self, f: impl Fn(&Event) -> bool) -> usize {
        self.events().iter().filter(|event| f(event)).count()
    }

    /// The bytes that came, of all connections.
    pub fn bytes(&self) -> Vec<u8> {
        bytes_of(&self.events())
    }

    /// Waits until these bytes, and no others, have come, of all connections.
    pub fn wait_bytes(&self, what: &str, bytes: &[u8]) {
        self.wait(what, |events| bytes_of(events) == bytes);
    }

    /// The ends, in order: of which handle, the error, the reason.
    pub fn closes(&self) -> Vec<(u64, i32, String)> {
        let close = |event: Event| match event {
            Event::Close(id, error, reason) => Some((id, error, reason)),
            _ => None,
        };
        self.events().into_iter().filter_map(close).collect()
    }

    /// Waits until the events are so.
    pub fn wait(&self, what: &str, f: impl Fn(&[Event]) -> bool) {
        let end = Instant::now() + DEADLINE;
        let mut events = self.events.lock().unwrap();
        while !f(&events) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not in time: {what}: {events:?}");
            events = self.told.wait_timeout(events, left).unwrap().0;
        }
    }

    pub fn wait_count(&self, what: &str, count: usize, f: impl Fn(&Event) -> bool) {
        self.wait(what, |events| {
            events.iter().filter(|e| f(e)).count() >= count
        });
    }

    pub fn callbacks(self: &Arc<Self>) -> hvloop_io_callbacks {
        hvloop_io_callbacks {
            on_open: Some(on_open),
            on_message: Some(on_message),
            on_write_complete: Some(on_written),
            on_close: Some(on_close),
            drop: Some(on_drop),
            data: Arc::into_raw(self.clone()).cast_mut().cast(),
        }
    }

    pub fn udp_callbacks(self: &Arc<Self>) -> hvloop_udp_callbacks {
        hvloop_udp_callbacks {
            on_message: Some(on_datagram),
            on_write_complete: Some(on_written),
            on_error: Some(on_error),
            on_close: Some(on_close),
            drop: Some(on_drop),
            data: Arc::into_raw(self.clone()).cast_mut().cast(),
        }
    }
}

fn bytes_of(events: &[Event]) -> Vec<u8> {
    let bytes = |event: &Event| match event {
        Event::Message(_, bytes) => bytes.clone(),
        _ => Vec::new(),
    };
    events.iter().flat_map(bytes).collect()
}

fn recorder<'a>(data: *mut c_void) -> &'a Recorder {
    unsafe { &*data.cast::<Recorder>() }
}

fn id(io: *mut hvloop_io) -> u64 {
    match io.is_null() {
        true => 0,
        false => unsafe { hvloop_io_id(io) },
    }
}

unsafe extern "C" fn on_open(data: *mut c_void, io: *mut hvloop_io) {
    recorder(data).record(Event::Open(id(io)), io);
}

unsafe extern "C" fn on_message(
    data: *mut c_void,
    io: *mut hvloop_io,
    bytes: *const c_void,
    size: usize,
) {
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) };
    recorder(data).record(Event::Message(id(io), bytes.to_vec()), io);
}

unsafe extern "C" fn on_datagram(
    data: *mut c_void,
    io: *mut hvloop_io,
    bytes: *const c_void,
    size: usize,
    address: *const c_void,
    length: u32,
) {
    assert!(!address.is_null() && length >= 16);
    unsafe { on_message(data, io, bytes, size) };
}

unsafe extern "C" fn on_written(data: *mut c_void, io: *mut hvloop_io, size: usize) {
    recorder(data).record(Event::Written(id(io), size), io);
}

unsafe extern "C" fn on_error(
    data: *mut c_void,
    io: *mut hvloop_io,
    error: c_int,
    _reason: *const c_char,
) {
    recorder(data).record(Event::Error(id(io), error), io);
}

unsafe extern "C" fn on_close(
    data: *mut c_void,
    io: *mut hvloop_io,
    error: c_int,
    reason: *const c_char,
) {
    let reason = unsafe { CStr::from_ptr(reason) };
    let reason = reason.to_str().expect("UTF-8").to_owned();
    recorder(data).record(Event::Close(id(io), error, reason), io);
}

unsafe extern "C" fn on_drop(data: *mut c_void) {
    let recorder = unsafe { Arc::from_raw(data.cast_const().cast::<Recorder>()) };
    recorder.record(Event::Dropped, std::ptr::null_mut());
}
