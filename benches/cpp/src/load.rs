//! Who has messages echoed: clients in Rust, whichever server it is.

use crate::work::Work;
use hvloop::{
    Channel, ClientOptions, Connect, EventLoop, Message, SendError, TcpClient, WebSocketClient,
};
use std::cell::Cell;
use std::error::Error;

/// Connections, and messages in flight on each.
const CONNECTIONS: u64 = 100;
const IN_FLIGHT: u64 = 4;
const MESSAGE: [u8; 128] = [b'm'; 128];

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Has so many messages echoed.
pub fn echoes(work: Work, port: u16, count: u64) -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::new()?;
    LEFT.set(count);
    match work {
        Work::Tcp => {
            let clients: Result<Vec<_>, _> =
                (0..CONNECTIONS).map(|_| tcp(&event_loop, port)).collect();
            let _clients = clients?;
            event_loop.run()?;
        }
        _ => {
            let clients: Result<Vec<_>, _> =
                (0..CONNECTIONS).map(|_| ws(&event_loop, port)).collect();
            let _clients = clients?;
            event_loop.run()?;
        }
    }
    Ok(())
}

/// One more is there. Whether another one is to be sent; else the loop stops.
fn another(event_loop: &EventLoop) -> bool {
    let left = LEFT.get().saturating_sub(1);
    LEFT.set(left);
    if left == 0 {
        event_loop.stop();
    }
    left > 0
}

fn tcp(event_loop: &EventLoop, port: u16) -> Result<TcpClient, Box<dyn Error>> {
    let client = TcpClient::new(event_loop);
    let send = |channel: &Channel| -> Result<(), SendError> { channel.send(&MESSAGE) };
    client.on_connect(move |channel| {
        for _ in 0..IN_FLIGHT {
            // The benchmark waits for ever if one is refused, and says so by that.
            _ = send(channel);
        }
    });
    let (stops, mut came) = (event_loop.clone(), 0);
    client.on_message(move |channel, bytes| {
        came += bytes.len();
        while came >= MESSAGE.len() {
            came -= MESSAGE.len();
            if another(&stops) {
                _ = channel.send(&MESSAGE);
            }
        }
    });
    client.connect(Connect::to("127.0.0.1", port))?;
    Ok(client)
}

fn ws(event_loop: &EventLoop, port: u16) -> Result<WebSocketClient, Box<dyn Error>> {
    let client = WebSocketClient::with_options(event_loop, ClientOptions::new());
    client.on_open(|ws, _| {
        for _ in 0..IN_FLIGHT {
            _ = ws.send(Message::Binary(&MESSAGE));
        }
    });
    let stops = event_loop.clone();
    client.on_message(move |ws, _| {
        if another(&stops) {
            _ = ws.send(Message::Binary(&MESSAGE));
        }
    });
    client.open(&format!("ws://127.0.0.1:{port}/"))?;
    Ok(client)
}
