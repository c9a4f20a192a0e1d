//! Who gets the name of a Unix socket, and who gets in.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::socket_path::SocketPath;
use crate::common::tcp_server::Recorded;
use hvloop::event::ConnectPhase;
use hvloop::{Address, CloseReason, Connect, Listen, ListenErrorKind, TcpClient};
use hvloop_test_support::{DEADLINE, Event, Monitor};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::Instant;

/// A listener that accepts nothing, and as many connections as it lets wait.
fn full(path: &Path) -> (UnixListener, Vec<Socket>) {
    let address = SockAddr::unix(path).unwrap();
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(2).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&address) {
            Ok(()) => waiting.push(socket),
            Err(e) => {
                assert_eq!(e.kind(), io::ErrorKind::WouldBlock);
                return (listener.into(), waiting);
            }
        }
    }
}

fn stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

fn refused(listen: Listen) -> io::ErrorKind {
    io::Error::from(listen.bind().unwrap_err()).kind()
}

/// A connect waits for room in the backlog, and does not spin.
#[test]
fn full_backlog_is_waited_for() {
    let (path, thread) = (SocketPath::new(), started());
    let (listener, waiting) = full(&path.0);
    let client = TcpClient::new(thread.event_loop());
    let (opened, closed) = (Event::new(), Monitor::new(None));
    let (o, c) = (opened.clone(), closed.clone());
    client.on_connect(move |_| o.set());
    client.on_close(move |_, reason| c.update(|closed| *closed = Some(reason.clone())));
    let began = Instant::now();
    let ticks = thread.event_loop().metrics().ticks;
    client
        .connect(Connect::unix(&path.0).open_timeout(DEADLINE))
        .unwrap();
    assert!(
        !closed.wait(300 * MS, |closed| closed.is_some()),
        "given up"
    );
    let ticks = thread.event_loop().metrics().ticks - ticks;
    let most = 20 + began.elapsed().as_millis() as u64 / 10;
    assert!(ticks < most, "{ticks} turns in {:?}", began.elapsed());
    assert!(!opened.is_set());
    for _ in &waiting {
        listener.accept().unwrap();
    }
    opened.expect("the connection");
    listener.accept().unwrap();
    stop_clean(&thread);
}

/// It waits no longer than it may, and not behind a `close()`.
#[test]
fn full_backlog_has_its_deadline() {
    let (path, thread) = (SocketPath::new(), started());
    let (listener, _waiting) = full(&path.0);
    let client = TcpClient::new(thread.event_loop());
    let closed = Monitor::new(Vec::new());
    let connect = |deadline| {
        let c = closed.clone();
        client.on_close(move |_, reason| c.update(|closed| closed.push(reason.clone())));
        client
            .connect(Connect::unix(&path.0).open_timeout(deadline))
            .unwrap();
    };
    connect(100 * MS);
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 1));
    connect(DEADLINE);
    client.close();
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 2));
    connect(DEADLINE);
    drop(listener);
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 3));
    connect(DEADLINE);
    assert!(closed.wait(DEADLINE, |closed| closed.len() == 4));
    closed.read(|closed| {
        let timed = |reason: &CloseReason| {
            matches!(
                reason,
                CloseReason::OpenTimedOut {
                    phase: ConnectPhase::Connect,
                    ..
                }
            )
        };
        assert!(timed(&closed[0]), "{}", closed[0]);
        assert!(matches!(closed[1], CloseReason::Local), "{}", closed[1]);
        for reason in &closed[2..] {
            let refused = |e: &io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
            assert!(
                matches!(reason, CloseReason::Connect(None, e) if refused(e)),
                "{reason}"
            );
        }
    });
    stop_clean(&thread);
}

/// A program that listens and does nothing else is not waited for.
#[test]
fn stuck_owner_blocks_nobody() {
    let path = SocketPath::new();
    let (_listener, _waiting) = full(&path.0);
    let done = Monitor::new(None);
    let (d, at) = (done.clone(), path.0.clone());
    std::thread::spawn(move || d.update(|done| *done = Some(refused(Listen::unix(at)))));
    assert!(done.wait(DEADLINE, |done| *done == Some(io::ErrorKind::AddrInUse)));
}

/// Who has the name does not notice that somebody else wants it.
#[test]
fn owner_does_not_notice() {
    let path = SocketPath::new();
    let owner = UnixListener::bind(&path.0).unwrap();
    owner.set_nonblocking(true).unwrap();
    assert_eq!(refused(Listen::unix(&path.0)), io::ErrorKind::AddrInUse);
    let nobody = owner.accept().unwrap_err();
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
    // Bound and not listening is alive, too; so are other sorts of sockets.
    for (sort, listens) in [
        (Type::STREAM, false),
        (Type::SEQPACKET, true),
        (Type::DGRAM, false),
    ] {
        let path = SocketPath::new();
        let owner = Socket::new(Domain::UNIX, sort, None).unwrap();
        owner.bind(&SockAddr::unix(&path.0).unwrap()).unwrap();
        if listens {
            owner.listen(1).unwrap();
        }
        assert_eq!(
            refused(Listen::unix(&path.0)),
            io::ErrorKind::AddrInUse,
            "{sort:?}"
        );
        assert!(path.0.exists());
    }
    // And one that is another's in all but name.
    let path = SocketPath::new();
    let (a, b) = (
        UnixDatagram::bind(&path.0).unwrap(),
        UnixDatagram::unbound().unwrap(),
    );
    b.connect(&path.0).unwrap();
    assert_eq!(refused(Listen::unix(&path.0)), io::ErrorKind::AddrInUse);
    drop((a, b));
}

