//! hvloop's clients, on one loop or (`--loops`) by turns on several. The first one runs
//! on the main thread.

use hvloop::tls::TlsClientConfig;
use hvloop::{ClientOptions, DeflateOptions, EventLoop, SendError, WebSocketClient};
use hvloop_compare::Result;
use hvloop_compare::args::{ClientArgs, DEFLATE_LEVEL};
use hvloop_compare::control::{self, Connections, count};
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<()> {
    let args = ClientArgs::get()?;
    let tls = args.tls.client()?.map(TlsClientConfig::from_rustls);
    let payload: Arc<[u8]> = args.payload().into();
    let loops = (0..args.loops.max(1)).map(|_| EventLoop::new());
    let loops = loops.collect::<std::io::Result<Vec<_>>>()?;
    let connections = Arc::new(Connections::new(args.connections));
    let (stopping, stopped) = (connections.clone(), loops.clone());
    control::listen(move || {
        stopping.stop();
        stopped.iter().for_each(EventLoop::stop);
    });
    let url = args.url();
    let clients = (0..args.connections)
        .map(|n| {
            let mut options = ClientOptions::new().open_timeout(Duration::from_secs(60));
            if let Some(tls) = &tls {
                options = options.tls(tls.clone());
            }
            if args.deflate {
                options = options.deflate(DeflateOptions::new().level(DEFLATE_LEVEL as u8));
            }
            let client = WebSocketClient::with_options(&loops[n % loops.len()], options);
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
    let [first, others @ ..] = &loops[..] else {
        return Err("no loop".into());
    };
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = others
            .iter()
            .map(|other| scope.spawn(|| other.run()))
            .collect();
        first.run()?;
        for thread in threads {
            thread.join().map_err(|_| "a loop panicked")??;
        }
        Ok(())
    })?;
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
