//! Under which address a connection is counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whom one address stands for: of IPv4 the address, of IPv6 the network of 64 bits, of which a host
/// may have every address (RFC 4291 section 2.5.4, RFC 8981). An IPv4 address inside an IPv6 one is
/// that IPv4 address: as a listener for both sees it (`::ffff:0:0/96`, RFC 4291 section 2.5.5.2), and as
/// a translator writes it (`64:ff9b::/96`, RFC 6052), behind which all of IPv4 is one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

impl Network {
    /// The network of an address.
    pub(super) fn of(address: IpAddr) -> Self {
        let v6 = match address.to_canonical() {
            IpAddr::V4(v4) => return Self(v4.into()),
            IpAddr::V6(v6) => v6,
        };
        if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() {
            let bits = u32::from(high) << 16 | u32::from(low);
            return Self(Ipv4Addr::from_bits(bits).into());
        }
        let prefix = v6.to_bits() & !u128::from(u64::MAX);
        Self(Ipv6Addr::from_bits(prefix).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_one_network() {
        for (a, b, same) in [
            ("2001:db8::1", "2001:db8::2", true),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("2001:db8:0:fffe::", "2001:db8:0:ffff::", false),
            ("::1", "::2", true),
            ("fe80::1", "fe80::2", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("64:ff9b::192.0.2.1", "192.0.2.1", true),
            ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", false),
            ("64:ff9b:1::1", "64:ff9b:1::2", true),
            ("::", "0.0.0.0", false),
        ] {
            let network = |text: &str| Network::of(text.parse().expect("an address"));
            assert_eq!(network(a) == network(b), same, "{a} and {b}");
        }
    }
}