/// Of several at once one wins, whether a file was left behind or not, and has the name then.
#[test]
fn one_of_several_wins() {
    for round in 0..400 {
        let path = SocketPath::new();
        if round % 2 == 0 {
            stale(&path.0);
        }
        let start = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (start, at) = (start.clone(), path.0.clone());
                std::thread::spawn(move || {
                    start.wait();
                    Listen::unix(at).bind()
                })
            })
            .collect();
        let mut results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        results.retain(|result| match result {
            Ok(_) => true,
            Err(e) => {
                assert_eq!(e.kind(), ListenErrorKind::AddressInUse, "{e}");
                false
            }
        });
        assert_eq!(results.len(), 1, "round {round}");
        UnixStream::connect(&path.0).unwrap();
        drop(results);
        assert!(!path.0.exists());
    }
}

/// What is no socket is nobody's to remove.
#[test]
fn other_files_stay() {
    let path = SocketPath::new();
    std::fs::write(&path.0, "precious").unwrap();
    assert_eq!(refused(Listen::unix(&path.0)), io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path.0).unwrap(), b"precious");
    let link = SocketPath::new();
    std::os::unix::fs::symlink(&path.0, &link.0).unwrap();
    assert_eq!(refused(Listen::unix(&link.0)), io::ErrorKind::AddrInUse);
    std::fs::remove_file(&path.0).unwrap();
    stale(&path.0);
    assert_eq!(refused(Listen::unix(&link.0)), io::ErrorKind::AddrInUse);
    assert!(link.0.is_symlink() && path.0.exists());
    let directory = SocketPath::new();
    std::fs::create_dir(&directory.0).unwrap();
    assert_eq!(
        refused(Listen::unix(&directory.0)),
        io::ErrorKind::AddrInUse
    );
    std::fs::remove_dir(&directory.0).unwrap();
    let nowhere = directory.0.join("deeper");
    assert_eq!(refused(Listen::unix(nowhere)), io::ErrorKind::NotFound);
}

/// A lock that others hold on the directory delays, and does not block.
#[test]
fn locked_directory_is_an_error() {
    use rustix::fs::{FlockOperation, flock};
    let directory = SocketPath::new();
    std::fs::create_dir(&directory.0).unwrap();
    let path = directory.0.join("a.sock");
    stale(&path);
    let lock = std::fs::File::open(&directory.0).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let e = Listen::unix(&path).bind().unwrap_err();
    assert_eq!(e.kind(), ListenErrorKind::AddressInUse);
    assert!(e.to_string().contains("lock"), "{e}");
    drop(lock);
    drop(Listen::unix(&path).bind().unwrap());
    std::fs::remove_dir(&directory.0).unwrap();
}

/// In both forms, on both sides; it is no file, and is free again when its listener is closed.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn abstract_names() {
    let thread = started();
    for (n, marks) in [("@", "@"), ("\0", "\0"), ("@", "\0"), ("\0", "@")]
        .into_iter()
        .enumerate()
    {
        let name = format!("hvloop-{}-{n}", std::process::id());
        let canonical = Address::Unix(Some(PathBuf::from(format!("@{name}"))));
        let server = Recorded::on(&thread);
        let listen = || Listen::unix(format!("{}{name}", marks.0));
        assert_eq!(server.server.listen(listen()).unwrap(), canonical);
        assert_eq!(refused(listen()), io::ErrorKind::AddrInUse);
        assert!(!Path::new(&format!("@{name}")).exists());
        let client = TcpClient::new(thread.event_loop());
        let told = Monitor::new(None);
        let t = told.clone();
        client.on_connect(|channel| channel.send(b"hello").unwrap());
        client.on_message(move |channel, data| {
            t.update(|told| *told = Some((channel.peer().cloned(), data.to_vec())));
        });
        client
            .connect(Connect::unix(format!("{}{name}", marks.1)))
            .unwrap();
        assert!(told.wait(DEADLINE, |told| *told
            == Some((Some(canonical.clone()), b"hello".to_vec()))));
        client.close();
        server.wait("the end", |seen| seen.closed.len() == 1);
        server.server.stop();
        drop(listen().bind());
        assert!(hvloop_test_support::wait_for(DEADLINE.as_secs(), || {
            listen().bind().is_ok()
        }));
    }
    let too_long = "@".repeat(109);
    assert_eq!(refused(Listen::unix(too_long)), io::ErrorKind::InvalidInput);
    stop_clean(&thread);
}
