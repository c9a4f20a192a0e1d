//! TLS configurations, and certificates that are no good.

use crate::support::*;
use hvloop_capi::tls_client::*;
use hvloop_capi::tls_server::*;
use hvloop_capi::ws::client_options::*;
use std::ffi::CStr;
use std::ptr;

/// What becomes of a client with that configuration.
fn outcome(net: &Net, tls: *mut hvloop_tls_client, name: Option<&CStr>) -> Seen {
    let thread = Thread::start();
    let server = Server::start_with(net, thread.event_loop, &Record::new());
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    let name = name.map_or(ptr::null(), CStr::as_ptr);
    let set = unsafe { hvloop_ws_client_set_tls(client.0, tls, name) };
    assert_eq!(set, 0, "{}", last_error());
    client.open(&server.url());
    record.wait("an end, or a beginning", |seen| !seen.is_empty());
    record.all()[0].clone()
}

#[test]
fn a_certificate_that_is_not_trusted() {
    let (net, others) = (Net::new(Transport::Wss), Net::new(Transport::Wss));
    let tls = others.client_tls();
    let Seen::Close {
        had_io,
        error,
        text,
        ..
    } = outcome(&net, tls, None)
    else {
        panic!("it was trusted");
    };
    assert!(
        !had_io && error != 0 && text.contains("certificate"),
        "{text}"
    );
    unsafe { hvloop_tls_client_release(tls) };
}

#[test]
fn a_certificate_of_another_name() {
    let net = Net::new(Transport::Wss);
    let tls = net.client_tls();
    assert_eq!(outcome(&net, tls, None), Seen::Open);
    assert_eq!(outcome(&net, tls, Some(c"localhost")), Seen::Open);
    let seen = outcome(&net, tls, Some(c"other.test"));
    assert!(matches!(seen, Seen::Close { .. }), "{seen:?}");
    unsafe { hvloop_tls_client_release(tls) };
}

#[test]
fn trust_is_given_up_by_that_name_alone() {
    let net = Net::new(Transport::Wss);
    let tls = hvloop_tls_client_new();
    unsafe { assert_eq!(hvloop_tls_client_dangerous_accept_any(tls), 0) };
    assert_eq!(outcome(&net, tls, None), Seen::Open);
    unsafe { hvloop_tls_client_release(tls) };
}

#[test]
fn roots_of_a_folder() {
    let net = Net::new(Transport::Wss);
    let tls = hvloop_tls_client_new();
    let (roots, nothing) = (net.file("roots"), net.file("nothing"));
    unsafe {
        assert_eq!(hvloop_tls_client_add_root_dir(tls, nothing.as_ptr()), -8);
        assert_eq!(hvloop_tls_client_add_root_dir(tls, roots.as_ptr()), 0);
        assert_eq!(hvloop_tls_client_build(tls), 0, "{}", last_error());
        assert_eq!(hvloop_tls_client_add_root_dir(tls, roots.as_ptr()), -5);
    }
    assert_eq!(outcome(&net, tls, None), Seen::Open);
    unsafe { hvloop_tls_client_release(tls) };
}

#[test]
fn what_is_no_good_is_told_at_once_and_changes_nothing() {
    let net = Net::new(Transport::Wss);
    let tls = net.client_tls();
    let (text, missing) = (net.file("roots/notes.txt"), net.file("missing.pem"));
    let (chain, key) = (net.file("chain.pem"), net.file("key.pem"));
    unsafe {
        assert_eq!(hvloop_tls_client_add_root_file(tls, missing.as_ptr()), -8);
        assert!(last_error().contains("missing.pem"), "{}", last_error());
        assert_eq!(hvloop_tls_client_add_root_file(tls, text.as_ptr()), -9);
        let shown = hvloop_tls_client_client_certificate(tls, chain.as_ptr(), text.as_ptr());
        assert_eq!(shown, -9);
        assert_eq!(hvloop_tls_client_alpn(tls, c"http/1.1".as_ptr()), 0);
        let shown = hvloop_tls_client_client_certificate(tls, chain.as_ptr(), key.as_ptr());
        assert_eq!(shown, 0, "{}", last_error());
        assert!(hvloop_tls_server_new(chain.as_ptr(), text.as_ptr()).is_null());
        assert!(hvloop_tls_server_new(missing.as_ptr(), key.as_ptr()).is_null());
    }
    assert_eq!(outcome(&net, tls, None), Seen::Open);
    unsafe { hvloop_tls_client_release(tls) };
}

#[test]
fn a_server_that_wants_certificates() {
    let net = Net::new(Transport::Wss);
    let thread = Thread::start();
    let record = Record::new();
    let server = Server::idle(thread.event_loop, &record);
    server.route("/*");
    let roots = net.file("roots/ca.pem");
    unsafe {
        use hvloop_capi::ws::server::*;
        use hvloop_capi::ws::server_settings::*;
        let tls = net.server_tls();
        assert_eq!(hvloop_tls_server_client_roots(tls, roots.as_ptr(), 1), 0);
        assert_eq!(hvloop_tls_server_alpn(tls, c"http/1.1".as_ptr()), 0);
        assert_eq!(hvloop_ws_server_set_tls(server.server, tls), 0);
        assert_eq!(hvloop_tls_server_client_roots(tls, roots.as_ptr(), 0), -5);
        assert_eq!(hvloop_tls_server_reload(tls), 0, "{}", last_error());
        hvloop_tls_server_release(tls);
        assert!(hvloop_ws_server_socket(server.server, c"127.0.0.1".as_ptr(), 0, 0) > 2);
        assert_eq!(hvloop_ws_server_start(server.server), 0);
    }
    let seen = Record::new();
    let client = Client::with(&net, thread.event_loop, &seen);
    client.open(&c(&format!("wss://localhost:{}/", server.port())));
    let closed = seen.wait_close();
    assert!(
        matches!(closed, Seen::Close { had_io: false, .. }),
        "{closed:?}"
    );
}
