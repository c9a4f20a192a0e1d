//! A chat for `nc`: each line goes to everybody else (libhv: `examples/tcp_chat_server.c`).
//!
//! `cargo run --example tcp_chat_server -- 127.0.0.1:1234`, then `nc 127.0.0.1 1234` some times;
//! without an address it plays its own guests, and ends.

use clap::Parser;
use hvloop::{Channel, EventLoopThread, Listen, TcpServer, Unpack, signal};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock, Weak};

/// A chat for `nc`.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
}

/// Says something to everybody but `from`.
fn tell_others(server: &TcpServer, from: &Channel, text: &str) {
    let text: Arc<[u8]> = text.as_bytes().into();
    server.for_each_channel(|channel| {
        if channel.id() != from.id() && channel.send_shared(&text).is_err() {
            channel.close(); // one that does not keep up has to leave
        }
    });
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let thread = EventLoopThread::new()?;
    thread
        .event_loop()
        .stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let server = Arc::new(TcpServer::new(thread.event_loop()));
    server.set_unpack(Some(Unpack::delimiter(b"\n").max_size(1000).build()?));
    // Weak: callbacks that own their server would keep it for ever.
    let room: Arc<OnceLock<Weak<TcpServer>>> = Arc::default();
    let _set_once = room.set(Arc::downgrade(&server));
    let say = move |from: &Channel, text: String| {
        if let Some(server) = room.get().and_then(Weak::upgrade) {
            tell_others(&server, from, &text);
        }
    };
    let name = |channel: &Channel| channel.peer_addr().map_or(0, |peer| peer.port());
    let (joins, speaks, leaves) = (say.clone(), say.clone(), say);
    server.on_connection(move |guest| joins(guest, format!("{} joins\n", name(guest))));
    server.on_message(move |guest, line| {
        let line = String::from_utf8_lossy(line).into_owned();
        speaks(guest, format!("{}: {line}", name(guest)));
    });
    server.on_close(move |guest, _| leaves(guest, format!("{} leaves\n", name(guest))));
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.listen(Listen::tcp(args.address.unwrap_or(demo)))?;
    println!("chatting at {address}");
    thread.start()?;
    if let (None, Some(at)) = (args.address, address.inet()) {
        play(at)?;
        thread.stop();
    }
    println!("{}", thread.join()?);
    Ok(())
}

/// What the demonstration's guests do.
fn play(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut ann = TcpStream::connect(address)?;
    let mut anns = BufReader::new(ann.try_clone()?);
    let mut bob = TcpStream::connect(address)?;
    let mut bobs = BufReader::new(bob.try_clone()?);
    let (ann_is, bob_is) = (ann.local_addr()?.port(), bob.local_addr()?.port());
    hear(&mut anns, format!("{bob_is} joins\n"))?;
    ann.write_all(b"hello, Bob\n")?;
    hear(&mut bobs, format!("{ann_is}: hello, Bob\n"))?;
    bob.write_all(b"hello, ")?;
    bob.write_all(b"Ann\n")?;
    hear(&mut anns, format!("{bob_is}: hello, Ann\n"))?;
    drop((bob, bobs));
    hear(&mut anns, format!("{bob_is} leaves\n"))
}

/// The next line has to be this one.
fn hear(who: &mut BufReader<TcpStream>, expected: String) -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    who.read_line(&mut line)?;
    print!("{line}");
    match line == expected {
        true => Ok(()),
        false => Err(format!("{line:?} instead of {expected:?}").into()),
    }
}
