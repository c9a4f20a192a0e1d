//! Runs a program with a script.

use super::script::{Script, Step};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a run may take before it is taken for one that hangs.
const LIMIT: Duration = Duration::from_secs(90);

/// Runs it, and says what was wrong.
pub fn run(mut command: Command, script: &Script) -> Result<(), String> {
    if script.peer {
        command.arg(echo_server().to_string());
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let mut input = child.stdin.take();
    let lines = lines_of(child.stdout.take().expect("piped"));
    let mut errors = child.stderr.take().expect("piped");
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let until = Instant::now() + LIMIT;
    let mut said = Vec::new();
    let talked = talk(script, &mut input, &lines, until, &mut said);
    drop(input);
    let ended = talked.and_then(|()| {
        if let Some(line) = next(&lines, until, &mut said)? {
            return Err(format!("it said {line:?} after the end"));
        }
        loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("it ended with {status}")),
                None if Instant::now() > until => return Err("it does not end".to_owned()),
                // Its output has ended, so that its process is about to.
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    });
    // Fails if it has ended.
    let _ = child.kill();
    let _ = child.wait();
    ended.map_err(|wrong| {
        let mut errors = errors.join().unwrap_or_default();
        let shown = errors
            .char_indices()
            .nth(4000)
            .map_or(errors.len(), |(at, _)| at);
        errors.truncate(shown);
        format!("{command:?}: {wrong}\nit said {said:#?}\nand on stderr:\n{errors}")
    })
}

fn talk(
    script: &Script,
    input: &mut Option<impl Write>,
    lines: &mpsc::Receiver<String>,
    until: Instant,
    said: &mut Vec<String>,
) -> Result<(), String> {
    for step in &script.steps {
        match step {
            Step::Told(line) => {
                let told = input.as_mut().map(|input| writeln!(input, "{line}"));
                if let Some(Err(error)) = told {
                    return Err(format!("it could not be told {line:?}: {error}"));
                }
            }
            Step::Says(line) => match next(lines, until, said)? {
                Some(next) if next == *line => {}
                Some(next) => return Err(format!("it said {next:?}, and not {line:?}")),
                None => return Err(format!("its output ended before {line:?}")),
            },
        }
    }
    Ok(())
}

/// The next line; `None` at the end of its output.
fn next(
    lines: &mpsc::Receiver<String>,
    until: Instant,
    said: &mut Vec<String>,
) -> Result<Option<String>, String> {
    match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(line) => {
            said.push(line.clone());
            Ok(Some(line))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => Ok(None),
        Err(mpsc::RecvTimeoutError::Timeout) => Err("it says nothing any more".to_owned()),
    }
}

fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (told, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            if told.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A server that sends back what it gets, for as long as the test runs. Its port.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(connection) = connection else { return };
            thread::spawn(move || echo(connection));
        }
    });
    port
}

fn echo(mut connection: TcpStream) {
    let Ok(mut reader) = connection.try_clone() else {
        return;
    };
    // Ends with the connection, whoever ends it.
    let _ = std::io::copy(&mut reader, &mut connection);
}
