//! The environment's variables for proxies, as curl reads them. Read only if the user asks.

use super::error::ProxyConfigError;
use super::settings::Proxy;
use crate::sys::split_zone;
use std::net::IpAddr;

impl Proxy {
    /// The proxy that the process's environment names for a connection to `host` (a name, or an IP
    /// address without brackets) at `port`, with TLS or without; `None`: none.
    ///
    /// `https_proxy` is for connections with TLS, `http_proxy` for those without, `all_proxy` for
    /// both where the other is not set; lower case goes before upper case. `HTTP_PROXY` is not
    /// looked at where `REQUEST_METHOD` is set: there, in a CGI program, a client on the net could set
    /// it ("httpoxy"). A value without a scheme is an HTTP proxy.
    ///
    /// `no_proxy` lists, with commas or spaces, what goes without: `*` is everything; a name is that
    /// host and all below it, with a leading dot or `*.` or not; an IP address is itself; `10.0.0.0/8`
    /// is a network of such; each may have a `:port`. Names are not looked up for this.
    ///
    /// Hvloop calls this by itself nowhere.
    ///
    /// # Errors
    ///
    /// The variable that decides is no URL of a proxy.
    pub fn from_env(host: &str, port: u16, tls: bool) -> Result<Option<Self>, ProxyConfigError> {
        Self::from_vars(host, port, tls, |name| std::env::var(name).ok())
    }

    /// As [`from_env`](Proxy::from_env), with these variables.
    ///
    /// # Errors
    ///
    /// As `from_env`.
    pub fn from_vars(
        host: &str,
        port: u16,
        tls: bool,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProxyConfigError> {
        let var = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let own = match tls {
            true => var("https_proxy").or_else(|| var("HTTPS_PROXY")),
            false => var("http_proxy").or_else(|| match var("REQUEST_METHOD") {
                Some(_) => None,
                None => var("HTTP_PROXY"),
            }),
        };
        let any = || var("all_proxy").or_else(|| var("ALL_PROXY"));
        let Some(url) = own.or_else(any) else {
            return Ok(None);
        };
        let exceptions = var("no_proxy").or_else(|| var("NO_PROXY"));
        if exceptions.is_some_and(|list| is_excepted(&list, host, port)) {
            return Ok(None);
        }
        let url = url.trim();
        match url.contains("://") {
            true => Self::parse(url).map(Some),
            false => Self::parse(&format!("http://{url}")).map(Some),
        }
    }
}

/// Whether the list of `no_proxy` names the target.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.');
    // A zone says where an address is, not which.
    let ip: Option<IpAddr> = split_zone(host).0.parse().ok();
    list.split([',', ' ', '\t'])
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let (what, at) = split_port(entry);
            let here = at.is_none_or(|at| at == port);
            here && match ip {
                _ if what == "*" => true,
                Some(ip) => names_address(what, ip),
                None => names_host(what, host),
            }
        })
}

/// An entry, and its port if it has one.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(inside) = entry.strip_prefix('[')
        && let Some((address, rest)) = inside.split_once(']')
    {
        let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
        return (address, port);
    }
    match entry.split_once(':') {
        Some((what, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (what, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None), // an IPv6 address has no brackets if it has no port
    }
}

/// Whether it is the host, or a domain above it.
fn names_host(what: &str, host: &str) -> bool {
    let what = what.strip_prefix('*').unwrap_or(what);
    let what = what.trim_start_matches('.').trim_end_matches('.');
    let Some(start) = host.len().checked_sub(what.len()) else {
        return false;
    };
    let (Some(above), Some(tail)) = (host.get(..start), host.get(start..)) else {
        return false; // inside a character
    };
    !what.is_empty()
        && tail.eq_ignore_ascii_case(what)
        && (above.is_empty() || above.ends_with('.'))
}

/// Whether it is the address, or a network that has it.
fn names_address(what: &str, ip: IpAddr) -> bool {
    let Some((network, bits)) = what.split_once('/') else {
        return split_zone(what).0.parse() == Ok(ip);
    };
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let (network, ip, all) = match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (network.to_bits().into(), ip.to_bits().into(), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits(), ip.to_bits(), 128_u32),
        _ => return false,
    };
    let Some(above) = all.checked_sub(bits) else {
        return false;
    };
    let part = |ip: u128| ip.checked_shr(above).unwrap_or(0);
    part(network) == part(ip)
}

#[cfg(test)]
mod tests;
