//! fastwebsockets' server. The upgrade is made by hand, without hyper, so that the WebSocket is on the bare
//! stream. The library writes each frame at once.

use fastwebsockets::{Frame, OpCode, Role, WebSocket};
use hvloop_compare::Result;
use hvloop_compare::control::count;
use hvloop_compare::frames::{HEAD_END, response};
use hvloop_compare::on_tokio::{Io, Server, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Fastwebsockets;

impl Server for Fastwebsockets {
    async fn run<S: Io>(mut io: S) -> Result<()> {
        let mut head = Vec::with_capacity(512);
        while !head.ends_with(HEAD_END) {
            if io.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        io.write_all(&response(&head)?).await?;
        drop(head);
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
