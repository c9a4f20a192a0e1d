//! One measurement: of a row, with one program.

use crate::child::{Figures, Program};
use crate::machine::{busy_seconds, cpu_count};
use crate::rows::{Kind, Load, Role, Row};
use crate::subjects::Subject;
use hvloop_compare::Result;
use std::ffi::OsString;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// Connections that are open before memory is compared: what only the first ones cost is in both.
const FIRST: usize = 100;
/// How long connections are idle before memory is looked at.
const SETTLE: Duration = Duration::from_millis(500);

/// How to measure.
pub struct Plan {
    pub warm_up: Duration,
    pub measure: Duration,
    /// By how much the counts are divided that are not measured by time.
    pub divide: usize,
    pub cpu: usize,
    pub other_cpu: usize,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What a measurement gave.
pub struct Outcome {
    /// In the order of the row's figures.
    pub figures: Vec<f64>,
    /// The share of all CPUs that others used meanwhile, where it was looked at.
    pub others: Option<f64>,
}

impl From<Vec<f64>> for Outcome {
    fn from(figures: Vec<f64>) -> Self {
        Self {
            figures,
            others: None,
        }
    }
}

impl Plan {
    pub fn measure(&self, row: &Row, subject: &Subject) -> Result<Outcome> {
        match row.kind {
            Kind::Echo(role, load) => self.echo(role, &load, subject, row.kind.repeats()),
            Kind::Memory(role, load) => self.memory(role, &self.less(load), subject),
            Kind::Open(load) => self.open(&self.less(load), subject),
            Kind::Stop(load) => self.stop(&self.less(load), subject),
            Kind::Timers(count) => {
                let count = (count / self.divide).to_string();
                let told = self.on_loop(subject, "timers", &["--count", &count])?;
                Ok(vec![told.get("set_ns")?, told.get("cancel_ns")?].into())
            }
            Kind::Fires(count) => {
                let count = (count / self.divide).to_string();
                let told = self.on_loop(subject, "fires", &["--count", &count])?;
                let names = ["cpu_ns", "late_p50_us", "late_p99_us", "early"];
                let figures = names.iter().map(|name| told.get(name));
                Ok(figures.collect::<Result<Vec<_>>>()?.into())
            }
            Kind::Post { producers, tasks } => {
                let (producers, tasks) = (producers.to_string(), (tasks / self.divide).to_string());
                let arguments = ["--producers", &producers, "--tasks", &tasks];
                let told = self.on_loop(subject, "post", &arguments)?;
                Ok(vec![told.get("cpu_ns")?].into())
            }
            Kind::Wake(times) => {
                let times = (times / self.divide).to_string();
                let told = self.on_loop(subject, "wake", &["--times", &times])?;
                Ok(vec![told.get("p50_us")?, told.get("p99_us")?].into())
            }
        }
    }

    fn less(&self, load: Load) -> Load {
        Load {
            connections: load.connections / self.divide,
            ..load
        }
    }

    fn echo(&self, role: Role, load: &Load, subject: &Subject, repeats: usize) -> Result<Outcome> {
        let (mut measured, mut other) = match role {
            Role::Client => {
                let (server, port) = self.floor_server(load)?;
                (self.client(load, subject, port)?.0, server)
            }
            Role::Server => {
                let (server, port) = self.server(load, subject)?;
                (server, self.floor_client(load, port)?)
            }
        };
        sleep(self.warm_up);
        let busy = busy_seconds()?;
        let mut mark = || -> Result<(Figures, f64)> {
            let mark = measured.ask("mark", "mark")?;
            Ok((mark, other.ask("mark", "mark")?.get("cpu_ns")?))
        };
        let (begin, other_begin) = mark()?;
        sleep(self.measure / repeats as u32);
        let (end, other_end) = mark()?;
        let busy = busy_seconds()? - busy;

        let between =
            |name: &str| Ok::<f64, hvloop_compare::Error>(end.get(name)? - begin.get(name)?);
        let (cpu, messages) = (between("cpu_ns")?, between("messages")?);
        if messages < 1.0 {
            return Err(format!("{}: no messages came back", subject.name).into());
        }
        let seconds = between("wall_ns")? / 1e9;
        let ours = (cpu + other_end - other_begin) / 1e9;
        Ok(Outcome {
            figures: vec![cpu / messages / 1e3],
            others: Some((busy - ours).max(0.0) / seconds / cpu_count()),
        })
    }

