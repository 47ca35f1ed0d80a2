use proptest::prelude::*;

use super::*;

fn grants(hosts: &[&str], cidrs: &[&str]) -> Grants {
    Grants {
        hosts: hosts.iter().map(|text| text.parse().expect("a grant")).collect(),
        cidrs: cidrs.iter().map(|text| text.parse().expect("a network")).collect(),
        ..Grants::default()
    }
}

fn permits(grants: &Grants, url: &str) -> bool {
    let url = Url::parse(url).expect("a URL");
    let scheme = if url.scheme() == "http" { Scheme::Http } else { Scheme::Https };
    let host = parse_host(url.host_str().expect("a host")).expect("a host");
    grants.permit(scheme, &host, url.port_or_known_default().expect("a port")).is_some()
}

#[test]
fn a_grant_covers_what_it_says_and_nothing_beside() {
    let table: &[(&str, &[&str], &[&str])] = &[
        (
            "api.example.com",
            &["https://api.example.com", "https://API.example.COM:443/x?y", "https://api.example.com./"],
            &[
                "http://api.example.com",
                "https://api.example.com:8443",
                "https://example.com",
                "https://x.api.example.com",
                "https://api.example.com.evil.test",
                "https://evilapi.example.com",
            ],
        ),
        (
            "api.example.com:8443",
            &["https://api.example.com:8443"],
            &["https://api.example.com", "http://api.example.com:8443"],
        ),
        (
            "*.example.com",
            &["https://a.example.com", "https://a.b.example.com"],
            &["https://example.com", "https://aexample.com", "http://a.example.com", "https://a.example.com:444"],
        ),
        (
            "http://ns.example.com:8081",
            &["http://ns.example.com:8081"],
            &["https://ns.example.com:8081", "http://ns.example.com"],
        ),
        ("http://ns.example.com", &["http://ns.example.com:80"], &["https://ns.example.com"]),
        ("https://ns.example.com/", &["https://ns.example.com"], &["http://ns.example.com"]),
        ("[2001:db8::1]:8443", &["https://[2001:0db8::0:1]:8443"], &["https://[2001:db8::2]:8443"]),
        (
            "127.0.0.1:8443",
            &["https://127.0.0.1:8443", "https://0x7f.1:8443", "https://2130706433:8443"],
            &["https://127.0.0.2:8443"],
        ),
        ("bücher.example.com", &["https://xn--bcher-kva.example.com"], &["https://bucher.example.com"]),
    ];
    for (grant, inside, outside) in table {
        let grants = grants(&[grant], &[]);
        for url in *inside {
            assert!(permits(&grants, url), "{grant} covers {url}");
        }
        for url in *outside {
            assert!(!permits(&grants, url), "{grant} does not cover {url}");
        }
    }
}

#[test]
fn nothing_is_granted_by_default() {
    assert!(!permits(&Grants::default(), "https://example.com"));
    assert!(Grants::default().prohibits("127.0.0.1".parse().expect("an address"), Reach::Public).is_some());
}

