//! A program in C, as Rust writes it: callbacks that record, and handles that are freed.

use hvloop_capi::event_loop::*;
use hvloop_capi::http_callback::*;
use hvloop_capi::http_request::*;
use hvloop_capi::http_response::*;
use hvloop_capi::io::common::*;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::thread::*;
use hvloop_capi::tls_client::*;
use hvloop_capi::tls_server::*;
use hvloop_capi::ws::callbacks::*;
use hvloop_capi::ws::client::*;
use hvloop_capi::ws::connection::*;
use hvloop_capi::ws::server::*;
use hvloop_capi::ws::server_settings::*;
use hvloop_capi::ws::service::*;
use hvloop_test_support::{DEADLINE, Monitor, TestCa};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Open,
    Message(c_int, Vec<u8>),
    Drain,
    Close {
        had_io: bool,
        code: c_int,
        reason: String,
        error: c_int,
        text: String,
    },
    /// The data were given up.
    Dropped,
}

/// What is done in a callback, after it was recorded.
type Then = dyn Fn(&Seen, *mut hvloop_io, *const hvloop_http_request, *const hvloop_http_response)
    + Send
    + Sync;

/// Records what is called, and does something with it.
#[derive(Clone)]
pub struct Record(Arc<Inner>);

struct Inner {
    seen: Monitor<Vec<Seen>>,
    then: Box<Then>,
    /// Nothing may be called any more.
    over: AtomicBool,
    /// A call of another connection at a time is allowed.
    late: Monitor<Vec<Seen>>,
}

impl Record {
    pub fn new() -> Self {
        Self::with(|_, _| {})
    }

    pub fn with(then: impl Fn(&Seen, *mut hvloop_io) + Send + Sync + 'static) -> Self {
        Self::with_heads(move |seen, io, _, _| then(seen, io))
    }

    pub fn with_heads(
        then: impl Fn(&Seen, *mut hvloop_io, *const hvloop_http_request, *const hvloop_http_response)
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            seen: Monitor::new(Vec::new()),
            then: Box::new(then),
            over: AtomicBool::new(false),
            late: Monitor::new(Vec::new()),
        }))
    }

    /// An echo.
    pub fn echo() -> Self {
        Self::with(|seen, io| {
            if let Seen::Message(opcode, bytes) = seen {
                let sent =
                    unsafe { hvloop_ws_send(io, *opcode, bytes.as_ptr().cast(), bytes.len()) };
                assert_eq!(sent, bytes.len() as i64, "{}", last_error());
            }
        })
    }

    /// An echo whose connection may end at any time.
    pub fn echo_quietly() -> Self {
        Self::with(|seen, io| {
            if let Seen::Message(opcode, bytes) = seen {
                unsafe { hvloop_ws_send(io, *opcode, bytes.as_ptr().cast(), bytes.len()) };
            }
        })
    }

    pub fn callbacks(&self) -> hvloop_ws_callbacks {
        hvloop_ws_callbacks {
            on_open: Some(on_open),
            on_message: Some(on_message),
            on_drain: Some(on_drain),
            on_close: Some(on_close),
            drop: Some(on_drop),
            data: Arc::into_raw(self.0.clone()).cast_mut().cast(),
        }
    }

    #[track_caller]
    pub fn wait(&self, what: &str, until: impl Fn(&[Seen]) -> bool) {
        if !self.0.seen.wait(DEADLINE, |seen| until(seen)) {
            panic!("never: {what}; {:?}", self.all());
        }
    }

    #[track_caller]
    pub fn wait_open(&self) {
        self.wait("open", |seen| seen.contains(&Seen::Open));
    }

    /// Waits for the first close.
    #[track_caller]
    pub fn wait_close(&self) -> Seen {
        self.wait("a close", |seen| count_closes(seen) > 0);
        let all = self.all();
        let is_close = |seen: &&Seen| matches!(seen, Seen::Close { .. });
        all.iter().find(is_close).cloned().expect("it is there")
    }

    #[track_caller]
    pub fn wait_message(&self, message: &[u8]) {
        self.wait("a message", |seen| {
            let is_it = |seen: &Seen| matches!(seen, Seen::Message(_, bytes) if bytes == message);
            seen.iter().any(is_it)
        });
    }

    #[track_caller]
    pub fn wait_dropped(&self) {
        self.wait("the drop", |seen| seen.contains(&Seen::Dropped));
        let drops = |seen: &Seen| *seen == Seen::Dropped;
        assert_eq!(self.all().into_iter().filter(drops).count(), 1);
    }

    pub fn all(&self) -> Vec<Seen> {
        self.0.seen.read(Clone::clone)
    }

    pub fn closes(&self) -> usize {
        self.0.seen.read(|seen| count_closes(seen))
    }

    /// From now on nothing may be called but `drop`.
    pub fn nothing_more(&self) {
        self.0.over.store(true, Ordering::SeqCst);
    }

    #[track_caller]
    pub fn nothing_was_late(&self) {
        self.0
            .late
            .read(|late| assert!(late.is_empty(), "{late:?}"));
    }
}

