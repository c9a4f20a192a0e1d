//! The paths: what is done so many times.

use crate::Fallible;
use crate::echo::{self, Echo, turn_until};
use hvloop::ws::protocol::{Event, Input, Limits, OpCode, Reader, Role, apply_mask, encode_frame};
use hvloop::{EventLoop, LocalLoop, TimerId};
use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

/// One of them.
pub struct Work {
    pub name: &'static str,
    /// How often in the shorter of the two runs.
    pub times: u64,
    run: fn(u64) -> Fallible<()>,
}

impl Work {
    const fn new(name: &'static str, times: u64, run: fn(u64) -> Fallible<()>) -> Self {
        Self { name, times, run }
    }

    pub fn run(&self, times: u64) -> Fallible<()> {
        (self.run)(times)
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// In the order of the table.
pub const ALL: &[Work] = &[
    Work::new("decode-16", 20_000, |n| decode(n, OpCode::Binary, 16)),
    Work::new("decode-4096", 2_000, |n| decode(n, OpCode::Binary, 4096)),
    Work::new("encode-16", 20_000, |n| encode(n, 16, Some(MASK))),
    Work::new("encode-4096", 2_000, |n| encode(n, 4096, Some(MASK))),
    Work::new("encode-4096-server", 2_000, |n| encode(n, 4096, None)),
    Work::new("mask-65536", 500, mask),
    Work::new("utf8-ascii-4096", 2_000, |n| decode(n, OpCode::Text, 4096)),
    Work::new("utf8-in-pieces-4096", 1_000, text_in_pieces),
    Work::new("timer-set-kill", 40_000, timers_killed),
    Work::new("timer-fire", 5_000, timers_fired),
    Work::new("task-posted", 5_000, posted),
    Work::new("connection", 100, echo::connections),
    Work::new("echo-ws-16", 1_000, |n| Echo::ws(16).run(n)),
    Work::new("echo-ws-4096", 1_000, |n| Echo::ws(4096).run(n)),
    Work::new("echo-ws-65536", 300, |n| Echo::ws(65_536).run(n)),
    Work::new("echo-ws-1048576", 100, |n| Echo::ws(1 << 20).run(n)),
    Work::new("echo-wss-16", 1_000, |n| Echo::wss(16).run(n)),
    Work::new("echo-wss-65536", 100, |n| Echo::wss(65_536).run(n)),
    Work::new("echo-deflate-4096", 300, |n| Echo::deflated(4096).run(n)),
];

/// What processor there is, as a path of its own so that it is asked under valgrind.
const PROCESSOR: Work = Work::new("processor", 1, |_| {
    println!("{}", processor());
    Ok(())
});

pub fn find(name: &str) -> Fallible<&'static Work> {
    let mut all = ALL.iter().chain(std::iter::once(&PROCESSOR));
    let found = all.find(|work| work.name == name);
    found.ok_or_else(|| format!("no such path: {name}").into())
}

#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    let features = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("aes", is_x86_feature_detected!("aes")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("sha", is_x86_feature_detected!("sha")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("ermsb", is_x86_feature_detected!("ermsb")),
    ];
    let there = features.iter().filter(|(_, there)| *there);
    let names: Vec<_> = there.map(|(name, _)| *name).collect();
    format!("x86_64 {}", names.join(" "))
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    std::env::consts::ARCH.to_owned()
}

/// A server reads a frame that lies in one read as a whole. With the copy of it.
fn decode(times: u64, opcode: OpCode, size: usize) -> Fallible<()> {
    let mut wire = Vec::new();
    encode_frame(&mut wire, opcode, true, &vec![b'a'; size], Some(MASK));
    let mut reader = Reader::new(Role::Server, Limits::default());
    let mut buffer = vec![0; wire.len()];
    for _ in 0..times {
        buffer.copy_from_slice(&wire);
        let mut input = Input::new(&mut buffer);
        while let Some(event) = reader.next(&mut input)? {
            black_box(event);
        }
    }
    Ok(())
}

