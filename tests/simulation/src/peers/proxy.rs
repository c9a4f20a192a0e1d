//! A proxy in front of a peer: HTTP's CONNECT (RFC 9110 section 9.3.6) or SOCKS5 (RFC 1928, 1929).

use crate::history::{Outcome, ProxyPlan};

/// What the proxy makes of what came.
pub enum Answer {
    /// It says that, and waits for more.
    More(Vec<u8>),
    /// It says that, and what is behind goes to the peer.
    Through(Vec<u8>, Vec<u8>),
    /// It says that, and ends the connection.
    End(Vec<u8>),
    /// What came is nothing that it understands.
    Nonsense(String),
}

/// See the module.
pub struct Proxy {
    plan: ProxyPlan,
    /// Where a client may want to go.
    target: (&'static str, u16),
    input: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    Login,
    Request,
}

pub const USER: &str = "jane";
pub const PASSWORD: &str = "secret";
/// Both, as HTTP has them.
const BASIC: &str = "Basic amFuZTpzZWNyZXQ=";

impl Proxy {
    pub fn new(plan: ProxyPlan, target: (&'static str, u16)) -> Self {
        Self {
            plan,
            target,
            input: Vec::new(),
            stage: Stage::Greeting,
        }
    }

    pub fn feed(&mut self, data: &[u8]) -> Answer {
        self.input.extend(data);
        let answer = match self.plan.socks {
            true => self.socks(),
            false => self.http(),
        };
        match (answer, self.plan.outcome) {
            (Answer::Nonsense(why), _) => Answer::Nonsense(why),
            (_, Outcome::Hangs) => Answer::More(Vec::new()),
            (_, Outcome::Ends) => Answer::End(Vec::new()),
            (_, Outcome::Garbage) => Answer::End(vec![0xff; 40]),
            (answer, Outcome::Refuses | Outcome::Connects) => answer,
        }
    }

    fn refuses(&self) -> bool {
        self.plan.outcome == Outcome::Refuses
    }

    fn http(&mut self) -> Answer {
        let Some(end) = self.input.windows(4).position(|at| at == b"\r\n\r\n") else {
            return Answer::More(Vec::new());
        };
        let head = String::from_utf8_lossy(&self.input[..end]).into_owned();
        let rest = self.input.split_off(end + 4);
        let (name, port) = self.target;
        let first = format!("CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}");
        let login = head
            .lines()
            .find_map(|line| line.strip_prefix("Proxy-Authorization: "));
        if !head.starts_with(&first) || !rest.is_empty() {
            return Answer::Nonsense(format!("asked of a proxy: {head:?}, {rest:?}"));
        }
        if login != self.plan.login.then_some(BASIC) {
            return Answer::Nonsense(format!("a login with a proxy: {login:?}"));
        }
        match self.refuses() {
            true => Answer::End(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec()),
            false => Answer::Through(
                b"HTTP/1.1 200 Connection Established\r\n\r\n".to_vec(),
                rest,
            ),
        }
    }

    fn socks(&mut self) -> Answer {
        match self.stage {
            Stage::Greeting => {
                let (greeting, method): (&[u8], u8) = match self.plan.login {
                    true => (&[5, 2, 0, 2], 2),
                    false => (&[5, 1, 0], 0),
                };
                match self.take(greeting) {
                    None => Answer::More(Vec::new()),
                    Some(true) => {
                        self.stage = match self.plan.login {
                            true => Stage::Login,
                            false => Stage::Request,
                        };
                        Answer::More(vec![5, method])
                    }
                    Some(false) => self.nonsense(),
                }
            }
            Stage::Login => {
                let login = [&[1, 4], USER.as_bytes(), &[6], PASSWORD.as_bytes()].concat();
                match self.take(&login) {
                    None => Answer::More(Vec::new()),
                    Some(true) => {
                        self.stage = Stage::Request;
                        Answer::More(vec![1, 0])
                    }
                    Some(false) => self.nonsense(),
                }
            }
            Stage::Request => {
                let (name, port) = self.target;
                let port = port.to_be_bytes();
                let request = [&[5, 1, 0, 3, name.len() as u8], name.as_bytes(), &port].concat();
                match self.take(&request) {
                    None => Answer::More(Vec::new()),
                    Some(true) if self.refuses() => Answer::End(vec![5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
                    Some(true) => {
                        let rest = std::mem::take(&mut self.input);
                        Answer::Through(vec![5, 0, 0, 1, 0, 0, 0, 0, 0, 0], rest)
                    }
                    Some(false) => self.nonsense(),
                }
            }
        }
    }

    /// Takes that from the input: `None`: it is not there whole; `false`: it is something else.
    fn take(&mut self, expected: &[u8]) -> Option<bool> {
        let have = self.input.len().min(expected.len());
        if self.input[..have] != expected[..have] {
            return Some(false);
        }
        if have < expected.len() {
            return None;
        }
        self.input.drain(..have);
        Some(true)
    }

    fn nonsense(&self) -> Answer {
        Answer::Nonsense(format!("said to a proxy: {:?}", self.input))
    }
}
