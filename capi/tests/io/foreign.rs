//! Descriptors of the user's on a loop.

use crate::support::*;
use hvloop_capi::event_loop::*;
use hvloop_capi::io::common::*;
use hvloop_capi::io::foreign::*;
use hvloop_capi::io::hvloop_io;
use std::ffi::{c_int, c_void};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Reads what there is when it is told to.
struct Reader {
    stream: UnixStream,
    got: Mutex<Vec<u8>>,
    writable: AtomicUsize,
    dropped: AtomicUsize,
}

impl Reader {
    fn pair() -> (Arc<Self>, UnixStream) {
        let (stream, peer) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let reader = Self {
            stream,
            got: Mutex::default(),
            writable: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
        };
        (Arc::new(reader), peer)
    }

    fn callback(self: &Arc<Self>) -> hvloop_fd_callback {
        hvloop_fd_callback {
            call: Some(on_ready),
            drop: Some(on_drop),
            data: Arc::into_raw(self.clone()).cast_mut().cast(),
        }
    }

    fn fd(&self) -> c_int {
        self.stream.as_raw_fd()
    }

    fn wait(&self, bytes: &[u8]) {
        wait_for("the bytes", || *self.got.lock().unwrap() == bytes);
    }
}

unsafe extern "C" fn on_ready(data: *mut c_void, io: *mut hvloop_io, ready: c_int) {
    let reader = unsafe { &*data.cast::<Reader>() };
    assert_eq!(unsafe { hvloop_io_kind_of(io) }, 4);
    if ready & HVLOOP_WRITABLE != 0 {
        reader.writable.fetch_add(1, Ordering::SeqCst);
    }
    let mut buffer = [0; 64];
    loop {
        match (&reader.stream).read(&mut buffer) {
            Ok(0) => {
                assert_eq!(unsafe { hvloop_io_close(io) }, 0);
                break;
            }
            Ok(size) => reader.got.lock().unwrap().extend(&buffer[..size]),
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
    }
}

unsafe extern "C" fn on_drop(data: *mut c_void) {
    let reader = unsafe { Arc::from_raw(data.cast_const().cast::<Reader>()) };
    reader.dropped.fetch_add(1, Ordering::SeqCst);
}

/// From another thread, on the loop's, and before the loop runs.
#[test]
fn told_what_is_ready() {
    let here = Loop::started();
    for on_loop in [true, false] {
        let (reader, mut peer) = Reader::pair();
        let open = || {
            let io = unsafe {
                hvloop_io_open_fd(here.get(), reader.fd(), HVLOOP_READABLE, reader.callback())
            };
            assert!(!io.is_null(), "{}", last_error());
            Kept(io)
        };
        let io = match on_loop {
            true => here.run(open),
            false => open(),
        };
        assert_eq!(unsafe { hvloop_io_fd(io.0) }, reader.fd());
        assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 1);
        peer.write_all(b"one").unwrap();
        reader.wait(b"one");
        assert_eq!(reader.writable.load(Ordering::SeqCst), 0);
        let both = HVLOOP_READABLE | HVLOOP_WRITABLE;
        assert_eq!(unsafe { hvloop_io_set_interest(io.0, both) }, 0);
        wait_for("room", || reader.writable.load(Ordering::SeqCst) > 0);
        assert_eq!(unsafe { hvloop_io_set_interest(io.0, 4) }, ARGUMENT);
        peer.write_all(b"two").unwrap();
        reader.wait(b"onetwo");
        // The end: its callback takes it off.
        drop(peer);
        wait_for("the drop", || reader.dropped.load(Ordering::SeqCst) == 1);
        assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 0);
        assert_eq!(unsafe { hvloop_io_set_interest(io.0, 1) }, NOT_OPEN);
        assert_eq!(unsafe { hvloop_io_close(io.0) }, 0);
    }
}

/// The descriptor stays the caller's, the loop may not run yet, and the handle need not be kept.
#[test]
fn before_the_loop_runs() {
    let event_loop = idle_loop();
    let (reader, mut peer) = Reader::pair();
    let copy = reader.stream.try_clone().unwrap();
    let fd = copy.as_raw_fd();
    let io = unsafe { hvloop_io_open_fd(event_loop, fd, HVLOOP_READABLE, reader.callback()) };
    unsafe { hvloop_io_release(io) };
    drop(copy);
    let (other, _peer) = Reader::pair();
    let never =
        unsafe { hvloop_io_open_fd(event_loop, other.fd(), HVLOOP_READABLE, other.callback()) };
    // Closed on its way.
    assert_eq!(unsafe { hvloop_io_close(never) }, 0);
    unsafe { hvloop_io_release(never) };
    let thread = unsafe { hvloop_capi::thread::hvloop_thread_new(event_loop) };
    let started = unsafe { hvloop_capi::thread::hvloop_thread_start(thread, NO_HOOK, NO_HOOK) };
    assert_eq!(started, 0);
    peer.write_all(b"there").unwrap();
    reader.wait(b"there");
    wait_for("the other's drop", || {
        other.dropped.load(Ordering::SeqCst) == 1
    });
    // A stop takes it off.
    unsafe { hvloop_capi::thread::hvloop_thread_free(thread) };
    assert_eq!(reader.dropped.load(Ordering::SeqCst), 1);
    unsafe { hvloop_loop_release(event_loop) };
}

#[test]
fn refused() {
    let here = Loop::started();
    let (reader, _peer) = Reader::pair();
    let open =
        |fd, interest| unsafe { hvloop_io_open_fd(here.get(), fd, interest, reader.callback()) };
    assert!(open(-1, 1).is_null());
    assert!(open(reader.fd(), 0).is_null());
    let none = hvloop_fd_callback {
        call: None,
        ..reader.callback()
    };
    assert!(unsafe { hvloop_io_open_fd(here.get(), reader.fd(), 1, none) }.is_null());
    let nowhere = unsafe { hvloop_io_open_fd(null_mut(), reader.fd(), 1, reader.callback()) };
    assert!(nowhere.is_null());
    // A regular file is always ready: the system refuses it.
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let fd = file.as_raw_fd();
    let regular = here.run(|| open(fd, 1).is_null());
    assert!(regular, "{}", last_error());
    assert_eq!(reader.dropped.load(Ordering::SeqCst), 5);
}
