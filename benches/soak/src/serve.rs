//! The server's process: it echoes, and says at its end what it has counted.
//!
//! On its input: the certificate and its key, both in PEM, each ended by a line with a dot; then commands,
//! `storm N` and `stop`. On its output: `ready WS-PORT WSS-PORT`, `stormed N`, and the counts.

use crate::words::Words;
use crate::{STORM, tally::Tally};
use hvloop::event::tls::{TlsIdentities, TlsServerConfig};
use hvloop::{
    DeflateOptions, EventLoopThreadPool, Listen, LoopOptions, ServiceOptions, WebSocketChannel,
    WebSocketServer, WebSocketService,
};
use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the server knows of one session.
#[derive(Default)]
struct Session {
    name: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

pub fn run(threads: usize) -> Result<(), Box<dyn Error>> {
    let mut lines = std::io::stdin().lock().lines();
    let mut pem = || -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        loop {
            let line = lines.next().ok_or("the input ended")??;
            if line == "." {
                return Ok(text);
            }
            text.push_str(&line);
            text.push('\n');
        }
    };
    let (chain, key) = (pem()?, pem()?);
    let identity = TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes());
    let tls = TlsServerConfig::new(identity)?;

    let options = LoopOptions::new().drain_timeout(Duration::from_secs(60));
    let pool = EventLoopThreadPool::with_options(threads, &options)?;
    pool.start()?;
    let server = WebSocketServer::per_loop(&pool);
    let tally = Arc::new(Tally::default());
    server.route("/", echo(&tally));
    let listen = || {
        Listen::tcp(([127, 0, 0, 1], 0))
            .backlog(4096)
            .open_timeout(Duration::from_secs(60))
            .send_limit(64 << 20)
    };
    let ws = server.listen(listen())?.inet().ok_or("an address")?;
    let wss = server.listen(listen().with_tls(tls))?;
    let wss = wss.inet().ok_or("an address")?;
    let mut out = std::io::stdout();
    writeln!(out, "ready {} {}", ws.port(), wss.port())?;
    for line in lines {
        let line = line?;
        match line.split_once(' ') {
            Some(("storm", n)) => {
                let mut left: usize = n.parse()?;
                server.for_each_channel(|channel| {
                    if left > 0 && channel.close(STORM, "").is_ok() {
                        left -= 1;
                    }
                });
                writeln!(out, "stormed {n}")?;
            }
            _ => break,
        }
    }
    pool.stop();
    let reports = pool.join()?;
    for report in reports.iter().filter(|report| !report.is_clean()) {
        tally.violation(&format!("the server's stop: {report}"));
    }
    tally.write(&mut out)?;
    Ok(())
}

fn echo(tally: &Arc<Tally>) -> WebSocketService {
    let words = Words::default();
    let options = ServiceOptions::new()
        .deflate(Some(DeflateOptions::new()))
        .close_timeout(Duration::from_secs(60));
    let (heard, ended) = (tally.clone(), tally.clone());
    WebSocketService::new()
        .options(options)
        .on_open(|channel, _| channel.set_context(Session::default()))
        .on_message(move |channel, message| {
            if let Err(why) = take(channel, message, &words) {
                heard.violation(&format!("server: {why}"));
            }
        })
        .on_close(move |channel, event| {
            let Some(session) = channel.context::<Session>() else {
                return ended.violation("server: a session without its context");
            };
            let received = session.received.load(Ordering::Relaxed);
            let sent = session.sent.load(Ordering::Relaxed);
            ended.ended(event, received, sent, "server");
        })
}

fn take(
    channel: &WebSocketChannel,
    message: hvloop::Message<'_>,
    words: &Words,
) -> Result<(), String> {
    let session = channel.context::<Session>().ok_or("no context")?;
    let bytes = message.as_bytes();
    let (name, number) = words.read(bytes).ok_or("a message is not whole")?;
    let expected = session.received.fetch_add(1, Ordering::Relaxed);
    let known = session.name.swap(name, Ordering::Relaxed);
    if number != expected || (expected > 0 && known != name) {
        return Err(format!("session {name:x}: {number} came for {expected}"));
    }
    // Refused is not accepted: after our own Close, say. What fills the queue is a fault here.
    match channel.send(message) {
        Ok(()) => _ = session.sent.fetch_add(1, Ordering::Relaxed),
        Err(hvloop::SendError::NotOpen) => {}
        Err(e) => return Err(e.to_string()),
    }
    Ok(())
}
