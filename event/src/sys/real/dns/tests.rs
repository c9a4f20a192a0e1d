use super::super::super::dns::SystemResolver;
use super::*;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// More than anything here takes; a test that waits for it has failed.
const LONG: Duration = Duration::from_secs(20);

/// A resolver that tells each call and answers it as its test says.
struct Scripted {
    called: Sender<String>,
    answers: Receiver<io::Result<Vec<IpAddr>>>,
    ended: Sender<()>,
}

/// A test's ends of a [`Scripted`].
struct Script {
    called: Receiver<String>,
    answers: Sender<io::Result<Vec<IpAddr>>>,
    /// Disconnected or told when a thread that resolved something has ended.
    ended: Receiver<()>,
}

struct TellEnd(Sender<()>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        // The test may have ended before.
        self.0.send(()).unwrap_or_default();
    }
}

thread_local! {
    static END: RefCell<Option<TellEnd>> = const { RefCell::new(None) };
}

impl Resolver for Scripted {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        END.with_borrow_mut(|end| {
            end.get_or_insert_with(|| TellEnd(self.ended.clone()));
        });
        self.called.send(host.to_owned()).unwrap_or_default();
        assert!(!host.starts_with("panic"), "scripted panic");
        match self.answers.recv() {
            Ok(answer) => answer,
            Err(_) => Err(io::Error::other("the test has ended")),
        }
    }
}

fn scripted(most: usize, idle: Duration) -> (DnsPool, Script) {
    let (called, called_out) = unbounded();
    let (answers, answers_out) = unbounded();
    let (ended, ended_out) = unbounded();
    let resolver = Scripted {
        called,
        answers: answers_out,
        ended,
    };
    let own = most;
    let pool = DnsPool::with_limits(Arc::new(resolver), Limits { own, most, idle });
    let script = Script {
        called: called_out,
        answers,
        ended: ended_out,
    };
    (pool, script)
}

type Answers = Receiver<io::Result<Vec<SocketAddr>>>;

fn home() -> SocketAddr {
    SocketAddr::new(HOME, 0)
}

/// Submits a lookup whose answer can be received; disconnected if it is dropped.
fn submit(pool: &DnsPool, host: &str) -> (JobToken, Answers) {
    let (tell, told) = unbounded();
    let done = Box::new(move |answer| tell.send(answer).unwrap_or_default());
    let token = pool.submit(host.to_owned(), done).expect("a thread");
    (token, told)
}

fn is_dropped(told: &Answers) -> bool {
    matches!(told.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected))
}

#[test]
fn system_resolver_knows_localhost() {
    let found = SystemResolver.resolve("localhost").expect("localhost");
    assert!(!found.is_empty());
    assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
}

