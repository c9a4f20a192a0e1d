//! Stops and lifetimes in states that are hard to hit, by the hazard's name, over ws and wss; the
//! plain cases are in `tests/hazards`.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod inside;
mod lifetime;
mod reopen;
mod stopping;