pub fn count_closes(seen: &[Seen]) -> usize {
    let is_close = |seen: &&Seen| matches!(seen, Seen::Close { .. });
    seen.iter().filter(is_close).count()
}

impl Inner {
    fn see(
        &self,
        seen: Seen,
        io: *mut hvloop_io,
        request: *const hvloop_http_request,
        response: *const hvloop_http_response,
    ) {
        if self.over.load(Ordering::SeqCst) {
            self.late.update(|late| late.push(seen.clone()));
        }
        self.seen.update(|all| all.push(seen.clone()));
        (self.then)(&seen, io, request, response);
    }
}

unsafe fn inner<'a>(data: *mut c_void) -> &'a Inner {
    unsafe { &*data.cast::<Inner>().cast_const() }
}

unsafe extern "C" fn on_open(
    data: *mut c_void,
    io: *mut hvloop_io,
    request: *const hvloop_http_request,
    response: *const hvloop_http_response,
) {
    unsafe { inner(data) }.see(Seen::Open, io, request, response);
}

unsafe extern "C" fn on_message(
    data: *mut c_void,
    io: *mut hvloop_io,
    opcode: c_int,
    bytes: *const c_void,
    size: usize,
) {
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) };
    let seen = Seen::Message(opcode, bytes.to_vec());
    unsafe { inner(data) }.see(seen, io, ptr::null(), ptr::null());
}

unsafe extern "C" fn on_drain(data: *mut c_void, io: *mut hvloop_io) {
    unsafe { inner(data) }.see(Seen::Drain, io, ptr::null(), ptr::null());
}

unsafe extern "C" fn on_close(
    data: *mut c_void,
    io: *mut hvloop_io,
    code: c_int,
    reason: *const c_char,
    error: c_int,
    text: *const c_char,
) {
    let seen = Seen::Close {
        had_io: !io.is_null(),
        code,
        reason: string(reason),
        error,
        text: string(text),
    };
    unsafe { inner(data) }.see(seen, io, ptr::null(), ptr::null());
}

unsafe extern "C" fn on_drop(data: *mut c_void) {
    let inner = unsafe { Arc::from_raw(data.cast::<Inner>().cast_const()) };
    inner.seen.update(|seen| seen.push(Seen::Dropped));
}

pub fn string(text: *const c_char) -> String {
    assert!(!text.is_null());
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().expect("UTF-8").to_owned()
}

pub fn c(text: &str) -> CString {
    CString::new(text).expect("no NUL")
}

pub fn last_error() -> String {
    string(hvloop_capi::last_error::hvloop_last_error())
}

/// Handles that other threads may use.
pub struct Shared<T>(pub *mut T);

unsafe impl<T> Send for Shared<T> {}
unsafe impl<T> Sync for Shared<T> {}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

impl<T> Shared<T> {
    pub fn get(self) -> *mut T {
        self.0
    }
}

/// A loop on a thread of its own.
pub struct Thread {
    thread: *mut hvloop_thread,
    pub event_loop: *mut hvloop_loop,
}

impl Thread {
    pub fn start() -> Self {
        let none = hvloop_capi::task::hvloop_task {
            call: None,
            drop: None,
            data: ptr::null_mut(),
        };
        unsafe {
            let thread = hvloop_thread_new(ptr::null());
            assert_eq!(hvloop_thread_start(thread, none, none), 0);
            let event_loop = hvloop_thread_loop(thread);
            Self { thread, event_loop }
        }
    }

    /// Stops it, and waits.
    pub fn stop(&self) {
        unsafe {
            assert_eq!(hvloop_thread_stop(self.thread), 0);
            assert_eq!(hvloop_thread_join(self.thread, ptr::null_mut()), 0);
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        unsafe {
            hvloop_loop_release(self.event_loop);
            hvloop_thread_free(self.thread);
        }
    }
}

/// ws or wss.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Ws,
    Wss,
}

