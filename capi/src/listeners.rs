//! Listeners that a server has opened, or was given, and serves when it is started.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::address::Place;
use hvloop::{Address, Listen, Listening};
use socket2::SockRef;
use std::ffi::c_int;
use std::mem;
use std::net::{Ipv4Addr, Shutdown};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// See the module.
#[derive(Default)]
pub(crate) struct Listeners {
    /// Opened, and not served yet.
    waiting: Vec<Listening>,
    own: OwnListeners,
    /// That of the last one; 0: it has none.
    port: Option<c_int>,
}

/// Those that were opened here, and have a port, once more: to end them at once, and not when their loop gets to it.
#[derive(Default)]
pub(crate) struct OwnListeners(Vec<OwnedFd>);

/// A listener, and if it was opened here and has a port, that once more.
type Opened = (Listening, Option<OwnedFd>);

/// Opens one at a place that is looked up now.
///
/// # Errors
///
/// Nobody can listen there.
pub(crate) fn open(host: &str, port: c_int, backlog: c_int) -> Outcome<Opened> {
    let backlog = match u32::try_from(backlog) {
        Ok(0) => Listen::DEFAULT_BACKLOG,
        Ok(backlog) => backlog,
        Err(_) => return Err(Failure::argument(format!("{backlog} is no backlog"))),
    };
    let listen = match Place::new(host, port)?.resolve()? {
        Address::Inet(address) => Listen::tcp(address),
        Address::Unix(path) => Listen::unix(path.unwrap_or_default()),
        _ => return Err(Failure::argument("nobody can listen there")),
    };
    let listening = listen.backlog(backlog).bind()?;
    let own = match listening.address().inet() {
        Some(_) => Some(listening.as_fd().try_clone_to_owned()?),
        None => None,
    };
    Ok((listening, own))
}

/// Takes one that was made elsewhere.
///
/// # Errors
///
/// It is none.
///
/// # Safety
///
/// It is negative, or open, and nobody else closes it.
pub(crate) unsafe fn take(fd: c_int) -> Outcome<Opened> {
    if fd < 0 {
        return Err(Failure::argument(format!("{fd} is no descriptor")));
    }
    // SAFETY: the caller's word.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((Listening::from_listener(fd, some_address())?, None))
}

/// How what is accepted is treated by default. The address does not count: a listener has one.
pub(crate) fn some_address() -> Listen {
    Listen::tcp((Ipv4Addr::LOCALHOST, 0))
}

impl Listeners {
    /// Has it wait to be served; its descriptor.
    pub(crate) fn add(&mut self, (listening, own): Opened) -> c_int {
        let number = listening.as_fd().as_raw_fd();
        let inet = listening.address().inet();
        self.port = Some(inet.map_or(0, |address| address.port().into()));
        self.waiting.push(listening);
        self.own.0.extend(own);
        number
    }

    /// The port of the last one; 0: it has none.
    ///
    /// # Errors
    ///
    /// There was none yet.
    pub(crate) fn port(&self) -> Outcome<c_int> {
        let none = || Failure::new(hvloop_error::NotFound, "there was no listener yet");
        self.port.ok_or_else(none)
    }

    /// Those that are to be served now, treating what they accept in that way.
    ///
    /// # Errors
    ///
    /// There are none.
    pub(crate) fn take_waiting(&mut self, listen: &Listen) -> Outcome<Vec<Listening>> {
        let waiting = mem::take(&mut self.waiting);
        if waiting.is_empty() {
            let text = "there is no listener that is not served yet";
            return Err(Failure::new(hvloop_error::State, text));
        }
        let waiting = waiting.into_iter();
        Ok(waiting
            .map(|listening| listening.with(listen.clone()))
            .collect())
    }

    /// Closes those that wait; the others are for the caller to [end](OwnListeners::end), with nothing locked.
    #[must_use]
    pub(crate) fn close(&mut self) -> OwnListeners {
        self.waiting.clear();
        mem::take(&mut self.own)
    }
}

impl OwnListeners {
    /// Ends them, so that their addresses are free at once; where a system does not do that, when their loops get
    /// to it. (One that was made elsewhere may be that of other processes, too.)
    pub(crate) fn end(self) {
        for listener in self.0 {
            let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
        }
    }
}
