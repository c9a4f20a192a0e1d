//! sockudo-ws' clients.

use hvloop_compare::Result;
use hvloop_compare::on_tokio::{Client, Io, Talk, client, talk};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::{Config, Http1, Message};

struct Sockudo;

impl Client for Sockudo {
    async fn run<S: Io>(io: S, its: Talk) -> Result<()> {
        let connector = WebSocketClient::<Http1>::new(Config::default());
        let (ws, _) = connector.connect_raw(io, "127.0.0.1", "/", None).await?;
        let payload = its.payload.clone();
        let message = || Message::Binary(payload.clone());
        talk(ws, its, message, || Message::Close(None)).await
    }
}

fn main() -> Result<()> {
    client::<Sockudo>()
}
