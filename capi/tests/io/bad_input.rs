//! NULL, handles of another kind, and what is out of range: an error each time.

use crate::recorder::Recorder;
use crate::streams::{Client, Server};
use crate::support::*;
use hvloop_capi::io::callbacks::hvloop_io_callbacks;
use hvloop_capi::io::common::*;
use hvloop_capi::io::datagram::*;
use hvloop_capi::io::foreign::*;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::io::stream::*;
use hvloop_capi::tcp_client::*;
use hvloop_capi::tcp_server::*;
use hvloop_capi::udp::*;
use std::ptr::{null, null_mut};

const NOTHING: hvloop_io_callbacks = hvloop_io_callbacks {
    on_open: None,
    on_message: None,
    on_write_complete: None,
    on_close: None,
    drop: None,
    data: null_mut(),
};

/// Each function of handles, of what is none: one error for all.
fn of_no_io(io: *mut hvloop_io, event_loop: &Loop, error: i32) {
    let mut storage = [0_u64; 16];
    let mut length = 128;
    let place = (&raw mut storage).cast();
    let mut text = [0; 4];
    unsafe {
        for answer in [
            hvloop_io_kind_of(io),
            hvloop_io_fd(io),
            hvloop_io_is_open(io),
            hvloop_io_error(io),
            hvloop_io_peer(io, place, &raw mut length),
            hvloop_io_local(io, place, &raw mut length),
            hvloop_io_peer_text(io, text.as_mut_ptr(), 4),
            hvloop_io_local_text(io, text.as_mut_ptr(), 4),
            hvloop_io_close(io),
            hvloop_io_close_now(io),
            hvloop_io_shutdown(io),
            hvloop_io_pause_reading(io),
            hvloop_io_resume_reading(io),
            hvloop_io_read_once(io),
            hvloop_io_read_until(io, 0),
            hvloop_io_read_bytes(io, 1),
            hvloop_io_set_unpack(io, null()),
            hvloop_io_set_heartbeat(io, 0, NO_HOOK),
            hvloop_io_set_read_timeout(io, 1),
            hvloop_io_set_write_timeout(io, 1),
            hvloop_io_set_idle_timeout(io, 1),
            hvloop_io_set_callbacks(io, NOTHING),
            hvloop_io_set_binding(io, null_mut(), None),
            hvloop_io_move_to(io, event_loop.get()),
            hvloop_io_tls_version(io),
            hvloop_io_alpn(io, text.as_mut_ptr(), 4),
            hvloop_io_set_interest(io, 1),
        ] {
            assert_eq!(answer, error);
        }
        for answer in [
            hvloop_io_send(io, b"a".as_ptr().cast(), 1),
            hvloop_io_send_to(io, b"a".as_ptr().cast(), 1, null(), 0),
            hvloop_io_buffered(io),
        ] {
            assert_eq!(answer, i64::from(error));
        }
        assert_eq!(hvloop_io_id(io), 0);
        assert!(hvloop_io_retain(io).is_null());
        assert!(hvloop_io_loop(io).is_null());
        assert!(hvloop_io_binding(io).is_null());
        hvloop_io_release(io);
    }
    assert!(!last_error().is_empty());
}

#[test]
fn no_io() {
    let here = Loop::started();
    of_no_io(null_mut(), &here, NULL);
    // A loop is none.
    of_no_io(here.get().cast(), &here, HANDLE);
}

