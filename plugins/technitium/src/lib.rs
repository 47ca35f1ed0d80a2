//! The `technitium` DNS-01 provider: a Technitium DNS Server with its HTTP API.
//!
//! Every answer has status 200; `status` in it says what happened, and only the words of `errorMessage` say what went
//! wrong.
//! Reference: <https://github.com/TechnitiumSoftware/DnsServer/blob/master/APIDOCS.md>

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::Deserialize;

const BASE_URL: &str = "TECHNITIUM_SERVER_BASE_URL";
const TOKEN: &str = "TECHNITIUM_API_TOKEN";
const PREFIX: &str = "TECHNITIUM_";

struct Technitium {
    api: http::Client,
    token: String,
    ttl: u32,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default, rename = "errorMessage")]
    error_message: String,
}

impl Provider for Technitium {
    fn describe() -> Description {
        Description::new("technitium", env!("CARGO_PKG_VERSION"))
            .homepage("https://github.com/TechnitiumSoftware/DnsServer/blob/master/APIDOCS.md")
            .key(
                Key::new(BASE_URL)
                    .required()
                    .endpoint()
                    .help("Address of the server's web console, for example https://ns1.example.com:53443"),
            )
            .key(Key::new(TOKEN).required().secret().help("API token, from Administration / Sessions"))
            .times(PREFIX, 120, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let token = env::required(TOKEN)?;
        Ok(Self { api: http::Client::new(&env::required(BASE_URL)?)?, token, ttl: env::ttl(PREFIX, 120)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.call("user/session/get", &[])
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let ttl = dns::ttl_or(record, self.ttl).to_string();
        match self.change("add", record, &[("ttl", &ttl)]) {
            Err(error) if error.message().contains("record already exists") => Ok(String::new()),
            result => result.map(|()| String::new()),
        }
    }

    fn cleanup(&self, record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        match self.change("delete", record, &[]) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => Ok(()),
            Err(error) if error.message().contains("no such record exists") => Ok(()),
            result => result,
        }
    }
}

impl Technitium {
    /// Adds or deletes exactly the record's value.
    fn change(&self, action: &str, record: &TxtRecord, more: &[(&str, &str)]) -> Result<(), Error> {
        let mut fields = vec![("domain", record.name.as_str()), ("type", "TXT"), ("text", record.value.as_str())];
        if !record.zone.is_empty() {
            // Without it the server takes its zone that is closest to the name.
            fields.push(("zone", &record.zone));
        }
        fields.extend(more);
        self.call(&format!("zones/records/{action}"), &fields)
    }

    fn call(&self, path: &str, fields: &[(&str, &str)]) -> Result<(), Error> {
        // Servers before version 15 know the token as a field only; newer ones still take it.
        let fields = [("token", self.token.as_str())].into_iter().chain(fields.iter().copied());
        let answer: Answer = self.api.post(&format!("api/{path}")).form(fields).send()?.json()?;
        let says = |text: &str| answer.error_message.contains(text);
        let kind = match answer.status.as_str() {
            "ok" => return Ok(()),
            "invalid-token" | "2fa-required" => ErrorKind::Unauthorized,
            _ if says("No such zone was found") => ErrorKind::ZoneNotFound,
            _ if says("Access was denied") => ErrorKind::Unauthorized,
            _ => ErrorKind::Rejected,
        };
        Err(Error::new(kind, format!("{path} answered {}: {}", answer.status, answer.error_message)))
    }
}

export_provider!(Technitium);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Technitium>(include_str!("../conformance.json"));
    }
}
