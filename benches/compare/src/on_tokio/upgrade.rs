//! The upgrade by hand, where a library has none for what is wanted.

use super::Io;
use crate::Result;
use crate::frames::{HEAD_END, check_response, request, response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// As a client.
pub async fn ask(io: &mut impl Io, deflate: bool) -> Result<()> {
    io.write_all(&request(deflate)).await?;
    check_response(&head(io).await?, deflate)
}

/// As a server.
pub async fn answer(io: &mut impl Io, deflate: bool) -> Result<()> {
    let request = head(io).await?;
    io.write_all(&response(&request, deflate)?).await?;
    Ok(())
}

/// Nothing is behind it: a client waits for the answer, and the floor's server sends nothing by itself.
async fn head(io: &mut impl Io) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(HEAD_END) {
        if io.read_buf(&mut head).await? == 0 {
            return Err("the end within the head".into());
        }
    }
    Ok(head)
}
