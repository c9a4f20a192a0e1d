//! hvloop for C and C++. `hvloop.h` declares the functions of this crate, and the headers in `hv` have libhv's
//! classes on top of them; this page is the ABI's rules. Rust programs need this crate to share a loop with C or
//! C++: see [`share`].
//!
//! # The rules
//!
//! - **Handles** are opaque. Those with `_retain` and `_release` are counted; a function that gives one gives
//!   a count with it. Each function may be called on any thread, unless it says otherwise.
//! - **Errors.** A function that can fail returns a negative [`hvloop_error`](error::hvloop_error), NULL, or 0
//!   where it else returns the number of something; `hvloop_last_error` has the text, of each thread its own. A
//!   NULL that must not be is an error, and so are a handle of another kind, text that is not in UTF-8, and
//!   a panic: none gets out.
//! - **Callbacks** are `{ call, drop, data }` by value. `drop` runs exactly once, after the last `call`: on the
//!   loop's thread if the loop took it, else before the function returns that refuses it. No callback runs within
//!   a function of the ABI, but `hvloop_loop_run_in_loop` on the loop's thread. No exception may leave
//!   one: the C++ headers catch them.
//! - **Lifetime.** After a `_free` has returned none of the object's callbacks runs.
//! - **Bytes and texts** that are given are copied, or used, before the function returns. Those that a callback
//!   gets are valid for its time.
//! - **Times** are milliseconds in `int64_t`; -1 is none, where there may be none.
//! - `hvloop_abi_version()` is to be `HVLOOP_ABI_VERSION`.
//!
//! This is the only crate of hvloop with `unsafe` code: pointers come from C, and its word is taken for what the
//! functions say under "Safety".

pub mod dns;
pub mod error;
pub mod event_loop;
mod ffi;
pub mod hold;
pub mod host;
pub mod http_callback;
mod http_fields;
pub mod http_request;
pub mod http_response;
pub mod io;
pub mod last_error;
mod listeners;
pub mod log;
pub mod loop_options;
pub mod metrics;
pub mod placed_task;
pub mod pool;
pub mod reconnect;
pub mod report;
pub mod share;
pub mod signal;
mod signal_list;
pub mod task;
pub mod tcp_client;
pub mod tcp_server;
pub mod thread;
pub mod timer;
pub mod tls_client;
pub mod tls_server;
pub mod udp;
pub mod version;
pub mod ws;
