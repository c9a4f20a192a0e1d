//! WebSockets of either side, as handles.

use super::{Connection, hvloop_io_kind};
use crate::error::Outcome;
use hvloop::{Address, ClientConnection, EventLoop, WebSocketChannel};

/// What is one thing for a server's connection and for a client's.
macro_rules! websocket {
    ($handle:ty) => {
        impl Connection for $handle {
            fn kind(&self) -> hvloop_io_kind {
                hvloop_io_kind::Websocket
            }

            fn event_loop(&self) -> Option<EventLoop> {
                Some(Self::event_loop(self).clone())
            }

            fn is_open(&self) -> bool {
                self.is_connected()
            }

            fn peer(&self) -> Option<Address> {
                Self::peer(self).cloned()
            }

            fn local(&self) -> Option<Address> {
                Self::local(self).cloned()
            }

            fn buffered(&self) -> usize {
                self.buffered_amount()
            }

            fn close(&self) {
                // 1000 may always be sent.
                let _ = Self::close(self, 1000, "");
            }

            fn close_now(&self) {
                Self::close_now(self);
            }

            fn pause_reading(&self) -> Outcome {
                Self::pause_reading(self);
                Ok(())
            }

            fn resume_reading(&self) -> Outcome {
                Self::resume_reading(self);
                Ok(())
            }
        }
    };
}

websocket!(WebSocketChannel);
websocket!(ClientConnection);
