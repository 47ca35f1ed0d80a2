//! The `cloudflare` DNS-01 provider.
//!
//! Requests are those of the `cloudflare` crate, sent through the host. Answers are read here: the crate's types
//! insist on fields that Cloudflare stopped sending to all accounts.
//! Reference: <https://developers.cloudflare.com/api/resources/dns/subresources/records/>

mod api;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::{Api, RecordPlace};

const DNS_TOKEN: &str = "CF_DNS_API_TOKEN";
const ZONE_TOKEN: &str = "CF_ZONE_API_TOKEN";
const EMAIL: &str = "CLOUDFLARE_EMAIL";
const API_KEY: &str = "CLOUDFLARE_API_KEY";
const BASE_URL: &str = "CLOUDFLARE_BASE_URL";

const DEFAULT_BASE_URL: &str = "https://api.cloudflare.com/client/v4";
/// Both are in use with lego, for the settings of time as for the credentials.
const PREFIXES: [&str; 2] = ["CLOUDFLARE_", "CF_"];
const DEFAULT_TTL: u32 = 120;
/// Accounts below Enterprise get an error for less.
const MIN_TTL: u32 = 60;

struct Cloudflare {
    api: Api,
    ttl: u32,
}

impl Provider for Cloudflare {
    fn describe() -> Description {
        Description::new("cloudflare", env!("CARGO_PKG_VERSION"))
            .homepage("https://developers.cloudflare.com/fundamentals/api/get-started/create-token/")
            .host("api.cloudflare.com")
            .key(
                Key::new(DNS_TOKEN)
                    .alias("CLOUDFLARE_DNS_API_TOKEN")
                    .secret()
                    .help("API token with Zone / DNS / Edit, and Zone / Zone / Read unless CF_ZONE_API_TOKEN is set"),
            )
            .key(
                Key::new(ZONE_TOKEN)
                    .alias("CLOUDFLARE_ZONE_API_TOKEN")
                    .secret()
                    .help("API token with Zone / Zone / Read; default: CF_DNS_API_TOKEN"),
            )
            .key(Key::new(EMAIL).alias("CF_API_EMAIL").help("Account email; only together with CLOUDFLARE_API_KEY"))
            .key(
                Key::new(API_KEY)
                    .alias("CF_API_KEY")
                    .secret()
                    .help("Global API key: it may do everything in the account, a token is safer"),
            )
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_BASE_URL).help("Base address of the API"))
            .times_of(&PREFIXES, DEFAULT_TTL, 120, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let base = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_BASE_URL))?;
        let api = match (env::optional(DNS_TOKEN), env::optional(EMAIL), env::optional(API_KEY)) {
            (Some(token), _, _) => {
                let zone_token = env::optional_or(ZONE_TOKEN, &token);
                Api::new(base.clone().bearer(&zone_token), base.bearer(&token))
            }
            (None, Some(email), Some(key)) => {
                let client = base.header("x-auth-email", &email).header("x-auth-key", &key);
                Api::new(client.clone(), client)
            }
            _ => return Err(Error::config(format!("set {DNS_TOKEN}, or {EMAIL} and {API_KEY}"))),
        };
        Ok(Self { api, ttl: env::ttl(PREFIXES[0], DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
        let place = match self.api.create(&zone, &record.name, &record.value, ttl)? {
            Some(place) => place,
            // An identical record was there.
            None => match self.api.find(&zone, &record.name, &record.value)?.pop() {
                Some(place) => place,
                None => return Err(Error::conflict(format!("a record like {} came and went", record.name))),
            },
        };
        Ok(place.to_handle())
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some(place) = RecordPlace::from_handle(handle) {
            return self.api.delete(&place);
        }
        let zone = match self.zone(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        self.api.find(&zone, &record.name, &record.value)?.iter().try_for_each(|place| self.api.delete(place))
    }
}

impl Cloudflare {
    /// The identifier of the zone that holds the record.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        for candidate in dns::zone_candidates(record) {
            if let Some(zone) = self.api.zone(candidate)? {
                return Ok(zone);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }
}

export_provider!(Cloudflare);

#[cfg(test)]
mod tests;
