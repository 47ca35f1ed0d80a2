//! The `netcup` DNS-01 provider: the DNS part of the API of netcup's customer control panel.
//!
//! Reference: <https://ccp.netcup.net/run/webservice/servers/endpoint.php> and
//! <https://helpcenter.netcup.com/en/wiki/general/our-api>

mod api;

use std::time::Duration;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::{Api, Record, Session};

const CUSTOMER: &str = "NETCUP_CUSTOMER_NUMBER";
const API_KEY: &str = "NETCUP_API_KEY";
const PASSWORD: &str = "NETCUP_API_PASSWORD";
const BASE_URL: &str = "NETCUP_API_URL";
const TIMEOUT: &str = "NETCUP_PROPAGATION_TIMEOUT";
const INTERVAL: &str = "NETCUP_POLLING_INTERVAL";

const DEFAULT_URL: &str = "https://ccp.netcup.net/run/webservice/servers/endpoint.php";

struct Netcup {
    api: Api,
}

impl Provider for Netcup {
    fn describe() -> Description {
        // Records have no TTL of their own, so there is no variable for it.
        let seconds = |name, default| Duration::from_secs(env::parsed(name).ok().flatten().unwrap_or(default));
        Description::new("netcup", env!("CARGO_PKG_VERSION"))
            .homepage("https://helpcenter.netcup.com/en/wiki/general/our-api")
            .host("ccp.netcup.net")
            .key(Key::new(CUSTOMER).required().help("Customer number, shown at the top of the control panel"))
            .key(Key::new(API_KEY).required().secret().help("API key, from Master Data / API"))
            .key(Key::new(PASSWORD).required().secret().help("API password, from Master Data / API"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .key(Key::new(TIMEOUT).default("900").help("How long a change may take to show, in seconds"))
            .key(Key::new(INTERVAL).default("30").help("How often to look, in seconds"))
            .propagation(seconds(TIMEOUT, 900), seconds(INTERVAL, 30))
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        let (customer, key, password) = (env::required(CUSTOMER)?, env::required(API_KEY)?, env::required(PASSWORD)?);
        Ok(Self { api: Api::new(client, customer, key, password) })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.with_session(|_| Ok(()))
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        self.api.with_session(|session| {
            let (zone, records) = read(session, &dns::zone_candidates(record), record)?;
            let hostname = dns::relative_to(&record.name, &zone);
            if !records.iter().any(|found| found.is(hostname, &record.value)) {
                session.update(&zone, &[Record::new(hostname, &record.value)])?;
            }
            Ok(zone)
        })
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        self.api.with_session(|session| {
            let candidates = if handle.is_empty() { dns::zone_candidates(record) } else { vec![handle] };
            let (zone, records) = match read(session, &candidates, record) {
                // With its zone the value is gone too.
                Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
                read => read?,
            };
            let hostname = dns::relative_to(&record.name, &zone);
            let matching = records.into_iter().filter(|found| found.is(hostname, &record.value));
            let doomed: Vec<Record> = matching.map(Record::deleted).collect();
            if doomed.is_empty() { Ok(()) } else { session.update(&zone, &doomed) }
        })
    }
}

/// The zone that holds the record, with all that is in it.
fn read(session: &Session<'_>, candidates: &[&str], record: &TxtRecord) -> Result<(String, Vec<Record>), Error> {
    // The shortest first: netcup has zones for registered domains only, and locks out who asks for too many others.
    for zone in candidates.iter().rev().filter(|zone| zone.contains('.')) {
        if let Some(records) = session.records(zone)? {
            return Ok(((*zone).to_owned(), records));
        }
    }
    Err(Error::zone_not_found(&record.name))
}

export_provider!(Netcup);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Netcup>(include_str!("../conformance.json"));
    }
}
