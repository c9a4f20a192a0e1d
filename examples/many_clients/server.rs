//! An echo server on a pool of its own, which reads no faster than its clients take their echoes.

use hvloop::{
    EventLoopThreadPool, Listen, ShutdownReport, WebSocketChannel, WebSocketServer,
    WebSocketService,
};
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

/// See the module.
pub struct EchoServer {
    pool: EventLoopThreadPool,
    server: WebSocketServer,
    url: String,
}

/// Bytes that may be queued towards a client; a message may have half as many.
const SEND_LIMIT: usize = 16 << 20;

impl EchoServer {
    pub fn start(threads: usize) -> Result<Self, Box<dyn Error>> {
        let pool = EventLoopThreadPool::with_threads(threads)?;
        pool.start()?;
        let server = WebSocketServer::per_loop(&pool);
        let echo = WebSocketService::new()
            .on_message(|channel, message| {
                if let Err(e) = channel.send(message) {
                    eprintln!("{:?}: {e}", channel.peer_addr());
                    // 1013: try again later. It will find an echo missing.
                    channel.close(1013, "").unwrap_or_default();
                }
                if channel.buffered_amount() > SEND_LIMIT / 2 {
                    channel.pause_reading();
                }
            })
            .on_drain(WebSocketChannel::resume_reading);
        server.route("/", echo);
        let listen = Listen::tcp(SocketAddr::from(([127, 0, 0, 1], 0)))
            .open_timeout(Duration::from_secs(60))
            .send_limit(SEND_LIMIT);
        let address = server.listen(listen)?;
        Ok(Self {
            pool,
            server,
            url: format!("ws://{address}/"),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn stop(self) -> Result<Vec<ShutdownReport>, Box<dyn Error>> {
        self.pool.stop();
        let reports = self.pool.join()?;
        drop(self.server);
        Ok(reports)
    }
}
