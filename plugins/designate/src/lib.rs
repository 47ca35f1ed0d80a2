//! The `designate` DNS-01 provider: OpenStack's DNS service, found in the catalogue of its identity service.
//!
//! A record set is read, changed and written back as a whole. The host orders calls for one name, and whoever else
//! edits the same set at the same moment loses: Designate has no conditional write.
//! Reference: <https://docs.openstack.org/api-ref/dns/dns-api-v2-index.html>

mod api;
mod identity;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider};

use api::{Api, Set, Zone};
use identity::Identity;

const ENDPOINT: &str = "DESIGNATE_ENDPOINT";
const ZONE_NAME: &str = "DESIGNATE_ZONE_NAME";
const PREFIX: &str = "DESIGNATE_";

struct Designate {
    identity: Identity,
    endpoint: Option<String>,
    zone_name: Option<String>,
    ttl: u32,
}

impl Provider for Designate {
    fn describe() -> Description {
        let description = Description::new("designate", env!("CARGO_PKG_VERSION"))
            .homepage("https://docs.openstack.org/designate/latest/");
        Identity::keys()
            .into_iter()
            .fold(description, Description::key)
            .key(Key::new(ENDPOINT).endpoint().help("Address of Designate, where it is not that of OS_AUTH_URL"))
            .key(Key::new(ZONE_NAME).help("Zone that holds the records; found from the name when not set"))
            .times(PREFIX, 10, 600, 10)
            .reports_ready()
    }

    fn from_env() -> Result<Self, Error> {
        let zone_name = env::optional(ZONE_NAME).map(|zone| zone.trim_end_matches('.').to_owned());
        let endpoint = env::optional(ENDPOINT);
        Ok(Self { identity: Identity::from_env()?, endpoint, zone_name, ttl: env::ttl(PREFIX, 10)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api()?.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let api = self.api()?;
        let zone = self.zone(&api, record)?;
        let set = match api.set_named(&zone.id, &record.name)? {
            None => api.create(&zone.id, &record.name, &record.value, dns::ttl_or(record, self.ttl))?,
            // What is added to it now may go with it.
            Some(set) if set.is_going() => {
                return Err(Error::conflict(format!("the TXT records at {} are being deleted", record.name)));
            }
            Some(set) if set.records.iter().any(|entry| is_value(entry, &record.value)) => set,
            Some(mut set) => {
                set.records.push(dns::quoted(&record.value));
                api.update(&zone.id, &set)?;
                set
            }
        };
        Ok(format!("{}/{}", zone.id, set.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let api = self.api()?;
        let zone = match handle.split_once('/') {
            Some((zone, _)) => zone.to_owned(),
            None => match self.zone(&api, record) {
                // With its zone the value is gone too.
                Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
                zone => zone?.id,
            },
        };
        let Some(mut set) = api.set_named(&zone, &record.name)?.filter(|set| !set.is_going()) else { return Ok(()) };
        let before = set.records.len();
        set.records.retain(|entry| !is_value(entry, &record.value));
        match set.records.len() {
            after if after == before => Ok(()),
            0 => api.delete(&zone, &set),
            _ => api.update(&zone, &set),
        }
    }

    fn ready(&self, _record: &TxtRecord, handle: &str) -> Result<bool, Error> {
        let Some((zone, set)) = handle.split_once('/') else { return Ok(true) };
        let set: Set = self.api()?.set(zone, set)?;
        match set.status.as_str() {
            "ACTIVE" => Ok(true),
            // Designate tries again by itself.
            "ERROR" => Err(Error::unavailable(format!("Designate could not bring {} to its name servers", set.name))),
            _ => Ok(false),
        }
    }
}

impl Designate {
    fn api(&self) -> Result<Api, Error> {
        let session = self.identity.login()?;
        match &self.endpoint {
            Some(endpoint) => Api::new(endpoint, &session.token, false),
            None => Api::new(&self.identity.dns_service(&session)?, &session.token, true),
        }
    }

    fn zone(&self, api: &Api, record: &TxtRecord) -> Result<Zone, Error> {
        let candidates = match &self.zone_name {
            Some(zone) => vec![zone.as_str()],
            None => dns::zone_candidates(record),
        };
        for candidate in candidates {
            if let Some(zone) = api.zone(candidate)? {
                return Ok(zone);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }
}

/// Designate gives values back as they were written, with quotes or without.
fn is_value(entry: &str, value: &str) -> bool {
    entry == value || entry == dns::quoted(value)
}

export_provider!(Designate);

#[cfg(test)]
mod tests;
