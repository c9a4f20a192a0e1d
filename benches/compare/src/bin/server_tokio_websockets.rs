//! tokio-websockets' server.

use hvloop_compare::Result;
use hvloop_compare::on_tokio::{Io, Server, echo, server};
use tokio_websockets::ServerBuilder;

struct TokioWebsockets;

impl Server for TokioWebsockets {
    async fn run<S: Io>(io: S, deflate: bool) -> Result<()> {
        if deflate {
            return Err("this one does not compress".into());
        }
        let (_, ws) = ServerBuilder::new().accept(io).await?;
        echo(ws).await
    }
}

fn main() -> Result<()> {
    server::<TokioWebsockets>()
}
