//! The programs that are compared, as processes.

use hvloop_compare::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long an answer may take: that ten thousand connections are open, say.
const PATIENCE: Duration = Duration::from_secs(60);

/// Builds all programs, in this profile.
pub fn build() -> Result<()> {
    if cfg!(debug_assertions) {
        return Err(
            "figures of unoptimised programs are of no use: run this with --release".into(),
        );
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // What `cargo run` tells this program would look like news to the build scripts.
    for (name, _) in std::env::vars_os() {
        let told = |part| name.to_string_lossy().starts_with(part);
        if told("CARGO_PKG_") || told("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let built = build
        .args([
            "build",
            "--release",
            "--locked",
            "--bins",
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .status()?;
    match built.success() {
        true => Ok(()),
        false => Err("the programs cannot be built".into()),
    }
}

/// See the module. It is ended when this is dropped.
pub struct Program {
    name: String,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

/// What a line says: names and figures.
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    pub fn get(&self, name: &str) -> Result<f64> {
        let figure = self.0.get(name).copied();
        figure.ok_or_else(|| format!("no {name}").into())
    }

    fn parse(words: &str) -> Result<Self> {
        let pair = |word: &str| -> Result<(String, f64)> {
            let (name, figure) = word.split_once('=').ok_or("a word without a figure")?;
            Ok((name.to_owned(), figure.parse()?))
        };
        Ok(Self(
            words.split_whitespace().map(pair).collect::<Result<_>>()?,
        ))
    }
}

impl Program {
    pub fn start(name: &str, arguments: &[OsString]) -> Result<Self> {
        let mut path: PathBuf = std::env::current_exe()?;
        path.set_file_name(name);
        let mut child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{name}: {e}"))?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut errors = child.stderr.take().ok_or("no error output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::result::Result::ok)
            {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What could be read is shown.
            _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        Ok(Self {
            name: name.to_owned(),
            child,
            input,
            lines,
            errors: Some(errors),
        })
    }

    /// Waits for its next line, which must begin with `word`.
    pub fn wait_for(&mut self, word: &str) -> Result<Figures> {
        let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
            return Err(self.failure(&format!("said nothing, where {word:?} was due")));
        };
        match line.strip_prefix(word) {
            Some(rest) => Figures::parse(rest),
            None => Err(self.failure(&format!("said {line:?}, where {word:?} was due"))),
        }
    }

    /// Asks for something: see `control`.
    pub fn ask(&mut self, command: &str, word: &str) -> Result<Figures> {
        if writeln!(self.input, "{command}").is_err() {
            return Err(self.failure("has ended"));
        }
        self.wait_for(word)
    }

    /// What went wrong, with its own words.
    fn failure(&mut self, what: &str) -> Error {
        // It may be running still, and would not end its output.
        _ = self.child.kill();
        let errors = self.errors.take().and_then(|errors| errors.join().ok());
        format!("{} {what}: {}", self.name, errors.unwrap_or_default()).into()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
