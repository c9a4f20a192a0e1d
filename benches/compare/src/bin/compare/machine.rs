//! The machine: what it is, and whether it is quiet.

use hvloop_compare::{Error, Result};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Ticks of the clock by which the system counts CPU time, per second.
const TICKS: f64 = 100.0;
/// What others may use of the CPUs, and the load there may be, before it is said aloud.
pub const QUIET: f64 = 0.05;
const QUIET_LOAD: f64 = 0.5;
/// How long a quiet machine is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

/// CPU time that was used by anybody, or taken away by the host, in seconds.
pub fn busy_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().ok_or("/proc/stat is empty")?;
    let times = line.split_whitespace().skip(1).map(str::parse::<f64>);
    let times = times.collect::<std::result::Result<Vec<_>, _>>()?;
    // user nice system idle iowait irq softirq steal; the guests' are within user and nice.
    let [user, nice, system, _, _, irq, softirq, steal, ..] = times[..] else {
        return Err("/proc/stat has too few columns".into());
    };
    Ok((user + nice + system + irq + softirq + steal) / TICKS)
}

/// The CPUs for the program that is measured, and for the one that it talks to.
pub fn cpus() -> Result<(usize, usize)> {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    match &ids[..] {
        [other, .., measured] => Ok((measured.id, other.id)),
        _ => Err(Error::from("two CPUs are needed")),
    }
}

/// How quiet the machine is before the first measurement.
pub struct Quiet {
    pub load: f64,
    /// The share of all CPUs that is in use.
    pub busy: f64,
}

impl Quiet {
    pub fn look() -> Result<Self> {
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split_whitespace().next().ok_or("no load")?.parse()?;
        let (before, second) = (busy_seconds()?, Duration::from_secs(1));
        std::thread::sleep(second);
        let busy = (busy_seconds()? - before) / cpu_count();
        Ok(Self { load, busy })
    }

    /// Waits until the build, say, is no longer seen in the load; not for ever.
    pub fn wait() -> Result<Self> {
        let began = Instant::now();
        loop {
            let quiet = Self::look()?;
            if quiet.is_quiet() || began.elapsed() > PATIENCE {
                return Ok(quiet);
            }
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.load <= QUIET_LOAD && self.busy <= QUIET
    }
}

pub fn cpu_count() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64)
}

/// What the machine is, in lines: a name and its value.
pub fn facts() -> Vec<(&'static str, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let unknown = || "unknown".to_owned();
    let model = format!(
        "{} (family {}, model {})",
        field("model name").unwrap_or_else(unknown),
        field("cpu family").unwrap_or_else(unknown),
        field("model\t").unwrap_or_else(unknown),
    );
    let virtual_machine = match cpu.contains("hypervisor") {
        true => "yes",
        false => "no",
    };
    vec![
        ("CPU", model),
        ("CPUs", cpu_count().to_string()),
        ("virtual machine", virtual_machine.to_owned()),
        ("Linux", kernel.trim().to_owned()),
        ("rustc", output("rustc", &["--version"])),
        (
            "hvloop",
            output(
                "git",
                &[
                    "-C",
                    env!("CARGO_MANIFEST_DIR"),
                    "describe",
                    "--always",
                    "--dirty",
                ],
            ),
        ),
    ]
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

/// Versions of what is compared, as they are locked.
pub fn versions() -> Vec<(&'static str, &'static str)> {
    const COMPARED: &[&str] = &[
        "calloop",
        "fastwebsockets",
        "message-io",
        "mio",
        "ring",
        "rustls",
        "sockudo-ws",
        "tokio",
        "tokio-rustls",
        "tokio-tungstenite",
        "tokio-websockets",
    ];
    let lock = include_str!("../../../Cargo.lock");
    let mut found = Vec::new();
    let quoted = |line: &'static str| line.split('"').nth(1);
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("name = ").and_then(quoted) else {
            continue;
        };
        let version = lines.next().and_then(quoted);
        if let (true, Some(version)) = (COMPARED.contains(&name), version) {
            found.push((name, version));
        }
    }
    found
}
