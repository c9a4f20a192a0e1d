//! sockudo-ws' server. Its connections that compress are upgraded by hand: it has no other way.

use hvloop_compare::Result;
use hvloop_compare::args::DEFLATE_LEVEL;
use hvloop_compare::on_tokio::{Io, Server, echo, server, upgrade};
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, Http1};

struct Sockudo;

impl Server for Sockudo {
    async fn run<S: Io>(mut io: S, deflate: bool) -> Result<()> {
        if deflate {
            upgrade::answer(&mut io, true).await?;
            let level = DeflateConfig {
                compression_level: DEFLATE_LEVEL,
                ..DeflateConfig::default()
            };
            let ws = CompressedWebSocketStream::server(io, Config::default(), level);
            return echo(ws).await;
        }
        let server = WebSocketServer::<Http1>::new(Config::default());
        let (ws, _) = server.accept_raw(io).await?;
        echo(ws).await
    }
}

fn main() -> Result<()> {
    server::<Sockudo>()
}
