//! Descriptors and mio sources of a user's own on the loop.

use crate::core::sources::{AddError, SourceCall, SourceHandler, SourceIo};
use crate::error::{CloseReason, LoopClosed};
use crate::event_loop::EventLoop;
use crate::local_loop::LocalLoop;
use crate::log;
use crate::sys::Key;
use crate::sys::{ForeignSource, Interest, Poller, foreign};
use std::fmt;
use std::io;

/// What the loop says of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ready {
    /// There may be something to read, or the end, or an error.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
}

/// A source on the loop; may be cloned, kept and used on any thread. When the source is off the
/// loop, its calls do nothing; they never reach another one. Dropping it changes nothing.
///
/// libhv: `hio_t` of `hio_get`, `hio_add`.
#[derive(Clone)]
pub struct IoHandle {
    event_loop: EventLoop,
    key: Key,
}

impl IoHandle {
    /// Looks for something else from now on. Readiness that holds already is told again.
    ///
    /// # Errors
    ///
    /// The loop is closed. What the system says goes to the log.
    ///
    /// libhv: `hio_add`, `hio_del` with other events.
    pub fn set_interest(&self, interest: Interest) -> Result<(), LoopClosed> {
        self.tell(SourceCall::Interest(interest))
    }

    /// Calls the callback again in the next turn, without waiting for the system, which tells of
    /// readiness once until it is used up: for a callback that leaves something to do.
    ///
    /// # Errors
    ///
    /// The loop is closed.
    pub fn call_again(&self) -> Result<(), LoopClosed> {
        let key = self.key;
        self.event_loop.with_local(move |local| {
            let core = local.core();
            core.with_source(key, |slot| slot.readable = true);
            core.mark_ready(key);
        })
    }

    /// Takes the source off the loop and drops it, at the end of this turn or of the next one.
    ///
    /// # Errors
    ///
    /// The loop is closed, and the source is off it anyway.
    ///
    /// libhv: `hio_close`, `hio_del`.
    pub fn close(&self) -> Result<(), LoopClosed> {
        let key = self.key;
        self.event_loop
            .with_local(move |local| local.core().begin_close(key, CloseReason::Local))
    }

    /// The loop that the source is on.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    fn tell(&self, call: SourceCall) -> Result<(), LoopClosed> {
        let key = self.key;
        self.event_loop
            .with_local(move |local| local.core().defer_source_call(key, call))
    }
}

impl fmt::Debug for IoHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoHandle")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A user's source and callback, on the loop.
struct Watching<S, F> {
    source: S,
    interest: Interest,
    on_ready: F,
}

impl<S, F> SourceHandler for Watching<S, F>
where
    S: ForeignSource + 'static,
    F: FnMut(&IoHandle, &mut S, Ready) + 'static,
{
    fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        foreign::register(&mut self.source, poller, key, self.interest)
    }

    fn deregister(&mut self, poller: &Poller) {
        foreign::deregister(&mut self.source, poller);
    }

    fn on_ready(&mut self, local: &LocalLoop, key: Key) {
        let core = local.core();
        let ready = core.with_source(key, |slot| Ready {
            readable: std::mem::take(&mut slot.readable),
            writable: std::mem::take(&mut slot.writable),
        });
        let Some(ready) = ready.filter(|ready| ready.readable || ready.writable) else {
            return;
        };
        let handle = IoHandle {
            event_loop: local.event_loop(),
            key,
        };
        let call = || (self.on_ready)(&handle, &mut self.source, ready);
        if core.call_user("source", call).is_none() {
            core.begin_close(key, CloseReason::Panicked);
        }
    }

    fn on_call(&mut self, local: &LocalLoop, key: Key, call: SourceCall) {
        let SourceCall::Interest(interest) = call else {
            return;
        };
        self.interest = interest;
        let source = &mut self.source;
        let changed = local
            .core()
            .call_with_poller("source reregister", |poller| {
                foreign::reregister(source, poller, key, interest)
            });
        if let Some(Err(e)) = changed {
            log::error!("hvloop: cannot look for {interest:?} on a source: {e}");
        }
    }

    fn on_close(self: Box<Self>, local: &LocalLoop, _reason: CloseReason) {
        local.drop_user(self);
    }
}

impl LocalLoop {
    /// Puts a mio source of the user's on the loop: `f` is called with it when it is ready. The
    /// system tells of readiness once until it is used up: read (or write) until `WouldBlock`, or
    /// ask for [`IoHandle::call_again`]. A panic in `f` takes the source off.
    ///
    /// The source counts as one of the loop's: when the loop stops, it is taken off and dropped.
    ///
    /// # Errors
    ///
    /// What the system said; the loop is stopping ([`io::ErrorKind::NotConnected`]). The source is
    /// dropped then.
    ///
    /// libhv: `hio_get`, `hio_add`.
    pub fn add_source<S, F>(&self, source: S, interest: Interest, f: F) -> io::Result<IoHandle>
    where
        S: ForeignSource + 'static,
        F: FnMut(&IoHandle, &mut S, Ready) + 'static,
    {
        let watching = Watching {
            source,
            interest,
            on_ready: f,
        };
        let name = "source of the user's".to_owned();
        let added = self.core().add_source(name, SourceIo::Foreign, watching);
        self.added(added)
    }

    /// As [`add_source`](LocalLoop::add_source), for a source that goes on while the loop drains,
    /// does not keep it alive, and is dropped with it: as signals are.
    ///
    /// # Errors
    ///
    /// As `add_source`, save that a loop which is stopping takes it.
    pub fn add_background_source<S, F>(
        &self,
        source: S,
        interest: Interest,
        f: F,
    ) -> io::Result<IoHandle>
    where
        S: ForeignSource + 'static,
        F: FnMut(&IoHandle, &mut S, Ready) + 'static,
    {
        let watching = Watching {
            source,
            interest,
            on_ready: f,
        };
        let name = "background source".to_owned();
        self.added(self.core().add_background_source(name, watching))
    }

    fn added<H>(&self, added: Result<Key, AddError<H>>) -> io::Result<IoHandle> {
        match added {
            Ok(key) => Ok(IoHandle {
                event_loop: self.event_loop(),
                key,
            }),
            Err(AddError::Closed(LoopClosed(watching))) => {
                self.drop_user(watching);
                Err(io::ErrorKind::NotConnected.into())
            }
            Err(AddError::Io(e, watching)) => {
                self.drop_user(watching);
                Err(e)
            }
        }
    }

    /// Puts a descriptor on the loop, such as that of another library's connection, a pipe or a
    /// timerfd: `f` is called when it is ready. The loop keeps a duplicate: the descriptor stays the
    /// caller's, who may close it before or after. See [`add_source`](LocalLoop::add_source).
    ///
    /// # Errors
    ///
    /// As `add_source`; regular files are always ready, and are refused by the system.
    ///
    /// libhv: `hio_get`, `hio_add`.
    #[cfg(all(unix, not(hvloop_sim)))]
    pub fn add_fd<F>(
        &self,
        fd: std::os::fd::BorrowedFd<'_>,
        interest: Interest,
        mut f: F,
    ) -> io::Result<IoHandle>
    where
        F: FnMut(&IoHandle, Ready) + 'static,
    {
        let fd = foreign::FdSource(fd.try_clone_to_owned()?);
        self.add_source(fd, interest, move |handle, _, ready| f(handle, ready))
    }
}

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<IoHandle>();
};
