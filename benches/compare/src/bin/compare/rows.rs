//! What is measured.

use crate::subjects::*;

#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    Client,
    Server,
}

/// The load of an echo.
#[derive(Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub in_flight: usize,
    pub bytes: usize,
    pub tls: bool,
    pub deflate: bool,
    /// Loops of the program that is measured, which may use all CPUs then; `None`: one loop on one CPU.
    pub loops: Option<usize>,
}

/// How a row is measured.
#[derive(Clone, Copy)]
pub enum Kind {
    Echo(Role, Load),
    Memory(Role, Load),
    Open(Load),
    Stop(Load),
    Timers(usize),
    Fires(usize),
    Post { producers: usize, tasks: usize },
    Wake(usize),
}

/// A figure of a row: a line of a table.
#[derive(Clone, Copy)]
pub struct Figure {
    pub name: &'static str,
    /// More is better.
    pub more: bool,
    /// Whether the best peer and the ratios are of interest.
    pub ratios: bool,
}

const fn less(name: &'static str) -> Figure {
    Figure {
        name,
        more: false,
        ratios: true,
    }
}

impl Kind {
    /// How many measurements a round is: where one is often far from the next, many short ones say more than a
    /// few long ones.
    pub fn repeats(&self) -> usize {
        const LONG: usize = 64 * 1024;
        match self {
            // It depends on how the windows of the system's sockets happen to grow.
            Self::Echo(_, load) if load.bytes >= LONG => 3,
            Self::Open(_) | Self::Stop(_) | Self::Post { .. } | Self::Wake(_) => 3,
            _ => 1,
        }
    }

    /// What it gives, in the order of the measurement.
    pub fn figures(&self) -> &'static [Figure] {
        const ECHO: &[Figure] = &[less("")];
        const MEMORY: &[Figure] = &[less("")];
        const OPEN: &[Figure] = &[
            Figure {
                name: "opened per second",
                more: true,
                ratios: true,
            },
            less("CPU µs for each"),
        ];
        const STOP: &[Figure] = &[less("CPU ms")];
        const TIMERS: &[Figure] = &[less("set, CPU ns"), less("cancel, CPU ns")];
        const FIRES: &[Figure] = &[
            less("CPU ns for each"),
            less("late, p50, µs"),
            less("late, p99, µs"),
            Figure {
                name: "fired early",
                more: false,
                ratios: false,
            },
        ];
        const POST: &[Figure] = &[less("CPU ns for each")];
        const WAKE: &[Figure] = &[less("p50, µs"), less("p99, µs")];
        match self {
            Self::Echo(..) => ECHO,
            Self::Memory(..) => MEMORY,
            Self::Open(_) => OPEN,
            Self::Stop(_) => STOP,
            Self::Timers(_) => TIMERS,
            Self::Fires(_) => FIRES,
            Self::Post { .. } => POST,
            Self::Wake(_) => WAKE,
        }
    }
}

pub struct Row {
    pub name: String,
    pub kind: Kind,
    pub subjects: &'static [Subject],
}

/// How a table is drawn.
#[derive(Clone, Copy, PartialEq)]
pub enum Plot {
    None,
    /// Bars, in units of the floor.
    Ratios,
    /// Bars, in the table's unit.
    Bars,
    /// Lines over the connections.
    Lines,
}

pub struct Table {
    /// For `--rows`, and for the plot's file.
    pub id: &'static str,
    pub title: &'static str,
    /// What the rows' names say.
    pub head: &'static str,
    /// What the figures are.
    pub unit: &'static str,
    pub plot: Plot,
    pub rows: Vec<Row>,
}

/// Rows of echoes: connections, in flight, bytes.
fn echoes(role: Role, tls: bool, loads: &[(usize, usize, usize)]) -> Vec<Row> {
    let row = |&(connections, in_flight, bytes): &(usize, usize, usize)| Row {
        name: format!("{connections}, {in_flight}, {bytes}"),
        kind: Kind::Echo(
            role,
            Load {
                connections,
                in_flight,
                bytes,
                tls,
                deflate: false,
                loops: None,
            },
        ),
        subjects: match role {
            Role::Client => CLIENTS,
            Role::Server => SERVERS,
        },
    };
    loads.iter().map(row).collect()
}

fn idle(connections: usize, tls: bool) -> Load {
    Load {
        connections,
        in_flight: 0,
        bytes: 128,
        tls,
        deflate: false,
        loops: None,
    }
}

/// Lines over the connections; one message of 128 bytes in flight on each.
fn scale(role: Role) -> Vec<Row> {
    const ONES: &[(usize, usize, usize)] = &[
        (10, 1, 128),
        (100, 1, 128),
        (1_000, 1, 128),
        (10_000, 1, 128),
    ];
    let mut rows = echoes(role, false, ONES);
    for row in &mut rows {
        row.name = row.name.split(',').next().unwrap_or_default().to_owned();
        row.subjects = &row.subjects[..2];
    }
    rows
}

/// With permessage-deflate, which few have.
fn deflated(role: Role) -> Vec<Row> {
    let mut rows = echoes(role, false, &[(100, 4, 4_096), (10, 4, 65_536)]);
    for row in &mut rows {
        row.subjects = match role {
            Role::Client => CLIENTS_DEFLATE,
            Role::Server => SERVERS_DEFLATE,
        };
        if let Kind::Echo(_, load) = &mut row.kind {
            load.deflate = true;
        }
    }
    rows
}

