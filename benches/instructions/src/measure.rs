//! Counting, by valgrind: it runs the program on a processor of its own making, so that caches, clocks and other
//! programs make no difference, and counts what runs in the process but not in the system.

use crate::Fallible;
use std::env;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Instructions depend on it: the compiler, the C library, and which of its paths the code takes on the processor that
/// valgrind shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine(pub String);

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// See the module.
pub struct Valgrind {
    program: PathBuf,
    /// The certificates of those that use TLS, made once: keys differ in what they cost.
    certificates: TempDir,
}

impl Valgrind {
    pub fn new() -> Fallible<Self> {
        let certificates = tempfile::tempdir()?;
        crate::echo::make_certificate(certificates.path())?;
        Ok(Self {
            program: env::current_exe()?,
            certificates,
        })
    }

    /// What it runs on here.
    pub fn machine(&self) -> Fallible<Machine> {
        let version = |program: &str, argument: &str| -> Fallible<String> {
            let output = Command::new(program).arg(argument).output();
            let text = checked(output, program)?;
            let text = String::from_utf8_lossy(&text.stdout).into_owned();
            Ok(text.lines().next().unwrap_or_default().to_owned())
        };
        let output = self.run("processor", 1)?;
        let libc = version("ldd", "--version")?;
        Ok(Machine(format!(
            "{}; {}; libc {}; {}",
            version("rustc", "-V")?,
            version("valgrind", "--version")?,
            libc.rsplit(' ').next().unwrap_or(&libc),
            String::from_utf8_lossy(&output.stdout).trim()
        )))
    }

    /// Instructions of one time of it: what begins and ends it is the same in two runs of different length.
    pub fn count_each(&self, name: &str, times: u64) -> Fallible<u64> {
        let (short, long) = (self.count(name, times)?, self.count(name, 3 * times)?);
        Ok(long.saturating_sub(short) / (2 * times))
    }

    fn count(&self, name: &str, times: u64) -> Fallible<u64> {
        let output = self.run(name, times)?;
        let text = String::from_utf8_lossy(&output.stderr);
        // "==17== I   refs:      1,234,567"
        let line = text.lines().find_map(|line| line.split_once("refs:"));
        let (_, count) = line.ok_or_else(|| format!("valgrind has not counted: {text}"))?;
        let digits: String = count.chars().filter(char::is_ascii_digit).collect();
        Ok(digits.parse()?)
    }

    fn run(&self, name: &str, times: u64) -> Fallible<Output> {
        let mut command = Command::new("valgrind");
        command
            .args([
                "--tool=cachegrind",
                "--cache-sim=no",
                "--cachegrind-out-file=/dev/null",
            ])
            .arg(&self.program)
            .args(["work", name, &times.to_string()])
            // What is in it moves the stack.
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env(crate::echo::CERTIFICATES, self.certificates.path());
        checked(command.output(), "valgrind")
    }
}

fn checked(output: io::Result<Output>, program: &str) -> Fallible<Output> {
    let output = output.map_err(|e| format!("{program}: {e}"))?;
    match output.status.success() {
        true => Ok(output),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{program}: {}: {said}", output.status).into())
        }
    }
}
