//! What a client says of itself, and what it can read of the server's answer.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::handshake::HeadError;
use hvloop::{ClientOptions, OpenError, WebSocketClient};
use hvloop_test_support::{Monitor, ScriptServer, refuse_port};

over_both! {
    /// Credentials and cookies as they are on the wire, once each.
    credentials_on_the_wire => credentials;
    /// The answer, whether it refuses or not, in the callbacks and after them; one attempt's is not
    /// another's.
    upgrade_response_is_kept => answers;
}

fn credentials(transport: Transport) {
    let net = Net::new(transport);
    let heads = Monitor::new(Vec::new());
    let h = heads.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        let head = conn.accept_upgrade_with(&["Set-Cookie: a=1; Path=/", "Set-Cookie: b=2"])?;
        h.update(|heads| heads.push(head));
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let with = |options: ClientOptions| {
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&server.url()).unwrap();
        assert!(client.only_close().clean);
        let answer = client.client.upgrade_response().unwrap();
        assert_eq!(
            answer.set_cookies().collect::<Vec<_>>(),
            ["a=1; Path=/", "b=2"]
        );
        let head = heads.read(|heads| heads.last().unwrap().clone());
        let named = |wanted: &str| {
            let lines = head
                .headers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            lines.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        (named("authorization"), named("cookie"))
    };
    let (authorization, cookies) = with(
        net.options()
            .header("authorization", "Negotiate x")
            .basic_auth("Aladdin", "open sesame")
            .cookie("SID", "31d4d96e407aad42")
            .cookie("lang", "\"en-US\""),
    );
    assert_eq!(authorization, ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
    assert_eq!(cookies, ["SID=31d4d96e407aad42; lang=\"en-US\""]);
    let (authorization, cookies) = with(
        net.options()
            .basic_auth("a", "b")
            .bearer_auth("mF_9.B5f-4.1JqM")
            .header("cookie", "x=y")
            .cookie("z", ""),
    );
    assert_eq!(authorization, ["Bearer mF_9.B5f-4.1JqM"]);
    assert_eq!(cookies, ["x=y; z="]);
}

/// What cannot be sent is told by open(), and begins nothing; secrets are not printed.
#[test]
fn credentials_are_checked() {
    let thread = patient();
    let refused = |options: ClientOptions| {
        let client = WebSocketClient::with_options(thread.event_loop(), options);
        match client.open("ws://127.0.0.1:1/") {
            Err(OpenError::Request(e)) => e,
            other => panic!("{other:?}"),
        }
    };
    let options = ClientOptions::new;
    let name = |name: &str| HeadError::BadCookie {
        name: name.to_owned(),
    };
    assert_eq!(
        refused(options().basic_auth("a:b", "c")),
        HeadError::BadCredentials
    );
    assert_eq!(refused(options().bearer_auth("a b")), HeadError::BadToken);
    assert_eq!(refused(options().cookie("a b", "c")), name("a b"));
    assert_eq!(
        refused(options().cookie("a", "b;c").cookie("d e", "")),
        name("a")
    );
    let options = options()
        .basic_auth("user", "secret1")
        .cookie("SID", "secret2")
        .header("X-Key", "secret3");
    let text = format!("{options:?}");
    assert!(
        text.contains("Authorization") && text.contains("X-Key"),
        "{text}"
    );
    let basic = "dXNlcjpzZWNyZXQx"; // user:secret1
    assert!(!text.contains("secret") && !text.contains(basic), "{text}");
}

fn answers(transport: Transport) {
    let net = Net::new(transport);
    let headers = ["WWW-Authenticate: Basic realm=\"x\"", "Set-Cookie: try=1"];
    let refusing =
        ScriptServer::http_status(net.tls(), "401 Unauthorized", &headers, "who are you?");
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().keep_callbacks(true));
    assert!(client.client.upgrade_response().is_none());
    let in_close = Monitor::new(Vec::new());
    let (i, seen) = (in_close.clone(), client.seen.clone());
    client.client.on_close(move |ws, event| {
        i.update(|answers| answers.push(ws.upgrade_response()));
        seen.update(|seen| seen.closed.push(event.clone()));
    });
    client.client.open(&refusing.url()).unwrap();
    client.wait("refusal", |seen| seen.closed.len() == 1);
    let answer = client.client.upgrade_response().unwrap();
    assert_eq!((answer.status, answer.subprotocol.as_deref()), (401, None));
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"x\""));
    assert_eq!(answer.set_cookies().collect::<Vec<_>>(), ["try=1"]);
    assert_eq!(answer.body_prefix, b"who are you?");
    assert_eq!(in_close.read(|answers| answers[0].clone()), Some(answer));

    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade_with(&["X-Shard: 7"])?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    client.client.open(&server.url()).unwrap();
    client.wait("a session", |seen| seen.closed.len() == 2);
    let answer = client.client.upgrade_response().unwrap();
    assert_eq!((answer.status, answer.header("X-Shard")), (101, Some("7")));
    assert!(answer.body_prefix.is_empty());
    assert_eq!(in_close.read(|answers| answers[1].clone()), Some(answer));

    // One that got no answer at all.
    let nobody = format!("ws://{}/", refuse_port());
    client.client.open(&nobody).unwrap();
    client.wait("nobody", |seen| seen.closed.len() == 3);
    assert_eq!(client.client.upgrade_response(), None);
    assert_eq!(in_close.read(|answers| answers[2].clone()), None);
}
