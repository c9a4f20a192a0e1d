//! The floor counts bytes and looks at nothing. So each program is tried here with hvloop's at the other end,
//! which ends a connection whose frames are not those of RFC 6455: masked by clients, and by them alone.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Messages that must come back, of each connection many.
const MESSAGES: u64 = 500;
const DEADLINE: Duration = Duration::from_secs(60);

/// A program, which is ended when this is dropped.
struct Program {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().expect("an input");
        let lines = BufReader::new(child.stdout.take().expect("an output")).lines();
        Self {
            child,
            input,
            lines,
        }
    }

    /// The figure with that name in its next line.
    fn figure(&mut self, name: &str) -> u64 {
        let line = self.lines.next().expect("the program is there");
        let line = line.expect("a line");
        let mut words = line.split(' ').filter_map(|word| word.split_once('='));
        let found = words.find(|(other, _)| *other == name);
        let (_, figure) = found.unwrap_or_else(|| panic!("no {name} in {line:?}"));
        figure.parse().expect("a figure")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().expect("it can be ended");
        self.child.wait().expect("it ends");
    }
}

#[track_caller]
fn talk(server: &str, client: &str, arguments: &[&str]) {
    for bytes in ["16", "126", "70000"] {
        let mut common = vec!["--connections", "4", "--bytes", bytes];
        if arguments.contains(&"--deflate") {
            common.push("--deflate");
        }
        let mut server = Program::start(server, &common);
        let port = server.figure("port").to_string();
        let mut of_client = vec!["--connections", "4", "--bytes", bytes, "--in-flight", "3"];
        of_client.extend(["--port", &port]);
        of_client.extend(arguments);
        let mut client = Program::start(client, &of_client);
        assert!(client.figure("wall_ns") > 0, "it is ready");
        let began = Instant::now();
        loop {
            writeln!(client.input, "mark").expect("it listens");
            let messages = client.figure("messages");
            if messages >= MESSAGES {
                break;
            }
            assert!(began.elapsed() < DEADLINE, "{messages} of {bytes} bytes");
            std::thread::yield_now();
        }
    }
}

macro_rules! clients {
    ($($name:ident $arguments:expr;)*) => {
        mod clients {$(
            #[test]
            fn $name() {
                let server = env!("CARGO_BIN_EXE_server_hvloop");
                let client = env!(concat!("CARGO_BIN_EXE_client_", stringify!($name)));
                for arguments in $arguments {
                    super::talk(server, client, arguments);
                }
            }
        )*}
    };
}

macro_rules! servers {
    ($($name:ident $arguments:expr;)*) => {
        mod servers {$(
            #[test]
            fn $name() {
                let server = env!(concat!("CARGO_BIN_EXE_server_", stringify!($name)));
                let client = env!("CARGO_BIN_EXE_client_hvloop");
                for arguments in $arguments {
                    super::talk(server, client, arguments);
                }
            }
        )*}
    };
}

/// Arguments of one run, and of more.
type Runs = &'static [&'static [&'static str]];
const PLAIN: Runs = &[&[]];
const BATCHED: Runs = &[&[], &["--batched"]];
const DEFLATE: Runs = &[&[], &["--deflate"]];
const ALL: Runs = &[&[], &["--batched"], &["--deflate", "--batched"]];

clients! {
    floor super::DEFLATE;
    hvloop super::DEFLATE;
    tungstenite super::BATCHED;
    tokio_websockets super::BATCHED;
    fastwebsockets super::PLAIN;
    sockudo super::ALL;
}

servers! {
    floor super::DEFLATE;
    hvloop super::DEFLATE;
    tungstenite super::PLAIN;
    tokio_websockets super::PLAIN;
    fastwebsockets super::PLAIN;
    sockudo super::DEFLATE;
}
