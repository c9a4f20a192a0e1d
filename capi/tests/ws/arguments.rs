//! NULL, handles of another kind, and values that are out of their range are errors.

use crate::support::*;
use hvloop_capi::http_callback::hvloop_http_callback;
use hvloop_capi::http_request::*;
use hvloop_capi::http_response::*;
use hvloop_capi::tls_client::*;
use hvloop_capi::tls_server::*;
use hvloop_capi::ws::client::*;
use hvloop_capi::ws::client_options::*;
use hvloop_capi::ws::connection::*;
use hvloop_capi::ws::server::*;
use hvloop_capi::ws::server_settings::*;
use hvloop_capi::ws::service::*;
use std::ptr;

/// What every function says of a handle that is NULL, or another one's.
fn of_client(client: *mut hvloop_ws_client) -> Vec<i64> {
    let text = c"x".as_ptr();
    let bytes = b"x".as_ptr().cast();
    let status = |value: i32| i64::from(value);
    let pointer = |is_null: bool| if is_null { i64::MIN } else { 0 };
    let record = Record::new();
    let all = unsafe {
        vec![
            status(hvloop_ws_client_set_callbacks(client, record.callbacks())),
            status(hvloop_ws_client_open(client, c"ws://h/".as_ptr())),
            status(hvloop_ws_client_close(client, 1000, text)),
            hvloop_ws_client_send(client, 1, bytes, 1),
            status(hvloop_ws_client_ping(client)),
            status(hvloop_ws_client_stop(client)),
            status(hvloop_ws_client_join(client, ptr::null_mut())),
            status(hvloop_ws_client_state(client)),
            hvloop_ws_client_buffered(client),
            hvloop_ws_client_next_delay(client),
            status(hvloop_ws_client_set_header(client, text, text)),
            status(hvloop_ws_client_clear_headers(client)),
            status(hvloop_ws_client_set_subprotocols(client, text)),
            status(hvloop_ws_client_set_open_timeout(client, 1)),
            status(hvloop_ws_client_set_close_timeout(client, 1)),
            status(hvloop_ws_client_set_ping_interval(client, 1)),
            status(hvloop_ws_client_set_pong_timeout(client, 1)),
            status(hvloop_ws_client_set_reconnect(client, ptr::null())),
            status(hvloop_ws_client_set_proxy(client, ptr::null())),
            status(hvloop_ws_client_set_max_redirects(client, 1)),
            status(hvloop_ws_client_set_max_message_size(client, 1)),
            status(hvloop_ws_client_set_send_limit(client, 1)),
            status(hvloop_ws_client_set_deflate(client, 1)),
            pointer(hvloop_ws_client_io(client).is_null()),
            pointer(hvloop_ws_client_loop(client).is_null()),
            pointer(hvloop_ws_client_response(client).is_null()),
        ]
    };
    // Given up by the function that refused it.
    record.wait_dropped();
    all
}

fn of_server(server: *mut hvloop_ws_server) -> Vec<i64> {
    let text = c"x".as_ptr();
    let bytes = b"x".as_ptr().cast();
    let status = |value: i32| i64::from(value);
    unsafe extern "C" fn nothing(_: *mut std::ffi::c_void, _: *mut hvloop_capi::io::hvloop_io) {}
    unsafe {
        vec![
            status(hvloop_ws_server_socket(server, c"127.0.0.1".as_ptr(), 0, 0)),
            status(hvloop_ws_server_port(server)),
            status(hvloop_ws_server_start(server)),
            status(hvloop_ws_server_close_listeners(server)),
            status(hvloop_ws_server_stop(server)),
            hvloop_ws_server_count(server),
            status(hvloop_ws_server_for_each(
                server,
                Some(nothing),
                ptr::null_mut(),
            )),
            hvloop_ws_server_broadcast(server, 1, bytes, 1),
            hvloop_ws_server_publish(server, text, 1, bytes, 1),
            status(hvloop_ws_server_set_workers(server, ptr::null())),
            status(hvloop_ws_server_on_http(server, http(|_, _| 0))),
            status(hvloop_ws_server_set_tls(server, ptr::null())),
            status(hvloop_ws_server_set_balance(server, 0)),
            status(hvloop_ws_server_set_max_connections(server, 1)),
            status(hvloop_ws_server_set_max_body_size(server, 1)),
            status(hvloop_ws_server_set_keep_alive(server, 1)),
        ]
    }
}

fn of_service(service: *mut hvloop_ws_service) -> Vec<i64> {
    let status = |value: i32| i64::from(value);
    let record = Record::new();
    let all = unsafe {
        vec![
            status(hvloop_ws_service_set_callbacks(service, record.callbacks())),
            status(hvloop_ws_service_on_upgrade(service, http(|_, _| 0))),
            status(hvloop_ws_service_add_subprotocol(service, c"x".as_ptr())),
            status(hvloop_ws_service_set_ping_interval(service, 1)),
            status(hvloop_ws_service_set_pong_timeout(service, 1)),
            status(hvloop_ws_service_set_close_timeout(service, 1)),
            status(hvloop_ws_service_set_max_message_size(service, 1)),
            status(hvloop_ws_service_set_deflate(service, 1)),
        ]
    };
    record.wait_dropped();
    all
}

