//! The `alidns` DNS-01 provider: Alibaba Cloud DNS, API version 2015-01-09.
//!
//! Reference: <https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-adddomainrecord>

mod api;
mod sign;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;
use sign::Signer;

const ACCESS_KEY: &str = "ALICLOUD_ACCESS_KEY";
const SECRET_KEY: &str = "ALICLOUD_SECRET_KEY";
const SECURITY_TOKEN: &str = "ALICLOUD_SECURITY_TOKEN";
const REGION_ID: &str = "ALICLOUD_REGION_ID";
const LINE: &str = "ALICLOUD_LINE";
const BASE_URL: &str = "ALICLOUD_API_URL";
const DEFAULT_LINE: &str = "default";
const DEFAULT_URL: &str = "https://alidns.aliyuncs.com";
const PREFIX: &str = "ALICLOUD_";

struct AliDns {
    api: Api,
    ttl: u32,
}

impl Provider for AliDns {
    fn describe() -> Description {
        Description::new("alidns", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-ram")
            .host("alidns.aliyuncs.com")
            .key(Key::new(ACCESS_KEY).required().help("AccessKey id of a RAM user or role"))
            .key(Key::new(SECRET_KEY).required().secret().help("AccessKey secret that belongs to the id"))
            .key(Key::new(SECURITY_TOKEN).secret().help("STS token of temporary credentials"))
            .key(Key::new(REGION_ID).help("Without effect: the API has one address for all regions"))
            .key(Key::new(LINE).default(DEFAULT_LINE).help("DNS line of the TXT records"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 600, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let signer = Signer {
            access_key: env::required(ACCESS_KEY)?,
            secret_key: env::required(SECRET_KEY)?,
            security_token: env::optional(SECURITY_TOKEN),
        };
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?
            .sign_with(move |request| signer.sign(request, &sign::nonce()));
        Ok(Self { api: Api::new(client, env::optional_or(LINE, DEFAULT_LINE)), ttl: env::ttl(PREFIX, 600)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        in_zone(record, |zone| {
            if let Some(id) = self.api.add(zone, record, dns::ttl_or(record, self.ttl))? {
                return Ok(id);
            }
            // An identical record was there.
            let found = self.api.find(zone, record)?.pop();
            found.ok_or_else(|| Error::conflict(format!("a record like {} came and went", record.name)))
        })
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if !handle.is_empty() {
            return self.api.delete(handle);
        }
        let found = match in_zone(record, |zone| self.api.find(zone, record)) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            found => found?,
        };
        found.iter().try_for_each(|id| self.api.delete(id))
    }
}

/// Tries the zones that may hold the record, until the account has one of them.
fn in_zone<T>(record: &TxtRecord, attempt: impl Fn(&str) -> Result<T, Error>) -> Result<T, Error> {
    for zone in dns::zone_candidates(record) {
        match attempt(zone) {
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => {}
            result => return result,
        }
    }
    Err(Error::zone_not_found(&record.name))
}

export_provider!(AliDns);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::AliDns>(include_str!("../conformance.json"));
    }
}
