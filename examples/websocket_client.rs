//! libhv's interactive client: `cargo run --example websocket_client -- ws://127.0.0.1:8888 [N]`
//!
//! N clients (default 1) share one loop. A line is sent on all of them; `close`, `open` and `stop`
//! do what they say; the end of the input is a `stop`.

use hvloop::{ClientOptions, EventLoopThread, Message, ReconnectPolicy, WebSocketClient};
use std::error::Error;
use std::io::BufRead;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let Some(url) = args.next() else {
        eprintln!("usage: websocket_client ws://HOST:PORT/PATH [N]");
        std::process::exit(2);
    };
    let n: usize = args.next().map_or(Ok(1), |n| n.parse())?;

    let thread = EventLoopThread::new()?;
    thread.start()?;
    let policy = ReconnectPolicy::exponential(Duration::from_secs(1), Duration::from_secs(10));
    let options = ClientOptions::new()
        .reconnect(Some(policy))
        .keep_callbacks(true); // `open` may follow `close`
    let clients: Vec<_> = (0..n)
        .map(|i| client(i, &thread, options.clone()))
        .collect();
    open(&clients, &url);

    println!("a line is sent; `close`, `open` and `stop` do what they say");
    for line in std::io::stdin().lock().lines() {
        match line?.trim_end() {
            "" => {}
            "stop" => break,
            "open" => open(&clients, &url),
            "close" => {
                for client in &clients {
                    client.close(1000, "")?;
                }
            }
            text => {
                for client in &clients {
                    if let Err(e) = client.send_text(text) {
                        println!("not sent: {e}");
                    }
                }
            }
        }
    }
    thread.stop();
    println!("{}", thread.join()?);
    Ok(())
}

fn client(i: usize, thread: &EventLoopThread, options: ClientOptions) -> WebSocketClient {
    let client = WebSocketClient::with_options(thread.event_loop(), options);
    client.on_open(move |ws, event| {
        println!(
            "[{i}] open to {:?}, attempt {}",
            ws.peer_addr(),
            event.attempt
        );
    });
    client.on_message(move |_, message| match message {
        Message::Text(text) => println!("[{i}] {text}"),
        Message::Binary(bytes) => println!("[{i}] {} bytes", bytes.len()),
    });
    client.on_close(move |_, event| match event.reconnect_in {
        Some(delay) => println!("[{i}] closed: {event}; again in {delay:?}"),
        None => println!("[{i}] closed: {event}"),
    });
    client
}

fn open(clients: &[WebSocketClient], url: &str) {
    for client in clients {
        if let Err(e) = client.open(url) {
            println!("not opened: {e}");
        }
    }
}
