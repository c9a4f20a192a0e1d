//! Proxies: how a connection is asked for, without any I/O.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | [`Proxy`]: which one, and with what |
//! | `url` | a proxy's URL |
//! | `env` | the environment's variables, for those who ask for them |
//! | `tunnel` | the handshake with the proxy, of either kind: bytes in, bytes out |
//! | `http_connect` | HTTP's CONNECT (RFC 9110 section 9.3.6) |
//! | `socks5` | SOCKS5 (RFC 1928, RFC 1929) |
//! | `answer` | what an HTTP proxy says when it refuses |
//! | `error` | what can be wrong |

mod answer;
mod env;
mod error;
mod http_connect;
mod settings;
mod socks5;
mod target;
mod tunnel;
mod url;

pub use self::answer::ProxyAnswer;
pub use self::error::{ProxyConfigError, ProxyError, ProxyTargetError, SocksReply};
pub use self::settings::Proxy;
pub(crate) use self::tunnel::Tunnel;
