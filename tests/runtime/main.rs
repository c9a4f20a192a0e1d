//! The loop itself through its public API: its life and its threads, tasks, timers, lookups, pools, descriptors
//! of the user's, and a host around it. Its end is in `tests/shutdown`.
#![allow(clippy::unwrap_used)]

mod balance;
#[cfg(unix)]
mod calendar;
mod checks;
#[path = "../common/mod.rs"]
mod common;
mod dns;
#[cfg(unix)]
mod fds;
#[cfg(unix)]
mod host;
mod host_told;
#[cfg(unix)]
mod idle_callbacks;
mod ids;
mod life;
mod owners;
mod panics;
mod pause;
mod pool;
mod tasks;
mod timer_hazards;
mod timers;
