//! Where a registry may send us, by a redirect or as its token service.
//!
//! Names are not looked up: whoever answers by HTTPS shows a certificate for the name, which a metadata service or
//! another server of the inner network has not for a stranger's name.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

/// Says what speaks against going to `to` for the registry at `registry`.
pub(super) fn check(registry: &Url, to: &Url) -> Result<(), &'static str> {
    let is_secure = to.scheme() == "https";
    if to.scheme() == "http" && is_here(registry) && is_here(to) {
        return Ok(());
    }
    if !is_secure {
        return Err("is not https");
    }
    if to.host() != registry.host() && (is_here(to) && !is_here(registry) || is_near(to)) {
        return Err("is an address of this machine or of its link, where no registry keeps anything");
    }
    Ok(())
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// Link-local addresses, those of metadata services among them, and the unspecified ones, which mean this machine.
fn is_near(url: &Url) -> bool {
    /// AWS answers for its metadata here.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical(),
        Some(Host::Domain(_)) | None => return false,
    };
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_unspecified() || address == METADATA,
    }
}
