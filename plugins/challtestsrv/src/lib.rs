//! The `challtestsrv` DNS-01 provider: a worked example of a custom plugin, for the DNS server that comes with
//! Pebble, the test CA.
//!
//! Its management API has two calls that matter here: `POST /set-txt` adds a value to a name, `POST /clear-txt`
//! removes the whole name. So this provider cannot remove one value and leave the others, as the contract asks;
//! two certificates for one name must not be under way at once. A real DNS service must do better.
//!
//! The server has no credentials and is not on a public address, so the operator grants both the host and its
//! address in the config: `allowed_hosts` and `allowed_cidrs`.

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::Serialize;

const URL: &str = "CHALLTESTSRV_URL";

/// Where the server listens unless it is told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8055";

/// A provider holds what it read from the environment. It is made anew for every call.
struct Challtestsrv {
    api: http::Client,
}

/// The body of `/set-txt`.
#[derive(Serialize)]
struct SetTxt<'a> {
    host: &'a str,
    value: &'a str,
}

/// The body of `/clear-txt`.
#[derive(Serialize)]
struct ClearTxt<'a> {
    host: &'a str,
}

impl Provider for Challtestsrv {
    fn describe() -> Description {
        Description::new("challtestsrv", env!("CARGO_PKG_VERSION"))
            .homepage("https://github.com/letsencrypt/pebble/tree/main/cmd/pebble-challtestsrv")
            .key(
                Key::new(URL)
                    .endpoint()
                    .default(DEFAULT_URL)
                    .help("Address of the management interface, as in pebble-challtestsrv -management"),
            )
            // The server answers every query with a TTL of its own and has no second name server to wait for.
            .default_ttl(1)
    }

    fn from_env() -> Result<Self, Error> {
        Ok(Self { api: http::Client::new(&env::optional_or(URL, DEFAULT_URL))? })
    }

    fn check(&self) -> Result<(), Error> {
        // The server has no call that only reads and always succeeds, but any answer shows that it is there.
        self.api.get("").send_any().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        // The server wants names with their final dot.
        let host = dns::absolute(&record.name);
        self.api.post("set-txt").json(&SetTxt { host: &host, value: &record.value }).send()?;
        // Nothing to remember: the name is all that `cleanup` needs.
        Ok(String::new())
    }

    fn cleanup(&self, record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        let host = dns::absolute(&record.name);
        self.api.post("clear-txt").json(&ClearTxt { host: &host }).send().map(drop)
    }
}

// Makes the type above the component's export.
export_provider!(Challtestsrv);

#[cfg(test)]
mod tests {
    use acme_manager_plugin::testing::{MockApi, record};
    use acme_manager_plugin::{ErrorKind, Provider as _};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_set_and_its_name_cleared() {
        let api = MockApi::new().env(URL, "http://10.0.0.1:8055/");
        api.expect("POST", "http://10.0.0.1:8055/set-txt")
            .json(json!({"host": "_acme-challenge.example.com.", "value": "v"}))
            .answer(200, "");
        api.expect("POST", "http://10.0.0.1:8055/clear-txt")
            .json(json!({"host": "_acme-challenge.example.com."}))
            .answer(200, "");
        let provider = Challtestsrv::from_env().unwrap();
        let record = record("example.com", "_acme-challenge.example.com", "v");
        let handle = provider.present(&record).unwrap();
        provider.cleanup(&record, &handle).unwrap();
    }

    #[test]
    fn a_silent_server_is_reported_by_the_check() {
        let api = MockApi::new();
        api.expect("GET", "http://127.0.0.1:8055/").fail(Error::unavailable("refused"));
        let error = Challtestsrv::from_env().unwrap().check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