#[test]
fn system_resolver_reports_names_that_cannot_be() {
    // Refused before any query is sent.
    for name in ["a\0b", ""] {
        let error = SystemResolver.resolve(name).expect_err(name);
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn answers_and_errors_come_back() {
    let (pool, script) = scripted(4, LONG);
    let (_token, told) = submit(&pool, "a.test");
    assert_eq!(script.called.recv_timeout(LONG).as_deref(), Ok("a.test"));
    script.answers.send(Ok(vec![HOME])).expect("it listens");
    let answer = told.recv_timeout(LONG).expect("an answer");
    assert_eq!(answer.expect("found"), [home()]);

    let (_token, told) = submit(&pool, "b.test");
    let refused = io::Error::from(io::ErrorKind::NotFound);
    script.answers.send(Err(refused)).expect("it listens");
    let answer = told.recv_timeout(LONG).expect("an answer");
    assert_eq!(
        answer.expect_err("no such host").kind(),
        io::ErrorKind::NotFound
    );
    // One after the other needs one thread.
    assert_eq!(lock(&pool.0.state).threads, 1);
}

#[test]
fn threads_start_as_needed_and_no_more() {
    let (pool, script) = scripted(2, LONG);
    assert_eq!(lock(&pool.0.state).threads, 0);
    let jobs: Vec<_> = (0..3).map(|n| submit(&pool, &format!("{n}"))).collect();
    assert_eq!(lock(&pool.0.state).threads, 2);
    // Two are blocked side by side; the third waits for one of them.
    script.called.recv_timeout(LONG).expect("the first");
    script.called.recv_timeout(LONG).expect("the second");
    assert!(script.called.try_recv().is_err());
    for _ in 0..3 {
        script.answers.send(Ok(vec![HOME])).expect("they listen");
    }
    for (_, told) in &jobs {
        assert!(told.recv_timeout(LONG).is_ok());
    }
    assert_eq!(lock(&pool.0.state).threads, 2);
}

#[test]
fn a_panic_is_an_error_and_the_thread_survives() {
    let (pool, script) = scripted(1, LONG);
    let (_token, told) = submit(&pool, "panic.test");
    let answer = told.recv_timeout(LONG).expect("an answer");
    let error = answer.expect_err("it panicked").to_string();
    assert!(error.contains("scripted panic"), "{error}");
    let done = Box::new(|_| panic!("in the callback"));
    let _token = pool.submit("a.test".to_owned(), done).expect("queued");
    let (_token, told) = submit(&pool, "b.test");
    script.answers.send(Ok(vec![])).expect("it listens");
    script.answers.send(Ok(vec![HOME])).expect("it listens");
    assert!(told.recv_timeout(LONG).expect("an answer").is_ok());
    assert_eq!(lock(&pool.0.state).threads, 1);
    assert!(script.ended.try_recv().is_err(), "the thread has ended");
}

#[test]
fn cancel_of_a_waiting_job_drops_it_at_once_and_skips_it() {
    let (pool, script) = scripted(1, LONG);
    let (_first, first) = submit(&pool, "first");
    assert_eq!(script.called.recv_timeout(LONG).as_deref(), Ok("first"));
    let (second, told) = submit(&pool, "second");
    let (_third, third) = submit(&pool, "third");
    second.cancel();
    second.cancel();
    // Dropped although the only thread is still blocked.
    assert!(is_dropped(&told));
    script.answers.send(Ok(vec![])).expect("it listens");
    script.answers.send(Ok(vec![])).expect("it listens");
    assert!(first.recv_timeout(LONG).is_ok());
    assert!(third.recv_timeout(LONG).is_ok());
    assert_eq!(script.called.recv_timeout(LONG).as_deref(), Ok("third"));
}

#[test]
fn cancel_of_a_running_job_drops_its_answer() {
    let (pool, script) = scripted(1, LONG);
    let (token, told) = submit(&pool, "slow");
    script.called.recv_timeout(LONG).expect("it runs");
    token.cancel();
    assert!(is_dropped(&told));
    script.answers.send(Ok(vec![HOME])).expect("it listens");
    // The thread goes on with the next one.
    let (_token, told) = submit(&pool, "next");
    script.answers.send(Ok(vec![HOME])).expect("it listens");
    assert!(told.recv_timeout(LONG).is_ok());
}

#[test]
fn dropping_the_pool_does_not_wait_for_a_blocked_thread() {
    let (pool, script) = scripted(1, LONG);
    let (_token, running) = submit(&pool, "blocked");
    script.called.recv_timeout(LONG).expect("it runs");
    let (_token, waiting) = submit(&pool, "waiting");
    let began = Instant::now();
    drop(pool);
    assert!(began.elapsed() < LONG, "it waited");
    assert!(is_dropped(&waiting));
    assert!(script.ended.try_recv().is_err(), "it is still blocked");
    script.answers.send(Ok(vec![])).expect("it listens");
    assert!(running.recv_timeout(LONG).is_ok());
    assert!(script.ended.recv_timeout(LONG).is_ok(), "the thread ends");
}

#[test]
fn an_idle_thread_leaves_and_another_comes() {
    let (pool, script) = scripted(1, Duration::ZERO);
    for _ in 0..20 {
        let (_token, told) = submit(&pool, "a.test");
        script.answers.send(Ok(vec![HOME])).expect("it listens");
        assert!(told.recv_timeout(LONG).is_ok());
        // Also without waiting for the end of the thread: no job may be left behind.
        let (_token, told) = submit(&pool, "b.test");
        script.answers.send(Ok(vec![HOME])).expect("it listens");
        assert!(told.recv_timeout(LONG).is_ok());
    }
    // The last one to resolve leaves; others may have before it.
    let mut told = 0;
    while lock(&pool.0.state).threads > 0 || told == 0 {
        script.ended.recv_timeout(LONG).expect("the thread leaves");
        told += 1;
    }
    let state = lock(&pool.0.state);
    assert!(state.calls.is_empty() && state.names.is_empty() && state.waiting.is_empty());
    assert_eq!(state.idle, 0);
}

/// Lookups of one name wait for one answer, each for its own copy, in their order.
#[test]
fn a_call_is_shared() {
    let (pool, script) = scripted(4, LONG);
    let (tell, told) = unbounded();
    let ask = |n: u32| {
        let tell = tell.clone();
        let done = Box::new(move |answer: io::Result<_>| {
            tell.send((n, answer.map_err(|e| (e.kind(), e.to_string()))))
                .unwrap_or_default();
        });
        pool.submit("a.test".to_owned(), done).expect("a thread")
    };
    for answer in [true, false] {
        let tokens: Vec<_> = (0..5).map(ask).collect();
        assert_eq!(script.called.recv_timeout(LONG).as_deref(), Ok("a.test"));
        tokens[2].cancel();
        script
            .answers
            .send(match answer {
                true => Ok(vec![HOME]),
                false => Err(io::Error::new(io::ErrorKind::NotFound, "the words")),
            })
            .expect("it listens");
        for n in [0, 1, 3, 4] {
            let expected = match answer {
                true => Ok(vec![home()]),
                false => Err((io::ErrorKind::NotFound, "the words".to_owned())),
            };
            assert_eq!(told.recv_timeout(LONG), Ok((n, expected)));
        }
        assert!(script.called.try_recv().is_err(), "asked once");
    }
}

/// A call that was given up is not waited for by others, unless there are two already.
#[test]
fn two_calls_of_a_name_at_most() {
    let (pool, script) = scripted(8, LONG);
    let (first, _) = submit(&pool, "slow");
    script.called.recv_timeout(LONG).expect("the first");
    first.cancel();
    let (_second, second) = submit(&pool, "slow");
    script.called.recv_timeout(LONG).expect("the second");
    let others: Vec<_> = (0..10).map(|_| submit(&pool, "slow")).collect();
    let (_token, _) = submit(&pool, "other");
    assert_eq!(script.called.recv_timeout(LONG).as_deref(), Ok("other"));
    assert_eq!(lock(&pool.0.state).threads, 3);
    // Whichever thread gets it.
    for _ in 0..3 {
        script.answers.send(Ok(vec![HOME])).expect("they listen");
    }
    assert!(second.recv_timeout(LONG).is_ok());
    for (_, told) in &others {
        assert!(told.recv_timeout(LONG).is_ok());
    }
}

/// What is given up while it waits leaves nothing behind, however often.
#[test]
fn given_up_lookups_leave_the_queue() {
    let (pool, script) = scripted(1, LONG);
    let (_first, _) = submit(&pool, "blocked");
    script.called.recv_timeout(LONG).expect("it runs");
    for n in 0..1_000 {
        let (token, told) = submit(&pool, &format!("{n}"));
        token.cancel();
        assert!(is_dropped(&told));
    }
    let state = lock(&pool.0.state);
    assert_eq!((state.calls.len(), state.names.len()), (1, 1));
    assert!(state.waiting.is_empty());
}

/// A loop's own threads and no more, where the process has all its extra ones.
#[test]
fn extra_threads_are_of_the_process() {
    let all: Vec<_> = std::iter::from_fn(ExtraThread::take)
        .take(2 * EXTRA)
        .collect();
    assert!(all.len() <= EXTRA);
    drop(all);
    let (called, called_out) = unbounded();
    let (answers, answers_out) = unbounded();
    let (ended, _ended) = unbounded();
    let resolver = Scripted {
        called,
        answers: answers_out,
        ended,
    };
    let limits = Limits {
        own: 1,
        most: 3,
        idle: Duration::ZERO,
    };
    let pool = DnsPool::with_limits(Arc::new(resolver), limits);
    let jobs: Vec<_> = (0..5).map(|n| submit(&pool, &format!("{n}"))).collect();
    for _ in 0..3 {
        called_out.recv_timeout(LONG).expect("three at a time");
    }
    assert_eq!(lock(&pool.0.state).threads, 3);
    for _ in 0..5 {
        answers.send(Ok(vec![HOME])).expect("they listen");
    }
    for (_, told) in &jobs {
        assert!(told.recv_timeout(LONG).is_ok());
    }
}
