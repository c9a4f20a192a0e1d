//! Streams cut into packages.

use crate::recorder::{Event, Recorder};
use crate::streams::{Client, Server};
use crate::support::*;
use hvloop_capi::io::stream::*;
use hvloop_capi::io::unpack::*;
use hvloop_capi::tcp_client::*;
use hvloop_capi::tcp_server::*;
use std::ptr::null;

const RULE: hvloop_unpack = hvloop_unpack {
    mode: 0,
    max_size: 0,
    fixed_length: 0,
    delimiter: [0; HVLOOP_MAX_DELIMITER],
    delimiter_size: 0,
    body_offset: 0,
    length_offset: 0,
    length_size: 0,
    length_adjustment: 0,
    length_coding: 0,
};

fn delimiter(bytes: &[u8]) -> hvloop_unpack {
    let mut rule = hvloop_unpack {
        mode: hvloop_unpack_mode::Delimiter as i32,
        delimiter_size: u16::try_from(bytes.len()).unwrap(),
        ..RULE
    };
    rule.delimiter[..bytes.len()].copy_from_slice(bytes);
    rule
}

fn length_field(coding: hvloop_length_coding) -> hvloop_unpack {
    hvloop_unpack {
        mode: hvloop_unpack_mode::LengthField as i32,
        body_offset: 3,
        length_offset: 1,
        length_size: 2,
        length_coding: coding as i32,
        ..RULE
    }
}

fn messages(recorder: &Recorder) -> Vec<Vec<u8>> {
    let message = |event| match event {
        Event::Message(_, bytes) => Some(bytes),
        _ => None,
    };
    recorder.events().into_iter().filter_map(message).collect()
}

/// Each mode, of servers and of clients, split anywhere.
#[test]
fn modes() {
    let fixed = hvloop_unpack {
        mode: hvloop_unpack_mode::FixedLength as i32,
        fixed_length: 3,
        ..RULE
    };
    let own_length = hvloop_unpack {
        body_offset: 2,
        length_offset: 0,
        length_adjustment: -2,
        ..length_field(hvloop_length_coding::LittleEndian)
    };
    let varint = hvloop_unpack {
        body_offset: 2,
        length_size: 1,
        ..length_field(hvloop_length_coding::Varint)
    };
    type Case<'a> = (hvloop_unpack, &'a [u8], &'a [&'a [u8]]);
    let cases: [Case<'_>; 5] = [
        (fixed, b"abcdef", &[b"abc", b"def"]),
        (
            delimiter(b"\r\n"),
            b"one\r\ntwo\r\n\r\n",
            &[b"one\r\n", b"two\r\n", b"\r\n"],
        ),
        (
            length_field(hvloop_length_coding::BigEndian),
            b"f\0\x02hif\0\0f\0\x01!",
            &[b"f\0\x02hi", b"f\0\0", b"f\0\x01!"],
        ),
        (own_length, b"\x04\0hi\x02\0", &[b"\x04\0hi", b"\x02\0"]),
        (varint, b"m\x02hin\0", &[b"m\x02hi", b"n\0"]),
    ];
    let (here, there) = (Loop::started(), Loop::started());
    for (rule, bytes, packages) in cases {
        let served = Recorder::new();
        let server = Server::started(&there, &served);
        assert_eq!(
            unsafe { hvloop_tcp_server_set_unpack(server.handle, &raw const rule) },
            0,
            "{}",
            last_error()
        );
        let got = Recorder::new();
        let client = Client::new(&here, &got);
        assert_eq!(
            unsafe { hvloop_tcp_client_set_unpack(client.0, &raw const rule) },
            0
        );
        client.socket(server.port);
        client.connect();
        got.wait_count("the open", 1, Event::is_open);
        for byte in bytes {
            client.send(&[*byte]);
            here.run(|| ());
        }
        served.wait_count("packages", packages.len(), |e| {
            matches!(e, Event::Message(..))
        });
        assert_eq!(messages(&served), packages);
        let sent = unsafe {
            hvloop_tcp_server_broadcast(server.handle, bytes.as_ptr().cast(), bytes.len())
        };
        assert_eq!(sent, 1);
        got.wait_count("packages back", packages.len(), |e| {
            matches!(e, Event::Message(..))
        });
        assert_eq!(messages(&got), packages);
        // As they come again.
        assert_eq!(unsafe { hvloop_io_set_unpack(client.io().0, null()) }, 0);
        unsafe { hvloop_tcp_server_broadcast(server.handle, b"x".as_ptr().cast(), 1) };
        got.wait_count("the rest", packages.len() + 1, |e| {
            matches!(e, Event::Message(..))
        });
    }
}

/// What breaks the rule ends the connection, with an error.
#[test]
fn broken_packages() {
    let here = Loop::started();
    let served = Recorder::new();
    let server = Server::started(&here, &served);
    let rule = hvloop_unpack {
        max_size: 8,
        ..delimiter(b"\n")
    };
    assert_eq!(
        unsafe { hvloop_tcp_server_set_unpack(server.handle, &raw const rule) },
        0
    );
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    client.send(b"good\nbut this is too long");
    served.wait_count("the end", 1, Event::is_close);
    assert_eq!(messages(&served), [b"good\n"]);
    assert_eq!(served.closes()[0].1, libc::EBADMSG, "{:?}", served.closes());
}

/// Settings that mean nothing.
#[test]
fn bad_settings() {
    let here = Loop::started();
    let got = Recorder::new();
    let client = Client::new(&here, &got);
    let fixed = hvloop_unpack {
        mode: hvloop_unpack_mode::FixedLength as i32,
        ..RULE
    };
    for bad in [
        RULE,
        hvloop_unpack { mode: 4, ..RULE },
        fixed,
        hvloop_unpack {
            fixed_length: 9,
            max_size: 8,
            ..fixed
        },
        delimiter(b""),
        hvloop_unpack {
            delimiter_size: 17,
            ..delimiter(b"\n")
        },
        hvloop_unpack {
            length_size: 9,
            ..length_field(hvloop_length_coding::BigEndian)
        },
        hvloop_unpack {
            length_coding: 3,
            ..length_field(hvloop_length_coding::BigEndian)
        },
        hvloop_unpack {
            body_offset: 2,
            ..length_field(hvloop_length_coding::BigEndian)
        },
    ] {
        let set = unsafe { hvloop_tcp_client_set_unpack(client.0, &raw const bad) };
        assert_eq!(set, ARGUMENT, "{bad:?}");
    }
}
