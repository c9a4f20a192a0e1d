//! Signals of the system, as callbacks of a loop.

use crate::error::LoopClosed;
use crate::event_loop::EventLoop;
use crate::log;
use crate::source::IoHandle;
use crate::sync::lock;
use crate::sys::foreign::FdSource;
use crate::sys::{Interest, SignalPipe};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use crate::sys::signal_numbers::*;

/// A signal that a loop listens to, from [`EventLoop::add_signal`]. Dropping this changes nothing.
#[derive(Clone)]
pub struct SignalHandle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    removed: AtomicBool,
    source: Mutex<Option<IoHandle>>,
}

impl SignalHandle {
    /// Listens no more. Any thread; on the loop's own the callback is not called after this.
    ///
    /// libhv: `hsignal_del`.
    pub fn remove(&self) {
        self.0.removed.store(true, Ordering::Release);
        let source = lock(&self.0.source).take();
        if let Some(Err(LoopClosed(()))) = source.map(|source| source.close()) {
            log::debug!("hvloop: a signal was removed after the loop had closed everything");
        }
    }
}

impl fmt::Debug for SignalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalHandle").finish_non_exhaustive()
    }
}

impl EventLoop {
    /// Calls `f` on the loop's thread when the process gets that signal; several that come close
    /// together may be one call. Any number of loops and callbacks may listen to one signal.
    /// Listening goes on while the loop drains, and ends with it.
    ///
    /// The process has hvloop's handler from the first call for that signal on, and keeps it: a
    /// signal that nobody listens to any more is then ignored, and does not end the process. A
    /// handler that was there before is called, too. Other signals are left alone.
    ///
    /// # Errors
    ///
    /// The signal cannot be listened to ([`io::ErrorKind::InvalidInput`]: `SIGKILL`, `SIGSTOP` and
    /// those for faults of the program); what the system said; the loop is closed
    /// ([`io::ErrorKind::NotConnected`]).
    ///
    /// libhv: `hsignal_add`.
    pub fn add_signal<F>(&self, signal: i32, mut f: F) -> io::Result<SignalHandle>
    where
        F: FnMut(i32) + Send + 'static,
    {
        let pipe = SignalPipe::open(signal)?;
        let handle = SignalHandle(Arc::default());
        let shared = handle.0.clone();
        let posted = self.with_local(move |local| {
            if shared.removed.load(Ordering::Acquire) {
                return;
            }
            let removed = shared.clone();
            let pipe = FdSource(pipe);
            let added = local.add_background_source(pipe, Interest::Read, move |_, pipe, _| {
                // One that was removed in this very turn is not called any more.
                if pipe.0.came() && !removed.removed.load(Ordering::Acquire) {
                    f(signal);
                }
            });
            match added {
                Ok(source) => *lock(&shared.source) = Some(source),
                Err(e) => log::error!("hvloop: signal {signal} is not listened to: {e}"),
            }
        });
        match posted {
            Ok(()) => Ok(handle),
            Err(LoopClosed(())) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Stops the loop in order when the process gets one of these signals, usually
    /// [`SIGINT`] and [`SIGTERM`]; the second one stops it by force. See
    /// [`add_signal`](EventLoop::add_signal) for what becomes of the signals.
    ///
    /// # Errors
    ///
    /// As `add_signal`.
    pub fn stop_on_signals(&self, signals: &[i32]) -> io::Result<()> {
        let stopped = Arc::new(AtomicBool::new(false));
        for signal in signals {
            // No handle: the callback may wait for a loop that is never run.
            let (event_loop, stopped) = (Arc::downgrade(&self.shared), stopped.clone());
            self.add_signal(*signal, move |signal| {
                let Some(event_loop) = event_loop.upgrade().map(Self::from_shared) else {
                    return;
                };
                match stopped.swap(true, Ordering::AcqRel) {
                    false => {
                        log::info!("hvloop: signal {signal}: the loop stops");
                        event_loop.stop();
                    }
                    true => event_loop.stop_with(Duration::ZERO),
                }
            })?;
        }
        Ok(())
    }
}
