//! fastwebsockets' server. The upgrade is made by hand, without hyper, so that the WebSocket is on the bare
//! stream. The library writes each frame at once.

use fastwebsockets::{Frame, OpCode, Role, WebSocket};
use hvloop_compare::Result;
use hvloop_compare::control::count;
use hvloop_compare::on_tokio::{Io, Server, server, upgrade};

struct Fastwebsockets;

impl Server for Fastwebsockets {
    async fn run<S: Io>(mut io: S, deflate: bool) -> Result<()> {
        if deflate {
            return Err("this one does not compress".into());
        }
        upgrade::answer(&mut io, false).await?;
        let mut ws = WebSocket::after_handshake(io, Role::Server);
        loop {
            let frame = ws.read_frame().await?;
            match frame.opcode {
                OpCode::Binary => {
                    count(1);
                    ws.write_frame(Frame::binary(frame.payload)).await?;
                }
                OpCode::Close => return Ok(()),
                _ => {}
            }
        }
    }
}

fn main() -> Result<()> {
    server::<Fastwebsockets>()
}
