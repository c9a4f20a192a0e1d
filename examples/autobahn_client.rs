//! Runs every case that an Autobahn-compatible fuzzing server offers, echoing what it sends:
//! `cargo run --release --example autobahn_client -- ws://127.0.0.1:9001`
//!
//! The server judges; this program exits 0 when it ran every case that was offered, and at least
//! one.

use hvloop::{ClientOptions, DeflateOptions, EventLoopThread, Message, SendError, WebSocketClient};
use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

/// As the server files its report.
const AGENT: &str = "hvloop";
/// No case takes this long; a server that says nothing for so long has hung.
const CASE_LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: autobahn_client ws://HOST:PORT");
        return ExitCode::from(2);
    };
    match run(url.trim_end_matches('/')) {
        Ok(cases) if cases > 0 => {
            println!("ran {cases} cases");
            ExitCode::SUCCESS
        }
        Ok(_) => {
            eprintln!("the server offers no cases");
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: &str) -> Result<u32, Box<dyn Error>> {
    let thread = EventLoopThread::new()?;
    thread.start()?;
    let count = visit(&thread, &format!("{url}/getCaseCount"))?.ok_or("no case count")?;
    let count: u32 = count.trim().parse()?;
    for case in 1..=count {
        visit(&thread, &format!("{url}/runCase?case={case}&agent={AGENT}"))?;
    }
    visit(&thread, &format!("{url}/updateReports?agent={AGENT}"))?;
    thread.stop();
    thread.join()?;
    Ok(count)
}

/// Connects, echoes until the server closes, and returns the first text message.
fn visit(thread: &EventLoopThread, url: &str) -> Result<Option<String>, Box<dyn Error>> {
    let echo = !url.ends_with("/getCaseCount");
    let options = ClientOptions::new()
        .send_limit(64 * 1024 * 1024)
        .deflate(Some(DeflateOptions::new().threshold(0).always(true)));
    let client = WebSocketClient::with_options(thread.event_loop(), options);
    let (done, wait) = mpsc::channel();
    let mut first = None;
    let (text, texts) = mpsc::channel();
    client.on_message(move |ws, message| {
        if let (Message::Text(message), None) = (message, &first) {
            first = Some(());
            text.send(message.to_owned()).unwrap_or_default();
        }
        let sent = match message {
            _ if !echo => Ok(()),
            Message::Text(text) => ws.send_text(text),
            Message::Binary(bytes) => ws.send_binary(bytes),
        };
        match sent {
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(e) => eprintln!("not echoed: {e}"),
        }
    });
    client.on_close(move |_, event| done.send(event.was_open).unwrap_or_default());
    client.open(url)?;
    if !wait.recv_timeout(CASE_LIMIT)? {
        return Err(format!("{url}: could not connect").into());
    }
    Ok(texts.try_recv().ok())
}
