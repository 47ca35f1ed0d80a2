//! The `namecheap` DNS-01 provider: Namecheap's XML API.
//!
//! The API can only replace a domain's host records all at once, and deletes what is not sent. So they are read, changed
//! and written back, with every attribute that can be written, and read again to see that none was lost. The host
//! orders calls for one name, and whoever else edits the same domain at the same moment may lose a change: there is no
//! conditional write.
//! Reference: <https://www.namecheap.com/support/api/methods/domains-dns/set-hosts/>

mod api;
mod hosts;

use std::net::Ipv4Addr;

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http, turn,
};

use api::Api;
use hosts::Host;

const USER: &str = "NAMECHEAP_API_USER";
const API_KEY: &str = "NAMECHEAP_API_KEY";
const CLIENT_IP: &str = "NAMECHEAP_CLIENT_IP";
const SANDBOX: &str = "NAMECHEAP_SANDBOX";
const BASE_URL: &str = "NAMECHEAP_API_URL";
const PREFIX: &str = "NAMECHEAP_";

const DEFAULT_URL: &str = "https://api.namecheap.com/xml.response";
const SANDBOX_URL: &str = "https://api.sandbox.namecheap.com/xml.response";

/// What the API takes, in seconds.
const TTL_RANGE: std::ops::RangeInclusive<u32> = 60..=60_000;

struct Namecheap {
    api: Api,
    ttl: u32,
}

impl Provider for Namecheap {
    fn describe() -> Description {
        Description::new("namecheap", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.namecheap.com/support/api/intro/")
            .host("api.namecheap.com")
            .host("api.sandbox.namecheap.com")
            .key(Key::new(USER).required().help("User name of the account"))
            .key(Key::new(API_KEY).required().secret().help("API key, from Profile / Tools / API Access"))
            .key(
                Key::new(CLIENT_IP)
                    .required()
                    .help("IPv4 address from which this server reaches Namecheap, as whitelisted under API Access"),
            )
            .key(Key::new(SANDBOX).default("false").help("true for the sandbox, which has accounts of its own"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 120, 3600, 15)
    }

    fn from_env() -> Result<Self, Error> {
        let default = match env::optional_or(SANDBOX, "false").to_ascii_lowercase().as_str() {
            "true" | "1" => SANDBOX_URL,
            "false" | "0" => DEFAULT_URL,
            _ => return Err(Error::config(format!("{SANDBOX} is neither true nor false"))),
        };
        let client = http::Client::new(&env::optional_or(BASE_URL, default))?;
        let (user, key) = (env::required(USER)?, env::required(API_KEY)?);
        let Some(address) = env::parsed::<Ipv4Addr>(CLIENT_IP)? else {
            return Err(Error::config(format!("{CLIENT_IP} is not set: the IPv4 address that is whitelisted")));
        };
        Ok(Self { api: Api::new(client, user, key, address), ttl: env::ttl(PREFIX, 120)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let domain = self.domain(record)?;
        let name = dns::relative_to(&record.name, &domain);
        let ttl = dns::ttl_or(record, self.ttl).clamp(*TTL_RANGE.start(), *TTL_RANGE.end());
        self.change(&domain, name, &record.value, |hosts| {
            if hosts.iter().all(|host| !host.is_txt(name, &record.value)) {
                hosts.push(Host::txt(name, &record.value, ttl));
            }
        })?;
        Ok(domain)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let domain = if handle.is_empty() { self.domain(record) } else { Ok(handle.to_owned()) };
        let change = |domain: String| {
            let name = dns::relative_to(&record.name, &domain);
            self.change(&domain, name, &record.value, |hosts| hosts.retain(|host| !host.is_txt(name, &record.value)))
        };
        match domain.and_then(change) {
            // With its domain the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => Ok(()),
            result => result,
        }
    }
}

impl Namecheap {
    /// The domain that holds the record: what the host found, or the longest that the account has.
    fn domain(&self, record: &TxtRecord) -> Result<String, Error> {
        if !record.zone.is_empty() {
            return Ok(record.zone.clone());
        }
        let domains = self.api.domains()?;
        let of_account = |candidate: &&str| domains.iter().any(|domain| domain.eq_ignore_ascii_case(candidate));
        let found = dns::zone_candidates(record).into_iter().find(of_account);
        found.map(str::to_owned).ok_or_else(|| Error::zone_not_found(&record.name))
    }

    /// Reads all host records, changes them, and writes them back if that made a difference; one call after the other,
    /// for each would undo what another wrote since it read.
    fn change(&self, domain: &str, name: &str, value: &str, change: impl FnOnce(&mut Vec<Host>)) -> Result<(), Error> {
        turn::take(domain)?;
        let before = self.api.read(domain)?;
        let mut wanted = before.clone();
        change(&mut wanted.hosts);
        if wanted.hosts == before.hosts {
            return Ok(());
        }
        before.writable()?;
        self.api.write(domain, &wanted)?;
        let after = self.api.read(domain)?;
        after.holds(&wanted, |host| host.is_txt(name, value))
    }
}

export_provider!(Namecheap);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Namecheap>(include_str!("../conformance.json"));
    }
}
