//! The `azuredns` DNS-01 provider: Azure's public and private DNS zones, with an application's secret.
//!
//! A record set is read, changed and written back as a whole. Azure refuses that when the set is not as it was read:
//! each version of a set has an ETag.
//! Reference: <https://learn.microsoft.com/en-us/rest/api/dns/record-sets>,
//! <https://learn.microsoft.com/en-us/rest/api/dns/privatedns/record-sets>

mod api;
mod cloud;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider};

use api::{Api, Kind, Set, Zone};
use cloud::Login;

const SUBSCRIPTION: &str = "AZURE_SUBSCRIPTION_ID";
const RESOURCE_GROUP: &str = "AZURE_RESOURCE_GROUP";
const ZONE_NAME: &str = "AZURE_ZONE_NAME";
const PRIVATE_ZONE: &str = "AZURE_PRIVATE_ZONE";
const PREFIX: &str = "AZURE_";

struct AzureDns {
    login: Login,
    kind: Kind,
    subscription: Option<String>,
    resource_group: Option<String>,
    zone_name: Option<String>,
    ttl: u32,
}

impl Provider for AzureDns {
    fn describe() -> Description {
        let description = Description::new("azuredns", env!("CARGO_PKG_VERSION"))
            .homepage("https://learn.microsoft.com/en-us/rest/api/dns/")
            .key(Key::new(SUBSCRIPTION).help("Subscription that holds the zone; default: all that can be seen"))
            .key(Key::new(RESOURCE_GROUP).help("Resource group that holds the zone; default: all that can be seen"))
            .key(Key::new(ZONE_NAME).help("Zone that holds the records; found from the name when not set"))
            .key(Key::new(PRIVATE_ZONE).default("false").help("Whether it is a private zone"));
        let description = Login::keys().into_iter().fold(description, Description::key);
        cloud::hosts().fold(description, Description::host).times(PREFIX, 60, 120, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let is_private = env::parsed_or(PRIVATE_ZONE, false)?;
        Ok(Self {
            login: Login::from_env()?,
            kind: if is_private { Kind::Private } else { Kind::Public },
            subscription: env::optional(SUBSCRIPTION),
            resource_group: env::optional(RESOURCE_GROUP),
            zone_name: env::optional(ZONE_NAME).map(|zone| zone.trim_end_matches('.').to_ascii_lowercase()),
            ttl: env::ttl(PREFIX, 60)?,
        })
    }

    fn check(&self) -> Result<(), Error> {
        let api = self.api()?;
        match self.zone_name.as_deref().and_then(|name| self.place(name)) {
            Some(zone) if api.exists(&zone)? => Ok(()),
            Some(zone) => Err(Error::zone_not_found(&zone.name)),
            None => api.check(),
        }
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let api = self.api()?;
        let zone = self.zone(&api, record)?;
        let name = relative(record, &zone)?;
        match api.txt(&zone, name)? {
            Some(set) if set.has(&record.value) => {}
            Some(mut set) => {
                set.add(&record.value);
                api.put(&zone, name, &set)?;
            }
            None => api.put(&zone, name, &Set::new(&record.value, dns::ttl_or(record, self.ttl)))?,
        }
        Ok(zone.to_handle())
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        match self.remove(record, handle) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => Ok(()),
            result => result,
        }
    }
}

impl AzureDns {
    fn api(&self) -> Result<Api, Error> {
        Ok(Api::new(self.login.client()?, self.kind))
    }

    fn remove(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let api = self.api()?;
        let zone = match Zone::from_handle(handle) {
            Some(zone) => zone,
            None => self.zone(&api, record)?,
        };
        let name = relative(record, &zone)?;
        match api.txt(&zone, name)? {
            Some(mut set) if set.has(&record.value) => {
                set.remove(&record.value);
                if set.is_empty() { api.delete(&zone, name, &set) } else { api.put(&zone, name, &set) }
            }
            _ => Ok(()),
        }
    }

    /// The zone that holds the record.
    fn zone(&self, api: &Api, record: &TxtRecord) -> Result<Zone, Error> {
        let names = match &self.zone_name {
            Some(name) => vec![name.as_str()],
            None => dns::zone_candidates(record),
        };
        if self.subscription.is_none() || self.resource_group.is_none() {
            let found = api.find(&names, self.subscription.as_deref(), self.resource_group.as_deref())?;
            return found.ok_or_else(|| Error::zone_not_found(&record.name));
        }
        for zone in names.into_iter().filter_map(|name| self.place(name)) {
            // With all of it given, there is nothing to look up.
            if self.zone_name.is_some() || api.exists(&zone)? {
                return Ok(zone);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// A zone of this name in the resource group, if that is given.
    fn place(&self, name: &str) -> Option<Zone> {
        let (subscription, resource_group) = (self.subscription.clone()?, self.resource_group.clone()?);
        Some(Zone { subscription, resource_group, name: name.to_owned() })
    }
}

/// The record's name within the zone.
fn relative<'a>(record: &'a TxtRecord, zone: &Zone) -> Result<&'a str, Error> {
    match dns::relative_to(&record.name, &zone.name) {
        // Azure would take it for a name below the zone.
        name if name == record.name => {
            Err(Error::new(ErrorKind::ZoneNotFound, format!("{name} is not in the zone {}", zone.name)))
        }
        name => Ok(name),
    }
}

export_provider!(AzureDns);

#[cfg(test)]
mod tests;
