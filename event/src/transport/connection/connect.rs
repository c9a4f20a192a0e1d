//! Making connections: lookup, the race over the addresses (RFC 8305), then what `proxy` and `tls` hold.

use super::parts::{Connecting, FullBacklog, Timer};
use super::state::ConnState;
use super::{Conn, Connection, close, proxy, tls, write};
use crate::conn::{Connect, Handler, Target};
use crate::core::LocalLoop;
use crate::core::entity::Role;
use crate::core::lookup;
use crate::error::{CloseReason, LoopClosed};
use crate::log;
use crate::machine::addresses::interleave;
use crate::machine::race::{Action, ConnectRace};
use crate::sys::{Address, Stream, clock, literal};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long one address may be alone in the race (RFC 8305 section 5, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long to wait for room in the backlog of a Unix socket, the first time and at most.
const BACKLOG_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// See [`LocalLoop::connect`].
pub(crate) fn connect<'a>(
    local: &'a LocalLoop,
    options: Connect,
    handler: Box<dyn Handler>,
) -> Result<Conn<'a>, LoopClosed<Box<dyn Handler>>> {
    let core = local.core();
    if !core.registry.admit(Role::Connection) {
        return Err(LoopClosed(handler));
    }
    let deadline = options.settings.open_timeout;
    let target = options.first_stop();
    let (tunnel, impossible) = match options.tunnel() {
        Ok(tunnel) => (tunnel, None),
        Err(e) => (None, Some(CloseReason::Proxy(e.into()))),
    };
    let state = ConnState::new(options, tunnel, clock::now());
    let connection = core.registry.put(Role::Connection, |place| {
        Connection::new(place, state, Some(handler))
    });
    let conn = Conn::new(local, connection);
    conn.arm(Timer::Open, deadline);
    if let Some(reason) = impossible {
        close::now(&conn, reason);
        return Ok(conn);
    }
    match target {
        Target::Host(host, port) => match literal(&host, port) {
            Some(address) => resolved(&conn, address.map(|address| vec![address.into()])),
            None => look_up(&conn, host, port),
        },
        #[cfg(unix)]
        Target::Unix(path) => resolved(&conn, Ok(vec![Address::Unix(Some(path))])),
    }
    Ok(conn)
}

fn look_up(conn: &Conn<'_>, host: String, port: u16) {
    let key = conn.place().key();
    let asked = lookup::ask(conn.core(), host, move |local, answer| {
        let Some(connection) = local.core().registry.find_as::<Connection>(key) else {
            return;
        };
        let addresses = answer.map(|mut addresses| {
            for address in &mut addresses {
                address.set_port(port);
            }
            interleave(addresses).into_iter().map(Address::Inet)
        });
        resolved(
            &Conn::new(local, connection),
            addresses.map(Iterator::collect),
        );
    });
    match asked {
        Ok(token) => {
            with_connecting(conn, |connecting| connecting.lookup = Some(token));
        }
        Err(e) => close::now(conn, CloseReason::Dns(Arc::new(e))),
    }
}

/// The addresses, or why there are none.
fn resolved(conn: &Conn<'_>, answer: io::Result<Vec<Address>>) {
    let now = clock::now();
    if !conn.state().life.resolved() {
        return;
    }
    with_connecting(conn, |connecting| connecting.lookup = None);
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let answer = answer.and_then(|found| match found.is_empty() {
        true => Err(none()),
        false => for_made(conn, found),
    });
    match answer {
        Ok(addresses) => {
            with_connecting(conn, |connecting| {
                connecting.race = Some(ConnectRace::new(addresses, now, ATTEMPT_DELAY));
            });
            drive_race(conn);
        }
        Err(e) => close::now(conn, CloseReason::Dns(Arc::new(e))),
    }
}

