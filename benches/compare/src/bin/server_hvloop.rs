//! hvloop's server, on one loop, or (`--loops`) on those of a pool.

use hvloop::tls::TlsServerConfig;
use hvloop::{
    DeflateOptions, EventLoopThreadPool, Listen, SendError, ServiceOptions, WebSocketServer,
    WebSocketService,
};
use hvloop_compare::Result;
use hvloop_compare::args::{DEFLATE_LEVEL, ServerArgs};
use hvloop_compare::control::{self, count, say};
use std::time::Duration;

fn main() -> Result<()> {
    let args = ServerArgs::get()?;
    let pool = EventLoopThreadPool::with_threads(args.loops)?;
    let server = WebSocketServer::per_loop(&pool);
    let mut options = ServiceOptions::new();
    if args.deflate {
        options = options.deflate(DeflateOptions::new().level(DEFLATE_LEVEL as u8));
    }
    let service = WebSocketService::new()
        .options(options)
        .on_message(|channel, message| {
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
    pool.start()?;
    let address = server.listen(listen)?;
    let port = address.inet().ok_or("no port")?.port();
    control::listen(|| {});
    say(format_args!("ready port={port}"));
    pool.join()?;
    Ok(())
}
