//! Servers.

use super::{Io, block_on, spawn};
use crate::Result;
use crate::args::ServerArgs;
use crate::control::{self, say};
use std::future::Future;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server does on a connection.
pub trait Server: Send + Sync + 'static {
    /// Answers the upgrade, to compress or not, and echoes until the client has gone; an error is the end, too.
    fn run<S: Io>(io: S, deflate: bool) -> impl Future<Output = Result<()>> + Send;
}

/// Serves for as long as the process lives.
pub fn server<S: Server>() -> Result<()> {
    let args = ServerArgs::get()?;
    let tls = args.tls.server()?.map(TlsAcceptor::from);
    let listener = crate::raw::listener()?;
    let port = listener.local_addr()?.port();
    block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        control::listen(|| {});
        say(format_args!("ready port={port}"));
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            let (tls, deflate) = (tls.clone(), args.deflate);
            spawn(async move {
                let served = match tls {
                    Some(tls) => S::run(tls.accept(tcp).await?, deflate).await,
                    None => S::run(tcp, deflate).await,
                };
                // The clients' process ends without a word, which each library calls by another name.
                served.unwrap_or_default();
                Ok(())
            });
        }
    })?
}