/// A socket that was made elsewhere is of one family, and has one try.
fn for_made(conn: &Conn<'_>, addresses: Vec<Address>) -> io::Result<Vec<Address>> {
    let chosen = with_connecting(conn, |Connecting { options, .. }| {
        let fits = |address: &&Address| options.fits(address);
        let first = addresses.iter().find(fits).cloned();
        options.has_made().then_some(first)
    });
    let Some(first) = chosen.flatten() else {
        return Ok(addresses);
    };
    let none = "the host has no address of the socket's family";
    let first = first.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, none))?;
    Ok(vec![first])
}

/// Runs `f` on what is needed only until there is a stream to the target; `None`: there is one.
fn with_connecting<R>(conn: &Conn<'_>, f: impl FnOnce(&mut Connecting) -> R) -> Option<R> {
    conn.state().connecting.as_deref_mut().map(f)
}

/// Does what the race asks for, until it asks to wait.
fn drive_race(conn: &Conn<'_>) {
    loop {
        let now = clock::now();
        let action = with_connecting(conn, |c| c.race.as_mut().map(|race| race.poll(now)));
        match action.flatten() {
            Some(Action::Start(index, address)) => start_racer(conn, index, address),
            Some(Action::WaitUntil(at)) => {
                return conn.arm(Timer::Race, at.saturating_duration_since(now));
            }
            Some(Action::Wait) | None => return,
            Some(Action::Failed) => {
                let last = with_connecting(conn, |c| c.last_error.take()).flatten();
                let reason = match last {
                    Some((address, e)) => CloseReason::Connect(address.inet(), e),
                    None => {
                        let e = io::Error::other("no address could be tried");
                        CloseReason::Connect(None, Arc::new(e))
                    }
                };
                return close::now(conn, reason);
            }
        }
    }
}

fn start_racer(conn: &Conn<'_>, index: usize, address: Address) {
    let started = conn.core().poller.with(|poller| {
        let mut stream = open(conn, &address)?;
        // All racers of a connection share its key: the winner stays as it is registered, and
        // an event of a loser is a spurious one for the winner.
        stream.register(poller, conn.place().key())?;
        Ok(stream)
    });
    match started {
        Ok(stream) => {
            with_connecting(conn, |connecting| {
                // Mostly the only one.
                connecting.sockets.reserve_exact(1);
                connecting.sockets.push((index, address, stream));
            });
        }
        Err(e) if is_backlog_full(&address, &e) => wait_for_room(conn, index, address),
        Err(e) => racer_failed(conn, index, address, e),
    }
}

/// Begins to connect a socket.
fn open(conn: &Conn<'_>, address: &Address) -> io::Result<Stream> {
    let opened = with_connecting(conn, |Connecting { options, .. }| {
        let Some(made) = options.take_made() else {
            return Stream::connect(address, options.settings.socket.bind);
        };
        Stream::connect_made(made, address).map_err(|(e, made)| {
            if let Some(made) = made {
                options.give_back(made);
            }
            e
        })
    });
    opened.unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into()))
}

/// The system does not tell when a Unix socket's backlog has room again: looks after a while. There is
/// no other address, so that the race does not use its timer.
fn wait_for_room(conn: &Conn<'_>, index: usize, address: Address) {
    let pause = with_connecting(conn, |connecting| {
        let pause = connecting.full.take().map_or(BACKLOG_PAUSE.0, |f| f.pause);
        connecting.full = Some(Box::new(FullBacklog {
            index,
            address,
            pause: (pause * 2).min(BACKLOG_PAUSE.1),
        }));
        pause
    });
    if let Some(pause) = pause {
        conn.arm(Timer::Race, pause);
    }
}

/// The race's timer: tries an address again whose backlog was full, and goes on.
pub(super) fn go_on(conn: &Conn<'_>) {
    let full = with_connecting(conn, |connecting| connecting.full.as_deref().cloned());
    if let Some(FullBacklog { index, address, .. }) = full.flatten() {
        start_racer(conn, index, address);
    }
    drive_race(conn);
}

