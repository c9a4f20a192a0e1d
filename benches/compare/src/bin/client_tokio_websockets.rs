//! tokio-websockets' clients.

use hvloop_compare::Result;
use hvloop_compare::on_tokio::{Client, Io, Talk, client, talk};
use tokio_websockets::{ClientBuilder, Message};

struct TokioWebsockets;

impl Client for TokioWebsockets {
    async fn run<S: Io>(io: S, its: Talk) -> Result<()> {
        if its.deflate {
            return Err("this one does not compress".into());
        }
        let builder = ClientBuilder::new().uri("ws://127.0.0.1/")?;
        let (ws, _) = builder.connect_on(io).await?;
        let payload = its.payload.clone();
        let message = || Message::binary(payload.clone());
        talk(ws, its, message, || Message::close(None, "")).await
    }
}

fn main() -> Result<()> {
    client::<TokioWebsockets>()
}
