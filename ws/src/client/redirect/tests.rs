#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;
use http::HeaderValue;

fn to(location: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        LOCATION,
        HeaderValue::from_bytes(location.as_bytes()).unwrap(),
    );
    headers
}

fn route(url: &str, limit: u32) -> Route {
    Route::new(url.parse().unwrap(), limit)
}

#[test]
fn locations_are_resolved() {
    let table = [
        ("ws://a.test/x/y?q", "/z", "ws://a.test/z"),
        ("ws://a.test/x/y?q", "z?r=1", "ws://a.test/x/z?r=1"),
        ("ws://a.test/x/y", "../z", "ws://a.test/z"),
        ("ws://a.test:81/x", "?r", "ws://a.test:81/x?r"),
        ("ws://a.test/", "//b.test/z", "ws://b.test/z"),
        ("wss://a.test/", "//b.test/z", "wss://b.test/z"),
        ("ws://a.test/", "ws://b.test:81/z", "ws://b.test:81/z"),
        ("ws://a.test/", "wss://a.test/", "wss://a.test/"),
        ("ws://a.test/", "http://b.test", "ws://b.test/"),
        ("ws://a.test/", "https://b.test/", "wss://b.test/"),
        ("ws://a.test/", "HTTPS://B.Test:443/", "wss://b.test/"),
        ("ws://a.test/", "http://b.test:443/", "ws://b.test:443/"),
        ("wss://a.test/", "https://b.test:80/", "wss://b.test:80/"),
        ("ws://a.test/", "/z#fragment", "ws://a.test/z"),
        ("ws://a.test/", "/ü", "ws://a.test/%C3%BC"),
        ("ws://a.test/", "http://[::1]:9/", "ws://[::1]:9/"),
        // The zone stays with its address.
        ("ws://[fe80::1%25e]/x", "/z", "ws://[fe80::1%25e]/z"),
        (
            "ws://[fe80::1%25e]/x",
            "http://[fe80::1]:9/z",
            "ws://[fe80::1%25e]:9/z",
        ),
        (
            "ws://[fe80::1%25e]/x",
            "//[fe80::1]/",
            "ws://[fe80::1%25e]/",
        ),
        ("ws://[fe80::1%25e]/x", "ws://[fe80::2]/", "ws://[fe80::2]/"),
        ("ws://[fe80::1%25e]/x", "ws://a.test/", "ws://a.test/"),
        (
            "ws://[fe80::1%25e]/x",
            "ws://[fe80::1%25f]/",
            "ws://[fe80::1%25f]/",
        ),
        (
            "ws://a.test/",
            "?u=ws://[::1%25lo]/",
            "ws://a.test/?u=ws://[::1%25lo]/",
        ),
    ];
    for (from, location, expected) in table {
        let mut route = route(from, 1);
        route.follow(302, &to(location)).unwrap().unwrap();
        assert_eq!(route.url().as_str(), expected, "{from} {location}");
        assert_eq!(route.hops(), 1);
    }
}

#[test]
fn statuses() {
    for status in 300..=399 {
        let follows = [301, 302, 303, 307, 308].contains(&status);
        let led = route("ws://a.test/", 1).follow(status, &to("/x"));
        assert_eq!(led.is_some(), follows, "{status}");
        assert!(route("ws://a.test/", 0).follow(status, &to("/x")).is_none());
    }
    for status in [200, 401, 500] {
        assert!(route("ws://a.test/", 1).follow(status, &to("/x")).is_none());
    }
}

fn problem(from: &str, headers: &HeaderMap) -> RedirectProblem {
    let error = route(from, 1).follow(307, headers).unwrap().unwrap_err();
    assert_eq!((error.status, error.url.as_str()), (307, from));
    error.problem.clone()
}

