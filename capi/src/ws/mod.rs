//! WebSockets: a connection is a `hvloop_io` of the kind `HVLOOP_IO_KIND_WEBSOCKET`.
//!
//! | module | holds |
//! |---|---|
//! | `callbacks` | what is called of a connection |
//! | `connection` | what a connection can do, of either side |
//! | `client`, `client_options` | the client: its life, and what can be set |
//! | `client_settings`, `server_state` | what is set |
//! | `limits` | limits and compression, as C says them |
//! | `client_core` | what is called of it, and an open that waits for an end |
//! | `server`, `server_settings` | the server: its life, and what can be set |
//! | `service` | what a server does with the connections of a path |
//! | `route` | a service at a server: what is called of its connections |
//! | `failure` | why it failed, as a number |

pub mod callbacks;
pub mod client;
mod client_core;
pub mod client_options;
mod client_settings;
pub mod connection;
mod failure;
mod limits;
mod route;
pub mod server;
pub mod server_settings;
mod server_state;
pub mod service;
