//! hvloop's server, on one loop.

use hvloop::tls::TlsServerConfig;
use hvloop::{EventLoop, Listen, SendError, WebSocketServer, WebSocketService};
use hvloop_compare::Result;
use hvloop_compare::args::ServerArgs;
use hvloop_compare::control::{self, count, say};
use std::time::Duration;

fn main() -> Result<()> {
    let args = ServerArgs::get()?;
    let event_loop = EventLoop::new()?;
    let server = WebSocketServer::new(&event_loop);
    let service = WebSocketService::new().on_message(|channel, message| {
        count(1);
        match channel.send(message) {
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(e) => control::fail(&e),
        }
    });
    server.route("/", service);
    let mut listen = Listen::tcp(([127, 0, 0, 1], 0))
        .backlog(8192)
        .open_timeout(Duration::from_secs(60));
    if let Some(tls) = args.tls.server()? {
        listen = listen.with_tls(TlsServerConfig::from_rustls(tls));
    }
    let address = server.listen(listen)?;
    let port = address.inet().ok_or("no port")?.port();
    control::listen(|| {});
    say(format_args!("ready port={port}"));
    event_loop.run()?;
    Ok(())
}