/// Certificates in files, as C has them.
pub struct Net {
    transport: Transport,
    folder: std::path::PathBuf,
}

impl Net {
    pub fn new(transport: Transport) -> Self {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("hvloop-capi-ws-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(folder.join("roots")).expect("a folder");
        let ca = TestCa::new();
        let (chain, key) = ca.server_pem(&["localhost"]);
        for (name, text) in [
            ("roots/ca.pem", ca.ca_pem()),
            ("roots/notes.txt", "nothing".to_owned()),
            ("chain.pem", chain),
            ("key.pem", key),
        ] {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        Self { transport, folder }
    }

    pub fn file(&self, name: &str) -> CString {
        c(self.folder.join(name).to_str().expect("UTF-8"))
    }

    pub fn server_tls(&self) -> *mut hvloop_tls_server {
        let (chain, key) = (self.file("chain.pem"), self.file("key.pem"));
        let tls = unsafe { hvloop_tls_server_new(chain.as_ptr(), key.as_ptr()) };
        assert!(!tls.is_null(), "{}", last_error());
        tls
    }

    pub fn client_tls(&self) -> *mut hvloop_tls_client {
        let tls = hvloop_tls_client_new();
        let roots = self.file("roots/ca.pem");
        let added = unsafe { hvloop_tls_client_add_root_file(tls, roots.as_ptr()) };
        assert_eq!(added, 0, "{}", last_error());
        tls
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A server of one service at every path.
pub struct Server {
    pub server: *mut hvloop_ws_server,
    pub service: *mut hvloop_ws_service,
    scheme: &'static str,
}

impl Server {
    /// Not started.
    pub fn idle(event_loop: *const hvloop_loop, record: &Record) -> Self {
        unsafe {
            let server = hvloop_ws_server_new(event_loop);
            let service = hvloop_ws_service_new();
            assert_eq!(
                hvloop_ws_service_set_callbacks(service, record.callbacks()),
                0
            );
            Self {
                server,
                service,
                scheme: "ws",
            }
        }
    }

    pub fn route(&self, path: &str) {
        let path = c(path);
        let routed = unsafe { hvloop_ws_server_route(self.server, path.as_ptr(), self.service) };
        assert_eq!(routed, 0, "{}", last_error());
    }

    pub fn listen(&self) {
        unsafe {
            let fd = hvloop_ws_server_socket(self.server, c"localhost".as_ptr(), 0, 0);
            assert!(fd > 2, "{}", last_error());
            assert_eq!(hvloop_ws_server_start(self.server), 0, "{}", last_error());
        }
    }

    pub fn start(event_loop: *const hvloop_loop, record: &Record) -> Self {
        let server = Self::idle(event_loop, record);
        server.route("/*");
        server.listen();
        server
    }

    pub fn start_with(net: &Net, event_loop: *const hvloop_loop, record: &Record) -> Self {
        let mut server = Self::idle(event_loop, record);
        server.route("/*");
        if net.transport == Transport::Wss {
            server.scheme = "wss";
            // After the socket, as C++ may do it.
            unsafe {
                let fd = hvloop_ws_server_socket(server.server, c"127.0.0.1".as_ptr(), 0, 8);
                assert!(fd > 2, "{}", last_error());
                let tls = net.server_tls();
                assert_eq!(hvloop_ws_server_set_tls(server.server, tls), 0);
                hvloop_tls_server_release(tls);
                assert_eq!(hvloop_ws_server_start(server.server), 0);
            }
        } else {
            server.listen();
        }
        server
    }

    pub fn port(&self) -> u16 {
        let port = unsafe { hvloop_ws_server_port(self.server) };
        u16::try_from(port).expect("a port")
    }

    pub fn url(&self) -> CString {
        self.url_at("/")
    }

    pub fn url_at(&self, path: &str) -> CString {
        c(&format!(
            "{}://localhost:{}{path}",
            self.scheme,
            self.port()
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        unsafe {
            hvloop_ws_server_free(self.server);
            hvloop_ws_service_free(self.service);
        }
    }
}

/// A client, freed at its end unless that is done before.
pub struct Client(pub *mut hvloop_ws_client);

impl Client {
    /// On that loop; NULL: on its own.
    pub fn new(event_loop: *const hvloop_loop, record: &Record) -> Self {
        unsafe {
            let client = hvloop_ws_client_new(event_loop);
            assert!(!client.is_null(), "{}", last_error());
            assert_eq!(
                hvloop_ws_client_set_callbacks(client, record.callbacks()),
                0
            );
            Self(client)
        }
    }

    pub fn with(net: &Net, event_loop: *const hvloop_loop, record: &Record) -> Self {
        let client = Self::new(event_loop, record);
        if net.transport == Transport::Wss {
            let tls = net.client_tls();
            unsafe {
                let set = hvloop_capi::ws::client_options::hvloop_ws_client_set_tls(
                    client.0,
                    tls,
                    ptr::null(),
                );
                assert_eq!(set, 0, "{}", last_error());
                hvloop_tls_client_release(tls);
            }
        }
        client
    }

    #[track_caller]
    pub fn open(&self, url: &CStr) {
        let opened = unsafe { hvloop_ws_client_open(self.0, url.as_ptr()) };
        assert_eq!(opened, 0, "{}", last_error());
    }

    #[track_caller]
    pub fn send(&self, text: &str) {
        let sent = unsafe { hvloop_ws_client_send(self.0, 1, text.as_ptr().cast(), text.len()) };
        assert_eq!(sent, text.len() as i64, "{}", last_error());
    }

    #[track_caller]
    pub fn close(&self) {
        let closed = unsafe { hvloop_ws_client_close(self.0, 1000, ptr::null()) };
        assert_eq!(closed, 0, "{}", last_error());
    }

    pub fn state(&self) -> c_int {
        unsafe { hvloop_ws_client_state(self.0) }
    }

    #[track_caller]
    pub fn wait_state(&self, state: hvloop_ws_state) {
        let is_it = || self.state() == state as c_int;
        assert!(
            hvloop_test_support::wait_for(DEADLINE.as_secs(), is_it),
            "never {state:?}, but {}",
            self.state()
        );
    }

    pub fn shared(&self) -> Shared<hvloop_ws_client> {
        Shared(self.0)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        unsafe { hvloop_ws_client_free(self.0) }
    }
}

/// An HTTP callback out of a closure.
pub fn http<F>(f: F) -> hvloop_http_callback
where
    F: Fn(*const hvloop_http_request, *mut hvloop_http_response) -> c_int + Send + Sync + 'static,
{
    unsafe extern "C" fn call<F>(
        data: *mut c_void,
        request: *const hvloop_http_request,
        answer: *mut hvloop_http_response,
    ) -> c_int
    where
        F: Fn(*const hvloop_http_request, *mut hvloop_http_response) -> c_int,
    {
        let f = unsafe { &*data.cast::<F>().cast_const() };
        f(request, answer)
    }
    unsafe extern "C" fn give_up<F>(data: *mut c_void) {
        drop(unsafe { Box::from_raw(data.cast::<F>()) });
    }
    hvloop_http_callback {
        call: Some(call::<F>),
        drop: Some(give_up::<F>),
        data: Box::into_raw(Box::new(f)).cast(),
    }
}

/// The value of a header of a request.
pub fn header_of(request: *const hvloop_http_request, name: &str) -> Option<String> {
    let name = c(name);
    let value = unsafe { hvloop_http_request_find(request, name.as_ptr()) };
    (!value.is_null()).then(|| string(value))
}

/// The value of a header of an answer.
pub fn header_in(response: *const hvloop_http_response, name: &str) -> Option<String> {
    let name = c(name);
    let value = unsafe { hvloop_http_response_find(response, name.as_ptr()) };
    (!value.is_null()).then(|| string(value))
}

pub fn set_body(response: *mut hvloop_http_response, text: &str) {
    let set = unsafe { hvloop_http_response_set_body(response, text.as_ptr().cast(), text.len()) };
    assert_eq!(set, 0, "{}", last_error());
}

pub fn add_header(response: *mut hvloop_http_response, name: &str, value: &str) {
    let (name, value) = (c(name), c(value));
    let added = unsafe { hvloop_http_response_add_header(response, name.as_ptr(), value.as_ptr()) };
    assert_eq!(added, 0, "{}", last_error());
}

pub fn body_of(response: *const hvloop_http_response) -> String {
    let mut size = 0;
    let start = unsafe { hvloop_http_response_body(response, &raw mut size) };
    assert!(!start.is_null());
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), size) };
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Keeps a handle of a connection.
pub fn retained(io: *mut hvloop_io) -> Shared<hvloop_io> {
    Shared(unsafe { hvloop_io_retain(io) })
}
