//! The `tencentcloud` DNS-01 provider: DNSPod at Tencent Cloud, API 3.0, version 2021-03-23.
//!
//! Reference: <https://cloud.tencent.com/document/api/1427/56180>

mod api;
mod sign;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;
use sign::Signer;

const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
const SESSION_TOKEN: &str = "TENCENTCLOUD_SESSION_TOKEN";
const REGION: &str = "TENCENTCLOUD_REGION";
const BASE_URL: &str = "TENCENTCLOUD_API_URL";
const DEFAULT_URL: &str = "https://dnspod.tencentcloudapi.com";
const PREFIX: &str = "TENCENTCLOUD_";

/// The name of the product in signatures.
const SERVICE: &str = "dnspod";

struct TencentCloud {
    api: Api,
    ttl: u32,
}

impl Provider for TencentCloud {
    fn describe() -> Description {
        Description::new("tencentcloud", env!("CARGO_PKG_VERSION"))
            .homepage("https://cloud.tencent.com/document/api/1427/84627")
            .host("dnspod.tencentcloudapi.com")
            .key(Key::new(SECRET_ID).required().help("SecretId of an API key"))
            .key(Key::new(SECRET_KEY).required().secret().help("SecretKey that belongs to the id"))
            .key(Key::new(SESSION_TOKEN).secret().help("Token of temporary credentials"))
            .key(Key::new(REGION).help("Region that is sent along; DNSPod does not need one"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 600, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let signer = Signer {
            service: SERVICE,
            secret_id: env::required(SECRET_ID)?,
            secret_key: env::required(SECRET_KEY)?,
            session_token: env::optional(SESSION_TOKEN),
        };
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        let region = env::optional(REGION);
        let client = region.iter().fold(client, |client, region| client.header("x-tc-region", region));
        let client = client.sign_with(move |request| signer.sign(request));
        Ok(Self { api: Api::new(client), ttl: env::ttl(PREFIX, 600)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        in_zone(record, |zone| {
            let created = self.api.create(zone, record, dns::ttl_or(record, self.ttl))?;
            let id = match created {
                // An identical record was there. A new one may not be listed yet; then there is no handle.
                None => self.api.find(zone, record)?.pop(),
                created => created,
            };
            Ok(id.map(|id| format!("{zone}/{id}")).unwrap_or_default())
        })
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let known = handle.split_once('/').and_then(|(zone, id)| Some((zone, id.parse().ok()?)));
        let result = match known {
            Some((zone, id)) => self.api.delete(zone, id),
            None => in_zone(record, |zone| {
                self.api.find(zone, record)?.into_iter().try_for_each(|id| self.api.delete(zone, id))
            }),
        };
        match result {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => Ok(()),
            result => result,
        }
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

export_provider!(TencentCloud);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::TencentCloud>(include_str!("../conformance.json"));
    }
}
