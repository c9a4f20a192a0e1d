//! Our server's plain HTTP, and clients that are not ours: Python's `http.client`, Node's `fetch`.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::programs::Talk;
use hvloop::WebSocketServer;
use hvloop::ws::handshake::HttpResponse;
use hvloop::ws::http::StatusCode;

fn talks(program: &str, script: &str) {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = WebSocketServer::new(thread.event_loop());
    server.on_http(|request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let text = format!("{} {} {body}", request.method, request.path);
        HttpResponse::text(StatusCode::OK, text)
    });
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let path = format!("{}/tests/interop/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut client = Talk::start(program, &[&path, &to.port().to_string()]);
    assert_eq!(client.end(), "ok\n");
    stop_clean(&thread);
}

#[test]
fn python_keeps_its_connection() {
    talks("python3", "http_client.py");
}

#[test]
fn node_fetches() {
    talks("node", "http_client.mjs");
}
