//! Runs every case that an Autobahn-compatible fuzzing server offers, echoing what it sends:
//! `cargo run --release --example autobahn_client -- ws://127.0.0.1:9001`
//!
//! `--no-context-takeover`, before the URL, offers `client_no_context_takeover`.
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
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (no_context_takeover, url) = match args.as_slice() {
        [url] => (false, url),
        [option, url] if option == "--no-context-takeover" => (true, url),
        _ => {
            eprintln!("usage: autobahn_client [--no-context-takeover] ws://HOST:PORT");
            return ExitCode::from(2);
        }
    };
    // All is compressed, as the suite wants it.
    let deflate = DeflateOptions::new()
        .threshold(0)
        .always(true)
        .client_no_context_takeover(no_context_takeover);
    match run(url.trim_end_matches('/'), deflate) {
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

fn run(url: &str, deflate: DeflateOptions) -> Result<u32, Box<dyn Error>> {
    let thread = EventLoopThread::new()?;
    thread.start()?;
    let count = visit(&thread, &format!("{url}/getCaseCount"), deflate)?.ok_or("no case count")?;
    let count: u32 = count.trim().parse()?;
    for case in 1..=count {
        let case = format!("{url}/runCase?case={case}&agent={AGENT}");
        visit(&thread, &case, deflate)?;
    }
    visit(
        &thread,
        &format!("{url}/updateReports?agent={AGENT}"),
        deflate,
    )?;
    thread.stop();
    thread.join()?;
    Ok(count)
}

/// Connects, echoes until the server closes, and returns the first text message.
fn visit(
    thread: &EventLoopThread,
    url: &str,
    deflate: DeflateOptions,
) -> Result<Option<String>, Box<dyn Error>> {
    let echo = !url.ends_with("/getCaseCount");
    let options = ClientOptions::new()
        .send_limit(64 * 1024 * 1024)
        .deflate(Some(deflate));
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