#[test]
fn bad_grants_say_why() {
    for (text, reason) in [
        ("", "no host name"),
        ("*", "whole labels"),
        ("*example.com", "whole labels"),
        ("a.*.example.com", "whole labels"),
        ("*.", "domain name"),
        ("*.com", "two labels"),
        ("*.*.com", "two labels"),
        ("*.127.0.0.1", "domain name"),
        ("api.example.com/v1", "leave out the path"),
        ("https://api.example.com/v1", "leave out the path"),
        ("api.example.com?x", "leave out the path"),
        ("ftp://api.example.com", "scheme"),
        ("user@api.example.com", "user name"),
        ("api.example.com:", "port"),
        ("api.example.com:0", "port"),
        ("api.example.com:+1", "port"),
        ("api.example.com:65536", "port"),
        ("2001:db8::1", "brackets"),
        ("[2001:db8::1", "missing"),
        ("a b", "no host name"),
        // Decoded, this is `*.example.com`, which reads like the grant of a whole domain.
        ("%2a.example.com", "no host name"),
    ] {
        let error = text.parse::<HostGrant>().expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn an_origin_includes_private_addresses_and_only_them_beyond_the_public() {
    let url = Url::parse("http://pdns.internal:8081/api/v1").expect("a URL");
    let origin = HostGrant::origin(&url).expect("a grant");
    assert_eq!(origin.to_string(), "http://pdns.internal:8081");
    let grants = Grants { hosts: vec![origin], ..Grants::default() };
    let host = parse_host("pdns.internal").expect("a host");
    assert_eq!(grants.permit(Scheme::Http, &host, 8081), Some(Reach::Anywhere));
    assert_eq!(grants.permit(Scheme::Https, &host, 8081), None);
    assert_eq!(grants.permit(Scheme::Http, &host, 80), None);
    for (address, prohibited) in [
        ("10.0.0.1", false),
        ("127.0.0.1", false),
        ("0.0.0.0", true),
        ("224.0.0.1", true),
        ("ff02::1", true),
        // Whoever means a cloud's metadata says so with `allowed_cidrs`.
        ("169.254.169.254", true),
        ("::ffff:169.254.169.254", true),
        ("fd00:ec2::254", true),
        ("100.100.100.200", true),
        ("fd20:ce::254", true),
        ("fd00:42::42", true),
        ("fd00:c1::a9fe:a9fe", true),
        // Nobody means an address that hides another.
        ("2002:a9fe:a9fe::1", true),
        ("2001:0:4136:e378:8000:63bf:5601:5601", true),
        ("::ffff:0:169.254.169.254", true),
        ("::169.254.169.254", true),
        ("64:ff9b:1::a9fe:a9fe", true),
        ("fd00::1", false),
    ] {
        let address = address.parse().expect("an address");
        assert_eq!(grants.prohibits(address, Reach::Anywhere).is_some(), prohibited, "{address}");
    }
    assert_eq!(HostGrant::origin(&Url::parse("unix:/run/x").expect("a URL")), None);
}

#[test]
fn cidrs_open_exactly_their_range() {
    let grants = grants(&["api.example.com"], &["10.1.0.0/16", "fd12::/16"]);
    for (address, prohibited) in [
        ("10.1.2.3", false),
        ("::ffff:10.1.2.3", false),
        ("64:ff9b::10.1.2.3", false),
        ("10.2.0.1", true),
        ("127.0.0.1", true),
        ("fd12::1", false),
        ("fd13::1", true),
        ("8.8.8.8", false),
    ] {
        let address = address.parse().expect("an address");
        assert_eq!(grants.prohibits(address, Reach::Public).is_some(), prohibited, "{address}");
    }
}

#[test]
fn metadata_is_reached_when_its_network_is_granted() {
    let grants = grants(&["http://169.254.169.254"], &["169.254.169.254/32"]);
    let address = "169.254.169.254".parse().expect("an address");
    assert_eq!(grants.prohibits(address, Reach::Anywhere), None);
    assert_eq!(grants.prohibits(address, Reach::Public), None);
}

/// However an address is spelled, it is the address, or it is nothing.
#[test]
fn every_spelling_of_an_address_is_that_address() {
    const LOOPBACK: &str = "127.0.0.1";
    for (spelling, address) in [
        ("127.0.0.1", Some(LOOPBACK)),
        ("127.0.0.1.", Some(LOOPBACK)),
        ("127.1", Some(LOOPBACK)),
        ("127.0.1", Some(LOOPBACK)),
        ("0177.0.0.1", Some(LOOPBACK)),
        ("0x7f.0.0.1", Some(LOOPBACK)),
        ("0X7F000001", Some(LOOPBACK)),
        ("2130706433", Some(LOOPBACK)),
        ("017700000001", Some(LOOPBACK)),
        ("%31%32%37.0.0.1", Some(LOOPBACK)),
        ("１２７.０.０.１", Some(LOOPBACK)),
        ("127。0。0。1", Some(LOOPBACK)),
        ("[::1]", Some("[::1]")),
        ("[0:0:0:0:0:0:0:1]", Some("[::1]")),
        ("[::FFFF:127.0.0.1]", Some("[::ffff:7f00:1]")),
        ("[0000:0000::ffff:7F00:0001]", Some("[::ffff:7f00:1]")),
        ("127.0.0.1.1", None),
        ("127.0.0.256", None),
        ("0x100000000", None),
        ("[127.0.0.1]", None),
        ("[::1%25eth0]", None),
        ("[::1", None),
        ("127.0.0.1\0", None),
        ("127.0.0.1/x", None),
        ("a@127.0.0.1", None),
        (".127.0.0.1", None),
    ] {
        let host = parse_host(spelling).map(|host| host.to_string());
        assert_eq!(host.as_deref(), address, "{spelling}");
        // A grant of every name below a domain is none of an address, and none of the address is needed to see that.
        if let Some(host) = parse_host(spelling) {
            assert!(!matches!(host, Host::Domain(_)), "{spelling}");
            assert_eq!(grants(&["*.example.com"], &[]).permit(Scheme::Https, &host, 443), None);
        }
    }
    for long in [format!("{}.example.com", "a".repeat(64)), format!("{}com", "a.".repeat(126))] {
        assert_eq!(parse_host(&long), None, "longer than a name can be");
    }
}

proptest! {
    /// No address outside of 2000::/3, which is all that IANA gave out for the public, is reached by name, whatever is in
    /// it; within, none of the special ranges.
    #[test]
    fn a_name_never_leads_to_an_ipv6_address_that_is_not_public(random in any::<u128>(), prefix in 0_usize..14) {
        let prefixes: [(u128, u32); 10] = [
            (0xfc00 << 112, 7), (0xfe80 << 112, 10), (0xfec0 << 112, 10), (0xff00 << 112, 8), (0x2002 << 112, 16),
            (0x2001 << 112, 32), (0x2001_0db8 << 96, 32), (0x3fff << 112, 20), (0x64_ff9b_0001 << 80, 48), (0, 96),
        ];
        let bits = match prefixes.get(prefix) {
            Some((start, length)) => start | (random & (u128::MAX >> length)),
            None => random,
        };
        let is_special = prefixes.iter().any(|(start, length)| bits >> (128 - length) == start >> (128 - length));
        let is_translated = bits >> 32 == 0xffff || bits >> 32 == 0x64_ff9b << 64;
        let address = IpAddr::V6(std::net::Ipv6Addr::from_bits(bits));
        let prohibited = grants(&["api.example.com"], &[]).prohibits(address, Reach::Public).is_some();
        let is_public_range = bits >> 125 == 1;
        prop_assert!(prohibited || is_translated || (is_public_range && !is_special), "{address}");
    }

    /// What the standard library calls no public host is out of reach of a grant by name, however it is embedded.
    #[test]
    fn a_name_never_leads_to_an_address_that_is_not_public(bits in any::<u32>(), bias in 0_usize..14) {
        let near = [
            [127, 0, 0, 0], [10, 0, 0, 0], [172, 16, 0, 0], [192, 168, 0, 0], [169, 254, 0, 0], [224, 0, 0, 0],
            [255, 255, 255, 255], [0, 0, 0, 0], [100, 64, 0, 0], [198, 18, 0, 0],
        ];
        // Most random addresses are public: a part of them keeps the first byte or two of a special range.
        let random = bits.to_be_bytes();
        let octets = match near.get(bias) {
            Some([a, b, ..]) => [*a, if *b == 0 { random[1] } else { *b }, random[2], random[3]],
            None => random,
        };
        let v4 = std::net::Ipv4Addr::from(octets);
        let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_unspecified() || v4.is_documentation()
            // What the standard library does not tell yet: shared, protocols, benchmarking, reserved (RFC 6890).
            || (octets[0] == 100 && octets[1] & 0xc0 == 64) || octets[..3] == [192, 0, 0]
            || (octets[0] == 198 && octets[1] & 0xfe == 18) || octets[0] >= 240 || octets[0] == 0;
        let s = v4.to_ipv6_mapped().segments();
        let nat64 = std::net::Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, s[6], s[7]);
        let sixtofour = std::net::Ipv6Addr::new(0x2002, s[6], s[7], 0, 0, 0, 0, 1);
        let grants = grants(&["api.example.com"], &[]);
        for address in [IpAddr::V4(v4), v4.to_ipv6_mapped().into(), nat64.into()] {
            let prohibited = grants.prohibits(address, Reach::Public).is_some();
            prop_assert!(prohibited || !special, "{address}");
        }
        prop_assert!(grants.prohibits(sixtofour.into(), Reach::Public).is_some(), "{sixtofour}");
    }

    #[test]
    fn parsing_never_panics_and_display_parses_back(text in "(https?://)?(\\*\\.)?[a-zA-Z0-9.:\\[\\]*/@-]{0,24}(:[0-9]{0,6})?") {
        if let Ok(grant) = text.parse::<HostGrant>() {
            prop_assert_eq!(grant.to_string().parse::<HostGrant>().expect("what was displayed parses"), grant);
        }
    }
}

#[test]
fn name_servers_are_written_in_three_ways() {
    for (text, shown, anywhere) in [
        ("ns.example.com", "ns.example.com", false),
        ("NS.example.com.:53", "ns.example.com", false),
        ("ns.example.com:5353", "ns.example.com:5353", false),
        ("192.0.2.1", "192.0.2.1", true),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353", true),
        ("2001:db8::1", "[2001:db8::1]", true),
    ] {
        let grant: DnsGrant = text.parse().expect(text);
        assert_eq!(grant.to_string(), shown);
        let grants = Grants { dns_servers: vec![grant], ..Grants::default() };
        let server = DnsServer::parse(text).expect(text);
        let reach = if anywhere { Reach::Anywhere } else { Reach::Public };
        assert_eq!(grants.permit_dns(&server), Some(reach), "{text}");
        assert_eq!(grants.permit_dns(&DnsServer { port: 54, ..server }), None, "another port");
    }
    for text in ["", "*.example.com", "https://ns.example.com", "ns.example.com:0", "a@b", "ns..example.com", "a:b:c"] {
        assert!(text.parse::<DnsGrant>().is_err(), "{text:?}");
    }
}
