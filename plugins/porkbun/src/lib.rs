//! The `porkbun` DNS-01 provider: Porkbun's API, version 3.
//!
//! Reference: <https://porkbun.com/api/json/v3/documentation>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, Value, dns, env, export_provider, http, json,
};
use serde::Deserialize;

const API_KEY: &str = "PORKBUN_API_KEY";
const SECRET_KEY: &str = "PORKBUN_SECRET_API_KEY";
const BASE_URL: &str = "PORKBUN_API_URL";
const DEFAULT_URL: &str = "https://api.porkbun.com/api/json/v3";
const PREFIX: &str = "PORKBUN_";

/// The least of any account; many have 600.
const MIN_TTL: u32 = 300;

/// The starts of the codes that come with status 400 and mean the keys, or what they may be used for. Codes that
/// have no name of their own are spelled from the message, as `DOMAIN_IS_NOT_OPTED_IN_TO_API_ACCESS…`.
const REFUSED_KEYS: [&str; 8] = [
    "API_KEY_REQUIRED",
    "INVALID_API_KEY",
    "INVALID_TOKEN",
    "INVALID_USER",
    "API_ACCESS_DISABLED",
    "DOMAIN_IS_NOT_OPTED_IN",
    "DOMAIN_NOT_ALLOWED",
    "IP_NOT_ALLOWED",
];

struct Porkbun {
    api: http::Client,
    /// Both keys, which are part of every request's body.
    key: String,
    secret: String,
    ttl: u32,
}

#[derive(Deserialize)]
struct Record {
    id: Value,
    name: String,
    r#type: String,
    content: String,
}

/// What every answer says of itself.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Answer {
    status: String,
    code: String,
    message: String,
    ttl_remaining: Option<u32>,
}

impl Provider for Porkbun {
    fn describe() -> Description {
        Description::new("porkbun", env!("CARGO_PKG_VERSION"))
            .homepage("https://porkbun.com/api/json/v3/documentation")
            .host("api.porkbun.com")
            .key(Key::new(API_KEY).required().secret().help("API key (pk1_…), from porkbun.com/account/api"))
            .key(Key::new(SECRET_KEY).required().secret().help("Secret API key (sk1_…), shown when it is made"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 300, 600, 10)
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.judge_with(judge);
        let (key, secret) = (env::required(API_KEY)?, env::required(SECRET_KEY)?);
        Ok(Self { api, key, secret, ttl: env::ttl(PREFIX, 300)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.post("ping", json!({})).map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let (domain, found) = self.find(record)?;
        if let Some(id) = found.first() {
            return Ok(format!("{domain}/{id}"));
        }
        let name = dns::subname(&record.name, domain);
        let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
        let new = json!({ "name": name, "type": "TXT", "content": record.value, "ttl": ttl });
        let answer = self.post(&format!("dns/create/{}", http::segment(domain)), new)?;
        let created: Option<Value> = answer.json_at("/id")?;
        let id = created.ok_or_else(|| Error::unavailable("Porkbun reported a success without the new record"))?;
        Ok(format!("{domain}/{}", text(&id)))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((domain, id)) = handle.split_once('/') {
            return self.delete(domain, id);
        }
        // With its zone the value is gone too.
        let Some((domain, found)) = dns::found(self.find(record))? else { return Ok(()) };
        found.iter().try_for_each(|id| self.delete(domain, id))
    }
}

impl Porkbun {
    /// The domain that holds the record, and the identifiers of the records there that hold exactly this value.
    fn find<'a>(&self, record: &'a TxtRecord) -> Result<(&'a str, Vec<String>), Error> {
        dns::find_zone(record, |domain| {
            let mut path = format!("dns/retrieveByNameType/{}/TXT", http::segment(domain));
            let name = dns::subname(&record.name, domain);
            if !name.is_empty() {
                path.push('/');
                path.push_str(&http::segment(name));
            }
            let Some(answer) = dns::found(self.post(&path, json!({})))? else { return Ok(None) };
            let mut records = answer.json_at::<Option<Vec<Record>>>("/records")?.unwrap_or_default();
            records.retain(|found| found.r#type == "TXT" && found.name == record.name);
            records.retain(|found| dns::is_value(&found.content, record));
            Ok(Some((domain, records.iter().map(|found| text(&found.id)).collect())))
        })
    }

    /// Deletes a record, if it is there.
    fn delete(&self, domain: &str, id: &str) -> Result<(), Error> {
        let path = format!("dns/delete/{}/{}", http::segment(domain), http::segment(id));
        dns::found(self.post(&path, json!({}))).map(drop)
    }

    /// Every request is a POST with the credentials in its body.
    fn post(&self, path: &str, mut body: Value) -> Result<http::Response, Error> {
        body["apikey"] = self.key.as_str().into();
        body["secretapikey"] = self.secret.as_str().into();
        self.api.post(path).json(&body).send()
    }
}

/// Errors come with status 200, too. What does not exist, domain or record, is [`ErrorKind::ZoneNotFound`].
fn judge(response: &http::Response) -> Result<(), Error> {
    let answer: Answer = match response.json() {
        // The error page of a proxy.
        Err(_) if !response.is_success() => return Err(response.to_error()),
        answer => answer?,
    };
    if response.is_success() && answer.status == "SUCCESS" {
        return Ok(());
    }
    let detail = [&answer.message, &answer.code].map(String::as_str);
    let detail: Vec<&str> = detail.into_iter().filter(|text| !text.is_empty()).collect();
    let error = response.to_error_with(&detail.join(", "));
    let retry_after = error.retry_after_seconds().or(answer.ttl_remaining);
    let kind = match (answer.code.as_str(), error.kind()) {
        ("INVALID_DOMAIN" | "INVALID_RECORD_ID", _) => ErrorKind::ZoneNotFound,
        ("RATE_LIMIT_EXCEEDED", _) => ErrorKind::RateLimited,
        // Somebody else made it in between; the next try finds it.
        ("DUPLICATE_RECORD", _) => ErrorKind::Conflict,
        (code, _) if REFUSED_KEYS.iter().any(|start| code.starts_with(start)) => ErrorKind::Unauthorized,
        // An error with the status of a success.
        (_, ErrorKind::Other) => ErrorKind::Rejected,
        (_, kind) => kind,
    };
    Err(error.with_kind(kind).retry_after(retry_after))
}

/// An identifier: texts by now, numbers for years.
fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

export_provider!(Porkbun);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Porkbun>(include_str!("../conformance.json"));
    }
}