fn of_io(io: *mut hvloop_capi::io::hvloop_io) -> Vec<i64> {
    let text = c"x".as_ptr();
    let bytes = b"x".as_ptr().cast();
    let status = |value: i32| i64::from(value);
    unsafe {
        vec![
            hvloop_ws_send(io, 1, bytes, 1),
            status(hvloop_ws_ping(io)),
            status(hvloop_ws_close(io, 1000, text)),
            status(hvloop_ws_state_of(io)),
            status(hvloop_ws_subprotocol(io, ptr::null_mut(), 0)),
            status(hvloop_ws_subscribe(io, text)),
            status(hvloop_ws_unsubscribe(io, text)),
            hvloop_ws_publish(io, text, 1, bytes, 1),
        ]
    }
}

fn of_heads(request: *mut hvloop_http_request, response: *mut hvloop_http_response) -> Vec<i64> {
    let text = c"x".as_ptr();
    let status = |value: i32| i64::from(value);
    let pointer = |is_null: bool| if is_null { i64::MIN } else { 0 };
    unsafe {
        vec![
            pointer(hvloop_http_request_method(request).is_null()),
            pointer(hvloop_http_request_path(request).is_null()),
            pointer(hvloop_http_request_query(request).is_null()),
            pointer(hvloop_http_request_find(request, text).is_null()),
            pointer(hvloop_http_request_body(request, ptr::null_mut()).is_null()),
            status(hvloop_http_request_header(
                request,
                0,
                ptr::null_mut(),
                ptr::null_mut(),
            )),
            status(hvloop_http_request_peer(
                request,
                ptr::null_mut(),
                ptr::null_mut(),
            )),
            status(hvloop_http_request_peer_text(request, ptr::null_mut(), 0)),
            status(hvloop_http_response_status(response)),
            status(hvloop_http_response_set_status(response, 200)),
            status(hvloop_http_response_add_header(response, text, text)),
            status(hvloop_http_response_set_body(response, text.cast(), 1)),
            pointer(hvloop_http_response_body(response, ptr::null_mut()).is_null()),
            pointer(hvloop_http_response_find(response, text).is_null()),
            status(hvloop_http_response_header(
                response,
                0,
                ptr::null_mut(),
                ptr::null_mut(),
            )),
        ]
    }
}

fn of_tls(client: *mut hvloop_tls_client, server: *mut hvloop_tls_server) -> Vec<i64> {
    let net = Net::new(Transport::Wss);
    let (roots, chain, key) = (
        net.file("roots/ca.pem"),
        net.file("chain.pem"),
        net.file("key.pem"),
    );
    let status = |value: i32| i64::from(value);
    unsafe {
        vec![
            status(hvloop_tls_client_add_root_file(client, roots.as_ptr())),
            status(hvloop_tls_client_platform_roots(client)),
            status(hvloop_tls_client_client_certificate(
                client,
                chain.as_ptr(),
                key.as_ptr(),
            )),
            status(hvloop_tls_client_alpn(client, c"h2".as_ptr())),
            status(hvloop_tls_client_dangerous_accept_any(client)),
            status(hvloop_tls_client_build(client)),
            status(hvloop_tls_server_client_roots(server, roots.as_ptr(), 1)),
            status(hvloop_tls_server_alpn(server, c"h2".as_ptr())),
            status(hvloop_tls_server_reload(server)),
        ]
    }
}

#[test]
fn null_is_an_error() {
    let good = |all: Vec<i64>| {
        assert!(
            all.iter().all(|told| [-1, i64::MIN].contains(told)),
            "{all:?}"
        );
    };
    good(of_client(ptr::null_mut()));
    good(of_server(ptr::null_mut()));
    good(of_service(ptr::null_mut()));
    good(of_io(ptr::null_mut()));
    good(of_heads(ptr::null_mut(), ptr::null_mut()));
    good(of_tls(ptr::null_mut(), ptr::null_mut()));
    unsafe {
        hvloop_ws_client_free(ptr::null_mut());
        hvloop_ws_client_free_nowait(ptr::null_mut());
        hvloop_ws_server_free(ptr::null_mut());
        hvloop_ws_server_free_nowait(ptr::null_mut());
        hvloop_ws_service_free(ptr::null_mut());
        hvloop_ws_service_free_nowait(ptr::null_mut());
        hvloop_http_response_free(ptr::null_mut());
        hvloop_tls_client_release(ptr::null_mut());
        hvloop_tls_server_release(ptr::null_mut());
        assert!(hvloop_ws_server_new(ptr::null()).is_null());
        assert!(hvloop_tls_server_new(ptr::null(), ptr::null()).is_null());
        assert_eq!(hvloop_ws_client_retries(ptr::null()), 0);
    }
    assert!(!last_error().is_empty());
}

