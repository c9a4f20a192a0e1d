//! What serves, where, and what is set about it.

use super::TcpServerBody;
use crate::error::{Failure, Outcome, hvloop_error};
use crate::io::callbacks::Streams;
use crate::io::lock;
use crate::listeners::{Listeners, some_address};
use hvloop::tls::TlsServerConfig;
use hvloop::{EventLoop, EventLoopThreadPool, Listen, LoadBalance, TcpServer, Unpack};
use std::mem;
use std::sync::Arc;

/// Where a server listens, or will, and what is set about it.
pub(super) struct Serving {
    server: Arc<TcpServer>,
    /// Something has been accepted at since the last stop.
    started: bool,
    pub(super) listeners: Listeners,
    pub(super) tls: Option<TlsServerConfig>,
    balance: Option<LoadBalance>,
    max: Option<usize>,
    unpack: Option<Unpack>,
}

impl Serving {
    pub(super) fn new(event_loop: &EventLoop, streams: &Arc<Streams>) -> Self {
        Self {
            server: with_callbacks(TcpServer::new(event_loop), streams),
            started: false,
            listeners: Listeners::default(),
            tls: None,
            balance: None,
            max: None,
            unpack: None,
        }
    }

    pub(super) fn server(&self) -> Arc<TcpServer> {
        self.server.clone()
    }

    pub(super) fn set_balance(&mut self, balance: LoadBalance) {
        self.balance = Some(balance);
        self.server.set_load_balance(balance);
    }

    pub(super) fn set_max(&mut self, connections: usize) {
        self.max = Some(connections);
        self.server.set_max_connections(connections);
    }

    pub(super) fn set_unpack(&mut self, unpack: Option<Unpack>) {
        self.unpack.clone_from(&unpack);
        self.server.set_unpack(unpack);
    }

    /// Another server is to take what is set.
    fn replace(&mut self, server: Arc<TcpServer>) -> Arc<TcpServer> {
        if let Some(balance) = self.balance {
            server.set_load_balance(balance);
        }
        if let Some(max) = self.max {
            server.set_max_connections(max);
        }
        server.set_unpack(self.unpack.clone());
        mem::replace(&mut self.server, server)
    }

    /// How what is accepted is treated. The address does not count.
    fn options(&self) -> Listen {
        let options = some_address();
        match &self.tls {
            Some(tls) => options.with_tls(tls.clone()),
            None => options,
        }
    }
}

/// A server whose connections are those of C.
fn with_callbacks(server: TcpServer, streams: &Arc<Streams>) -> Arc<TcpServer> {
    let all = streams.clone();
    server.on_connection(move |channel| all.on_open(channel));
    let all = streams.clone();
    server.on_message(move |channel, data| all.on_message(channel, data));
    let all = streams.clone();
    server.on_write_complete(move |channel, size| all.on_write_complete(channel, size));
    let all = streams.clone();
    server.on_close(move |channel, reason| all.on_close(Some(channel), reason));
    Arc::new(server)
}

impl TcpServerBody {
    pub(super) fn set_workers(&self, workers: Option<&EventLoopThreadPool>) -> Outcome {
        let server = match workers {
            Some(pool) => TcpServer::with_workers(&self.event_loop, pool),
            None => TcpServer::new(&self.event_loop),
        };
        let server = with_callbacks(server, &self.streams);
        let mut serving = lock(&self.serving);
        if serving.started {
            let text = "the server is started: hvloop_tcp_server_stop comes first";
            return Err(Failure::new(hvloop_error::State, text));
        }
        let before = serving.replace(server);
        drop(serving);
        // Its drop calls into loops: with nothing locked.
        drop(before);
        Ok(())
    }

    pub(super) fn start(&self) -> Outcome {
        let (server, waiting) = {
            let mut serving = lock(&self.serving);
            let options = serving.options();
            let waiting = serving.listeners.take_waiting(&options)?;
            serving.started = true;
            (serving.server(), waiting)
        };
        for listening in waiting {
            server.listen_on(listening)?;
        }
        Ok(())
    }

    pub(super) fn close_listeners(&self) {
        let (server, own) = {
            let mut serving = lock(&self.serving);
            (serving.server(), serving.listeners.close())
        };
        own.end();
        server.close_listeners();
    }

    pub(super) fn stop(&self) {
        self.close_listeners();
        let server = {
            let mut serving = lock(&self.serving);
            serving.started = false;
            serving.server()
        };
        server.stop();
    }
}
