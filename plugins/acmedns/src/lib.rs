//! The `acmedns` DNS-01 provider: acme-dns, a name server for nothing but challenges.
//!
//! The challenge name is a CNAME to a name that was registered at acme-dns once; the host follows it, so the record
//! to change has the registered name. acme-dns keeps the last two values of a name and forgets the older one at each
//! update; it can neither list nor remove them.
//! Reference: <https://github.com/joohoi/acme-dns#api>

mod accounts;

use std::borrow::Cow;
use std::time::Duration;

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, env, export_provider, http};
use serde::Serialize;

use accounts::Accounts;

const BASE_URL: &str = "ACME_DNS_API_BASE";
const ACCOUNTS: &str = "ACME_DNS_ACCOUNTS";
const STORAGE_PATH: &str = "ACME_DNS_STORAGE_PATH";
const STORAGE_URL: &str = "ACME_DNS_STORAGE_BASE_URL";

struct AcmeDns {
    api: http::Client,
    accounts: Source,
}

enum Source {
    Given(Accounts),
    Server(http::Client),
}

#[derive(Serialize)]
struct Update<'a> {
    subdomain: &'a str,
    txt: &'a str,
}

impl Provider for AcmeDns {
    fn describe() -> Description {
        Description::new("acmedns", env!("CARGO_PKG_VERSION"))
            .homepage("https://github.com/joohoi/acme-dns")
            .key(Key::new(BASE_URL).required().endpoint().help("Address of the acme-dns server's API"))
            .key(
                Key::new(ACCOUNTS).secret().help("Accounts in JSON, as in lego's account file: domain to registration"),
            )
            .key(Key::new(STORAGE_URL).endpoint().help("Address of a server that answers with the accounts instead"))
            .key(Key::new(STORAGE_PATH).help("Not supported: give the file's content in ACME_DNS_ACCOUNTS"))
            // acme-dns answers queries itself, with a TTL of 1 second.
            .default_ttl(1)
            .propagation(Duration::from_secs(60), Duration::from_secs(2))
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::required(BASE_URL)?)?;
        let accounts = match (env::optional(ACCOUNTS), env::optional(STORAGE_URL), env::optional(STORAGE_PATH)) {
            (Some(json), None, _) => {
                let problem = |problem| Error::config(format!("{ACCOUNTS} is {problem}"));
                Source::Given(Accounts::parse(&json).map_err(problem)?)
            }
            (None, Some(url), _) => Source::Server(http::Client::new(&url)?),
            (Some(_), Some(_), _) => return Err(Error::config(format!("set {ACCOUNTS} or {STORAGE_URL}, not both"))),
            (None, None, Some(_)) => {
                return Err(Error::config(format!(
                    "{STORAGE_PATH}: a plugin has no files; set {ACCOUNTS} to file: and this path in the plugin's env"
                )));
            }
            (None, None, None) => return Err(Error::config(format!("set {ACCOUNTS} or {STORAGE_URL}"))),
        };
        Ok(Self { api, accounts })
    }

    fn check(&self) -> Result<(), Error> {
        // Old servers have no such path; that they answer is enough.
        self.api.get("health").accept(404).send()?;
        self.accounts().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let accounts = self.accounts()?;
        let account = accounts.of(&record.name)?;
        let update = Update { subdomain: &account.subdomain, txt: &record.value };
        let request = self.api.post("update").header("x-api-user", &account.username);
        request.header("x-api-key", &account.password).json(&update).send()?;
        Ok(String::new())
    }

    fn cleanup(&self, _record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        // There is no request for it: a value stays until two others came.
        Ok(())
    }
}

impl AcmeDns {
    fn accounts(&self) -> Result<Cow<'_, Accounts>, Error> {
        match &self.accounts {
            Source::Given(accounts) => Ok(Cow::Borrowed(accounts)),
            Source::Server(server) => {
                let problem = |problem| Error::unavailable(format!("the answer of {STORAGE_URL} is {problem}"));
                Accounts::parse(&server.get("").send()?.text()).map_err(problem).map(Cow::Owned)
            }
        }
    }
}

export_provider!(AcmeDns);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::AcmeDns>(include_str!("../conformance.json"));
    }
}
