//! In which order a host's addresses are tried.

use std::collections::HashSet;
use std::net::SocketAddr;

/// Interleaves the address families (RFC 8305 section 4, with a "First Address Family Count" of
/// one): IPv6 first, then by turns as long as there are both. Within a family the order stays as
/// the resolver sorted it (RFC 6724); of equal addresses the first one stays.
pub(crate) fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let unique = addresses
        .into_iter()
        .filter(|address| seen.insert(*address));
    let (v6, v4): (Vec<_>, Vec<_>) = unique.partition(SocketAddr::is_ipv6);
    let mut order = Vec::with_capacity(v6.len() + v4.len());
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    loop {
        let before = order.len();
        order.extend(v6.next());
        order.extend(v4.next());
        if order.len() == before {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &str) -> Vec<SocketAddr> {
        let address = |text: &str| text.parse().expect("a socket address");
        list.split_whitespace().map(address).collect()
    }

    #[test]
    fn families_take_turns_and_ipv6_begins() {
        let table = [
            ("", ""),
            ("1.1.1.1:1", "1.1.1.1:1"),
            ("1.1.1.1:1 [::1]:1", "[::1]:1 1.1.1.1:1"),
            (
                "1.1.1.1:1 1.1.1.2:1 1.1.1.3:1 [::1]:1",
                "[::1]:1 1.1.1.1:1 1.1.1.2:1 1.1.1.3:1",
            ),
            (
                "[::3]:1 [::1]:1 1.1.1.9:1 [::2]:1 1.1.1.4:1",
                "[::3]:1 1.1.1.9:1 [::1]:1 1.1.1.4:1 [::2]:1",
            ),
            (
                "1.1.1.1:1 [::1]:1 1.1.1.1:1 [::1]:1 1.1.1.1:2",
                "[::1]:1 1.1.1.1:1 1.1.1.1:2",
            ),
        ];
        for (given, expected) in table {
            assert_eq!(interleave(addresses(given)), addresses(expected), "{given}");
        }
    }
}
