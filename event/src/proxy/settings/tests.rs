#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;

#[test]
fn credentials_that_the_protocol_cannot_carry() {
    let long = "x".repeat(256);
    let (user, password) = (ProxyConfigError::UserName, ProxyConfigError::Password);
    let (http, socks) = (Proxy::http("p", 1), Proxy::socks5("p", 1));
    let table: [(&Proxy, &str, &str, Option<&ProxyConfigError>); 14] = [
        (&http, "user", "secret", None),
        (&http, "", "", None),
        (&http, "ü", "pass:word", None),
        (&http, &long, &long, None),
        (&http, "us:er", "x", Some(&user)),
        (&http, "us\r\ner", "x", Some(&user)),
        (&http, "user", "x\n", Some(&password)),
        (&socks, "user", "secret", None),
        (&socks, "us:er", "pass\r\n", None),
        (&socks, &long[1..], &long[1..], None),
        (&socks, "", "x", Some(&user)),
        (&socks, &long, "x", Some(&user)),
        (&socks, "x", "", None), // as many have it, RFC 1929 or not
        (&socks, "x", &long, Some(&password)),
    ];
    for (proxy, name, word, wrong) in table {
        let made = proxy.clone().credentials(name, word);
        assert_eq!(made.as_ref().err(), wrong, "{name:?} {word:?}");
    }
}

#[test]
fn headers_of_the_connect() {
    let proxy = || Proxy::http("p", 1);
    assert!(proxy().header("User-Agent", "x\ty z").is_ok());
    assert!(proxy().header("Proxy-Authorization", "Bearer 1").is_ok());
    for name in ["", "a b", "a:", "ä", "a\r\n"] {
        let error = proxy().header(name, "x").unwrap_err();
        assert_eq!(error, ProxyConfigError::HeaderName(name.to_owned()));
    }
    for value in ["a\r\nb: c", "\0", "\u{7f}"] {
        let error = proxy().header("X", value).unwrap_err();
        assert!(
            matches!(error, ProxyConfigError::HeaderValue { .. }),
            "{error:?}"
        );
    }
    for name in ["host", "Content-Length", "TRANSFER-ENCODING"] {
        let error = proxy().header(name, "x").unwrap_err();
        assert_eq!(error, ProxyConfigError::ReservedHeader(name.to_owned()));
    }
    let error = Proxy::socks5("p", 1).header("X", "y").unwrap_err();
    assert_eq!(error, ProxyConfigError::HeaderForSocks);
}

#[test]
fn secrets_are_not_printed() {
    let proxy = Proxy::http("::1", 3128)
        .credentials("joe", "tiger")
        .unwrap();
    let proxy = proxy.header("X-Key", "tiger").unwrap();
    let shown = format!("{proxy:?} {proxy}");
    assert!(!shown.contains("tiger"), "{shown}");
    assert!(
        shown.contains("joe") && shown.contains("X-Key") && shown.contains("http://[::1]:3128"),
        "{shown}"
    );
    let connect = crate::Connect::to("h", 1).proxy(Some(proxy));
    assert!(!format!("{connect:?}").contains("tiger"));
}

#[test]
fn targets_that_cannot_be_asked_for() {
    let name = |n: usize| "x".repeat(n);
    let table = [
        ("example.com".to_owned(), None),
        ("xn--bcher-kva.example".to_owned(), None),
        ("a_b.local.".to_owned(), None),
        ("::1".to_owned(), None),
        ("10.0.0.1".to_owned(), None),
        (name(255), None),
        (name(256), Some(ProxyTargetError::NameTooLong(256))),
        (String::new(), Some(ProxyTargetError::BadName)),
        ("a b".to_owned(), Some(ProxyTargetError::BadName)),
        ("a\r\nX: y".to_owned(), Some(ProxyTargetError::BadName)),
        ("bücher.example".to_owned(), Some(ProxyTargetError::BadName)),
        ("user@host".to_owned(), Some(ProxyTargetError::BadName)),
        ("host:80".to_owned(), Some(ProxyTargetError::BadName)),
        ("[::1]".to_owned(), Some(ProxyTargetError::BadName)),
        ("fe80::1%eth0".to_owned(), Some(ProxyTargetError::BadName)),
    ];
    for (host, wrong) in table {
        for proxy in [Proxy::http("p", 1), Proxy::socks5("p", 1)] {
            assert_eq!(proxy.check_target(&host).err(), wrong, "{host:?}");
        }
    }
}
