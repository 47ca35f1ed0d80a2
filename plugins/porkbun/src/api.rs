//! The requests and what Porkbun answers.

use std::fmt;

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, http};
use serde::{Deserialize, Serialize};

const NO_SUCH_DOMAIN: &str = "INVALID_DOMAIN";
const NO_SUCH_RECORD: &str = "INVALID_RECORD_ID";

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

/// The API with its credentials.
pub(crate) struct Api {
    client: http::Client,
    key: String,
    secret: String,
}

/// Every request is a POST with the credentials in its body.
#[derive(Serialize)]
struct Body<'a> {
    apikey: &'a str,
    secretapikey: &'a str,
    #[serde(flatten)]
    record: Option<NewRecord<'a>>,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    name: &'a str,
    r#type: &'a str,
    content: &'a str,
    ttl: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    status: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    ttl_remaining: Option<u32>,
    id: Option<Id>,
    #[serde(default)]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    id: Id,
    name: String,
    r#type: String,
    content: String,
}

/// Texts by now; numbers for years.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number(number) => number.fmt(formatter),
        }
    }
}

impl Api {
    pub(crate) fn new(client: http::Client, key: String, secret: String) -> Self {
        Self { client, key, secret }
    }

    /// Whether the keys are good.
    pub(crate) fn ping(&self) -> Result<(), Error> {
        self.call("ping", None)?.success().map(drop)
    }

    /// The identifiers of the TXT records that hold exactly this value.
    pub(crate) fn find(&self, domain: &str, record: &TxtRecord) -> Result<Vec<String>, Error> {
        let mut path = format!("dns/retrieveByNameType/{}/TXT", http::segment(domain));
        let name = relative(record, domain);
        if !name.is_empty() {
            path.push('/');
            path.push_str(&http::segment(name));
        }
        let mut records = self.call(&path, None)?.success()?.records;
        let quoted = dns::quoted(&record.value);
        records.retain(|found| found.r#type == "TXT" && found.name == record.name);
        records.retain(|found| found.content == record.value || found.content == quoted);
        Ok(records.iter().map(|found| found.id.to_string()).collect())
    }

    /// Adds a TXT record and returns its identifier.
    pub(crate) fn create(&self, domain: &str, record: &TxtRecord, ttl: u32) -> Result<String, Error> {
        let new = NewRecord { name: relative(record, domain), r#type: "TXT", content: &record.value, ttl };
        let created = self.call(&format!("dns/create/{}", http::segment(domain)), Some(new))?.success()?;
        let id = created.id.ok_or_else(|| Error::unavailable("Porkbun reported a success without the new record"))?;
        Ok(id.to_string())
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, domain: &str, id: &str) -> Result<(), Error> {
        let answered = self.call(&format!("dns/delete/{}/{}", http::segment(domain), http::segment(id)), None)?;
        match answered.answer.code.as_str() {
            NO_SUCH_RECORD | NO_SUCH_DOMAIN => Ok(()),
            _ => answered.success().map(drop),
        }
    }

    fn call(&self, path: &str, record: Option<NewRecord<'_>>) -> Result<Answered, Error> {
        let body = Body { apikey: &self.key, secretapikey: &self.secret, record };
        let response = self.client.post(path).json(&body).send_any()?;
        match response.json() {
            // The error page of a proxy.
            Err(_) if !response.is_success() => Err(response.to_error()),
            answer => Ok(Answered { answer: answer?, response }),
        }
    }
}

/// An answer that may be an error.
struct Answered {
    answer: Answer,
    response: http::Response,
}

impl Answered {
    /// The answer, if it says so itself: errors come with status 200, too.
    fn success(self) -> Result<Answer, Error> {
        let Self { answer, response } = self;
        if response.is_success() && answer.status == "SUCCESS" {
            return Ok(answer);
        }
        let detail = [&answer.message, &answer.code].map(String::as_str);
        let detail: Vec<&str> = detail.into_iter().filter(|text| !text.is_empty()).collect();
        let error = response.to_error_with(&detail.join(", "));
        let kind = match (answer.code.as_str(), error.kind()) {
            (NO_SUCH_DOMAIN, _) => ErrorKind::ZoneNotFound,
            ("RATE_LIMIT_EXCEEDED", _) => ErrorKind::RateLimited,
            // Somebody else made it in between; the next try finds it.
            ("DUPLICATE_RECORD", _) => ErrorKind::Conflict,
            (code, _) if REFUSED_KEYS.iter().any(|start| code.starts_with(start)) => ErrorKind::Unauthorized,
            // An error with the status of a success.
            (_, ErrorKind::Other) => ErrorKind::Rejected,
            (_, kind) => kind,
        };
        let retry_after = error.retry_after_seconds().or(answer.ttl_remaining);
        Err(Error::new(kind, error.message()).retry_after(retry_after))
    }
}

/// The name within the domain; the domain itself has the empty one.
fn relative<'a>(record: &'a TxtRecord, domain: &str) -> &'a str {
    match dns::relative_to(&record.name, domain) {
        "@" => "",
        name => name,
    }
}