#[test]
fn what_is_not_followed() {
    use RedirectProblem as P;
    assert!(matches!(
        problem("ws://a.test/", &HeaderMap::new()),
        P::NoLocation
    ));
    let mut two = to("/x");
    two.append(LOCATION, HeaderValue::from_static("/y"));
    assert!(matches!(problem("ws://a.test/", &two), P::BadLocation));
    let mut latin = HeaderMap::new();
    latin.insert(LOCATION, HeaderValue::from_bytes(b"/\xfc").unwrap());
    assert!(matches!(problem("ws://a.test/", &latin), P::BadLocation));

    type Right = fn(&RedirectProblem) -> bool;
    let table: [(&str, &str, Right); 11] = [
        ("wss://a.test/", "ws://a.test/x", |p| {
            matches!(p, P::Downgrade(_))
        }),
        ("wss://a.test/", "http://a.test/x", |p| {
            matches!(p, P::Downgrade(_))
        }),
        ("ws://a.test/", "/", |p| matches!(p, P::Loop(_))),
        ("ws://a.test/", "", |p| matches!(p, P::Loop(_))),
        ("ws://a.test/", "http://A.test:80/#x", |p| {
            matches!(p, P::Loop(_))
        }),
        ("ws://a.test/", "ftp://a.test/", |p| {
            matches!(p, P::Url(UrlError::UnsupportedScheme(_)))
        }),
        ("ws://a.test/", "mailto:a@b.test", |p| {
            matches!(p, P::Url(UrlError::UnsupportedScheme(_)))
        }),
        ("ws://a.test/", "ws://me:pw@b.test/", |p| {
            matches!(p, P::Url(UrlError::UserInfo))
        }),
        ("ws://a.test/", "http://b.test:99999/", |p| {
            matches!(p, P::Url(UrlError::Syntax(_)))
        }),
        ("ws://a.test/", "/a\tb", |p| {
            matches!(p, P::Url(UrlError::ControlCharacter))
        }),
        ("ws://a.test/", "http://", |p| matches!(p, P::Url(_))),
    ];
    for (from, location, right) in table {
        let problem = problem(from, &to(location));
        assert!(right(&problem), "{from} {location}: {problem:?}");
    }
}

#[test]
fn limit_and_loops_are_the_whole_routes() {
    let mut route = route("ws://a.test/", 3);
    for location in ["/1", "http://b.test/", "/2"] {
        route.follow(301, &to(location)).unwrap().unwrap();
    }
    let error = route.follow(301, &to("/3")).unwrap().unwrap_err();
    assert!(matches!(
        error.problem,
        RedirectProblem::TooMany { limit: 3 }
    ));
    assert_eq!(error.url.as_str(), "ws://b.test/2");

    let mut route = Route::new("ws://a.test/".parse().unwrap(), 9);
    route.follow(301, &to("http://b.test/")).unwrap().unwrap();
    let error = route
        .follow(301, &to("http://a.test/"))
        .unwrap()
        .unwrap_err();
    assert!(matches!(error.problem, RedirectProblem::Loop(_)));
}

#[test]
fn credentials_stay_in_their_origin() {
    let secret = ["Authorization", "COOKIE", "Proxy-Authorization", "Host"];
    let harmless = ["Origin", "X-Token", "User-Agent", "Sec-WebSocket-Protocol"];
    let table: [(&str, bool); 6] = [
        ("/x", true),
        ("http://a.test/x", true),
        ("http://a.test:80/x", true),
        ("http://b.test/", false),
        ("http://a.test:81/", false),
        ("https://a.test/", false),
    ];
    for (location, carried) in table {
        let mut route = route("ws://a.test/", 9);
        route.follow(302, &to(location)).unwrap().unwrap();
        for header in secret {
            assert_eq!(route.carries(header), carried, "{location} {header}");
        }
        for header in harmless {
            assert!(route.carries(header));
        }
    }
    // Not back home either: whoever sent it back is somebody else.
    let mut route = route("ws://a.test/", 9);
    route.follow(302, &to("http://b.test/")).unwrap().unwrap();
    route.follow(302, &to("http://a.test/x")).unwrap().unwrap();
    assert!(!route.carries("Cookie"));
}

/// A server must not choose among the Unix sockets of the client's host, nor where it is on its own.
#[cfg(unix)]
#[test]
fn unix_sockets_are_not_led_to() {
    for (from, location) in [
        ("ws://a.test/", "ws+unix:/run/secret.sock:/"),
        ("wss://a.test/", "wss+unix:/run/secret.sock:/"),
        ("ws+unix:/run/a.sock:/x", "ws+unix:/run/b.sock:/x"),
        ("ws+unix:/run/a.sock:/x", "/run/b.sock:/x"),
    ] {
        let error = route(from, 1).follow(307, &to(location));
        let error = error.unwrap().unwrap_err();
        let refused = matches!(
            error.problem,
            RedirectProblem::UnixSocket | RedirectProblem::Url(_)
        );
        assert!(refused, "{from} {location}: {error}");
    }
    let mut away = route("ws+unix:/run/a.sock:/x", 1);
    away.follow(307, &to("http://a.test/y")).unwrap().unwrap();
    assert_eq!(away.url().as_str(), "ws://a.test/y");
    assert!(!away.carries("Cookie"));
}
