//! Descriptors and mio sources of a user's own on the loop.

use crate::core::LocalLoop;
use crate::core::LoopCore;
use crate::core::calls::Deferred;
use crate::core::entity::{Entity, Place, Role};
use crate::error::{CloseReason, LoopClosed};
use crate::event_loop::EventLoop;
use crate::log;
use crate::sys::{ForeignSource, Interest, Key, Poller, Readiness, foreign};
use std::cell::Cell;
use std::io;
use std::rc::Rc;

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
        let key = self.key;
        self.event_loop.with_local(move |local| {
            let call = move |local: &LocalLoop| {
                if let Some(watching) = local.core().registry.find_as::<Watching>(key) {
                    watching.set_interest(local.core(), interest);
                }
            };
            local.core().defer(Deferred::Call(Box::new(call)));
        })
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
            if let Some(watching) = core.registry.find_as::<Watching>(key) {
                watching.readable.set(true);
                core.mark_ready(&watching.place);
            }
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
            .with_local(move |local| local.core().begin_close(local, key, CloseReason::Local))
    }

    /// The loop that the source is on.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }
}

debug_fields!(IoHandle, this: "key" = this.key);

/// A user's source and callback.
trait Watched {
    fn source(&mut self) -> &mut dyn ForeignSource;
    fn on_ready(&mut self, handle: &IoHandle, ready: Ready);
}

impl<S, F> Watched for (S, F)
where
    S: ForeignSource + 'static,
    F: FnMut(&IoHandle, &mut S, Ready) + 'static,
{
    fn source(&mut self) -> &mut dyn ForeignSource {
        &mut self.0
    }

    fn on_ready(&mut self, handle: &IoHandle, ready: Ready) {
        (self.1)(handle, &mut self.0, ready);
    }
}

/// A source of a user's on the loop.
struct Watching {
    place: Place,
    name: &'static str,
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// Taken out for each call, and put back (I4).
    watched: Cell<Option<Box<dyn Watched>>>,
}

impl Watching {
    /// Calls what is the user's with the poller, unless its call is on the stack. `None`: not called, or
    /// it panicked.
    fn with_poller<R>(
        &self,
        core: &LoopCore,
        what: &str,
        f: impl FnOnce(&mut dyn Watched, &Poller) -> R,
    ) -> Option<R> {
        let mut watched = self.watched.take()?;
        let called = core
            .poller
            .call(&core.shared, what, |poller| f(&mut *watched, poller));
        self.watched.set(Some(watched));
        called
    }

    fn set_interest(&self, core: &LoopCore, interest: Interest) {
        let key = self.place.key();
        let changed = self.with_poller(core, "source reregister", |watched, poller| {
            foreign::reregister(watched.source(), poller, key, interest)
        });
        if let Some(Err(e)) = changed {
            log::error!("hvloop: cannot look for {interest:?} on a source: {e}");
        }
    }
}

impl Entity for Watching {
    fn place(&self) -> &Place {
        &self.place
    }

    fn note(&self, event: &Readiness) {
        self.readable
            .set(self.readable.get() || event.readable || event.hangup);
        self.writable.set(self.writable.get() || event.writable);
    }

    fn ready(self: Rc<Self>, local: &LocalLoop) {
        if self.place.is_closing() {
            return;
        }
        let Some(mut watched) = self.watched.take() else {
            return;
        };
        let ready = Ready {
            readable: self.readable.take(),
            writable: self.writable.take(),
        };
        let handle = IoHandle {
            event_loop: local.event_loop(),
            key: self.place.key(),
        };
        let called = match ready.readable || ready.writable {
            true => local.call_user("source", || watched.on_ready(&handle, ready)),
            false => Some(()),
        };
        self.watched.set(Some(watched));
        if called.is_none() {
            self.close(local, CloseReason::Panicked);
        }
    }

    fn stop(self: Rc<Self>, local: &LocalLoop) {
        self.close(local, CloseReason::Stopped);
    }

    fn end(self: Rc<Self>, local: &LocalLoop, _reason: CloseReason) {
        self.with_poller(local.core(), "source deregister", |watched, poller| {
            foreign::deregister(watched.source(), poller);
        });
        local.drop_user(self.watched.take());
    }

    fn describe(&self) -> String {
        self.name.to_owned()
    }

    fn is_unborrowed(&self) -> bool {
        true
    }

    #[cfg(hvloop_sim)]
    fn check(&self) -> Result<(), String> {
        let watched = self.watched.take();
        let there = watched.is_some();
        self.watched.set(watched);
        match there {
            true => Ok(()),
            false => Err("the callback was not put back".to_owned()),
        }
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
        let watched = Box::new((source, f));
        self.watch(Role::Source, "source of the user's", watched, interest)
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
        let watched = Box::new((source, f));
        self.watch(Role::Background, "background source", watched, interest)
    }

    fn watch(
        &self,
        role: Role,
        name: &'static str,
        watched: Box<dyn Watched>,
        interest: Interest,
    ) -> io::Result<IoHandle> {
        let core = self.core();
        if !core.registry.admit(role) {
            self.drop_user(watched);
            return Err(io::ErrorKind::NotConnected.into());
        }
        let watching = core.registry.put(role, |place| Watching {
            place,
            name,
            readable: Cell::new(false),
            writable: Cell::new(false),
            watched: Cell::new(Some(watched)),
        });
        let key = watching.place.key();
        let registered = watching.with_poller(core, "source register", |watched, poller| {
            foreign::register(watched.source(), poller, key, interest)
        });
        let registered = registered.unwrap_or_else(|| {
            let text = "the loop has closed, or the source panicked";
            Err(io::Error::other(text))
        });
        match registered {
            Ok(()) => Ok(IoHandle {
                event_loop: self.event_loop(),
                key,
            }),
            Err(e) => {
                core.registry.withdraw(&watching.place);
                self.drop_user(watching.watched.take());
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
