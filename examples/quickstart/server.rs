//! An echo server on a loop of its own, which counts how its clients took their leave.

use hvloop::tls::{TlsIdentities, TlsServerConfig};
use hvloop::{EventLoopThread, Listen, ShutdownReport, WebSocketServer, WebSocketService};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// See the module.
pub struct EchoServer {
    thread: EventLoopThread,
    server: WebSocketServer,
    url: String,
    certificate: Option<String>,
    /// Clients that went with Close 1001 (Going Away), and the handshake was completed.
    gone_away: Arc<AtomicUsize>,
}

impl EchoServer {
    pub fn start(tls: bool) -> Result<Self, Box<dyn Error>> {
        let mut listen = Listen::tcp(SocketAddr::from(([127, 0, 0, 1], 0)))
            .open_timeout(Duration::from_secs(60));
        let mut scheme = "ws";
        let mut certificate = None;
        if tls {
            let (config, pem) = self_signed()?;
            listen = listen.with_tls(config);
            scheme = "wss";
            certificate = Some(pem);
        }
        let gone_away = Arc::new(AtomicUsize::new(0));
        let count = gone_away.clone();
        let echo = WebSocketService::new()
            .on_message(|channel, message| {
                if let Err(e) = channel.send(message) {
                    eprintln!("server: {e}");
                }
            })
            .on_close(move |_, event| match (event.code, event.clean) {
                (1001, true) => _ = count.fetch_add(1, Ordering::Relaxed),
                _ => eprintln!("server: {event}"),
            });
        let thread = EventLoopThread::new()?;
        thread.start()?;
        let server = WebSocketServer::new(thread.event_loop());
        server.route("/", echo);
        let address = server.listen(listen)?;
        Ok(Self {
            thread,
            server,
            url: format!("{scheme}://{address}/"),
            certificate,
            gone_away,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate to trust, in PEM.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Stops the server: its report, and how many clients had gone with Close 1001.
    pub fn stop(self) -> Result<(ShutdownReport, usize), Box<dyn Error>> {
        self.thread.stop();
        let report = self.thread.join()?;
        drop(self.server);
        Ok((report, self.gone_away.load(Ordering::Relaxed)))
    }
}

/// A configuration with a certificate made now, and that in PEM.
fn self_signed() -> Result<(TlsServerConfig, String), Box<dyn Error>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    let (chain, key) = (cert.pem(), signing_key.serialize_pem());
    let identity = TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes());
    Ok((TlsServerConfig::new(identity)?, chain))
}
