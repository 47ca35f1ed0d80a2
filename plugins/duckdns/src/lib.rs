//! The `duckdns` DNS-01 provider: Duck DNS, which holds one TXT value for each of its domains and all names below it.
//!
//! The value can be set and cleared, but not read, and there is no request that changes nothing.
//! Reference: <https://www.duckdns.org/spec.jsp>

use std::time::Duration;

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, env, export_provider, http};

const TOKEN: &str = "DUCKDNS_TOKEN";
const BASE_URL: &str = "DUCKDNS_API_URL";
const TIMEOUT: &str = "DUCKDNS_PROPAGATION_TIMEOUT";
const INTERVAL: &str = "DUCKDNS_POLLING_INTERVAL";

const DEFAULT_URL: &str = "https://www.duckdns.org";
const PARENT: &str = ".duckdns.org";

struct DuckDns {
    api: http::Client,
    token: String,
}

impl Provider for DuckDns {
    fn describe() -> Description {
        // The TTL is Duck DNS's own, so there is no variable for it.
        let seconds = |name, default| Duration::from_secs(env::parsed(name).ok().flatten().unwrap_or(default));
        Description::new("duckdns", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.duckdns.org/spec.jsp")
            .host("www.duckdns.org")
            .key(Key::new(TOKEN).required().secret().help("Account token, shown at the top of www.duckdns.org"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .key(Key::new(TIMEOUT).default("60").help("How long a change may take to show, in seconds"))
            .key(Key::new(INTERVAL).default("2").help("How often to look, in seconds"))
            .propagation(seconds(TIMEOUT, 60), seconds(INTERVAL, 2))
            .single_value()
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.header("accept", "text/plain");
        Ok(Self { api, token: env::required(TOKEN)? })
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let domain = domain(&record.name).ok_or_else(|| Error::zone_not_found(&record.name))?;
        self.update(domain, |request| request.query("txt", &record.value))?;
        Ok(String::new())
    }

    fn cleanup(&self, record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        let Some(domain) = domain(&record.name) else { return Ok(()) };
        // Without `txt`, even an empty one, `clear` would remove the domain's addresses.
        self.update(domain, |request| request.query("txt", "").query("clear", "true"))
    }
}

impl DuckDns {
    fn update(&self, domain: &str, change: impl FnOnce(http::Request<'_>) -> http::Request<'_>) -> Result<(), Error> {
        let request = self.api.get("update").query("domains", domain).query("token", &self.token);
        let answer = change(request).send()?.text();
        match answer.trim() {
            "OK" => Ok(()),
            "KO" => Err(Error::unauthorized(format!(
                "Duck DNS answered KO for {domain}{PARENT}: the token is wrong, or the domain is not of its account"
            ))),
            _ => Err(Error::unavailable("Duck DNS answered neither OK nor KO")),
        }
    }
}

/// The Duck DNS domain that a name is in, without `.duckdns.org`: all names below a domain have its value.
fn domain(name: &str) -> Option<&str> {
    name.strip_suffix(PARENT)?.rsplit('.').next().filter(|domain| !domain.is_empty())
}

export_provider!(DuckDns);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::DuckDns>(include_str!("../conformance.json"));
    }
}