#[test]
fn no_client_and_no_server() {
    let here = Loop::started();
    let other = here.get();
    let (host, place) = (c"127.0.0.1".as_ptr(), [0_u8; 1]);
    let byte = place.as_ptr().cast();
    for (error, client) in [(NULL, null_mut()), (HANDLE, other.cast())] {
        unsafe {
            let answers = [
                hvloop_tcp_client_set_callbacks(client, NOTHING),
                hvloop_tcp_client_socket(client, host, 1),
                hvloop_tcp_client_bind(client, host, 1),
                hvloop_tcp_client_connect(client),
                hvloop_tcp_client_close(client),
                hvloop_tcp_client_is_connected(client),
                hvloop_tcp_client_set_tls(client, null(), null()),
                hvloop_tcp_client_set_connect_timeout(client, 1),
                hvloop_tcp_client_set_reconnect(client, null()),
                hvloop_tcp_client_set_unpack(client, null()),
                hvloop_tcp_client_set_proxy(client, null()),
            ];
            assert_eq!(answers, [error; 11]);
            assert!(hvloop_tcp_client_io(client).is_null());
            assert_eq!(hvloop_tcp_client_send(client, byte, 1), i64::from(error));
            assert_eq!(hvloop_tcp_client_retries(client), i64::from(error));
            assert_eq!(hvloop_tcp_client_next_delay(client), i64::from(error));
            hvloop_tcp_client_free(client);
            hvloop_tcp_client_free_nowait(client);
        }
    }
    for (error, server) in [(NULL, null_mut()), (HANDLE, other.cast())] {
        unsafe extern "C" fn never(_: *mut std::ffi::c_void, _: *mut hvloop_io) {
            panic!("called");
        }
        unsafe {
            let answers = [
                hvloop_tcp_server_set_workers(server, null()),
                hvloop_tcp_server_set_callbacks(server, NOTHING),
                hvloop_tcp_server_socket(server, host, 0, 0),
                hvloop_tcp_server_port(server),
                hvloop_tcp_server_start(server),
                hvloop_tcp_server_close_listeners(server),
                hvloop_tcp_server_stop(server),
                hvloop_tcp_server_set_tls(server, null()),
                hvloop_tcp_server_set_balance(server, 0),
                hvloop_tcp_server_set_max_connections(server, 1),
                hvloop_tcp_server_set_unpack(server, null()),
                hvloop_tcp_server_for_each(server, Some(never), null_mut()),
            ];
            assert_eq!(answers, [error; 12]);
            assert_eq!(hvloop_tcp_server_count(server), i64::from(error));
            assert_eq!(
                hvloop_tcp_server_broadcast(server, byte, 1),
                i64::from(error)
            );
            assert!(hvloop_tcp_server_io_by_id(server, 1).is_null());
            hvloop_tcp_server_free(server);
            hvloop_tcp_server_free_nowait(server);
        }
    }
    for (error, udp) in [(NULL, null_mut()), (HANDLE, other.cast())] {
        let callbacks = hvloop_udp_callbacks {
            on_message: None,
            on_write_complete: None,
            on_error: None,
            on_close: None,
            drop: None,
            data: null_mut(),
        };
        unsafe {
            let answers = [
                hvloop_udp_set_callbacks(udp, callbacks),
                hvloop_udp_bind(udp, host, 0),
                hvloop_udp_connect(udp, host, 1),
                hvloop_udp_start(udp),
                hvloop_udp_close(udp),
                hvloop_udp_port(udp),
                hvloop_udp_join_group(udp, c"224.0.0.251".as_ptr(), null()),
                hvloop_udp_leave_group(udp, c"224.0.0.251".as_ptr(), null()),
                hvloop_udp_set_broadcast(udp, 1),
            ];
            assert_eq!(answers, [error; 9]);
            assert!(hvloop_udp_io(udp).is_null());
            hvloop_udp_free(udp);
            hvloop_udp_free_nowait(udp);
        }
    }
    unsafe {
        assert!(hvloop_tcp_client_new(null()).is_null());
        assert!(hvloop_tcp_server_new(null()).is_null());
        assert!(hvloop_udp_new(null()).is_null());
    }
}

/// Arguments of handles that are there.
#[test]
fn arguments() {
    let here = Loop::started();
    let got = Recorder::new();
    let server = Server::started(&here, &Recorder::new());
    let client = Client::open(&here, &got, server.port);
    let io = client.io();
    let mut room = [0_u8; 2];
    let mut length = 2;
    unsafe {
        assert_eq!(hvloop_io_send(io.0, null(), 1), i64::from(NULL));
        assert_eq!(hvloop_io_send(io.0, null(), 0), 0);
        let place = room.as_mut_ptr().cast();
        assert_eq!(hvloop_io_peer(io.0, place, &raw mut length), ARGUMENT);
        assert_eq!(hvloop_io_peer(io.0, null_mut(), &raw mut length), NULL);
        assert_eq!(hvloop_io_peer(io.0, place, null_mut()), NULL);
        assert_eq!(hvloop_io_peer_text(io.0, null_mut(), 1), NULL);
        assert!(hvloop_io_peer_text(io.0, null_mut(), 0) > 10);
        assert_eq!(
            hvloop_io_send_to(io.0, b"a".as_ptr().cast(), 1, null(), 0),
            i64::from(UNSUPPORTED)
        );
        assert_eq!(hvloop_io_set_interest(io.0, 1), UNSUPPORTED);
        assert_eq!(hvloop_io_move_to(io.0, null()), NULL);
        assert_eq!(
            hvloop_tcp_client_set_tls(client.0, io.0.cast(), null()),
            HANDLE
        );
        assert_eq!(hvloop_tcp_client_socket(client.0, null(), 1), NULL);
        let latin = c"\xe9".as_ptr();
        assert_eq!(hvloop_tcp_client_socket(client.0, latin, 1), ARGUMENT);
        assert_eq!(hvloop_tcp_server_set_balance(server.handle, 3), ARGUMENT);
        assert_eq!(hvloop_tcp_server_start(server.handle), STATE);
        let host = c"127.0.0.1".as_ptr();
        assert_eq!(
            hvloop_tcp_server_socket(server.handle, host, 0, -1),
            ARGUMENT
        );
        assert_eq!(
            hvloop_tcp_server_socket(server.handle, host, server.port, 0),
            IO,
            "in use"
        );
        assert_eq!(hvloop_tcp_server_from_fd(server.handle, -1), ARGUMENT);
        assert_eq!(
            hvloop_tcp_server_for_each(server.handle, None, null_mut()),
            NULL
        );
        assert!(hvloop_tcp_server_io_by_id(server.handle, 0).is_null());
    }
}
