//! Echoes of those libraries whose WebSocket is a `Stream` and a `Sink` of messages.
//!
//! What has come together is answered together: first all of it is taken, then the answers are queued, then
//! written. (Some libraries write what is queued whenever they are asked for the next message.)

use super::Talk;
use crate::Result;
use crate::control::count;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use std::error::Error;
use std::fmt::Debug;

/// An open WebSocket.
pub trait Socket<M, E>:
    Stream<Item = std::result::Result<M, E>> + Sink<M, Error = E> + Unpin
{
}
impl<M, E, W> Socket<M, E> for W where
    W: Stream<Item = std::result::Result<M, E>> + Sink<M, Error = E> + Unpin
{
}

/// A client that is open: it echoes for ever, or is idle until the stop. `close` is a Close.
pub async fn talk<M, E>(
    mut ws: impl Socket<M, E>,
    mut talk: Talk,
    message: impl Fn() -> M,
    close: impl FnOnce() -> M,
) -> Result<()>
where
    M: Debug,
    E: Error + Send + Sync + 'static,
{
    talk.opened();
    if talk.in_flight == 0 {
        tokio::select! {
            message = ws.next() => return Err(format!("{message:?} came").into()),
            stop = talk.stop() => stop?,
        }
        ws.send(close()).await?;
        while let Some(message) = ws.next().await {
            message?;
        }
        talk.closed();
        return Ok(());
    }
    for _ in 0..talk.in_flight {
        ws.feed(message()).await?;
    }
    ws.flush().await?;
    while let Some(come) = ws.next().await {
        come?;
        let mut answers = 1;
        while talk.batched
            && let Some(Some(come)) = ws.next().now_or_never()
        {
            come?;
            answers += 1;
        }
        count(answers);
        for _ in 0..answers {
            ws.feed(message()).await?;
        }
        ws.flush().await?;
    }
    Err("the end of the stream".into())
}

/// A server's connection: it echoes until the client has gone.
pub async fn echo<M, E>(mut ws: impl Socket<M, E>) -> Result<()>
where
    E: Error + Send + Sync + 'static,
{
    let mut answers = Vec::new();
    while let Some(come) = ws.next().await {
        answers.push(come?);
        while let Some(Some(come)) = ws.next().now_or_never() {
            answers.push(come?);
        }
        count(answers.len() as u64);
        for answer in answers.drain(..) {
            ws.feed(answer).await?;
        }
        ws.flush().await?;
    }
    Ok(())
}
