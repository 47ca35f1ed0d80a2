use super::*;

#[test]
fn every_spelling_of_a_special_address_is_recognised() {
    let special = [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("10.0.0.1", "private"),
        ("10.255.255.255", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("100.127.255.255", "carrier-grade NAT"),
        ("100.100.100.200", "cloud metadata"),
        ("169.254.169.254", "link-local or cloud metadata"),
        ("169.254.0.1", "link-local or cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("192.0.0.192", "cloud metadata"),
        ("192.0.0.8", "reserved for protocols"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.7", "documentation"),
        ("203.0.113.9", "documentation"),
        ("192.88.99.1", "6to4 relay"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::7f00:1", "IPv4-compatible"),
        ("::10.0.0.1", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.1.2.3", "private"),
        ("::ffff:a9fe:a9fe", "link-local or cloud metadata"),
        ("64:ff9b::127.0.0.1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "link-local or cloud metadata"),
        ("64:ff9b::c0a8:1", "private"),
        ("64:ff9b:1::808:808", "local NAT64"),
        ("fc00::1", "private"),
        ("fdff::1", "private"),
        ("fd00:ec2::254", "cloud metadata"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("2002:7f00:1::", "6to4"),
        ("2002:808:808::1", "6to4"),
        ("2001::1", "Teredo"),
        ("2001:2::1", "reserved for protocols"),
        ("2001:10::1", "reserved for protocols"),
        ("2001:20::1", "reserved for protocols"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("100::1", "outside the global unicast range"),
        ("5f00::1", "outside the global unicast range"),
        ("4000::1", "outside the global unicast range"),
    ];
    for (text, reason) in special {
        let address: IpAddr = text.parse().expect("an address");
        assert_eq!(special_purpose(address), Some(reason), "{text}");
    }
}

#[test]
fn public_addresses_pass() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.167.255.255",
        "192.169.0.1",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.255",
        "::ffff:1.1.1.1",
        "64:ff9b::8.8.8.8",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "2001:200::1",
        "2a00:1450:4001::1",
        "3ffe::1",
    ] {
        let address: IpAddr = text.parse().expect("an address");
        assert_eq!(special_purpose(address), None, "{text}");
    }
}

#[test]
fn an_embedded_address_is_judged_and_granted_as_what_it_embeds() {
    for text in ["::ffff:192.0.2.7", "64:ff9b::192.0.2.7", "192.0.2.7"] {
        let address: IpAddr = text.parse().expect("an address");
        assert_eq!(canonical(address), IpAddr::from([192, 0, 2, 7]), "{text}");
    }
}
