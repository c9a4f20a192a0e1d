//! The servers in other languages.

mod common;

use std::sync::Arc;

use common::{tcp, tls};
use hvloop_test_support::{ForeignServer, Language, TestCa};
use tungstenite::Message;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};

/// An open client of `path`, with room for large messages.
fn open(server: &ForeignServer, ca: Option<&Arc<TestCa>>, path: &str) -> common::Client {
    let stream: Box<dyn common::Duplex> = match ca {
        None => Box::new(tcp(server.port())),
        Some(ca) => Box::new(tls(server.port(), ca)),
    };
    let config = WebSocketConfig::default().max_frame_size(Some(64 << 20));
    let url = server.url(path);
    match tungstenite::client::client_with_config(url, stream, Some(config)) {
        Ok((client, _)) => client,
        Err(error) => panic!("{error}"),
    }
}

/// Reads until the stream ends, then closes the socket: the servers wait for that.
fn read_to_end(mut client: common::Client) -> Vec<Message> {
    std::iter::from_fn(|| client.read().ok()).collect()
}

fn talk(language: Language, ca: Option<&Arc<TestCa>>) {
    let mut server = ForeignServer::start(language, ca.map(|ca| &**ca));

    let mut client = open(&server, ca, "/big");
    for message in [Message::text("é"), Message::binary(vec![5; 16 << 20])] {
        client.send(message.clone()).expect("send");
        assert!(client.read().expect("read") == message);
    }
    client
        .close(Some(CloseFrame {
            code: 4002.into(),
            reason: "mine".into(),
        }))
        .expect("close");
    read_to_end(client);
    let report = server.report(1);
    assert_eq!((report.open, report.messages), (0, 2));
    let close = &report.closes[0];
    assert_eq!(
        (close.path.as_str(), close.code, close.reason.as_str()),
        ("/big", 4002, "mine")
    );
    assert!(close.clean && close.client_first);

    let client = open(&server, ca, "/close?code=4001&reason=gone%20away");
    let close = CloseFrame {
        code: 4001.into(),
        reason: "gone away".into(),
    };
    assert_eq!(read_to_end(client), [Message::Close(Some(close))]);
    let report = server.report(2);
    assert!(
        report.closes[1].clean && !report.closes[1].client_first,
        "{report:?}"
    );
    assert_eq!(report.closes[1].code, 4001);

    let mut client = open(&server, ca, "/fragments");
    let mut messages = Vec::new();
    while messages.len() < 2 {
        let message = client.read().expect("read");
        if !message.is_ping() {
            messages.push(message);
        }
    }
    client.flush().expect("flush the Pongs");
    assert_eq!(messages[0], Message::text("héllo wörld €"));
    let bytes: Vec<u8> = (0..3000_u32).map(|i| (i % 256) as u8).collect();
    assert_eq!(messages[1], Message::binary(bytes));
    client.send(Message::text("after")).expect("send");
    assert_eq!(client.read().expect("read"), Message::text("after"));
    client.close(None).expect("close");
    read_to_end(client);
    let report = server.report(3);
    // tungstenite answers only the last of several Pings that it finds at once.
    assert!(report.pongs >= 1);
    assert_eq!(report.closes[2].code, 1005);

    drop(open(&server, ca, "/echo"));
    let report = server.report(4);
    assert_eq!(report.closes[3].code, 1006);
    assert!(!report.closes[3].clean);
}

#[test]
fn python_server() {
    talk(Language::Python, None);
    talk(Language::Python, Some(&Arc::new(TestCa::new())));
}

#[test]
fn node_server() {
    talk(Language::Node, None);
    talk(Language::Node, Some(&Arc::new(TestCa::new())));
}
