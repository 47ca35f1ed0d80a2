//! The records that every zone of a test's name server starts with.

use std::net::Ipv4Addr;

/// Short, so that no resolver remembers an answer, or the lack of one, for longer than a test lasts.
pub(crate) const TTL_SECONDS: u32 = 1;

/// SOA contents of `zone` (absolute or not).
pub(crate) fn soa(zone: &str) -> String {
    let zone = absolute(zone);
    format!("{} hostmaster.{zone} 1 3600 600 86400 {TTL_SECONDS}", name_server(&zone))
}

/// The zone's only name server.
pub(crate) fn name_server(zone: &str) -> String {
    format!("ns1.{}", absolute(zone))
}

/// A zone file: SOA, NS and addresses for the apex and for the name server, which is at `address`.
pub(crate) fn zone_file(zone: &str, address: Ipv4Addr) -> String {
    let (origin, name_server) = (absolute(zone), name_server(zone));
    format!(
        "$ORIGIN {origin}\n$TTL {TTL_SECONDS}\n@ IN SOA {}\n@ IN NS {name_server}\n@ IN A 127.0.0.1\nns1 IN A {address}\n",
        soa(zone)
    )
}

/// `name` with exactly one dot at its end.
pub(crate) fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}
