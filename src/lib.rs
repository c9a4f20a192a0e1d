#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use hvloop_event as event;
#[cfg(feature = "ws")]
pub use hvloop_ws as ws;

pub use hvloop_event::{
    Channel, CloseReason, Connect, EventLoop, EventLoopThread, EventLoopThreadPool, Hold,
    LoadBalance, LocalLoop, LoopClosed, LoopOptions, LoopStatus, Metrics, ReconnectPolicy,
    SendError, ShutdownReport, TcpClient, TimerId,
};
#[cfg(feature = "ws")]
pub use hvloop_ws::{
    ClientOptions, ClientState, CloseEvent, Message, OpenError, OpenEvent, WebSocketClient,
};

/// What most programs need: `use hvloop::prelude::*`.
pub mod prelude {
    #[cfg(feature = "ws")]
    pub use crate::{ClientOptions, CloseEvent, Message, OpenEvent, WebSocketClient};
    pub use crate::{EventLoop, EventLoopThread, ShutdownReport, TcpClient, TimerId};
}

/// Guides.
pub mod guide {
    #[cfg(all(feature = "ws", feature = "tls"))]
    #[doc = include_str!("../docs/migrating-from-libhv.md")]
    pub mod migrating_from_libhv {}
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}
}
