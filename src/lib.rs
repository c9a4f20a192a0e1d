#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use hvloop_event as event;
#[cfg(feature = "ws")]
pub use hvloop_ws as ws;

#[cfg(all(unix, not(hvloop_sim)))]
pub use hvloop_event::signal;
pub use hvloop_event::{
    Address, Channel, ChannelId, CloseReason, Connect, DatagramError, EventLoop, EventLoopThread,
    EventLoopThreadPool, Hold, IdleId, Interest, IoHandle, LengthCoding, LengthField, Listen,
    LoadBalance, LocalLoop, LoopClosed, LoopOptions, LoopStatus, Metrics, Proxy, ReconnectPolicy,
    SendError, ShutdownReport, TcpClient, TcpServer, TimerId, TimerThread, UdpChannel, UdpClient,
    UdpOptions, UdpServer, Unpack,
};
#[cfg(feature = "cron")]
pub use hvloop_event::{CronError, CronSchedule};
#[cfg(feature = "ws")]
pub use hvloop_ws::{
    ClientEvent, ClientOptions, ClientReceiver, ClientState, CloseEvent, DeflateOptions, Message,
    OpenError, OpenEvent, ServiceOptions, WebSocketChannel, WebSocketClient, WebSocketServer,
    WebSocketService, WhenFull,
};

/// What most programs need: `use hvloop::prelude::*`.
pub mod prelude {
    pub use crate::{
        Channel, EventLoop, EventLoopThread, EventLoopThreadPool, Listen, ShutdownReport,
        TcpClient, TcpServer, TimerId,
    };
    #[cfg(feature = "ws")]
    pub use crate::{
        ClientOptions, CloseEvent, Message, OpenEvent, WebSocketChannel, WebSocketClient,
        WebSocketServer, WebSocketService,
    };
}

/// Guides.
pub mod guide {
    #[cfg(all(feature = "ws", feature = "tls"))]
    #[doc = include_str!("../docs/migrating-from-libhv.md")]
    pub mod migrating_from_libhv {}
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}
}
