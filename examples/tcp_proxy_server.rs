//! A TCP proxy: what comes from one side goes to the other, as fast as the slower one takes it (libhv:
//! `examples/tcp_proxy_server.c`).
//!
//! `cargo run --example tcp_proxy_server -- 127.0.0.1:1234 127.0.0.1:80`; without addresses it plays
//! both of its sides, and ends.
//!
//! When a peer ends its side, hvloop finishes that connection behind what is queued; so does the proxy
//! with the other one.

use clap::Parser;
use hvloop::{Channel, Connect, EventLoop, EventLoopThread, Listen, TcpClient, TcpServer, signal};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A TCP proxy.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    #[arg(requires = "target")]
    listen: Option<SocketAddr>,
    /// Where connections go.
    target: Option<SocketAddr>,
}

/// So many bytes queued for one side hold the other one back.
const HIGH: usize = 256 * 1024;

/// Passes bytes on; reads no further while the other side is slow.
fn pass(from: &Channel, to: &Channel, data: &[u8]) {
    if to.send(data).is_err() {
        return from.close();
    }
    if to.buffered_amount() > HIGH {
        from.pause_reading();
    }
}

/// The connection behind a client's, kept with the client's as its context.
type Behind = Mutex<Option<TcpClient>>;

fn accept(event_loop: &EventLoop, target: SocketAddr, front: &Channel) {
    // Nothing is read before there is somebody to give it to.
    front.pause_reading();
    let behind = TcpClient::new(event_loop);
    let (up, down, end, drained) = (front.clone(), front.clone(), front.clone(), front.clone());
    behind.on_connect(move |_| up.resume_reading());
    behind.on_message(move |back, data| pass(back, &down, data));
    behind.on_write_complete(move |_, _| drained.resume_reading());
    behind.on_close(move |_, reason| {
        println!("behind {:?}: {reason}", end.peer_addr());
        end.close();
    });
    match behind.connect(Connect::to(target.ip().to_string(), target.port())) {
        Ok(()) => front.set_context::<Behind>(Mutex::new(Some(behind))),
        Err(_) => front.close(),
    }
}

/// The channel behind a client's, once it is there.
fn behind(front: &Channel) -> Option<Channel> {
    let context = front.context::<Behind>()?;
    let behind = context.lock().ok()?;
    behind.as_ref()?.channel()
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let thread = EventLoopThread::new()?;
    thread
        .event_loop()
        .stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let demo = match args.target {
        Some(_) => None,
        None => Some(TcpListener::bind("127.0.0.1:0")?),
    };
    let own = demo.as_ref().map(TcpListener::local_addr).transpose()?;
    let target = args.target.or(own).ok_or("no target")?;
    let server = TcpServer::new(thread.event_loop());
    let event_loop = thread.event_loop().clone();
    server.on_connection(move |front| accept(&event_loop, target, front));
    server.on_message(|front, data| match behind(front) {
        Some(back) => pass(front, &back, data),
        None => front.close(),
    });
    server.on_write_complete(|front, _| {
        if let Some(back) = behind(front) {
            back.resume_reading();
        }
    });
    server.on_close(|front, reason| {
        println!("{:?}: {reason}", front.peer_addr());
        if let Some(context) = front.context::<Behind>() {
            // Dropping the client ends its connection, behind what is queued.
            let client = context.lock().map(|mut behind| behind.take());
            drop(client);
        }
    });
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.listen(Listen::tcp(args.listen.unwrap_or(any)))?;
    println!("{address} leads to {target}");
    thread.start()?;
    if let (Some(listener), Some(at)) = (demo, address.inet()) {
        play(listener, at)?;
        thread.stop();
    }
    println!("{}", thread.join()?);
    Ok(())
}

/// The demonstration: ten megabytes through the proxy and back, by a target that is slow.
fn play(listener: TcpListener, proxy: SocketAddr) -> Result<(), Box<dyn Error>> {
    let target = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0; 10_000];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                n => stream.write_all(&buffer[..n])?,
            }
        }
    });
    let data: Arc<[u8]> = (0..10_000_000).map(|n: u32| n as u8).collect();
    let mut stream = TcpStream::connect(proxy)?;
    let (mut writer, sent) = (stream.try_clone()?, data.clone());
    let writing = std::thread::spawn(move || writer.write_all(&sent));
    let mut back = vec![0; data.len()];
    stream.read_exact(&mut back)?;
    assert!(back == *data, "what came back is not what was sent");
    writing.join().map_err(|_| "the writer failed")??;
    stream.shutdown(Shutdown::Write)?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)?;
    target.join().map_err(|_| "the target failed")??;
    println!("{} bytes there and back", data.len());
    Ok(())
}
