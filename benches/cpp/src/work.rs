//! The work in Rust: `cpp/work.cpp` is the same in C++.

use hvloop::{EventLoop, Listen, TcpServer, TimerId, WebSocketServer, WebSocketService};
use std::cell::Cell;
use std::error::Error;
use std::time::Duration;

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Work {
    /// A thread posts tasks to the loop.
    Tasks,
    /// Timers, each of which sets the next one when it fires.
    Timers,
    /// Echoes over TCP.
    Tcp,
    /// Echoes over WebSocket.
    Ws,
}

/// Timers that are set at a time.
const TIMERS: u64 = 100;

pub fn run(work: Work, count: u64) -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::new()?;
    match work {
        Work::Tasks => tasks(&event_loop, count),
        Work::Timers => timers(&event_loop, count)?,
        Work::Tcp => return tcp(&event_loop),
        Work::Ws => return ws(&event_loop),
    }
    event_loop.run()?;
    Ok(())
}

thread_local! {
    static DONE: Cell<u64> = const { Cell::new(0) };
}

fn tasks(event_loop: &EventLoop, count: u64) {
    let event_loop = event_loop.clone();
    std::thread::spawn(move || {
        for _ in 0..count {
            let stops = event_loop.clone();
            let task = move || {
                DONE.set(DONE.get() + 1);
                if DONE.get() == count {
                    stops.stop();
                }
            };
            if event_loop.queue_in_loop(task).is_err() {
                return;
            }
        }
    });
}

fn timers(event_loop: &EventLoop, count: u64) -> Result<(), Box<dyn Error>> {
    for _ in 0..TIMERS {
        next_timer(event_loop, count)?;
    }
    Ok(())
}

fn next_timer(event_loop: &EventLoop, count: u64) -> Result<(), hvloop::LoopClosed> {
    let again = event_loop.clone();
    let fired = move |_: TimerId| {
        DONE.set(DONE.get() + 1);
        match DONE.get() < count {
            // Refused once the loop is at its end.
            true => _ = next_timer(&again, count),
            false => again.stop(),
        }
    };
    event_loop.set_timeout(Duration::from_millis(1), fired)?;
    Ok(())
}

fn tcp(event_loop: &EventLoop) -> Result<(), Box<dyn Error>> {
    let server = TcpServer::new(event_loop);
    server.on_message(|channel, bytes| {
        // Refused only once the connection has ended.
        _ = channel.send(bytes);
    });
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0)))?;
    serve(
        event_loop,
        address.inet().map_or(0, |address| address.port()),
    )
}

fn ws(event_loop: &EventLoop) -> Result<(), Box<dyn Error>> {
    let server = WebSocketServer::new(event_loop);
    let echo = WebSocketService::new().on_message(|channel, message| {
        // Refused only once the connection has ended.
        _ = channel.send(message);
    });
    server.route("/", echo);
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0)))?;
    serve(
        event_loop,
        address.inet().map_or(0, |address| address.port()),
    )
}

/// Runs until the input ends.
fn serve(event_loop: &EventLoop, port: u16) -> Result<(), Box<dyn Error>> {
    println!("{port}");
    let stops = event_loop.clone();
    std::thread::spawn(move || {
        _ = std::io::stdin().read_line(&mut String::new());
        stops.stop();
    });
    event_loop.run()?;
    Ok(())
}
