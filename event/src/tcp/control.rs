//! What handles ask of the loop's side of a channel.

use super::channel::Channel;
use crate::event_loop::EventLoop;
use crate::framing::{ReadMode, Unpack};
use std::time::Duration;

/// Called every so often while the channel is open.
pub(super) type OnBeat = Box<dyn FnMut(&Channel) + Send>;

/// How what comes in is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// As it comes.
    Not,
    /// In packages.
    Packages(Unpack),
    /// One read at a time; the next one is this.
    Once(ReadMode),
}

/// Requests that the loop's side has not seen yet; a later one takes the place of an earlier one.
#[derive(Default)]
pub(super) struct Control {
    pub(super) cut: Option<Cut>,
    /// Reading goes on: what is held comes out.
    pub(super) resume: bool,
    /// A heartbeat, or none.
    pub(super) beat: Option<Option<(Duration, OnBeat)>>,
    pub(super) move_to: Option<EventLoop>,
}