fn racer_failed(conn: &Conn<'_>, index: usize, address: Address, error: io::Error) {
    log::debug!("hvloop: connect to {address}: {error}");
    with_connecting(conn, |connecting| {
        connecting.last_error = Some((address, Arc::new(error)));
        if let Some(race) = connecting.race.as_mut() {
            race.on_failed(index, clock::now());
        }
    });
}

/// Looks which of the racers have ended, for better or worse.
pub(super) fn check_racers(conn: &Conn<'_>) {
    let (mut failed, mut losers) = (Vec::new(), Vec::new());
    let (mut winner, mut waiting) = (None, Vec::new());
    let sockets = with_connecting(conn, |connecting| std::mem::take(&mut connecting.sockets));
    for (index, address, stream) in sockets.unwrap_or_default() {
        match stream
            .connected()
            .map(|peer| Some(Ends::new(&stream, peer?)))
        {
            Ok(Some(ends)) if ends.are_one() => {
                failed.push((index, address, to_itself()));
                losers.push(stream);
            }
            _ if winner.is_some() => losers.push(stream),
            Ok(Some(ends)) => winner = Some((stream, ends)),
            Ok(None) => waiting.push((index, address, stream)),
            Err(e) => {
                losers.push(stream);
                failed.push((index, address, e));
            }
        }
    }
    match winner {
        Some((stream, ends)) => {
            losers.extend(waiting.into_iter().map(|(_, _, stream)| stream));
            conn.close_racers(losers);
            connected(conn, stream, ends);
        }
        None => {
            with_connecting(conn, |connecting| connecting.sockets = waiting);
            conn.close_racers(losers);
            let any = !failed.is_empty();
            for (index, address, e) in failed {
                racer_failed(conn, index, address, e);
            }
            if any {
                drive_race(conn);
            }
        }
    }
}

/// The addresses of a stream that is connected.
struct Ends {
    peer: Address,
    local: Option<Address>,
}

impl Ends {
    fn new(stream: &Stream, peer: Address) -> Self {
        let local = stream.local().ok();
        Self { peer, local }
    }

    /// Whether it is connected to itself.
    fn are_one(&self) -> bool {
        let local = self.local.as_ref();
        local.is_some_and(|local| local.is_same_endpoint(&self.peer))
    }
}

fn connected(conn: &Conn<'_>, stream: Stream, ends: Ends) {
    {
        let mut state = conn.state();
        let Some(connecting) = state.connecting.as_mut() else {
            return;
        };
        connecting.race = None;
        stream.set_up(&state.settings.socket);
        state.socket.peer = Some(ends.peer.into());
        state.socket.local = ends.local.map(Into::into);
        state.socket.stream = Some(stream);
        state.write.writable = true;
    }
    // What came together with the connect has had its event: a peer that accepted and closed
    // at once would not be noticed any more.
    conn.read_what_came_early();
    conn.disarm(Timer::Race);
    if proxy::begin(conn) || at_target(conn) {
        write::flush(conn);
    } else {
        conn.begin_with_handler();
    }
}

/// There is a stream to the target: what was needed until then goes. Whether TLS begins; else the protocol
/// above may.
pub(super) fn at_target(conn: &Conn<'_>) -> bool {
    let connecting = conn.state().connecting.take();
    let secure = connecting.is_some_and(|connecting| tls::begin(conn, &connecting.options));
    if !secure {
        let life = &mut conn.state().life;
        let _one_of_both = life.connected(false) || life.tunnelled(false);
    }
    secure
}

/// What a system would say that did not let a connect reach its own port.
fn to_itself() -> io::Error {
    let text = "nobody listens there: the connection led back to itself";
    io::Error::new(io::ErrorKind::ConnectionRefused, text)
}

/// Whether a server is there, and lets nobody else wait now. Of a TCP server the system itself tries again.
fn is_backlog_full(address: &Address, e: &io::Error) -> bool {
    match address {
        Address::Inet(_) => false,
        #[cfg(unix)]
        Address::Unix(_) => e.kind() == io::ErrorKind::WouldBlock,
    }
}

#[cfg(all(test, unix, not(hvloop_sim)))]
mod tests;
