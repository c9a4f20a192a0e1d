//! The grammar of Sec-WebSocket-Extensions (RFC 6455 section 9.1).

use crate::fields::{elements, is_token, split, trim};
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

/// One extension of the list: its name, and its parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) params: Vec<(String, Option<String>)>,
}

/// All extensions of all lines; `None`: what stands there is no such list.
pub(super) fn parse(headers: &HeaderMap) -> Option<Vec<Extension>> {
    elements(headers, SEC_WEBSOCKET_EXTENSIONS)
        .map(extension)
        .collect()
}

fn extension(text: &[u8]) -> Option<Extension> {
    let mut parts = split(text, b';');
    let name = token(parts.next()?)?;
    let mut params = Vec::new();
    for part in parts {
        let mut halves = part.splitn(2, |byte| *byte == b'=');
        let name = token(halves.next()?)?;
        let value = match halves.next() {
            Some(value) => Some(self::value(value)?),
            None => None,
        };
        params.push((name, value));
    }
    Some(Extension { name, params })
}

fn token(text: &[u8]) -> Option<String> {
    let text = trim(text);
    if !is_token(text) {
        return None;
    }
    String::from_utf8(text.to_vec()).ok() // it is ASCII
}

/// A token, or a quoted string that holds one.
fn value(text: &[u8]) -> Option<String> {
    let text = trim(text);
    let [b'"', inner @ ..] = text else {
        return token(text);
    };
    let (mut plain, mut inner) = (Vec::with_capacity(inner.len()), inner.iter());
    loop {
        match inner.next()? {
            b'"' => break,
            b'\\' => plain.push(*inner.next()?),
            byte => plain.push(*byte),
        }
    }
    // Nothing behind the quote, and no spaces inside.
    if !inner.as_slice().is_empty() || !is_token(&plain) {
        return None;
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &[&str]) -> Option<Vec<Extension>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, line.parse().expect("a value"));
        }
        parse(&headers)
    }

    fn ext(name: &str, params: &[(&str, Option<&str>)]) -> Extension {
        let owned =
            |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        Extension {
            name: name.to_owned(),
            params: params.iter().map(owned).collect(),
        }
    }

    #[test]
    fn lists() {
        assert_eq!(parsed(&[]), Some(vec![]));
        assert_eq!(parsed(&["", " , "]), Some(vec![]));
        let both = vec![
            ext("foo", &[("a", None), ("b", Some("1"))]),
            ext("bar", &[]),
            ext("baz", &[("c", Some("x")), ("c", None)]),
        ];
        assert_eq!(
            parsed(&["foo; a ;b = 1, bar", "baz;c=\"x\";c"]),
            Some(both.clone())
        );
        assert_eq!(parsed(&["foo;a;b=\"\\1\",,bar,baz;c=x;c"]), Some(both));
    }

    #[test]
    fn no_lists() {
        for bad in [
            "foo bar",
            "foo;",
            "foo;=1",
            "foo;a=",
            "foo;a=\"x",
            "foo;a=\"x y\"",
            "foo;a=\" x\"",
            "foo;a=\"x\"y",
            "foo;a=\"x\\\\y\"",
            "foo;a=\"x\\\"",
            "foo;a=\"\"",
            ";a",
            "é",
        ] {
            assert_eq!(parsed(&[bad]), None, "{bad}");
        }
        let quoted = parsed(&["foo;a=\"b,c\""]);
        assert_eq!(quoted, None, "a value is a token also in quotes");
    }
}
