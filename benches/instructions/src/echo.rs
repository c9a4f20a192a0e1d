//! A message there and back, end to end: the client and the server are on one loop, on one thread, with one message
//! under way, so that each turn has the same to do.

use crate::Fallible;
use hvloop::event::Turn;
use hvloop::event::tls::{TlsClientConfig, TlsIdentities, TlsServerConfig};
use hvloop::{
    ClientOptions, DeflateOptions, EventLoop, Listen, LoopOptions, Message, ServiceOptions,
    WebSocketClient, WebSocketServer, WebSocketService,
};
use rcgen::{CertificateParams, KeyPair};
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the certificate is: of the environment.
pub const CERTIFICATES: &str = "HVLOOP_CERTIFICATES";

pub fn make_certificate(to: &Path) -> Fallible<()> {
    let key = KeyPair::generate()?;
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let certificate = params.self_signed(&key)?;
    fs::write(to.join("cert.pem"), certificate.pem())?;
    fs::write(to.join("key.pem"), key.serialize_pem())?;
    Ok(())
}

/// The certificate and its key. By hand, one is made for the run.
fn certificate() -> Fallible<(Vec<u8>, Vec<u8>)> {
    let made;
    let at = match env::var_os(CERTIFICATES) {
        Some(at) => PathBuf::from(at),
        None => {
            made = tempfile::tempdir()?;
            make_certificate(made.path())?;
            made.path().to_owned()
        }
    };
    Ok((
        fs::read(at.join("cert.pem"))?,
        fs::read(at.join("key.pem"))?,
    ))
}

/// See the module.
pub struct Echo {
    size: usize,
    tls: bool,
    deflate: bool,
}

impl Echo {
    pub fn ws(size: usize) -> Self {
        Self {
            size,
            tls: false,
            deflate: false,
        }
    }

    pub fn wss(size: usize) -> Self {
        Self {
            tls: true,
            ..Self::ws(size)
        }
    }

    pub fn deflated(size: usize) -> Self {
        Self {
            deflate: true,
            ..Self::ws(size)
        }
    }

    pub fn run(&self, times: u64) -> Fallible<()> {
        let event_loop = seeded()?;
        let mut listen = local();
        let mut options = ClientOptions::new().ping_interval(None);
        let mut service = ServiceOptions::new().ping_interval(None);
        if self.tls {
            let (chain, key) = certificate()?;
            let identity = TlsIdentities::new().pem(&chain, &key);
            listen = listen.with_tls(TlsServerConfig::new(identity)?);
            options = options.tls(TlsClientConfig::builder().root_pem(&chain).build()?);
        }
        if self.deflate {
            options = options.deflate(Some(DeflateOptions::new()));
            service = service.deflate(Some(DeflateOptions::new()));
        }
        let (_server, to) = serve(&event_loop, listen, service)?;
        let client = WebSocketClient::with_options(&event_loop, options);
        let message: Vec<u8> = (0..self.size).map(|n| (n / 7 % 50) as u8).collect();
        client.on_open(move |ws, _| {
            ws.send_binary(&message).unwrap_or_else(|e| panic!("{e}"));
        });
        let left = Arc::new(AtomicU64::new(times));
        let count = left.clone();
        client.on_message(move |ws, message| {
            if count.fetch_sub(1, Ordering::Relaxed) > 1 {
                ws.send(message).unwrap_or_else(|e| panic!("{e}"));
            }
        });
        let scheme = if self.tls { "wss" } else { "ws" };
        client.open(&format!("{scheme}://{to}/"))?;
        turn_until(&event_loop, || left.load(Ordering::Relaxed) == 0)
    }
}

/// One client after the other opens, and closes at once.
pub fn connections(times: u64) -> Fallible<()> {
    let event_loop = seeded()?;
    let service = ServiceOptions::new().ping_interval(None);
    let (_server, to) = serve(&event_loop, local(), service)?;
    let options = ClientOptions::new()
        .ping_interval(None)
        .keep_callbacks(true);
    let client = WebSocketClient::with_options(&event_loop, options);
    client.on_open(|ws, _| ws.close(1000, "").unwrap_or_else(|e| panic!("{e}")));
    let closed = Arc::new(AtomicU64::new(0));
    let count = closed.clone();
    client.on_close(move |_, event| {
        assert!(event.clean, "{event}");
        count.fetch_add(1, Ordering::Relaxed);
    });
    for n in 1..=times {
        client.open(&format!("ws://{to}/"))?;
        while closed.load(Ordering::Relaxed) < n {
            let _ = event_loop.run_once(None)?;
        }
    }
    turn_until(&event_loop, || true)
}

/// Its masks are the same in each run.
fn seeded() -> Fallible<EventLoop> {
    Ok(EventLoop::with_options(
        LoopOptions::new().dangerous_seed(1),
    )?)
}

fn local() -> Listen {
    Listen::tcp(([127, 0, 0, 1], 0))
}

fn serve(
    event_loop: &EventLoop,
    listen: Listen,
    options: ServiceOptions,
) -> Fallible<(WebSocketServer, SocketAddr)> {
    let server = WebSocketServer::new(event_loop);
    let echo = WebSocketService::new().on_message(|channel, message: Message<'_>| {
        channel.send(message).unwrap_or_else(|e| panic!("{e}"));
    });
    server.route("/", echo.options(options));
    let to = server.listen(listen)?.inet().ok_or("an address")?;
    Ok((server, to))
}

/// Turns the loop until that is so, then stops it.
pub fn turn_until(event_loop: &EventLoop, mut done: impl FnMut() -> bool) -> Fallible<()> {
    while !done() {
        if event_loop.run_once(None)? != Turn::Continue {
            return Err("the loop has stopped".into());
        }
    }
    event_loop.stop();
    event_loop.run()?;
    Ok(())
}
