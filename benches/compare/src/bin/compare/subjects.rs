//! The programs that are measured.

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
pub const CLIENTS_ONCE: &[Subject] = &[
    CLIENTS[0], CLIENTS[1], CLIENTS[2], CLIENTS[4], CLIENTS[5], CLIENTS[6],
];

pub const CLIENTS_DEFLATE: &[Subject] = &[CLIENTS[0], CLIENTS[1], CLIENTS[6]];

pub const SERVERS: &[Subject] = &[
    subject(FLOOR, "server_floor"),
    subject(HVLOOP, "server_hvloop"),
    subject("tokio-tungstenite", "server_tungstenite"),
    subject("tokio-websockets", "server_tokio_websockets"),
    subject("fastwebsockets", "server_fastwebsockets"),
    subject("sockudo-ws", "server_sockudo"),
];

pub const SERVERS_DEFLATE: &[Subject] = &[SERVERS[0], SERVERS[1], SERVERS[5]];

pub const TIMERS: &[Subject] = &[
    subject(HVLOOP, "loop_hvloop"),
    subject("tokio, tasks", "loop_tokio"),
    Subject {
        name: "tokio, bare sleeps",
        program: "loop_tokio",
        arguments: &["--bare"],
    },
];
pub const FIRES: &[Subject] = &[TIMERS[0], TIMERS[1]];
pub const POSTS: &[Subject] = &[
    subject(FLOOR, "loop_floor"),
    subject(HVLOOP, "loop_hvloop"),
    subject("tokio, channel", "loop_tokio"),
    subject("calloop", "loop_calloop"),
    subject("message-io", "loop_message_io"),
];
