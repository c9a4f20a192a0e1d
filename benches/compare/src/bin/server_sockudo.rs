//! sockudo-ws' server.

use hvloop_compare::Result;
use hvloop_compare::on_tokio::{Io, Server, echo, server};
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::{Config, Http1};

struct Sockudo;

impl Server for Sockudo {
    async fn run<S: Io>(io: S) -> Result<()> {
        let server = WebSocketServer::<Http1>::new(Config::default());
        let (ws, _) = server.accept_raw(io).await?;
        echo(ws).await
    }
}

fn main() -> Result<()> {
    server::<Sockudo>()
}
