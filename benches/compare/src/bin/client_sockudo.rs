//! sockudo-ws' clients. Those that compress are upgraded by hand: it has no other way.

use hvloop_compare::Result;
use hvloop_compare::args::DEFLATE_LEVEL;
use hvloop_compare::on_tokio::{Client, Io, Talk, client, talk, upgrade};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, Http1, Message};

struct Sockudo;

impl Client for Sockudo {
    async fn run<S: Io>(mut io: S, its: Talk) -> Result<()> {
        let payload = its.payload.clone();
        let message = || Message::Binary(payload.clone());
        if its.deflate {
            upgrade::ask(&mut io, true).await?;
            let level = DeflateConfig {
                compression_level: DEFLATE_LEVEL,
                ..DeflateConfig::default()
            };
            let ws = CompressedWebSocketStream::client(io, Config::default(), level);
            return talk(ws, its, message, || Message::Close(None)).await;
        }
        let connector = WebSocketClient::<Http1>::new(Config::default());
        let (ws, _) = connector.connect_raw(io, "127.0.0.1", "/", None).await?;
        talk(ws, its, message, || Message::Close(None)).await
    }
}

fn main() -> Result<()> {
    client::<Sockudo>()
}
