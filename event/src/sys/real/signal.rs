//! Signals, through signal-hook: its handler writes a byte into a pipe, and does nothing else.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// The numbers of signals.
pub mod numbers {
    pub use signal_hook::consts::signal::{
        SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
        SIGWINCH,
    };
}

/// The reading end of the pipe of one listener; its end takes the listener off.
#[derive(Debug)]
pub(crate) struct SignalPipe {
    pipe: UnixStream,
    registration: signal_hook::SigId,
}

impl SignalPipe {
    /// Listens to a signal.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: it cannot be listened to; else what the system said.
    pub(crate) fn open(signal: i32) -> io::Result<Self> {
        if signal_hook::consts::FORBIDDEN.contains(&signal) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let registration = signal_hook::low_level::pipe::register(signal, writer)?;
        Ok(Self {
            pipe: reader,
            registration,
        })
    }

    /// Whether the signal came since the last time.
    pub(crate) fn came(&mut self) -> bool {
        let mut came = false;
        let mut buffer = [0; 64];
        loop {
            match self.pipe.read(&mut buffer) {
                Ok(n) if n > 0 => came = true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return came,
            }
        }
    }
}

impl Drop for SignalPipe {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.registration);
    }
}

impl AsRawFd for SignalPipe {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}