    fn memory(&self, role: Role, load: &Load, subject: &Subject) -> Result<Outcome> {
        let first = Load {
            connections: FIRST,
            ..*load
        };
        let rest = Load {
            connections: load.connections - FIRST,
            ..*load
        };
        let resident = |program: &mut Program| -> Result<f64> {
            sleep(SETTLE);
            program.ask("memory", "memory")?.get("resident_kib")
        };
        let (before, after) = match role {
            Role::Client => {
                let (_server, port) = self.floor_server(load)?;
                let before = resident(&mut self.client(&first, subject, port)?.0)?;
                (before, resident(&mut self.client(load, subject, port)?.0)?)
            }
            Role::Server => {
                let (mut server, port) = self.server(load, subject)?;
                let _first = self.floor_client(&first, port)?;
                let before = resident(&mut server)?;
                let _rest = self.floor_client(&rest, port)?;
                (before, resident(&mut server)?)
            }
        };
        Ok(vec![(after - before) / rest.connections as f64].into())
    }

    fn open(&self, load: &Load, subject: &Subject) -> Result<Outcome> {
        let (_server, port) = self.floor_server(load)?;
        let (_client, ready) = self.client(load, subject, port)?;
        let all = load.connections as f64;
        let rate = all / (ready.get("wall_ns")? / 1e9);
        Ok(vec![rate, ready.get("cpu_ns")? / 1e3 / all].into())
    }

    fn stop(&self, load: &Load, subject: &Subject) -> Result<Outcome> {
        let (_server, port) = self.floor_server(load)?;
        let mut client = self.client(load, subject, port)?.0;
        sleep(self.warm_up);
        let stopped = client.ask("stop", "stopped")?;
        Ok(vec![stopped.get("cpu_ns")? / 1e6].into())
    }

    fn on_loop(&self, subject: &Subject, work: &str, arguments: &[&str]) -> Result<Figures> {
        let cpus = [
            format!("--cpu={}", self.cpu),
            format!("--other-cpu={}", self.other_cpu),
            work.to_owned(),
        ];
        let arguments = arguments.iter().chain(subject.arguments);
        let all = cpus.iter().map(String::as_str).chain(arguments.copied());
        let all: Vec<OsString> = all.map(OsString::from).collect();
        Program::start(subject.program, &all)?.wait_for(work)
    }

    fn floor_server(&self, load: &Load) -> Result<(Program, u16)> {
        self.serve("server_floor", self.arguments(load, true))
    }

    fn server(&self, load: &Load, subject: &Subject) -> Result<(Program, u16)> {
        self.serve(subject.program, self.arguments_of(load, true))
    }

    fn serve(&self, program: &str, arguments: Vec<OsString>) -> Result<(Program, u16)> {
        let mut server = Program::start(program, &arguments)?;
        let port = server.wait_for("ready")?.get("port")?;
        Ok((server, port as u16))
    }

    fn floor_client(&self, load: &Load, port: u16) -> Result<Program> {
        let arguments = self.arguments(load, false);
        Ok(self.connect(load, "client_floor", arguments, port)?.0)
    }

    fn client(&self, load: &Load, subject: &Subject, port: u16) -> Result<(Program, Figures)> {
        let mut arguments = self.arguments_of(load, false);
        arguments.extend(subject.arguments.iter().map(OsString::from));
        self.connect(load, subject.program, arguments, port)
    }

    /// Starts a client, and waits until all of its connections are open.
    fn connect(
        &self,
        load: &Load,
        program: &str,
        mut arguments: Vec<OsString>,
        port: u16,
    ) -> Result<(Program, Figures)> {
        arguments.push(format!("--port={port}").into());
        arguments.push(format!("--in-flight={}", load.in_flight).into());
        let mut client = Program::start(program, &arguments)?;
        let ready = client.wait_for("ready")?;
        Ok((client, ready))
    }

    /// Of the program that is measured.
    fn arguments_of(&self, load: &Load, server: bool) -> Vec<OsString> {
        let mut arguments = self.common(load, server);
        arguments.push(match load.loops {
            Some(loops) => format!("--loops={loops}").into(),
            None => format!("--cpu={}", self.cpu).into(),
        });
        arguments
    }

    /// Of the floor, at the other end.
    fn arguments(&self, load: &Load, server: bool) -> Vec<OsString> {
        let mut arguments = self.common(load, server);
        arguments.push(format!("--cpu={}", self.other_cpu).into());
        arguments
    }

    fn common(&self, load: &Load, server: bool) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            format!("--connections={}", load.connections).into(),
            format!("--bytes={}", load.bytes).into(),
        ];
        if load.deflate {
            arguments.push("--deflate".into());
        }
        if load.tls {
            arguments.extend(["--certificate".into(), self.certificate.clone().into()]);
            if server {
                arguments.extend(["--key".into(), self.key.clone().into()]);
            }
        }
        arguments
    }
}