/// One loop and two, on all CPUs.
fn loops(role: Role) -> Vec<Row> {
    const LOADS: &[(usize, usize, usize)] = &[(1_000, 1, 128), (1_000, 16, 128)];
    let mut all = Vec::new();
    for loops in [1, 2] {
        let mut rows = echoes(role, false, LOADS);
        for row in &mut rows {
            row.name = format!("{loops}; {}", row.name);
            row.subjects = &row.subjects[1..2];
            if let Kind::Echo(_, load) = &mut row.kind {
                load.loops = Some(loops);
            }
        }
        all.extend(rows);
    }
    all.sort_by(|a, b| a.name[1..].cmp(&b.name[1..]));
    all
}

fn memory(role: Role) -> Vec<Row> {
    [("ws", false), ("wss", true)]
        .map(|(name, tls)| Row {
            name: name.to_owned(),
            kind: Kind::Memory(role, idle(5_000, tls)),
            subjects: match role {
                Role::Client => CLIENTS_ONCE,
                Role::Server => SERVERS,
            },
        })
        .into()
}

fn tasks() -> Vec<Row> {
    let row = |name: &str, kind, subjects| Row {
        name: name.to_owned(),
        kind,
        subjects,
    };
    let post = |producers| Kind::Post {
        producers,
        tasks: 1_000_000,
    };
    vec![
        row("a task posted, 1 producer", post(1), POSTS),
        row("a task posted, 4 producers", post(4), POSTS),
        row("a sleeping loop is woken", Kind::Wake(2_000), POSTS),
    ]
}

fn timers() -> Vec<Row> {
    vec![
        Row {
            name: "1,000,000 timers".to_owned(),
            kind: Kind::Timers(1_000_000),
            subjects: TIMERS,
        },
        Row {
            name: "100,000 within 1 s".to_owned(),
            kind: Kind::Fires(100_000),
            subjects: FIRES,
        },
    ]
}

fn lives() -> Vec<Row> {
    let row = |name: &str, kind| Row {
        name: name.to_owned(),
        kind,
        subjects: CLIENTS_ONCE,
    };
    vec![
        row("5,000 opened at once", Kind::Open(idle(5_000, false))),
        row(
            "stop of 1,000, each with its Close handshake",
            Kind::Stop(idle(1_000, false)),
        ),
    ]
}

const LOAD: &str = "connections, in flight, bytes";
const LOOPS: &str = "loops; connections, in flight, bytes";
const ECHO: &str = "CPU µs per echoed message";
const IDLE: &str = "KiB resident per idle connection";

/// All tables.
pub fn tables() -> Vec<Table> {
    const CLIENT: &[(usize, usize, usize)] = &[
        (100, 1, 16),
        (1_000, 1, 128),
        (1, 64, 16),
        (100, 16, 128),
        (10, 4, 65_536),
        (2, 2, 1_048_576),
    ];
    const SERVER: &[(usize, usize, usize)] = &[
        (100, 1, 16),
        (1_000, 1, 128),
        (100, 16, 128),
        (10, 4, 65_536),
        (2, 2, 1_048_576),
    ];
    const TLS: &[(usize, usize, usize)] = &[(100, 16, 128), (10, 4, 65_536)];
    let table = |id, title, head, unit, plot, rows| Table {
        id,
        title,
        head,
        unit,
        plot,
        rows,
    };
    let echo = |id, title, plot, rows| table(id, title, LOAD, ECHO, plot, rows);
    let scaled = |id, title, rows| table(id, title, "connections", ECHO, Plot::Lines, rows);
    let loops_of = |id, title, rows| table(id, title, LOOPS, ECHO, Plot::None, rows);
    let idle = |id, title, rows| table(id, title, "5,000 idle", IDLE, Bars, rows);
    let other = |id, title, rows| table(id, title, "", "", Plot::None, rows);
    use Plot::{Bars, Ratios};
    use Role::{Client, Server};
    let [client, server] = [Client, Server].map(|role| {
        let loads = if role == Client { CLIENT } else { SERVER };
        (echoes(role, false, loads), echoes(role, true, TLS))
    });
    vec![
        echo("client-ws", "Echo client, ws", Ratios, client.0),
        echo("client-wss", "Echo client, wss", Ratios, client.1),
        echo(
            "client-deflate",
            "Echo client, compressed",
            Bars,
            deflated(Client),
        ),
        echo("server-ws", "Echo server, ws", Ratios, server.0),
        echo("server-wss", "Echo server, wss", Ratios, server.1),
        echo(
            "server-deflate",
            "Echo server, compressed",
            Bars,
            deflated(Server),
        ),
        scaled("client-scale", "Clients, by connections", scale(Client)),
        scaled("server-scale", "Server, by connections", scale(Server)),
        loops_of("client-loops", "Clients, by loops", loops(Client)),
        loops_of("server-loops", "Server, by loops", loops(Server)),
        idle("client-memory", "Idle clients", memory(Client)),
        idle(
            "server-memory",
            "Idle connections of a server",
            memory(Server),
        ),
        other("connections", "Opening and stopping clients", lives()),
        other("timers", "Timers", timers()),
        other("tasks", "Tasks from other threads", tasks()),
    ]
}
