//! The loop's side of a channel: what comes in, cut as asked for, and the requests of handles.

use super::channel::Channel;
use super::channel::control::{Cut, OnBeat};
use crate::conn::Conn;
use crate::core::LocalLoop;
use crate::core::timers::TimerId;
use crate::error::CloseReason;
use crate::event_loop::EventLoop;
use crate::framing::{Reader, Unpack, UnpackError, Unpacker};
use crate::sync::lock;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How what comes in is being cut. Apart: most connections take it as it comes.
#[derive(Default)]
enum Cutting {
    #[default]
    Not,
    Packages(Box<Unpacker>),
    Once(Box<Reader>),
}

/// What a package costs besides its bytes, in the account of [`Conn::spend`].
const PACKAGE: usize = 32;

/// What a user's callback for bytes is, here.
pub(super) type Deliver<'a> = &'a mut dyn FnMut(&Channel, &mut [u8]);

/// See the module.
#[derive(Default)]
pub(super) struct LoopSide {
    cutting: Cutting,
    /// The turn had no room for all that is held.
    behind: bool,
    beat: Option<(Duration, Arc<Mutex<Option<OnBeat>>>)>,
    /// The timer of `beat`, on this loop.
    beating: Option<TimerId>,
    /// Where the connection goes when it has left its loop.
    pub(super) destination: Option<EventLoop>,
    /// What the loop was told of the memory that this takes.
    told: usize,
}

impl LoopSide {
    /// For a connection whose bytes are cut by that rule from the first one on.
    pub(super) fn new(unpack: Option<Unpack>) -> Self {
        Self {
            cutting: unpack.map_or(Cutting::Not, |unpack| {
                Cutting::Packages(Box::new(Unpacker::new(unpack)))
            }),
            ..Self::default()
        }
    }

    /// Bytes came.
    pub(super) fn on_data(
        &mut self,
        conn: &Conn<'_>,
        channel: &Channel,
        data: &mut [u8],
        deliver: Deliver<'_>,
    ) {
        if let Cutting::Not = self.cutting {
            deliver(channel, data);
        } else if self.behind {
            // Read before, and decrypted only now.
            if let Err(e) = self.keep(data) {
                break_off(conn, e);
            }
            return;
        } else if let Err(e) = self.cut(conn, channel, data, deliver) {
            self.tell_memory(conn);
            return break_off(conn, e);
        }
        self.follow(conn, channel, deliver);
    }

    /// Goes on with what the last turn had no room for, and with what handles have asked for.
    pub(super) fn go_on(&mut self, conn: &Conn<'_>, channel: &Channel, deliver: Deliver<'_>) {
        // What a pause holds back waits for its end.
        if std::mem::take(&mut self.behind)
            && !conn.is_reading_paused()
            && let Err(e) = self.cut(conn, channel, &mut [], deliver)
        {
            return break_off(conn, e);
        }
        self.follow(conn, channel, deliver);
    }

    /// Does what handles have asked for since the last time, until they ask for no more.
    fn follow(&mut self, conn: &Conn<'_>, channel: &Channel, deliver: Deliver<'_>) {
        // On its way to another loop it does nothing here any more.
        while !self.behind && self.destination.is_none() && channel.was_asked() {
            let move_to = channel.with_control(|control| control.move_to.take());
            if let Some(event_loop) = move_to
                && conn.leave()
            {
                // The rest is done where it goes to: who asks for both means that.
                self.destination = Some(event_loop);
                channel.ask_later();
                continue;
            }
            let (cut, resume, beat) = channel.with_control(|control| {
                (
                    control.cut.take(),
                    std::mem::take(&mut control.resume),
                    control.beat.take(),
                )
            });
            if let Some(beat) = beat {
                let beat = beat.map(|(period, f)| (period, Arc::new(Mutex::new(Some(f)))));
                let old = std::mem::replace(&mut self.beat, beat);
                self.arm_beat(conn.local(), channel);
                conn.local().drop_user(old);
            }
            if let Some(cut) = cut {
                self.change(conn, channel, cut, deliver);
            }
            if resume {
                self.resume(conn, channel, deliver);
            }
            // What is held may be what is asked for now.
            if let Err(e) = self.cut(conn, channel, &mut [], deliver) {
                self.tell_memory(conn);
                return break_off(conn, e);
            }
        }
        self.tell_memory(conn);
    }

