//! The misbehaving modes of the server: they speak frames themselves, because a well-behaved protocol
//! implementation would answer a Close frame.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::engine::{Order, record_io_failure};
use crate::frame::{FrameReader, encode_frame, opcode};
use crate::http::{HEAD_LIMIT, RequestHead, head_end, upgrade_response};
use crate::stats::Stats;
use crate::wait::Monitor;

/// Payload of each frame that [`flood`] sends, in bytes.
const FLOOD_FRAME: usize = 16 * 1024;

/// Takes the connection and never says a word, until the client goes or any order comes.
pub(crate) async fn mute(mut tcp: TcpStream, mut orders: watch::Receiver<Order>) {
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            _ = orders.changed() => return,
            read = tcp.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// Echoes messages and answers Pings, but takes no notice of a Close frame.
pub(crate) async fn never_close<S>(
    mut stream: S,
    stats: &Monitor<Stats>,
    mut orders: watch::Receiver<Order>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if upgrade(&mut stream, stats).await.is_err() {
        return;
    }
    let mut seen = Seen::default();
    let work = async {
        let mut replies = Vec::new();
        while seen.read(&mut stream, stats, &mut replies).await? {
            stream.write_all(&replies).await?;
            stream.flush().await?;
            replies.clear();
        }
        Ok(())
    };
    let result = tokio::select! {
        _ = orders.changed() => return,
        result = work => result,
    };
    seen.record_end(stats, result);
}

/// Sends binary frames without an end and takes no notice of anything.
pub(crate) async fn flood<S>(
    mut stream: S,
    stats: &Monitor<Stats>,
    mut orders: watch::Receiver<Order>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if upgrade(&mut stream, stats).await.is_err() {
        return;
    }
    let (mut input, mut output) = tokio::io::split(stream);
    let frame = encode_frame(opcode::BINARY, true, &vec![0xA5; FLOOD_FRAME]);
    let write = async {
        // A client that shut its reading side down still may send: go on reading then.
        while output.write_all(&frame).await.is_ok() {
            // Fairness: on a fast reader the writes never wait.
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    let mut seen = Seen::default();
    let read = async {
        let mut ignored = Vec::new();
        while seen.read(&mut input, stats, &mut ignored).await? {
            ignored.clear();
        }
        Ok(())
    };
    let result = tokio::select! {
        _ = orders.changed() => return,
        () = write => return,
        result = read => result,
    };
    seen.record_end(stats, result);
}

/// What came in on a connection.
#[derive(Default)]
struct Seen {
    frames: FrameReader,
    got_close: bool,
}

impl Seen {
    /// Reads once, counts what came, and appends the answers to `replies`. Answers whether the stream
    /// goes on.
    async fn read<S>(
        &mut self,
        stream: &mut S,
        stats: &Monitor<Stats>,
        replies: &mut Vec<u8>,
    ) -> io::Result<bool>
    where
        S: AsyncRead + Unpin,
    {
        let mut buffer = [0; 16 * 1024];
        let count = stream.read(&mut buffer).await?;
        self.frames.push(&buffer[..count]);
        while let Some(frame) = self.frames.next_frame() {
            stats.update(|stats| match frame.opcode {
                opcode::CLOSE => {
                    let code = frame.close_code().unwrap_or(1005);
                    *stats.closes.entry(code).or_insert(0) += 1;
                }
                opcode::PING => stats.pings += 1,
                opcode::PONG => stats.pongs += 1,
                _ => {
                    stats.messages += u64::from(frame.fin);
                    stats.bytes += frame.payload.len() as u64;
                }
            });
            match frame.opcode {
                opcode::CLOSE => self.got_close = true,
                opcode::PONG => {}
                opcode::PING => {
                    replies.extend(encode_frame(opcode::PONG, true, &frame.payload));
                }
                other => replies.extend(encode_frame(other, frame.fin, &frame.payload)),
            }
        }
        Ok(count > 0)
    }

    /// Counts how the client ended the stream.
    fn record_end(&self, stats: &Monitor<Stats>, result: io::Result<()>) {
        if let Err(error) = result {
            record_io_failure(stats, &error);
        }
        if !self.got_close {
            stats.update(|stats| stats.abrupt += 1);
        }
    }
}

/// Reads the request and answers 101, whatever was asked.
async fn upgrade<S>(stream: &mut S, stats: &Monitor<Stats>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let done = async {
        let mut head = Vec::new();
        while head_end(&head).is_none() {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await?;
            if count == 0 || head.len() > HEAD_LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            head.extend_from_slice(&buffer[..count]);
        }
        let request = RequestHead::parse(&String::from_utf8_lossy(&head));
        stream
            .write_all(upgrade_response(&request, &[]).as_bytes())
            .await?;
        stream.flush().await
    };
    let result = done.await;
    stats.update(|stats| match result {
        Ok(()) => stats.upgraded += 1,
        Err(_) => stats.handshakes_failed += 1,
    });
    result
}
