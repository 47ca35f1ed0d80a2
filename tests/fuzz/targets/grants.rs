//! Allowed hosts and addresses: nothing is permitted that no grant names, in whatever spelling it comes.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use acme_manager_plugin_runtime::{Grants, HostGrant, fuzzing};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Case<'a> {
    grant: &'a str,
    host: &'a str,
    is_https: bool,
    port: u16,
    address: Ipv6Addr,
    inner: Ipv4Addr,
    network: Option<(Ipv4Addr, u8)>,
}

fuzz_target!(|case: Case<'_>| {
    let mut grants = Grants::default();
    assert!(!matches!(fuzzing::permits(&grants, case.is_https, case.host, case.port), Some(Some(_))));
    if let Ok(grant) = case.grant.parse::<HostGrant>() {
        let text = grant.to_string();
        assert_eq!(text.parse().as_ref(), Ok(&grant), "{text:?} out of {:?}", case.grant);
        grants.hosts.push(grant);
        hosts(&grants, &text, &case);
    }
    addresses(&grants, &case);
    if let Some((address, bits)) = case.network
        && let Ok(network) = ipnet::Ipv4Net::new(address, bits)
    {
        grants.cidrs.push(network.into());
        let reason = fuzzing::prohibits(&grants, case.inner.into(), false);
        assert!(reason.is_none() || !network.contains(&case.inner), "{network} {}: {reason:?}", case.inner);
    }
});

fn hosts(grants: &Grants, grant: &str, case: &Case<'_>) {
    let Some(Some(anywhere)) = fuzzing::permits(grants, case.is_https, case.host, case.port) else { return };
    assert_eq!(case.is_https, !grant.starts_with("http://"), "{grant:?}");
    let rest = grant.strip_prefix("http://").unwrap_or(grant);
    let default = if case.is_https { 443 } else { 80 };
    let (own, port) = match rest.rsplit_once(':') {
        Some((own, port)) if !port.contains(']') => (own, port.parse().expect("a port")),
        _ => (rest, default),
    };
    assert_eq!(port, case.port, "{grant:?}");
    if let Some(suffix) = own.strip_prefix('*') {
        // Names in URLs are written in many ways; in lower-case ASCII they compare as they stand.
        let host = case.host.strip_suffix('.').unwrap_or(case.host);
        let is_plain = host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.');
        assert!(!is_plain || (host.ends_with(suffix) && host.len() > suffix.len()), "{grant:?} {host:?}");
        assert!(!anywhere && host.parse::<IpAddr>().is_err());
    }
    assert!(!anywhere || own.starts_with('[') || own.parse::<Ipv4Addr>().is_ok(), "{grant:?} reaches everything");
}

fn addresses(grants: &Grants, case: &Case<'_>) {
    let v4 = case.inner;
    let own = fuzzing::prohibits(grants, v4.into(), false);
    let is_special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_unspecified()
        || v4.octets()[0] >= 224;
    assert!(!is_special || own.is_some(), "{v4}");
    let [a, b, c, d] = v4.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    // The same address, as others write it.
    for spelling in
        [Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low), Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)]
    {
        assert_eq!(fuzzing::prohibits(grants, spelling.into(), false), own, "{spelling}");
        assert_eq!(
            fuzzing::prohibits(grants, spelling.into(), true),
            fuzzing::prohibits(grants, v4.into(), true),
            "{spelling}"
        );
    }
    // Ways around through a relay are closed whatever is behind them.
    for relayed in [Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1), Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low)] {
        assert!(fuzzing::prohibits(grants, relayed.into(), false).is_some(), "{relayed}");
    }
    let v6 = case.address;
    let is_global = v6.segments()[0] & 0xe000 == 0x2000;
    let is_special = v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_multicast()
        || v6.is_unique_local()
        || v6.is_unicast_link_local();
    let is_translated = v6.to_ipv4_mapped().is_some() || v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let reason = fuzzing::prohibits(grants, v6.into(), false);
    assert!(is_translated || is_global || reason.is_some(), "{v6}");
    assert!(!is_special || reason.is_some(), "{v6}");
    // Metadata services need a network that the operator named, whatever host is granted.
    for address in ["169.254.169.254", "fd00:ec2::254", "100.100.100.200"] {
        let address: IpAddr = address.parse().expect("an address");
        assert!(fuzzing::prohibits(grants, address, true).is_some(), "{address}");
    }
}
