//! Stopgap until helper's files arrive.
use crossbeam_channel::{Receiver, Sender};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

pub(crate) trait Wake: Send + Sync {
    fn wake(&self);
}
const PENDING: usize = 1;
const SLEEPING: usize = 2;
const CLOSED: usize = 4;
const IN_FLIGHT: usize = 8;
pub(crate) struct Inbox<T> {
    word: AtomicUsize,
    tx: Sender<T>,
    rx: Receiver<T>,
    waker: Box<dyn Wake>,
}
pub(crate) struct Permit<'a, T>(&'a Inbox<T>);
impl<T> Inbox<T> {
    pub(crate) fn new(waker: Box<dyn Wake>) -> Self {
        let (tx, rx) = crossbeam_channel::unbounded();
        Self {
            word: AtomicUsize::new(0),
            tx,
            rx,
            waker,
        }
    }
    pub(crate) fn reserve(&self) -> Option<Permit<'_, T>> {
        let p = self.word.fetch_add(IN_FLIGHT, AcqRel);
        if p & CLOSED != 0 {
            self.word.fetch_sub(IN_FLIGHT, AcqRel);
            return None;
        }
        Some(Permit(self))
    }
    pub(crate) fn notify(&self) {
        let p = self.word.fetch_or(PENDING, AcqRel);
        if p & (SLEEPING | PENDING) == SLEEPING {
            self.waker.wake();
        }
    }
    pub(crate) fn prepare_sleep(&self) -> bool {
        let p = self.word.fetch_or(SLEEPING, AcqRel);
        if p & PENDING != 0 {
            self.word.fetch_and(!SLEEPING, AcqRel);
            return false;
        }
        true
    }
    pub(crate) fn awake(&self) {
        self.word.fetch_and(!(SLEEPING | PENDING), AcqRel);
    }
    pub(crate) fn pop(&self) -> Option<T> {
        self.rx.try_recv().ok()
    }
    pub(crate) fn len(&self) -> usize {
        self.rx.len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.rx.is_empty()
    }
    pub(crate) fn close(&self) {
        self.word.fetch_or(CLOSED, AcqRel);
        while self.word.load(Acquire) >= IN_FLIGHT {
            std::hint::spin_loop();
        }
    }
}
impl<T> Permit<'_, T> {
    pub(crate) fn send(self, t: T) {
        let _ = self.0.tx.send(t);
        self.0.notify();
    }
}
impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.0.word.fetch_sub(IN_FLIGHT, AcqRel);
    }
}

/// Phase
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// a
    Idle,
    /// a
    Running,
    /// a
    Paused,
    /// a
    Draining,
    /// a
    Closing,
    /// a
    Stopped,
}
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
pub(crate) struct Gate {
    st: Mutex<St>,
    cv: Condvar,
    owner: AtomicU64,
    limit: AtomicU64,
}
struct St {
    phase: Phase,
    stop: bool,
    pause: bool,
    holds: u64,
}
pub(crate) enum BeginRunError {
    AlreadyRunning,
    Closed,
}
pub(crate) struct Release(bool);
impl Release {
    pub(crate) fn must_wake(&self) -> bool {
        self.0
    }
}
impl Gate {
    pub(crate) fn new(d: Duration) -> Self {
        Self {
            st: Mutex::new(St {
                phase: Phase::Idle,
                stop: false,
                pause: false,
                holds: 0,
            }),
            cv: Condvar::new(),
            owner: AtomicU64::new(0),
            limit: AtomicU64::new(d.as_nanos() as u64),
        }
    }
    pub(crate) fn phase(&self) -> Phase {
        let s = self.st.lock().unwrap();
        if s.phase == Phase::Running && s.pause {
            Phase::Paused
        } else {
            s.phase
        }
    }
    pub(crate) fn request_stop(&self, l: Option<Duration>) -> bool {
        if let Some(l) = l {
            self.limit.fetch_min(l.as_nanos() as u64, AcqRel);
        }
        let mut s = self.st.lock().unwrap();
        !std::mem::replace(&mut s.stop, true)
    }
    pub(crate) fn stop_requested(&self) -> bool {
        self.st.lock().unwrap().stop
    }
    pub(crate) fn drain_limit(&self) -> Duration {
        Duration::from_nanos(self.limit.load(Acquire))
    }
    pub(crate) fn pause(&self) -> bool {
        let mut s = self.st.lock().unwrap();
        if s.stop || s.phase as u8 > 2 {
            return false;
        }
        !std::mem::replace(&mut s.pause, true)
    }
    pub(crate) fn resume(&self) -> bool {
        std::mem::replace(&mut self.st.lock().unwrap().pause, false)
    }
    pub(crate) fn begin_run(&self, o: u64) -> Result<(), BeginRunError> {
        let mut s = self.st.lock().unwrap();
        match s.phase {
            Phase::Idle => {
                self.owner.store(o, Release2);
                s.phase = Phase::Running;
                Ok(())
            }
            Phase::Stopped => Err(BeginRunError::Closed),
            _ => Err(BeginRunError::AlreadyRunning),
        }
    }
    pub(crate) fn owner(&self) -> u64 {
        self.owner.load(Acquire)
    }
    pub(crate) fn begin_drain(&self) {
        self.st.lock().unwrap().phase = Phase::Draining;
    }
    pub(crate) fn acquire(&self) -> bool {
        let mut s = self.st.lock().unwrap();
        if s.phase as u8 >= 4 {
            return false;
        }
        s.holds += 1;
        true
    }
    pub(crate) fn release(&self) -> Release {
        let mut s = self.st.lock().unwrap();
        s.holds -= 1;
        Release(s.holds == 0 && s.phase == Phase::Draining)
    }
    pub(crate) fn holds(&self) -> u64 {
        self.st.lock().unwrap().holds
    }
    pub(crate) fn try_close(&self) -> bool {
        let mut s = self.st.lock().unwrap();
        if s.holds == 0 {
            s.phase = Phase::Closing;
            true
        } else {
            false
        }
    }
    pub(crate) fn force_close(&self) -> u64 {
        let mut s = self.st.lock().unwrap();
        s.phase = Phase::Closing;
        s.holds
    }
    pub(crate) fn finish(&self) {
        self.owner.store(0, Release2);
        self.st.lock().unwrap().phase = Phase::Stopped;
        self.cv.notify_all();
    }
    pub(crate) fn wait_stopped(&self, t: Option<Duration>) -> bool {
        let s = self.st.lock().unwrap();
        match t {
            None => {
                let _g = self
                    .cv
                    .wait_while(s, |s| s.phase != Phase::Stopped)
                    .unwrap();
                true
            }
            Some(t) => !self
                .cv
                .wait_timeout_while(s, t, |s| s.phase != Phase::Stopped)
                .unwrap()
                .1
                .timed_out(),
        }
    }
}
use std::sync::atomic::Ordering::Release as Release2;
