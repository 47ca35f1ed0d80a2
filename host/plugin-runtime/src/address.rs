//! Which addresses a plugin must not reach unless the operator says so: everything that is not an ordinary public
//! host. The lists are IANA's special-purpose registries (RFC 6890 and its updates) plus the metadata services of the
//! large clouds. The answer is a reason in words, because it ends up in the operator's log.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why `address` is not an ordinary public host; `None` when it is one.
pub(crate) fn special_purpose(address: IpAddr) -> Option<&'static str> {
    match canonical(address) {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

/// Whether a cloud's metadata service answers at the (canonical) address.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    special_purpose(address).is_some_and(|reason| reason.contains("metadata"))
}

/// The address that packets in fact go to: the IPv4 address inside an IPv4-mapped one (RFC 4291 §2.5.5.2) or one
/// behind the well-known NAT64 prefix (RFC 6052 §2.1), else the address itself.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let s = v6.segments();
    let is_nat64 = s[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    match v6.to_ipv4_mapped() {
        Some(v4) => v4.into(),
        None if is_nat64 => {
            let [a, b, c, d] = (u32::from(s[6]) << 16 | u32::from(s[7])).to_be_bytes();
            Ipv4Addr::new(a, b, c, d).into()
        }
        None => address,
    }
}

/// The IPv4 address that a translator or relay somewhere would unwrap: IPv4-compatible (RFC 4291 §2.5.5.1), translated
/// (RFC 2765 §2.1), 6to4 (RFC 3056), Teredo (RFC 4380) and local NAT64 (RFC 8215).
pub(crate) fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let s = v6.segments();
    let pair = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(pair(s[6], s[7])),
        [0x2002, ..] => Some(pair(s[1], s[2])),
        [0x2001, 0, ..] => Some(pair(!s[6], !s[7])),
        _ => None,
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let o = address.octets();
    Some(match o {
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        [169, 254, ..] => "link-local or cloud metadata",
        // Alibaba Cloud, Oracle Cloud and Azure answer for their metadata here.
        [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => "cloud metadata",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [100, 64..=127, ..] => "carrier-grade NAT",
        [192, 0, 0, _] => "reserved for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "documentation",
        [192, 88, 99, _] => "6to4 relay",
        [198, 18..=19, ..] => "benchmarking",
        [224..=239, ..] => "multicast",
        [255, 255, 255, 255] => "broadcast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let s = address.segments();
    Some(match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0, 0, 0, 0, 0, 0, ..] => "IPv4-compatible",
        [0x64, 0xff9b, 1, ..] => "local NAT64",
        // AWS, Google, Oracle and Scaleway answer for their metadata here; the ranges are private anyway, but who grants a
        // private range by an endpoint's name does not mean these.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        | [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]
        | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42] => "cloud metadata",
        [0xfc00..=0xfdff, ..] => "private",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xfec0..=0xfeff, ..] => "site-local",
        [0xff00..=0xffff, ..] => "multicast",
        // Both carry an IPv4 address that a relay somewhere would unwrap.
        [0x2002, ..] => "6to4",
        [0x2001, 0, ..] => "Teredo",
        [0x2001, 0x1..=0x1ff, ..] => "reserved for protocols",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "documentation",
        [0x2000..=0x3fff, ..] => return None,
        _ => "outside the global unicast range",
    })
}

#[cfg(test)]
mod tests;
