//! fastwebsockets' clients. The upgrade is made by hand, without hyper, so that the WebSocket is on the bare
//! stream. The library writes each frame at once.

use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket};
use hvloop_compare::Result;
use hvloop_compare::control::count;
use hvloop_compare::on_tokio::{Client, Io, Talk, client, upgrade};

struct Fastwebsockets;

impl Client for Fastwebsockets {
    async fn run<S: Io>(mut io: S, mut talk: Talk) -> Result<()> {
        if talk.deflate {
            return Err("this one does not compress".into());
        }
        upgrade::ask(&mut io, false).await?;
        let mut ws = WebSocket::after_handshake(io, Role::Client);
        talk.opened();
        if talk.in_flight == 0 {
            tokio::select! {
                _ = ws.read_frame() => return Err("a frame came".into()),
                stop = talk.stop() => stop?,
            }
            ws.write_frame(Frame::close(1000, b"")).await?;
            while ws.read_frame().await?.opcode != OpCode::Close {}
            talk.closed();
            return Ok(());
        }
        let payload = talk.payload.clone();
        let frame = || Frame::binary(Payload::Borrowed(&payload));
        for _ in 0..talk.in_flight {
            ws.write_frame(frame()).await?;
        }
        loop {
            if ws.read_frame().await?.opcode == OpCode::Binary {
                count(1);
                ws.write_frame(frame()).await?;
            }
        }
    }
}

fn main() -> Result<()> {
    client::<Fastwebsockets>()
}
