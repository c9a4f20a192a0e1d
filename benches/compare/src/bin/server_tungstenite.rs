//! tokio-tungstenite's server.

use hvloop_compare::Result;
use hvloop_compare::on_tokio::{Io, Server, echo, server};
use tokio_tungstenite::accept_async;

struct Tungstenite;

impl Server for Tungstenite {
    async fn run<S: Io>(io: S, deflate: bool) -> Result<()> {
        if deflate {
            return Err("this one does not compress".into());
        }
        let ws = accept_async(io).await?;
        echo(ws).await
    }
}

fn main() -> Result<()> {
    server::<Tungstenite>()
}
