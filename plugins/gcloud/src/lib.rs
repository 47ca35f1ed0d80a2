//! The `gcloud` DNS-01 provider: Google Cloud DNS, version 1, with a service account.
//!
//! A record set changes by a request that deletes what was read and adds what is to be. Google takes it whole or not
//! at all, and not when the set has changed in between.
//! Reference: <https://cloud.google.com/dns/docs/reference/rest/v1/changes/create>

mod account;
mod api;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use account::ServiceAccount;
use api::{Api, RecordSet};

const ACCOUNT: &str = "GCE_SERVICE_ACCOUNT";
const PROJECT: &str = "GCE_PROJECT";
const ZONE_ID: &str = "GCE_ZONE_ID";
const ALLOW_PRIVATE_ZONE: &str = "GCE_ALLOW_PRIVATE_ZONE";
const BASE_URL: &str = "GCE_API_URL";
const DEFAULT_URL: &str = "https://dns.googleapis.com";
const PREFIX: &str = "GCE_";

struct GoogleCloud {
    account: ServiceAccount,
    client: http::Client,
    project: String,
    zone_id: Option<String>,
    allow_private_zone: bool,
    ttl: u32,
}

impl Provider for GoogleCloud {
    fn describe() -> Description {
        Description::new("gcloud", env!("CARGO_PKG_VERSION"))
            .homepage("https://cloud.google.com/dns/docs/reference/rest/v1")
            .host("dns.googleapis.com")
            .host("oauth2.googleapis.com")
            // The token endpoint in older keys.
            .host("accounts.google.com")
            .key(Key::new(ACCOUNT).required().secret().help("Key of a service account: the JSON file's content"))
            .key(Key::new(PROJECT).help("Project that holds the zones; default: the one in the key"))
            .key(Key::new(ZONE_ID).help("Name or number of the managed zone; found from the name when not set"))
            .key(Key::new(ALLOW_PRIVATE_ZONE).default("false").help("Take a private zone where there is no public one"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 120, 180, 5)
            .reports_ready()
    }

    fn from_env() -> Result<Self, Error> {
        let account = ServiceAccount::from_json(&env::required(ACCOUNT)?)?;
        let project = env::optional(PROJECT).or_else(|| account.project.clone());
        Ok(Self {
            project: project.ok_or_else(|| Error::config(format!("{PROJECT} is not set, nor is it in {ACCOUNT}")))?,
            client: http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?,
            account,
            zone_id: env::optional(ZONE_ID),
            allow_private_zone: env::parsed_or(ALLOW_PRIVATE_ZONE, false)?,
            ttl: env::ttl(PREFIX, 120)?,
        })
    }

    fn check(&self) -> Result<(), Error> {
        self.api()?.check(self.zone_id.as_deref())
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let api = self.api()?;
        let zone = self.zone(&api, record)?;
        let value = dns::quoted(&record.value);
        let change = match api.txt(&zone, &record.name)? {
            // There is no change to wait for.
            Some(set) if set.rrdatas.contains(&value) => String::new(),
            Some(set) => {
                let mut new = set.clone();
                new.rrdatas.push(value);
                api.change(&zone, Some(&set), Some(&new))?
            }
            None => {
                let new = RecordSet::new(&record.name, dns::ttl_or(record, self.ttl), value);
                api.change(&zone, None, Some(&new))?
            }
        };
        Ok(format!("{zone}/{change}"))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        match self.remove(record, handle) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => Ok(()),
            result => result,
        }
    }

    fn ready(&self, _record: &TxtRecord, handle: &str) -> Result<bool, Error> {
        match handle.split_once('/') {
            Some((zone, change)) if !change.is_empty() => self.api()?.is_done(zone, change),
            _ => Ok(true),
        }
    }
}

impl GoogleCloud {
    fn api(&self) -> Result<Api, Error> {
        Ok(Api::new(self.client.clone().bearer(&self.account.token()?), &self.project))
    }

    fn remove(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let api = self.api()?;
        let zone = match handle.split_once('/') {
            Some((zone, _)) => zone.to_owned(),
            None => self.zone(&api, record)?,
        };
        let Some(set) = api.txt(&zone, &record.name)? else { return Ok(()) };
        let mut new = set.clone();
        new.rrdatas.retain(|value| *value != dns::quoted(&record.value));
        if new.rrdatas.len() == set.rrdatas.len() {
            return Ok(());
        }
        let addition = (!new.rrdatas.is_empty()).then_some(&new);
        api.change(&zone, Some(&set), addition).map(drop)
    }

    /// The name of the managed zone that holds the record.
    fn zone(&self, api: &Api, record: &TxtRecord) -> Result<String, Error> {
        // Not looked up: the account may have rights to this zone alone.
        if let Some(zone) = &self.zone_id {
            return Ok(zone.clone());
        }
        for candidate in dns::zone_candidates(record) {
            let (private, public): (Vec<_>, Vec<_>) =
                api.zones(candidate)?.into_iter().partition(api::Zone::is_private);
            let private = private.into_iter().filter(|_| self.allow_private_zone);
            if let Some(zone) = public.into_iter().chain(private).next() {
                return Ok(zone.name);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }
}

export_provider!(GoogleCloud);

#[cfg(test)]
mod tests;
