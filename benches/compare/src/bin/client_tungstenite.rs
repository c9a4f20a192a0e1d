//! tokio-tungstenite's clients: each answer is sent at once, or (`--batched`) what has come together is.

use hvloop_compare::Result;
use hvloop_compare::on_tokio::{Client, Io, Talk, client, talk};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

struct Tungstenite;

impl Client for Tungstenite {
    async fn run<S: Io>(io: S, its: Talk) -> Result<()> {
        if its.deflate {
            return Err("this one does not compress".into());
        }
        let (ws, _) = client_async("ws://127.0.0.1/", io).await?;
        let payload = its.payload.clone();
        let message = || Message::Binary(payload.clone());
        talk(ws, its, message, || Message::Close(None)).await
    }
}

fn main() -> Result<()> {
    client::<Tungstenite>()
}
