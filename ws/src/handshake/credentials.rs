//! Header values by which a client says who it is.

use super::HeadError;
use crate::fields::is_token;
use data_encoding::BASE64;

/// The value of Authorization by user name and password (RFC 7617 section 2), in UTF-8.
pub(crate) fn basic(user: &str, password: &str) -> Result<String, HeadError> {
    let proper = |text: &str| !text.chars().any(char::is_control);
    if user.contains(':') || !proper(user) || !proper(password) {
        return Err(HeadError::BadCredentials);
    }
    let pair = format!("{user}:{password}");
    Ok(format!("Basic {}", BASE64.encode(pair.as_bytes())))
}

/// The value of Authorization by a token (RFC 6750 section 2.1).
pub(crate) fn bearer(token: &str) -> Result<String, HeadError> {
    let digits = token.trim_end_matches('=');
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if digits.is_empty() || !digits.bytes().all(in_token) {
        return Err(HeadError::BadToken);
    }
    Ok(format!("Bearer {token}"))
}

/// A pair for Cookie (RFC 6265 section 4.1.1).
pub(crate) fn cookie(name: &str, value: &str) -> Result<String, HeadError> {
    let inside = match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
        Some(quoted) => quoted,
        None => value,
    };
    let octet = |b: u8| matches!(b, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E);
    if !is_token(name.as_bytes()) || !inside.bytes().all(octet) {
        let name = name.to_owned();
        return Err(HeadError::BadCookie { name });
    }
    Ok(format!("{name}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials() {
        // RFC 7617 section 2 and 2.1.
        let aladdin = Ok("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned());
        assert_eq!(basic("Aladdin", "open sesame"), aladdin);
        assert_eq!(
            basic("test", "123£"),
            Ok("Basic dGVzdDoxMjPCow==".to_owned())
        );
        assert_eq!(basic("", "a:b"), Ok("Basic OmE6Yg==".to_owned()));
        for (user, password) in [("a:b", "c"), ("a\n", "b"), ("a", "b\0"), ("a\u{85}", "")] {
            assert_eq!(basic(user, password), Err(HeadError::BadCredentials));
        }
        assert_eq!(
            bearer("mF_9.B5f-4.1JqM"),
            Ok("Bearer mF_9.B5f-4.1JqM".to_owned())
        );
        assert_eq!(bearer("a~+/=="), Ok("Bearer a~+/==".to_owned()));
        for token in ["", "==", "a b", "a=b", "a\r\nX: y", "ä", "a,b"] {
            assert_eq!(bearer(token), Err(HeadError::BadToken), "{token:?}");
        }
    }

    #[test]
    fn cookies() {
        assert_eq!(cookie("SID", "31d4"), Ok("SID=31d4".to_owned()));
        assert_eq!(cookie("a", ""), Ok("a=".to_owned()));
        assert_eq!(cookie("a", "\"b=c\""), Ok("a=\"b=c\"".to_owned()));
        let bad = [
            ("", "x"),
            ("a b", "x"),
            ("a=", "x"),
            ("a;", "x"),
            ("a", "x y"),
            ("a", "x;y"),
            ("a", "x,y"),
            ("a", "x\\y"),
            ("a", "x\"y"),
            ("a", "\""),
            ("a", "\"x"),
            ("a", "x\r\n"),
            ("a", "ä"),
        ];
        for (name, value) in bad {
            let error = HeadError::BadCookie {
                name: name.to_owned(),
            };
            assert_eq!(cookie(name, value), Err(error), "{name:?} {value:?}");
        }
    }
}
