//! The grammar of Sec-WebSocket-Extensions (RFC 6455 section 9.1).

use tungstenite::http::HeaderMap;
use tungstenite::http::header::SEC_WEBSOCKET_EXTENSIONS;

/// One extension of the list: its name, and its parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) params: Vec<(String, Option<String>)>,
}

/// All extensions of all lines; `None`: what stands there is no such list.
pub(super) fn parse(headers: &HeaderMap) -> Option<Vec<Extension>> {
    let mut all = Vec::new();
    for line in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let line = line.to_str().ok()?;
        // An empty element is allowed in a list (RFC 9110 section 5.6.1).
        for element in split(line, ',')? {
            if !element.trim().is_empty() {
                all.push(extension(element)?);
            }
        }
    }
    Some(all)
}

fn extension(text: &str) -> Option<Extension> {
    let mut parts = split(text, ';')?.into_iter();
    let name = token(parts.next()?)?;
    let mut params = Vec::new();
    for part in parts {
        params.push(match part.split_once('=') {
            None => (token(part)?, None),
            Some((name, value)) => (token(name)?, Some(self::value(value)?)),
        });
    }
    Some(Extension { name, params })
}

/// The parts between separators that are not inside quotes.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

fn token(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\t']);
    crate::handshake::is_token(text.as_bytes()).then(|| text.to_owned())
}

/// A token, or a quoted string that holds one.
fn value(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\t']);
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    match quoted {
        Some(inner) => token(&inner.replace('\\', "")),
        None => token(text),
    }
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
            ";a",
            "é",
        ] {
            assert_eq!(parsed(&[bad]), None, "{bad}");
        }
        let quoted = parsed(&["foo;a=\"b,c\""]);
        assert_eq!(quoted, None, "a value is a token also in quotes");
    }
}
