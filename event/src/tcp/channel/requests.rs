//! What handles ask of the loop's side: how to read, heartbeats, limits.

use super::Channel;
use super::control::{Cut, OnBeat};
use crate::framing::{ReadMode, Unpack};
use std::num::NonZeroUsize;
use std::time::Duration;

impl Channel {
    /// Reads no further for now, so that the peer is held back. What was read already still comes,
    /// but for packages of [`set_unpack`](Channel::set_unpack), which wait. Any thread.
    ///
    /// libhv: `Channel::stopRead`, `hio_read_stop`.
    pub fn pause_reading(&self) {
        self.with_conn(|conn| conn.pause_reading());
    }

    /// Reads again, all that comes, also after [`read_once`](Channel::read_once) and its like. Any
    /// thread.
    ///
    /// libhv: `Channel::startRead`, `hio_read_start`.
    pub fn resume_reading(&self) {
        self.ask(|control| control.resume = true);
    }

    /// `on_message` gets packages instead of bytes as they come (`None`: bytes again), from the
    /// first byte that it has not had. Bytes that break the rule end the connection with
    /// [`CloseReason::Unpack`](crate::CloseReason::Unpack), behind what was accepted before. Any thread.
    ///
    /// libhv: `Channel::setUnpack`, `hio_set_unpack`.
    pub fn set_unpack(&self, unpack: impl Into<Option<Unpack>>) {
        let cut = unpack.into().map_or(Cut::Not, Cut::Packages);
        self.ask(|control| control.cut = Some(cut));
    }

    /// Lets one more read come, whatever it is, and pauses after it: `on_message` gets it. Any
    /// thread.
    ///
    /// libhv: `Channel::readOnce`, `hio_read_once`.
    pub fn read_once(&self) {
        self.read_next(ReadMode::Any);
    }

    /// Lets one more line come, with its `\n`, and pauses after it: `on_message` gets it whole. One
    /// longer than 2 MiB closes the connection. Any thread.
    ///
    /// libhv: `Channel::readLine`, `hio_readline`.
    pub fn read_line(&self) {
        self.read_next(ReadMode::LINE);
    }

    /// Lets all up to the next `byte` come, with it, and pauses after that; as
    /// [`read_line`](Channel::read_line).
    ///
    /// libhv: `hio_read_until_delim`.
    pub fn read_until(&self, byte: u8) {
        self.read_next(ReadMode::Until(byte));
    }

    /// Lets a string of C come, with its `\0`, and pauses after it; as
    /// [`read_line`](Channel::read_line).
    ///
    /// libhv: `Channel::readString`, `hio_readstring`.
    pub fn read_string(&self) {
        self.read_next(ReadMode::STRING);
    }

    /// Lets so many bytes come, and pauses after them: `on_message` gets them whole. More than
    /// 2 MiB closes the connection; zero asks for nothing. Any thread.
    ///
    /// libhv: `Channel::readBytes`, `hio_readbytes`.
    pub fn read_bytes(&self, count: usize) {
        if let Some(count) = NonZeroUsize::new(count) {
            self.read_next(ReadMode::Bytes(count));
        }
    }

    fn read_next(&self, mode: ReadMode) {
        self.ask(|control| control.cut = Some(Cut::Once(mode)));
    }

    /// Calls `f` every `period` on the loop's thread while the connection is open, in the place of
    /// an earlier one: for what keeps the connection alive. Any thread.
    ///
    /// libhv: `Channel::setHeartbeat`, `hio_set_heartbeat`.
    pub fn set_heartbeat(&self, period: Duration, f: impl FnMut(&Channel) + Send + 'static) {
        let beat = Some((period, Box::new(f) as OnBeat));
        drop(self.ask(|control| control.beat.replace(beat)));
    }

    /// Takes the heartbeat off. Any thread.
    ///
    /// libhv: `setHeartbeat` with no interval.
    pub fn clear_heartbeat(&self) {
        drop(self.ask(|control| control.beat.replace(None)));
    }

    /// Whether this side may go on sending when the peer has ended its side. See
    /// [`Listen::allow_half_open`](crate::Listen::allow_half_open). Turned off when the peer has, it ends
    /// this side, too, behind what is queued. Any thread.
    pub fn set_allow_half_open(&self, on: bool) {
        self.with_conn(move |conn| conn.set_allow_half_open(on));
    }

    /// Closes the connection when nothing was read for this long, counted from now; `None`: no
    /// limit. See [`Connect::read_timeout`](crate::Connect::read_timeout). Any thread.
    ///
    /// libhv: `Channel::setReadTimeout`, `hio_set_read_timeout`.
    pub fn set_read_timeout(&self, timeout: impl Into<Option<Duration>>) {
        let timeout = timeout.into();
        self.with_conn(move |conn| conn.set_read_timeout(timeout));
    }

    /// Closes the connection when nothing was read or written for this long; `None`: no limit. See
    /// [`Connect::idle_timeout`](crate::Connect::idle_timeout). Any thread.
    ///
    /// libhv: `Channel::setKeepaliveTimeout`, `hio_set_keepalive_timeout`.
    pub fn set_idle_timeout(&self, timeout: impl Into<Option<Duration>>) {
        let timeout = timeout.into();
        self.with_conn(move |conn| conn.set_idle_timeout(timeout));
    }

    /// Closes the connection when the peer takes nothing of the queue for this long; `None`: never.
    /// See [`Connect::write_timeout`](crate::Connect::write_timeout). Any thread.
    ///
    /// libhv: `Channel::setWriteTimeout`, `hio_set_write_timeout`.
    pub fn set_write_timeout(&self, timeout: impl Into<Option<Duration>>) {
        let timeout = timeout.into();
        self.with_conn(move |conn| conn.set_write_timeout(timeout));
    }
}
