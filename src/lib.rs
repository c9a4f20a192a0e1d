#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use hvloop_event as event;
#[cfg(feature = "ws")]
pub use hvloop_ws as ws;

#[cfg(all(unix, not(hvloop_sim)))]
pub use hvloop_event::signal;
#[cfg(feature = "tls")]
pub use hvloop_event::tls;
pub use hvloop_event::{
    Address, Channel, ChannelId, CloseReason, Connect, ConnectError, DatagramError, DnsQuery,
    EventLoop, EventLoopThread, EventLoopThreadPool, Growth, Hold, IdleId, Interest, IoHandle,
    JoinError, LengthCoding, LengthField, Listen, ListenError, ListenErrorKind, Listening,
    LoadBalance, LocalLoop, LoopClosed, LoopOptions, LoopStatus, Metrics, OnMemoryLimit,
    PolicyError, Proxy, ReconnectPolicy, RunError, SendError, ShutdownReport, SocketOptions,
    StartError, TcpClient, TcpServer, TimerId, TimerThread, TryQueueError, UdpChannel, UdpClient,
    UdpOptions, UdpServer, Unpack, UnpackError,
};
#[cfg(feature = "cron")]
pub use hvloop_event::{CronError, CronSchedule};
#[cfg(feature = "ws")]
pub use hvloop_ws::{
    ClientConnection, ClientEvent, ClientOptions, ClientReceiver, ClientState, CloseError,
    CloseEvent, ConnectionError, DeflateOptions, Message, OpenError, OpenEvent, PingError,
    ServiceOptions, WebSocketChannel, WebSocketClient, WebSocketServer, WebSocketService, WhenFull,
};

/// What most programs need: `use hvloop::prelude::*`.
pub mod prelude {
    pub use crate::{
        Channel, CloseReason, Connect, EventLoop, EventLoopThread, EventLoopThreadPool, Listen,
        LoadBalance, LoopOptions, ReconnectPolicy, SendError, ShutdownReport, TcpClient, TcpServer,
        TimerId, UdpClient, UdpOptions, UdpServer,
    };
    #[cfg(feature = "ws")]
    pub use crate::{
        ClientOptions, CloseEvent, Message, OpenEvent, ServiceOptions, WebSocketChannel,
        WebSocketClient, WebSocketServer, WebSocketService,
    };
}

/// Guides.
pub mod guide {
    #[cfg(all(feature = "ws", feature = "tls"))]
    #[doc = include_str!("../docs/migrating-from-libhv.md")]
    pub mod migrating_from_libhv {}
    #[doc = include_str!("../docs/cpp.md")]
    pub mod cpp {}
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}
}
