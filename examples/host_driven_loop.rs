//! A program that has an event loop already, and gives hvloop a place in it: the way to live inside
//! GTK, Qt or any other poll (libhv: `hloop_process_events`; libuv: `uv_backend_fd`).
//!
//! `cargo run --example host_driven_loop`

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use hvloop::EventLoop;
    use hvloop::event::Turn;
    use mio::unix::SourceFd;
    use std::time::Duration;

    let event_loop = EventLoop::new()?;
    let mut ticks = 0;
    event_loop.set_interval(Duration::from_millis(10), move |_| {
        ticks += 1;
        println!("tick {ticks}, on the host's thread");
    })?;
    // Another thread's work wakes the host, through the loop's descriptor.
    let other = event_loop.clone();
    let worker = std::thread::spawn(move || {
        for n in 1..=3 {
            std::thread::sleep(Duration::from_millis(17));
            let task = move || println!("task {n} of another thread");
            other
                .queue_in_loop(task)
                .unwrap_or_else(|_| eprintln!("too late"));
        }
        other.stop();
    });

    // The host's own loop; everything else that it watches would be registered here, too.
    let mut host = mio::Poll::new()?;
    let mut events = mio::Events::with_capacity(16);
    // This thread becomes the loop's with its first turn.
    let Turn::Continue = event_loop.run_once(Some(Duration::ZERO))? else {
        return Err("stopped before it began".into());
    };
    let local = event_loop.local().ok_or("this is the loop's thread")?;
    let fd = local.backend_fd()?;
    let readable = mio::Interest::READABLE;
    host.registry()
        .register(&mut SourceFd(&fd), mio::Token(0), readable)?;
    let mut sleeps = 0;
    let report = loop {
        let at_most = local.prepare_wait();
        host.poll(&mut events, at_most)?;
        sleeps += 1;
        match event_loop.run_once(Some(Duration::ZERO))? {
            Turn::Continue => {}
            Turn::Stopped(report) => break report,
        }
    };
    println!("the host slept {sleeps} times; {report}");
    worker.join().map_err(|_| "the worker failed")?;
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("the loop's descriptor is Unix's");
}
