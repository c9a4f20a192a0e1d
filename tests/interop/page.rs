//! The page that a browser runs, on a server of ours with a loop of its own: it is there when that of the
//! scenario has stopped.

use crate::common::loops::started;
use crate::common::net::Net;
use crate::our_server::{Seen, scheme};
use hvloop::ws::handshake::HttpResponse;
use hvloop::ws::http::StatusCode;
use hvloop::{EventLoopThread, Message, WebSocketServer, WebSocketService};
use hvloop_test_support::{ClientReport, Monitor};

const PAGE: &str = include_str!("chromium_client.html");
const SCRIPT: &str = include_str!("scenario.mjs");

pub struct Page {
    pub url: String,
    _server: WebSocketServer,
    _thread: EventLoopThread,
}

impl Page {
    /// A page that runs the scenario with the server at `target`; it reports to `seen`.
    pub fn serve(net: &Net, target: &str, seen: Monitor<Seen>) -> Self {
        let thread = started();
        let server = WebSocketServer::new(thread.event_loop());
        server.on_http(|request| match request.path.as_str() {
            "/" => HttpResponse::html(PAGE),
            "/scenario.mjs" => HttpResponse::new(StatusCode::OK)
                .header("Content-Type", "text/javascript; charset=utf-8")
                .unwrap()
                .body(SCRIPT.as_bytes()),
            _ => StatusCode::NOT_FOUND.into(),
        });
        let report = WebSocketService::new().on_message(move |channel, message| {
            let Message::Text(text) = message else {
                panic!("JSON expected");
            };
            seen.update(|seen| seen.report = Some(ClientReport::parse(text)));
            channel.close(1000, "").unwrap();
        });
        server.route("/report", report);
        let address = server.listen(net.listen()).unwrap();
        Self {
            url: format!("{}://{address}/?server={target}", scheme("http", net)),
            _server: server,
            _thread: thread,
        }
    }
}
