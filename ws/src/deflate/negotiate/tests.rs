use super::*;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

fn headers(line: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append(SEC_WEBSOCKET_EXTENSIONS, line.parse().expect("a value"));
    headers
}

fn agreed(server_alone: bool, client_alone: bool, server: u8, client: u8) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: server_alone,
        client_no_context_takeover: client_alone,
        server_max_window_bits: server,
        client_max_window_bits: client,
    }
}

#[test]
fn a_server_accepts_what_it_can() {
    let plain = DeflateOptions::new();
    let small = plain
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
        .server_max_window_bits(10)
        .and_then(|options| options.client_max_window_bits(11))
        .expect("in range");
    let pmd = |rest: &str| format!("permessage-deflate{rest}");
    for (offered, options, expected) in [
        ("", plain, Some((agreed(false, false, 15, 15), ""))),
        (
            "; client_max_window_bits; server_no_context_takeover",
            plain,
            Some((agreed(true, false, 15, 15), "; server_no_context_takeover")),
        ),
        (
            "; server_max_window_bits=9; client_max_window_bits=9",
            plain,
            Some((
                agreed(false, false, 9, 9),
                "; server_max_window_bits=9; client_max_window_bits=9",
            )),
        ),
        (
            "",
            small,
            Some((
                agreed(true, true, 10, 15),
                "; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10",
            )),
        ),
        (
            "; client_max_window_bits",
            small,
            Some((
                agreed(true, true, 10, 11),
                "; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=11",
            )),
        ),
        // The client's own limit of 2^8 is one that an inflater does not mind.
        (
            "; client_max_window_bits=8",
            plain,
            Some((agreed(false, false, 15, 8), "; client_max_window_bits=8")),
        ),
        ("; server_max_window_bits=8", plain, None),
        // The next offer is taken instead.
        (
            "; server_max_window_bits=8, permessage-deflate; client_no_context_takeover",
            plain,
            Some((agreed(false, true, 15, 15), "; client_no_context_takeover")),
        ),
        ("; server_max_window_bits", plain, None),
        ("; server_max_window_bits=16", plain, None),
        ("; server_max_window_bits=07", plain, None),
        ("; server_no_context_takeover=1", plain, None),
        (
            "; server_no_context_takeover; server_no_context_takeover",
            plain,
            None,
        ),
        ("; unknown", plain, None),
    ] {
        let expected = expected.map(|(params, answer)| (params, pmd(answer)));
        assert_eq!(
            accept(&headers(&pmd(offered)), &options),
            expected,
            "{offered}"
        );
    }
    assert_eq!(accept(&headers("x-webkit-deflate-frame"), &plain), None);
    assert_eq!(accept(&HeaderMap::new(), &plain), None);
}

#[test]
fn a_client_checks_the_answer() {
    let plain = DeflateOptions::new();
    let small = plain
        .server_no_context_takeover(true)
        .server_max_window_bits(10)
        .and_then(|options| options.client_max_window_bits(11))
        .expect("in range");
    let (plain_alone, wishing) = (plain.fallback(false), small);
    let small = small.fallback(false);
    assert_eq!(
        offer(&plain_alone),
        "permessage-deflate; client_max_window_bits"
    );
    assert_eq!(
        offer(&plain),
        "permessage-deflate; client_max_window_bits, permessage-deflate"
    );
    let whole = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=11";
    assert_eq!(offer(&small.client_no_context_takeover(true)), whole);
    assert_eq!(
        offer(&wishing.client_no_context_takeover(true)),
        format!(
            "{whole}, permessage-deflate; client_no_context_takeover; client_max_window_bits=11, \
             permessage-deflate"
        )
    );
    let check = |answer: &str, options| check_answer(&headers(answer), options).ok();
    assert_eq!(check("", Some(&plain)), Some(None));
    assert_eq!(check("", None), Some(None));
    assert_eq!(check("permessage-deflate", None), None, "not offered");
    assert_eq!(check("other", Some(&plain)), None, "not offered");
    assert_eq!(
        check("permessage-deflate, permessage-deflate", Some(&plain)),
        None
    );
    let params = |answer, options| check(answer, Some(options)).flatten();
    assert_eq!(
        params("permessage-deflate", &plain),
        Some(agreed(false, false, 15, 15))
    );
    let full = "permessage-deflate; client_no_context_takeover; server_max_window_bits=\"12\"; \
                client_max_window_bits=8";
    assert_eq!(params(full, &plain), Some(agreed(false, true, 12, 8)));
    let less = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
    assert_eq!(params(less, &small), Some(agreed(true, false, 10, 11)));
    for bad in [
        "permessage-deflate",                             // not what was asked for
        "permessage-deflate; server_no_context_takeover", // the window
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; \
         client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; x",
    ] {
        assert_eq!(check(bad, Some(&small)), None, "{bad}");
    }
    // What a fallback asks for nothing of is a good answer then.
    for (answer, expected) in [
        ("permessage-deflate", agreed(false, false, 15, 11)),
        (
            "permessage-deflate; server_max_window_bits=11; client_max_window_bits=9",
            agreed(false, false, 11, 9),
        ),
        (less, agreed(true, false, 10, 11)),
    ] {
        assert_eq!(params(answer, &wishing), Some(expected), "{answer}");
    }
    assert_eq!(check("permessage-deflate; x", Some(&wishing)), None);
    // Each of our offers is one that our server takes.
    let ours = headers(&offer(&wishing));
    let (taken, answer) = accept(&ours, &plain).expect("the first offer");
    assert_eq!(taken, agreed(true, false, 10, 11));
    assert_eq!(params(&answer, &wishing), Some(taken));
}

/// RFC 7692 section 7.1: an offer or an answer with a parameter twice is declined, whatever the values.
#[test]
fn a_parameter_twice_is_refused() {
    let options = DeflateOptions::new();
    for (first, again) in [
        ("server_no_context_takeover", "server_no_context_takeover"),
        ("client_no_context_takeover", "client_no_context_takeover"),
        ("server_max_window_bits=12", "server_max_window_bits=12"),
        ("server_max_window_bits=12", "server_max_window_bits=9"),
        ("client_max_window_bits=12", "client_max_window_bits=12"),
        ("client_max_window_bits=12", "client_max_window_bits=9"),
    ] {
        let once = headers(&format!("permessage-deflate; {first}"));
        assert!(accept(&once, &options).is_some(), "{first}");
        assert!(check_answer(&once, Some(&options)).is_ok(), "{first}");
        let other = match first.starts_with("server") {
            true => "; client_max_window_bits=10; ",
            false => "; server_max_window_bits=10; ",
        };
        for between in ["; ", other] {
            let twice = headers(&format!("permessage-deflate; {first}{between}{again}"));
            assert_eq!(accept(&twice, &options), None, "{first}{between}{again}");
            let answer = check_answer(&twice, Some(&options));
            assert!(answer.is_err(), "{first}{between}{again}");
        }
    }
    let offers = headers("permessage-deflate; client_max_window_bits; client_max_window_bits");
    assert_eq!(accept(&offers, &options), None, "without a value");
}
