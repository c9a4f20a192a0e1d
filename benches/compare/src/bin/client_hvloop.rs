//! hvloop's clients, all on one loop.

use hvloop::tls::TlsClientConfig;
use hvloop::{ClientOptions, EventLoop, SendError, WebSocketClient};
use hvloop_compare::Result;
use hvloop_compare::args::ClientArgs;
use hvloop_compare::control::{self, Connections, count};
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<()> {
    let args = ClientArgs::get()?;
    let tls = args.tls.client()?.map(TlsClientConfig::from_rustls);
    let payload: Arc<[u8]> = args.payload().into();
    let event_loop = EventLoop::new()?;
    let connections = Arc::new(Connections::new(args.connections));
    let (stopping, stopped) = (connections.clone(), event_loop.clone());
    control::listen(move || {
        stopping.stop();
        stopped.stop();
    });
    let url = args.url();
    let clients = (0..args.connections)
        .map(|_| {
            let mut options = ClientOptions::new().open_timeout(Duration::from_secs(60));
            if let Some(tls) = &tls {
                options = options.tls(tls.clone());
            }
            let client = WebSocketClient::with_options(&event_loop, options);
            let (opened, closed) = (connections.clone(), connections.clone());
            let (first, next) = (payload.clone(), payload.clone());
            let in_flight = args.in_flight;
            client.on_open(move |ws, _| {
                opened.opened();
                for _ in 0..in_flight {
                    send(ws, &first);
                }
            });
            client.on_message(move |ws, _| {
                count(1);
                send(ws, &next);
            });
            client.on_close(move |_, event| match event.clean {
                true => _ = closed.closed(),
                false => control::fail(event),
            });
            client.open(&url)?;
            Ok(client)
        })
        .collect::<Result<Vec<_>>>()?;
    event_loop.run()?;
    connections.stopped();
    drop(clients);
    Ok(())
}

fn send(ws: &WebSocketClient, payload: &[u8]) {
    match ws.send_binary(payload) {
        // The stop has begun.
        Ok(()) | Err(SendError::NotOpen) => {}
        Err(e) => control::fail(&e),
    }
}