fn encode(times: u64, size: usize, mask: Option<[u8; 4]>) -> Fallible<()> {
    let payload = vec![7; size];
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        encode_frame(&mut out, OpCode::Binary, true, black_box(&payload), mask);
        black_box(&out);
    }
    Ok(())
}

fn mask(times: u64) -> Fallible<()> {
    let mut bytes = vec![7; 65_536];
    for n in 0..times {
        apply_mask(black_box(&mut bytes), MASK, n as usize % 4);
    }
    Ok(())
}

/// Text of characters of several bytes, in reads that end inside of them.
fn text_in_pieces(times: u64) -> Fallible<()> {
    const PIECE: usize = 1_000;
    let text = "€uro, ".repeat(4096 / 8);
    let mut wire = Vec::new();
    encode_frame(&mut wire, OpCode::Text, true, text.as_bytes(), Some(MASK));
    let mut reader = Reader::new(Role::Server, Limits::default());
    let mut buffer = vec![0; PIECE];
    for _ in 0..times {
        let mut whole = false;
        for piece in wire.chunks(PIECE) {
            let buffer = &mut buffer[..piece.len()];
            buffer.copy_from_slice(piece);
            let mut input = Input::new(buffer);
            while let Some(event) = reader.next(&mut input)? {
                whole |= matches!(event, Event::Text(_));
                black_box(event);
            }
        }
        if !whole {
            return Err("the text did not come".into());
        }
    }
    Ok(())
}

/// Runs `f` on a loop's thread, and what comes of it until `done`.
fn on_loop(
    f: impl FnOnce(&LocalLoop) + Send + 'static,
    done: impl FnMut() -> bool,
) -> Fallible<()> {
    let event_loop = EventLoop::new()?;
    event_loop.post_event(f).map_err(|_| "the loop is closed")?;
    turn_until(&event_loop, done)
}

/// Set and killed, beside ten thousand others.
fn timers_killed(times: u64) -> Fallible<()> {
    let mut turns = 0;
    let f = move |local: &LocalLoop| {
        for n in 0..10_000 {
            local.set_timeout(HOUR + Duration::from_millis(n), |_| {});
        }
        for n in 0..times {
            let timer = local.set_timeout(Duration::from_millis(1 + n % 5_000), |_| {});
            local.kill_timer(timer);
        }
    };
    on_loop(f, || {
        turns += 1;
        turns > 1
    })
}

thread_local! {
    static DONE: Rc<Cell<u64>> = Rc::default();
}

/// Due at once, sixty-four in a turn.
fn timers_fired(times: u64) -> Fallible<()> {
    const AT_ONCE: u64 = 64;
    fn next(local: &LocalLoop, left: u64) {
        let done = DONE.with(Rc::clone);
        for n in 0..AT_ONCE {
            let (at, done) = (local.clone(), done.clone());
            local.set_timeout(Duration::ZERO, move |_: TimerId| {
                done.set(done.get() + 1);
                if n == AT_ONCE - 1 && left > 0 {
                    next(&at, left - 1);
                }
            });
        }
    }
    let rounds = times / AT_ONCE;
    let done = DONE.with(Rc::clone);
    on_loop(
        move |local| next(local, rounds),
        || done.get() == (rounds + 1) * AT_ONCE,
    )
}

/// From outside of a turn, sixty-four for each turn.
fn posted(times: u64) -> Fallible<()> {
    const AT_ONCE: u64 = 64;
    let event_loop = EventLoop::new()?;
    let _ = event_loop.run_once(Some(Duration::ZERO))?;
    for _ in 0..times / AT_ONCE {
        for n in 0..AT_ONCE {
            let task = move || {
                black_box(n);
            };
            event_loop
                .queue_in_loop(task)
                .map_err(|_| "the loop is closed")?;
        }
        let _ = event_loop.run_once(None)?;
    }
    event_loop.stop();
    event_loop.run()?;
    Ok(())
}