#[test]
fn another_kind_is_an_error() {
    let thread = Thread::start();
    let good = |all: Vec<i64>| {
        assert!(
            all.iter().all(|told| [-14, i64::MIN].contains(told)),
            "{all:?}"
        );
    };
    let wrong = thread.event_loop;
    good(of_client(wrong.cast()));
    good(of_server(wrong.cast()));
    good(of_service(wrong.cast()));
    good(of_io(wrong.cast()));
    good(of_heads(wrong.cast(), wrong.cast()));
    good(of_tls(wrong.cast(), wrong.cast()));
    unsafe {
        // Nothing of it is freed.
        hvloop_ws_client_free(wrong.cast());
        hvloop_ws_server_free(wrong.cast());
        hvloop_ws_service_free(wrong.cast());
        hvloop_http_response_free(wrong.cast());
        hvloop_tls_client_release(wrong.cast());
        let client = hvloop_ws_client_new(wrong.cast());
        assert!(!client.is_null());
        assert_eq!(
            hvloop_ws_client_set_tls(client, wrong.cast(), ptr::null()),
            -14
        );
        hvloop_ws_client_free(client);
    }
}

#[test]
fn what_is_out_of_range_is_an_error() {
    let thread = Thread::start();
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    let (text, bytes) = (c"x".as_ptr(), b"\xff\xfe");
    unsafe {
        let c = client.0;
        assert_eq!(hvloop_ws_client_open(c, ptr::null()), -1);
        assert_eq!(hvloop_ws_client_open(c, c"\xff".as_ptr()), -3);
        assert_eq!(hvloop_ws_client_send(c, 1, bytes.as_ptr().cast(), 2), -3);
        assert_eq!(hvloop_ws_client_send(c, 9, bytes.as_ptr().cast(), 2), -3);
        assert_eq!(hvloop_ws_client_send(c, 2, ptr::null(), 2), -1);
        assert_eq!(hvloop_ws_client_send(c, 2, bytes.as_ptr().cast(), 2), -6);
        assert_eq!(hvloop_ws_client_send(c, 2, ptr::null(), 0), -6);
        assert_eq!(hvloop_ws_client_ping(c), -6);
        assert_eq!(hvloop_ws_client_set_header(c, c"a b".as_ptr(), text), -3);
        assert_eq!(
            hvloop_ws_client_set_header(c, c"Upgrade".as_ptr(), text),
            -3
        );
        assert_eq!(hvloop_ws_client_set_header(c, text, c"a\nb".as_ptr()), -3);
        assert_eq!(hvloop_ws_client_set_header(c, ptr::null(), text), -1);
        assert_eq!(hvloop_ws_client_set_subprotocols(c, c"a,a".as_ptr()), -3);
        assert_eq!(hvloop_ws_client_set_subprotocols(c, c"a b".as_ptr()), -3);
        assert_eq!(hvloop_ws_client_set_proxy(c, c"ftp://x".as_ptr()), -3);
        assert_eq!(
            hvloop_ws_client_set_tls(c, ptr::null(), c"a b".as_ptr()),
            -3
        );
        assert_eq!(hvloop_ws_client_set_deflate(c, 2), -3);
        assert_eq!(hvloop_ws_client_set_open_timeout(c, -1), -3);
        let none = hvloop_http_callback {
            call: None,
            drop: None,
            data: ptr::null_mut(),
        };
        let server = Server::idle(thread.event_loop, &Record::new());
        assert_eq!(hvloop_ws_server_on_http(server.server, none), -1);
        assert_eq!(hvloop_ws_service_on_upgrade(server.service, none), -1);
        let service = server.service;
        assert_eq!(
            hvloop_ws_service_add_subprotocol(service, c"a b".as_ptr()),
            -3
        );
        let route = |path: &std::ffi::CStr, service: *mut hvloop_ws_service| {
            hvloop_ws_server_route(server.server, path.as_ptr(), service)
        };
        assert_eq!(route(c"chat", service), -3);
        assert_eq!(route(c"/chat", ptr::null_mut()), -1);
        assert!(hvloop_http_response_new(99).is_null());
        let response = hvloop_http_response_new(200);
        assert_eq!(hvloop_http_response_set_body(response, ptr::null(), 3), -1);
        assert_eq!(hvloop_http_response_set_body(response, ptr::null(), 0), 0);
        assert!(hvloop_http_response_find(response, text).is_null());
        hvloop_http_response_free(response);
    }
    assert_eq!(record.all(), []);
}
