//! The `pdns` DNS-01 provider: a PowerDNS authoritative server with its REST API.
//!
//! A record set is read, changed and written back as a whole. The host orders calls for one name, and whoever else
//! edits the same set at the same moment loses: PowerDNS has no conditional write.
//! Reference: <https://doc.powerdns.com/authoritative/http-api/zone.html>

mod api;

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, host, http};

use api::{Api, Change, Entry, Zone};

const URL: &str = "PDNS_API_URL";
const API_KEY: &str = "PDNS_API_KEY";
const SERVER_NAME: &str = "PDNS_SERVER_NAME";
const API_VERSION: &str = "PDNS_API_VERSION";
const PREFIX: &str = "PDNS_";

const DEFAULT_SERVER_NAME: &str = "localhost";
const DEFAULT_TTL: u32 = 120;

/// Old servers answer with the whole zone, whatever set was asked for. A little less than the 8 MiB at which the host
/// ends the call.
const MAX_BODY: usize = 7 * 1024 * 1024;

struct PowerDns {
    client: http::Client,
    server_name: String,
    api_version: Option<u32>,
    ttl: u32,
}

impl Provider for PowerDns {
    fn describe() -> Description {
        Description::new("pdns", env!("CARGO_PKG_VERSION"))
            .homepage("https://doc.powerdns.com/authoritative/http-api/")
            .key(
                Key::new(URL)
                    .required()
                    .endpoint()
                    .help("Address of the server's API without /api/v1, for example http://ns1.example.com:8081"),
            )
            .key(Key::new(API_KEY).required().secret().help("The value of api-key in pdns.conf"))
            .key(
                Key::new(SERVER_NAME)
                    .default(DEFAULT_SERVER_NAME)
                    .help("Server id in the API's paths; PowerDNS itself calls every server localhost"),
            )
            .key(Key::new(API_VERSION).help("0 for servers before 4.0, else 1; asked from the server when not set"))
            .times(PREFIX, DEFAULT_TTL, 120, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let url = env::required(URL)?;
        let url = url.trim_end_matches('/');
        // Many copy the address from the API's documentation, which has the version in it.
        let base = url.strip_suffix("/api/v1").unwrap_or(url);
        let client = http::Client::new(base)?.header("x-api-key", &env::required(API_KEY)?).max_body(MAX_BODY);
        Ok(Self {
            client,
            server_name: env::optional_or(SERVER_NAME, DEFAULT_SERVER_NAME),
            api_version: env::parsed(API_VERSION)?,
            ttl: env::ttl(PREFIX, DEFAULT_TTL)?,
        })
    }

    fn check(&self) -> Result<(), Error> {
        self.api()?.server()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let api = self.api()?;
        let zone = api.zone(record)?;
        let mut entries = zone.entries(&record.name);
        let content = dns::quoted(&record.value);
        if !entries.iter().any(|entry| entry.content == content && !entry.disabled) {
            entries.retain(|entry| entry.content != content);
            entries.push(Entry { content, disabled: false });
            self.write(&api, &zone, record, entries)?;
        }
        Ok(zone.name)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let api = self.api()?;
        let zone = if handle.is_empty() { api.zone(record) } else { api.zone_named(handle, record) };
        let zone = match zone {
            Ok(zone) => zone,
            // With its zone the value is gone too.
            Err(error) if error.kind() == acme_manager_plugin::ErrorKind::ZoneNotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut entries = zone.entries(&record.name);
        let before = entries.len();
        entries.retain(|entry| entry.content != dns::quoted(&record.value));
        if entries.len() == before {
            return Ok(());
        }
        self.write(&api, &zone, record, entries)
    }
}

impl PowerDns {
    fn api(&self) -> Result<Api<'_>, Error> {
        Api::connect(&self.client, &self.server_name, self.api_version)
    }

    fn write(&self, api: &Api<'_>, zone: &Zone, record: &TxtRecord, entries: Vec<Entry>) -> Result<(), Error> {
        let change = if entries.is_empty() { Change::Delete } else { Change::Replace(entries) };
        api.write(&zone.name, &record.name, dns::ttl_or(record, self.ttl), change)?;
        if zone.notifies() {
            // The change stands; secondaries that miss the notification still look at their refresh interval.
            if let Err(error) = api.notify(&zone.name) {
                host::warn(&format!("the secondaries of {} were not notified: {error}", zone.name));
            }
        }
        Ok(())
    }
}

export_provider!(PowerDns);

#[cfg(test)]
mod tests;
