//! Another library's descriptor on the loop: here the pipes of a child process, which std made (libhv:
//! `hio_get`, `hio_add`).
//!
//! `cargo run --example foreign_fd`

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use hvloop::{EventLoop, Interest};
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};
    use std::sync::mpsc;
    use std::time::Duration;

    let event_loop = EventLoop::new()?;
    let mut child = Command::new("sh")
        .args(["-c", "for n in 1 2 3; do echo line $n; sleep 0.02; done"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdout = child.stdout.take().ok_or("no pipe")?;
    let (tell, told) = mpsc::channel();
    let stop = event_loop.clone();
    event_loop.post_event(move |local| {
        // The loop keeps a duplicate of the descriptor; the pipe itself goes into the callback.
        let pipe = stdout.as_fd().try_clone_to_owned();
        let added = pipe.and_then(|pipe| {
            local.add_fd(pipe.as_fd(), Interest::Read, move |handle, _| {
                // One read a call, since the descriptor blocks; then again, as more may be there.
                let mut buffer = [0; 1000];
                match stdout.read(&mut buffer) {
                    Ok(0) | Err(_) => {
                        println!("the child has ended");
                        handle.close().unwrap_or_default();
                        stop.stop();
                    }
                    Ok(n) => {
                        let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                        print!("the child says: {text}");
                        tell.send(text).unwrap_or_default();
                    }
                }
            })
        });
        if let Err(e) = added {
            eprintln!("the pipe is not on the loop: {e}");
        }
    })?;
    // The loop is free for other work meanwhile.
    event_loop.set_interval(Duration::from_millis(10), |_| println!("a timer"))?;
    println!("{}", event_loop.run()?);
    assert!(child.wait()?.success());
    let all: String = told.try_iter().collect();
    assert_eq!(all, "line 1\nline 2\nline 3\n");
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("descriptors are Unix's");
}
