//! What handles ask of the loop's side of a channel.

use super::Channel;
use crate::event_loop::EventLoop;
use crate::framing::{ReadMode, Unpack};
use std::time::Duration;

/// Called every so often while the channel is open.
pub(in crate::tcp) type OnBeat = Box<dyn FnMut(&Channel) + Send>;

/// How what comes in is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tcp) enum Cut {
    /// As it comes.
    Not,
    /// In packages.
    Packages(Unpack),
    /// One read at a time; the next one is this.
    Once(ReadMode),
}

/// Requests that the loop's side has not seen yet; a later one takes the place of an earlier one.
#[derive(Default)]
pub(in crate::tcp) struct Control {
    pub(in crate::tcp) cut: Option<Cut>,
    /// Reading goes on: what is held comes out.
    pub(in crate::tcp) resume: bool,
    /// A heartbeat, or none.
    pub(in crate::tcp) beat: Option<Option<(Duration, OnBeat)>>,
    pub(in crate::tcp) move_to: Option<EventLoop>,
}
