//! The requests and what Scaleway answers.

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, http};
use serde::{Deserialize, Serialize};

const ZONES: &str = "domain/v2beta1/dns-zones";
const PAGE_SIZE: &str = "100";

/// The API with its credentials.
pub(crate) struct Api {
    client: http::Client,
    project: Option<String>,
}

#[derive(Deserialize)]
struct Zones {
    dns_zones: Vec<Zone>,
}

#[derive(Deserialize)]
struct Zone {
    domain: String,
    subdomain: String,
}

#[derive(Deserialize)]
struct Records {
    total_count: usize,
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    name: String,
    r#type: String,
    data: String,
}

#[derive(Serialize)]
struct Changes<'a> {
    changes: Vec<Change<'a>>,
    return_all_records: bool,
    disallow_new_zone_creation: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Change<'a> {
    Add { records: [NewRecord<'a>; 1] },
    Delete { id: &'a str },
}

#[derive(Serialize)]
struct NewRecord<'a> {
    name: &'a str,
    r#type: &'a str,
    data: &'a str,
    ttl: u32,
}

/// What an error says of itself, besides its status.
#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default)]
    r#type: String,
}

impl Api {
    pub(crate) fn new(client: http::Client, project: Option<String>) -> Self {
        Self { client, project }
    }

    /// Whether the key may list zones.
    pub(crate) fn check(&self) -> Result<(), Error> {
        send(self.zones().query("page_size", "1")).map(drop)
    }

    /// Whether there is a zone of this name. Its records cannot tell: for want of a zone they answer 403, as for want
    /// of the right.
    pub(crate) fn has_zone(&self, name: &str) -> Result<bool, Error> {
        let zones: Zones = send(self.zones().query("dns_zones", name))?.json()?;
        Ok(zones.dns_zones.iter().any(|zone| zone.name() == name))
    }

    /// The identifiers of the TXT records that hold exactly this value.
    pub(crate) fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<String>, Error> {
        let name = relative(record, zone);
        let data = dns::quoted(&record.value);
        let (mut found, mut seen) = (Vec::new(), 0);
        for page in 1_u32.. {
            let request = self.client.get(&records(zone)).query("name", name).query("type", "TXT");
            let request = request.query("page", &page.to_string()).query("page_size", PAGE_SIZE);
            let answer: Records = send(request)?.json()?;
            seen += answer.records.len();
            let is_last = answer.records.is_empty() || seen >= answer.total_count;
            let is_wanted = |found: &Record| found.r#type == "TXT" && found.name == name && found.data == data;
            found.extend(answer.records.into_iter().filter(is_wanted).map(|found| found.id));
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// Adds a TXT record.
    pub(crate) fn create(&self, zone: &str, record: &TxtRecord, ttl: u32) -> Result<(), Error> {
        let data = dns::quoted(&record.value);
        let new = NewRecord { name: relative(record, zone), r#type: "TXT", data: &data, ttl };
        self.change(zone, vec![Change::Add { records: [new] }])
    }

    /// Deletes records with one request.
    pub(crate) fn delete(&self, zone: &str, ids: &[String]) -> Result<(), Error> {
        self.change(zone, ids.iter().map(|id| Change::Delete { id }).collect())
    }

    fn change(&self, zone: &str, changes: Vec<Change<'_>>) -> Result<(), Error> {
        let changes = Changes { changes, return_all_records: false, disallow_new_zone_creation: true };
        send(self.client.patch(&records(zone)).json(&changes)).map(drop)
    }

    fn zones(&self) -> http::Request<'_> {
        let request = self.client.get(ZONES);
        self.project.iter().fold(request, |request, project| request.query("project_id", project))
    }
}

impl Zone {
    fn name(&self) -> String {
        let dot = if self.subdomain.is_empty() { "" } else { "." };
        format!("{}{dot}{}", self.subdomain, self.domain)
    }
}

/// An exhausted quota comes with 403, and a locked zone with a status of its own.
fn send(request: http::Request<'_>) -> Result<http::Response, Error> {
    let response = request.send_any()?;
    if response.is_success() {
        return Ok(response);
    }
    let error = response.to_error();
    let problem: Problem = response.json().unwrap_or_default();
    let kind = match problem.r#type.as_str() {
        "quotas_exceeded" => ErrorKind::Rejected,
        "locked" | "transient_state" => ErrorKind::Conflict,
        _ => error.kind(),
    };
    Err(Error::new(kind, error.message()).retry_after(error.retry_after_seconds()))
}

fn records(zone: &str) -> String {
    format!("{ZONES}/{}/records", http::segment(zone))
}

/// The name within the zone; the zone itself has the empty one.
fn relative<'a>(record: &'a TxtRecord, zone: &str) -> &'a str {
    match dns::relative_to(&record.name, zone) {
        "@" => "",
        name => name,
    }
}
