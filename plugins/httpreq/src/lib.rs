//! The `httpreq` DNS-01 provider: a server of the operator's own that speaks lego's protocol, which is two POST requests
//! with a name and a value.
//!
//! Reference: <https://go-acme.github.io/lego/dns/httpreq/>

use std::time::Duration;

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::Serialize;

const ENDPOINT: &str = "HTTPREQ_ENDPOINT";
const MODE: &str = "HTTPREQ_MODE";
const USERNAME: &str = "HTTPREQ_USERNAME";
const PASSWORD: &str = "HTTPREQ_PASSWORD";
const TIMEOUT: &str = "HTTPREQ_PROPAGATION_TIMEOUT";
const INTERVAL: &str = "HTTPREQ_POLLING_INTERVAL";

struct HttpReq {
    server: http::Client,
}

#[derive(Serialize)]
struct Message<'a> {
    fqdn: &'a str,
    value: &'a str,
}

impl Provider for HttpReq {
    fn describe() -> Description {
        // The protocol has no TTL, so there is no variable for it.
        let seconds = |name, default| Duration::from_secs(env::parsed(name).ok().flatten().unwrap_or(default));
        Description::new("httpreq", env!("CARGO_PKG_VERSION"))
            .homepage("https://go-acme.github.io/lego/dns/httpreq/")
            .key(Key::new(ENDPOINT).required().endpoint().help("Address of the server, above /present and /cleanup"))
            .key(Key::new(MODE).help("Only the default mode is supported; RAW is refused"))
            .key(Key::new(USERNAME).help("User name, where the server wants one"))
            .key(Key::new(PASSWORD).secret().help("Password of HTTPREQ_USERNAME"))
            .key(Key::new(TIMEOUT).default("60").help("How long a change may take to show, in seconds"))
            .key(Key::new(INTERVAL).default("2").help("How often to look, in seconds"))
            .propagation(seconds(TIMEOUT, 60), seconds(INTERVAL, 2))
    }

    fn from_env() -> Result<Self, Error> {
        let server = http::Client::new(&env::required(ENDPOINT)?)?;
        match env::optional(MODE).as_deref() {
            None => {}
            Some(mode) if mode.eq_ignore_ascii_case("default") => {}
            Some(mode) if mode.eq_ignore_ascii_case("raw") => {
                return Err(Error::config(format!(
                    "{MODE} is RAW, which sends the challenge's token and key authorization; a DNS provider here gets \
                     only the record's name and value: leave {MODE} out and let the server take fqdn and value"
                )));
            }
            Some(mode) => return Err(Error::config(format!("{MODE} is {mode:?}; leave it out for the default mode"))),
        }
        let server = match (env::optional(USERNAME), env::optional(PASSWORD)) {
            (Some(user), Some(password)) => server.basic(&user, &password),
            (None, None) => server,
            _ => return Err(Error::config(format!("set both {USERNAME} and {PASSWORD}, or neither"))),
        };
        Ok(Self { server })
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        self.post("present", record)?;
        Ok(String::new())
    }

    fn cleanup(&self, record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        self.post("cleanup", record)
    }
}

impl HttpReq {
    fn post(&self, path: &str, record: &TxtRecord) -> Result<(), Error> {
        let message = Message { fqdn: &dns::absolute(&record.name), value: &record.value };
        self.server.post(path).json(&message).send().map(drop)
    }
}

export_provider!(HttpReq);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::HttpReq>(include_str!("../conformance.json"));
    }
}