    fn change(&mut self, conn: &Conn<'_>, channel: &Channel, cut: Cut, deliver: Deliver<'_>) {
        let before = std::mem::take(&mut self.cutting);
        self.cutting = match cut {
            Cut::Not => {
                let mut rest = match before {
                    Cutting::Not => Vec::new(),
                    Cutting::Packages(mut unpacker) => unpacker.take_rest(),
                    Cutting::Once(mut reader) => reader.take_rest(),
                };
                if !rest.is_empty() {
                    deliver(channel, &mut rest);
                }
                return;
            }
            Cut::Packages(unpack) => Cutting::Packages(match before {
                Cutting::Not => Box::new(Unpacker::new(unpack)),
                Cutting::Packages(mut unpacker) => {
                    unpacker.set(unpack);
                    unpacker
                }
                Cutting::Once(reader) => Box::new(reader.into_unpacker(unpack)),
            }),
            Cut::Once(mode) => {
                let mut reader = match before {
                    Cutting::Not => Box::new(Reader::new(Unpack::DEFAULT_MAX_SIZE)),
                    Cutting::Packages(unpacker) => {
                        let limit = Unpack::DEFAULT_MAX_SIZE;
                        Box::new(Reader::from_unpacker(*unpacker, limit))
                    }
                    Cutting::Once(reader) => reader,
                };
                reader.ask(mode);
                conn.resume_reading();
                Cutting::Once(reader)
            }
        };
    }

    /// Reads on; what was read one at a time comes as it is from now on.
    fn resume(&mut self, conn: &Conn<'_>, channel: &Channel, deliver: Deliver<'_>) {
        conn.resume_reading();
        if let Cutting::Once(_) = self.cutting {
            self.change(conn, channel, Cut::Not, deliver);
        }
    }

    /// Keeps bytes behind those that are held.
    fn keep(&mut self, data: &mut [u8]) -> Result<(), UnpackError> {
        match &mut self.cutting {
            Cutting::Not => Ok(()),
            Cutting::Packages(unpacker) => unpacker.keep(data),
            Cutting::Once(reader) => reader.push(data, |_| None),
        }
    }

    /// Hands on what is whole, as far as there is room in the turn.
    fn cut(
        &mut self,
        conn: &Conn<'_>,
        channel: &Channel,
        data: &mut [u8],
        deliver: Deliver<'_>,
    ) -> Result<(), UnpackError> {
        let behind = &mut self.behind;
        match &mut self.cutting {
            Cutting::Not => {}
            Cutting::Packages(unpacker) => unpacker.push(data, |package| {
                deliver(channel, package);
                if conn.is_reading_paused() || !conn.is_up() {
                    return ControlFlow::Break(());
                }
                *behind = !conn.spend(PACKAGE);
                match *behind {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?,
            Cutting::Once(reader) => {
                reader.push(data, |bytes| {
                    deliver(channel, bytes);
                    *behind = !conn.spend(PACKAGE);
                    if *behind {
                        return None;
                    }
                    // Asked for in the callback: the rest of these bytes may have it.
                    channel.with_control(|control| match control.cut {
                        Some(Cut::Once(mode)) if conn.is_up() => {
                            control.cut = None;
                            Some(mode)
                        }
                        _ => None,
                    })
                })?;
                if !reader.is_waiting() {
                    conn.pause_reading();
                }
            }
        }
        if self.behind {
            conn.read_later();
        }
        Ok(())
    }

    /// Tells the loop what memory is taken by what came and was not handed on.
    fn tell_memory(&mut self, conn: &Conn<'_>) {
        let memory = match &self.cutting {
            Cutting::Not => 0,
            Cutting::Packages(unpacker) => unpacker.capacity(),
            Cutting::Once(reader) => reader.capacity(),
        };
        if memory != self.told {
            self.told = memory;
            conn.set_gathered(memory);
        }
    }

    /// Arms the heartbeat on this loop.
    fn arm_beat(&mut self, local: &LocalLoop, channel: &Channel) {
        self.stop_beat(local);
        let Some((period, f)) = &self.beat else {
            return;
        };
        let (f, channel) = (f.clone(), channel.clone());
        let timer = local.set_interval(*period, move |_| {
            // Taken out for the call: no lock is held while it runs.
            let beat = lock(&f).take().filter(|_| channel.is_connected());
            if let Some(mut beat) = beat {
                beat(&channel);
                lock(&f).get_or_insert(beat);
            }
        });
        self.beating = Some(timer);
    }

    fn stop_beat(&mut self, local: &LocalLoop) {
        if let Some(timer) = self.beating.take() {
            local.kill_timer(timer);
        }
    }

    /// The connection has come to another loop.
    pub(super) fn arrive(&mut self, conn: &Conn<'_>, channel: &Channel) {
        self.destination = None;
        self.told = 0;
        self.tell_memory(conn);
        channel.flush(conn.local());
        if self.behind {
            conn.read_later();
        }
        self.arm_beat(conn.local(), channel);
    }

    /// The connection leaves its loop.
    pub(super) fn leave(&mut self, conn: &Conn<'_>) {
        self.stop_beat(conn.local());
    }

    /// The connection has ended: what handles gave goes with it.
    pub(super) fn end(&mut self, conn: &Conn<'_>, channel: &Channel) {
        self.stop_beat(conn.local());
        let control = channel.with_control(std::mem::take);
        conn.local().drop_user((control, self.beat.take()));
    }
}

/// What came in breaks the rule: what was accepted before goes out first.
fn break_off(conn: &Conn<'_>, e: UnpackError) {
    conn.fail(CloseReason::Unpack(e));
}
