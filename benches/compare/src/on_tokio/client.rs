//! Clients.

use super::{Io, block_on, spawn};
use crate::Result;
use crate::args::ClientArgs;
use crate::control::{self, Connections};
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// What a client does on a connection: [`Talk`] says when it is open, and how it goes on.
pub trait Client: Send + Sync + 'static {
    /// Opens the WebSocket; then echoes for ever, or waits for the stop and closes.
    fn run<S: Io>(io: S, talk: Talk) -> impl Future<Output = Result<()>> + Send;
}

/// What a connection is to do.
#[derive(Clone)]
pub struct Talk {
    /// Messages in flight; 0: the connection is idle, and is closed at the stop.
    pub in_flight: usize,
    /// What each message holds.
    pub payload: Bytes,
    /// Whether to batch.
    pub batched: bool,
    /// Whether to compress.
    pub deflate: bool,
    connections: Arc<Connections>,
    stop: watch::Receiver<bool>,
}

impl Talk {
    /// It is open.
    pub fn opened(&self) {
        self.connections.opened();
    }

    /// Waits for the stop.
    pub async fn stop(&mut self) -> Result<()> {
        self.stop.wait_for(|stop| *stop).await?;
        Ok(())
    }

    /// It was closed in order.
    pub fn closed(&self) {
        if self.connections.closed() {
            self.connections.stopped();
            std::process::exit(0);
        }
    }
}

/// Opens all connections at once, and runs until it is told to stop.
pub fn client<C: Client>() -> Result<()> {
    let args = ClientArgs::get()?;
    let tls = args.tls.client()?.map(TlsConnector::from);
    let payload = Bytes::from(args.payload());
    block_on(async move {
        let connections = Arc::new(Connections::new(args.connections));
        let (stop, stopped) = watch::channel(false);
        let (stopping, teller) = (connections.clone(), stop.clone());
        control::listen(move || {
            stopping.stop();
            teller.send_replace(true);
        });
        let talk = Talk {
            in_flight: args.in_flight,
            payload,
            batched: args.batched,
            deflate: args.deflate,
            connections,
            stop: stopped,
        };
        for _ in 0..args.connections {
            let (server, tls, talk) = (args.server(), tls.clone(), talk.clone());
            spawn(async move {
                let tcp = TcpStream::connect(server).await?;
                tcp.set_nodelay(true)?;
                match tls {
                    Some(tls) => {
                        let name = ServerName::IpAddress(server.ip().into());
                        C::run(tls.connect(name, tcp).await?, talk).await
                    }
                    None => C::run(tcp, talk).await,
                }
            });
        }
        stop.closed().await;
    })?;
    Ok(())
}
