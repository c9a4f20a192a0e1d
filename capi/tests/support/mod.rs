//! Compiles programs in C and C++ against the headers and the static library, and runs them.

#![allow(dead_code, reason = "each test uses its own part of it")]

pub mod compiler;
pub mod library;
pub mod run;
pub mod script;
