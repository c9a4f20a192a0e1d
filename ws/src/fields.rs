//! Headers that hold one value, and headers that hold a list (RFC 9110 section 5.6).

use http::HeaderMap;
use http::header::HeaderName;

/// The value of a header that must be there exactly once.
pub(crate) fn single(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(trim(value.as_bytes())),
        _ => None,
    }
}

/// The elements of a header that holds a list, of all its lines. Empty ones are ignored (section
/// 5.6.1.2); a comma inside a quoted string is none.
pub(crate) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    let all = lines.flat_map(|line| split(line.as_bytes(), b','));
    all.map(trim).filter(|element| !element.is_empty())
}

/// The one element of a header that holds a list; `None`: there is none, or more than one.
pub(crate) fn only_element(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut elements = elements(headers, name);
    match (elements.next(), elements.next()) {
        (Some(element), None) => Some(element),
        _ => None,
    }
}

/// Whether a header that lists tokens names this one, in any of its lines and in any case.
pub(crate) fn has_token(headers: &HeaderMap, name: HeaderName, token: &[u8]) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token))
}

/// The parts between separators that are not inside a quoted string (section 5.6.4). A quote that
/// does not end takes the rest with it.
pub(crate) fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return byte == separator && !quoted,
        }
        false
    })
}

/// Without the spaces and tabs around it (section 5.6.3).
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Whether this is a token: visible ASCII without separators (RFC 6455 section 4.1, item 10).
pub(crate) fn is_token(name: &[u8]) -> bool {
    let in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(in_token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONNECTION;

    #[test]
    fn lists_have_no_empty_elements() {
        let table: [(&[&str], &[&str]); 9] = [
            (&[], &[]),
            (&["", ",", " , ,\t"], &[]),
            (&["a"], &["a"]),
            (&["a,"], &["a"]),
            (&[",a"], &["a"]),
            (&["a,,b", "", "\tc \t,"], &["a", "b", "c"]),
            (&["\"a,b\",c"], &["\"a,b\"", "c"]),
            (&["\"a\\\",b\" , c"], &["\"a\\\",b\"", "c"]),
            (&["\"a,b", "c"], &["\"a,b", "c"]),
        ];
        for (lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONNECTION, line.parse().expect("a value"));
            }
            let all: Vec<_> = elements(&headers, CONNECTION).collect();
            let expected: Vec<_> = expected.iter().map(|e| e.as_bytes()).collect();
            assert_eq!(all, expected, "{lines:?}");
            let only = only_element(&headers, CONNECTION);
            assert_eq!(only.is_some(), expected.len() == 1, "{lines:?}");
        }
    }
}
