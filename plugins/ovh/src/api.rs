//! The requests and what OVHcloud answers.

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, http};
use serde::{Deserialize, Serialize};

/// There is no such zone or record in the account.
const NOT_FOUND: u16 = 404;
/// The zone is being deleted.
const EXPIRED: u16 = 460;
const GONE: [u16; 2] = [NOT_FOUND, EXPIRED];

/// The API with its credentials.
pub(crate) struct Api(http::Client);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewRecord<'a> {
    field_type: &'a str,
    sub_domain: &'a str,
    target: &'a str,
    ttl: u32,
}

#[derive(Deserialize)]
struct Created {
    id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    sub_domain: Option<String>,
    target: String,
}

#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default)]
    message: String,
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self(client)
    }

    /// Asks whose credentials these are. That this call is not among those allowed says that they are somebody's.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let response = self.0.get("auth/details").send_any()?;
        let is_known = problem(&response).message == "This call has not been granted";
        if response.is_success() || is_known { Ok(()) } else { Err(refusal(&response)) }
    }

    /// The numbers of the records that hold exactly this value; nothing if there is no such zone.
    pub(crate) fn find(&self, zone: &str, record: &TxtRecord) -> Result<Option<Vec<u64>>, Error> {
        let name = relative(record, zone);
        let response = send(self.0.get(&records(zone)).query("fieldType", "TXT").query("subDomain", name), &GONE)?;
        if !response.is_success() {
            return Ok(None);
        }
        let mut found = Vec::new();
        for id in response.json::<Vec<u64>>()? {
            let response = send(self.0.get(&path(zone, &id.to_string())), &[NOT_FOUND])?;
            if response.is_success() && response.json::<Record>()?.is(name, &record.value) {
                found.push(id);
            }
        }
        Ok(Some(found))
    }

    /// Adds the value and returns the number of its record, if OVHcloud says it.
    pub(crate) fn create(&self, zone: &str, record: &TxtRecord, ttl: u32) -> Result<Option<u64>, Error> {
        let name = relative(record, zone);
        let new = NewRecord { field_type: "TXT", sub_domain: name, target: &record.value, ttl };
        let created: Created = send(self.0.post(&records(zone)).json(&new), &[])?.json()?;
        // At times it is 0, which is no record.
        Ok(Some(created.id).filter(|id| *id != 0))
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        send(self.0.delete(&path(zone, id)), &GONE).map(drop)
    }

    /// Brings the changes to the name servers, which do not see them before, if the zone is there.
    pub(crate) fn refresh(&self, zone: &str) -> Result<(), Error> {
        send(self.0.post(&format!("domain/zone/{}/refresh", http::segment(zone))), &GONE).map(drop)
    }
}

impl Record {
    /// The list is made with `ILIKE`, in which the `_` of `_acme-challenge` stands for any character. Values come back
    /// in quotes.
    fn is(&self, name: &str, value: &str) -> bool {
        self.sub_domain.as_deref().unwrap_or_default() == name
            && (self.target == dns::quoted(value) || self.target == value)
    }
}

fn relative<'a>(record: &'a TxtRecord, zone: &str) -> &'a str {
    match dns::relative_to(&record.name, zone) {
        "@" => "",
        name => name,
    }
}

fn records(zone: &str) -> String {
    format!("domain/zone/{}/record", http::segment(zone))
}

fn path(zone: &str, id: &str) -> String {
    format!("{}/{}", records(zone), http::segment(id))
}

fn send(request: http::Request<'_>, accepted: &[u16]) -> Result<http::Response, Error> {
    let response = request.send_any()?;
    if response.is_success() || accepted.contains(&response.status()) { Ok(response) } else { Err(refusal(&response)) }
}

fn refusal(response: &http::Response) -> Error {
    let error = response.to_error();
    match problem(response).message.as_str() {
        // A wrong secret; the status is 400.
        "Invalid signature" => error.with_kind(ErrorKind::Unauthorized),
        _ => error,
    }
}

fn problem(response: &http::Response) -> Problem {
    response.json().unwrap_or_default()
}
