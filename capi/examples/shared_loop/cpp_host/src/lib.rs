//! A Rust plug-in of a C++ program, on that program's loop: it counts, tells the program, and is told to stop with
//! everything else.

pub use hvloop_capi::*;

use hvloop::{Connect, EventLoop, Listen, TcpClient, TcpServer};
use hvloop_capi::event_loop::hvloop_loop;
use std::error::Error;
use std::ffi::c_void;
use std::ptr;

/// What the program is told: `call(data, text, size)`, on the loop's thread.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct plugin_told {
    /// What is called.
    pub call: extern "C" fn(data: *mut c_void, text: *const u8, size: usize),
    /// What it is called with.
    pub data: *mut c_void,
}

// SAFETY: the program's word: it is called on the loop's thread, wherever it was given.
unsafe impl Send for plugin_told {}
// SAFETY: the same.
unsafe impl Sync for plugin_told {}

impl plugin_told {
    fn tell(&self, text: &str) {
        (self.call)(self.data, text.as_ptr(), text.len());
    }
}

/// What is running: a server, and a client of it.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct plugin {
    _client: TcpClient,
    _server: TcpServer,
}

/// Starts an echo server on the program's loop, and a client of it that says `hello` and hangs up. NULL if that
/// fails.
///
/// # Safety
///
/// A loop; what is told may be called on its thread until it has stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_start(
    event_loop: *const hvloop_loop,
    told: plugin_told,
) -> *mut plugin {
    // SAFETY: the caller's word.
    let event_loop = unsafe { share::event_loop(event_loop) };
    match event_loop.map(|event_loop| start(&event_loop, told)) {
        Some(Ok(started)) => Box::into_raw(Box::new(started)),
        _ => ptr::null_mut(),
    }
}

/// Closes what is open still, and frees it.
///
/// # Safety
///
/// What `plugin_start` gave, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_free(started: *mut plugin) {
    if !started.is_null() {
        // SAFETY: the caller's word.
        drop(unsafe { Box::from_raw(started) });
    }
}

fn start(event_loop: &EventLoop, told: plugin_told) -> Result<plugin, Box<dyn Error>> {
    let server = TcpServer::new(event_loop);
    server.on_message(|channel, bytes| {
        // Refused only once the connection has ended.
        _ = channel.send(bytes);
    });
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0)))?;
    let client = TcpClient::new(event_loop);
    client.on_connect(|channel| _ = channel.send(b"hello"));
    client.on_message(move |channel, bytes| {
        told.tell(&format!("rust heard {:?}", String::from_utf8_lossy(bytes)));
        channel.close();
    });
    client.on_close(move |_, reason| told.tell(&format!("rust's client: {reason}")));
    let port = address.inet().map_or(0, |address| address.port());
    client.connect(Connect::to("127.0.0.1", port))?;
    Ok(plugin {
        _client: client,
        _server: server,
    })
}
