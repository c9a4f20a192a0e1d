//! What is measured, and whom.

/// A program that is measured.
#[derive(Clone, Copy, PartialEq)]
pub struct Subject {
    /// As in the tables.
    pub name: &'static str,
    pub program: &'static str,
    pub arguments: &'static [&'static str],
}

const fn subject(name: &'static str, program: &'static str) -> Subject {
    Subject {
        name,
        program,
        arguments: &[],
    }
}

const fn batched(name: &'static str, program: &'static str) -> Subject {
    Subject {
        name,
        program,
        arguments: &["--batched"],
    }
}

/// Names of those that are no peers.
pub const FLOOR: &str = "floor";
pub const HVLOOP: &str = "hvloop";

pub const CLIENTS: &[Subject] = &[
    subject(FLOOR, "client_floor"),
    subject(HVLOOP, "client_hvloop"),
    subject("tokio-tungstenite", "client_tungstenite"),
    batched("tokio-tungstenite, batched", "client_tungstenite"),
    batched("tokio-websockets", "client_tokio_websockets"),
    subject("fastwebsockets", "client_fastwebsockets"),
    batched("sockudo-ws", "client_sockudo"),
];

/// Where batching changes nothing, one of a kind will do.
const CLIENTS_ONCE: &[Subject] = &[
    CLIENTS[0], CLIENTS[1], CLIENTS[2], CLIENTS[4], CLIENTS[5], CLIENTS[6],
];

pub const SERVERS: &[Subject] = &[
    subject(FLOOR, "server_floor"),
    subject(HVLOOP, "server_hvloop"),
    subject("tokio-tungstenite", "server_tungstenite"),
    subject("tokio-websockets", "server_tokio_websockets"),
    subject("fastwebsockets", "server_fastwebsockets"),
    subject("sockudo-ws", "server_sockudo"),
];

const TIMERS: &[Subject] = &[
    subject(HVLOOP, "loop_hvloop"),
    subject("tokio, tasks", "loop_tokio"),
    Subject {
        name: "tokio, bare sleeps",
        program: "loop_tokio",
        arguments: &["--bare"],
    },
];
const FIRES: &[Subject] = &[TIMERS[0], TIMERS[1]];
const POSTS: &[Subject] = &[
    subject(FLOOR, "loop_floor"),
    subject(HVLOOP, "loop_hvloop"),
    subject("tokio, channel", "loop_tokio"),
    subject("calloop", "loop_calloop"),
    subject("message-io", "loop_message_io"),
];

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

fn loops() -> Vec<Row> {
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
    use Plot::{Bars, Lines, None, Ratios};
    use Role::{Client, Server};
    vec![
        table(
            "client-ws",
            "Echo client, ws",
            LOAD,
            ECHO,
            Ratios,
            echoes(Client, false, CLIENT),
        ),
        table(
            "client-wss",
            "Echo client, wss",
            LOAD,
            ECHO,
            Ratios,
            echoes(Client, true, TLS),
        ),
        table(
            "server-ws",
            "Echo server, ws",
            LOAD,
            ECHO,
            Ratios,
            echoes(Server, false, SERVER),
        ),
        table(
            "server-wss",
            "Echo server, wss",
            LOAD,
            ECHO,
            Ratios,
            echoes(Server, true, TLS),
        ),
        table(
            "client-scale",
            "Client, by connections",
            "connections",
            ECHO,
            Lines,
            scale(Client),
        ),
        table(
            "server-scale",
            "Server, by connections",
            "connections",
            ECHO,
            Lines,
            scale(Server),
        ),
        table(
            "client-memory",
            "Idle clients",
            "5,000 idle",
            IDLE,
            Bars,
            memory(Client),
        ),
        table(
            "server-memory",
            "Idle connections of a server",
            "5,000 idle",
            IDLE,
            Bars,
            memory(Server),
        ),
        table(
            "connections",
            "Opening and stopping clients",
            "",
            "see the row",
            None,
            lives(),
        ),
        table("timers", "Timers", "", "see the row", None, timers()),
        table(
            "tasks",
            "Tasks from other threads",
            "",
            "see the row",
            None,
            loops(),
        ),
    ]
}
