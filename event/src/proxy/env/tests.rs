#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;

fn look_up(
    vars: &[(&str, &str)],
    host: &str,
    port: u16,
    tls: bool,
) -> Result<Option<Proxy>, ProxyConfigError> {
    Proxy::from_vars(host, port, tls, |name| {
        let var = vars.iter().find(|(var, _)| *var == name);
        var.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn which_variable() {
    type Vars = &'static [(&'static str, &'static str)];
    let http = |host: &str| Some(Proxy::http(host, 1));
    let table: [(Vars, bool, Option<Proxy>); 15] = [
        (&[], true, None),
        (&[("https_proxy", "http://a:1")], true, http("a")),
        (&[("https_proxy", "http://a:1")], false, None),
        (&[("http_proxy", "http://a:1")], false, http("a")),
        (&[("http_proxy", "http://a:1")], true, None),
        (
            &[("HTTPS_PROXY", "http://b:1"), ("https_proxy", "http://a:1")],
            true,
            http("a"),
        ),
        (&[("HTTPS_PROXY", "http://b:1")], true, http("b")),
        (&[("HTTP_PROXY", "http://b:1")], false, http("b")),
        (
            &[("HTTP_PROXY", "http://b:1"), ("REQUEST_METHOD", "GET")],
            false,
            None,
        ),
        (
            &[
                ("HTTP_PROXY", "http://b:1"),
                ("REQUEST_METHOD", "GET"),
                ("http_proxy", "http://a:1"),
            ],
            false,
            http("a"),
        ),
        (
            &[("HTTPS_PROXY", "http://b:1"), ("REQUEST_METHOD", "GET")],
            true,
            http("b"),
        ),
        (
            &[("ALL_PROXY", "socks5://c")],
            false,
            Some(Proxy::socks5("c", 1080)),
        ),
        (
            &[("all_proxy", "http://d:1"), ("ALL_PROXY", "http://c:1")],
            true,
            http("d"),
        ),
        (
            &[("all_proxy", "http://d:1"), ("https_proxy", " ")],
            true,
            http("d"),
        ),
        (&[("all_proxy", " e:1 ")], true, http("e")),
    ];
    for (vars, tls, expected) in table {
        let found = look_up(vars, "example.com", 443, tls);
        assert_eq!(found, Ok(expected), "{vars:?}");
    }
    let wrong = look_up(&[("all_proxy", "ftp://x")], "example.com", 443, true);
    let ftp = ProxyConfigError::UnsupportedScheme("ftp".to_owned());
    assert_eq!(wrong, Err(ftp));
}

#[test]
fn what_goes_without() {
    let table = [
        ("*", "example.com", 80, true),
        ("", "example.com", 80, false),
        ("example.com", "example.com", 80, true),
        ("EXAMPLE.com", "example.COM", 80, true),
        ("example.com", "example.com.", 80, true),
        ("example.com.", "example.com", 80, true),
        ("example.com", "www.example.com", 80, true),
        ("example.com", "badexample.com", 80, false),
        ("example.com", "com", 80, false),
        (".example.com", "example.com", 80, true),
        (".example.com", "a.b.example.com", 80, true),
        ("*.example.com", "a.example.com", 80, true),
        (".", "example.com", 80, false),
        ("a.test, b.test", "b.test", 80, true),
        ("a.test b.test", "b.test", 80, true),
        ("a.test,,b.test", "c.test", 80, false),
        ("a.test:8080", "a.test", 8080, true),
        ("a.test:8080", "a.test", 80, false),
        ("a.test:x", "a.test", 80, false),
        ("127.0.0.1", "127.0.0.1", 80, true),
        ("127.0.0.1:81", "127.0.0.1", 80, false),
        ("27.0.0.1", "127.0.0.1", 80, false),
        ("0.0.1", "127.0.0.1", 80, false),
        ("10.0.0.0/8", "10.200.3.4", 80, true),
        ("10.0.0.0/8", "11.0.0.1", 80, false),
        ("10.0.0.0/33", "10.0.0.1", 80, false),
        ("0.0.0.0/0", "11.0.0.1", 80, true),
        ("0.0.0.0/0", "::1", 80, false),
        ("::1", "::1", 80, true),
        ("[::1]", "::1", 80, true),
        ("[::1]:81", "::1", 80, false),
        ("[::1]:80", "::1", 80, true),
        ("0:0::1", "::1", 80, true),
        ("fd00::/8", "fd12::1", 80, true),
        ("fd00::/8", "fe80::1", 80, false),
        ("::/0", "fe80::1", 80, true),
        ("ü", "xü", 80, false),
        ("x", "ü", 80, false),
    ];
    for (list, host, port, without) in table {
        let vars = [("all_proxy", "http://p:1"), ("no_proxy", list)];
        let found = look_up(&vars, host, port, false).unwrap();
        assert_eq!(found.is_none(), without, "{list:?}, {host}:{port}");
    }
    let upper = [("all_proxy", "http://p:1"), ("NO_PROXY", "a.test")];
    assert_eq!(look_up(&upper, "a.test", 80, false), Ok(None));
    let lower_first = [
        ("all_proxy", "http://p:1"),
        ("NO_PROXY", "a.test"),
        ("no_proxy", "b.test"),
    ];
    assert!(
        look_up(&lower_first, "a.test", 80, false)
            .unwrap()
            .is_some()
    );
}
