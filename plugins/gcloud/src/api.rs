//! Managed zones, their TXT record sets, and changes.

use acme_manager_plugin::{Error, ErrorKind, dns, http};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Cloud DNS with a token, in one project.
pub(crate) struct Api {
    client: http::Client,
    project: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Zones {
    #[serde(default)]
    managed_zones: Vec<Zone>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Zone {
    pub(crate) name: String,
    /// `public` or `private`.
    #[serde(default)]
    visibility: String,
}

#[derive(Deserialize)]
struct RecordSets {
    #[serde(default)]
    rrsets: Vec<RecordSet>,
}

/// All values of one type at a name.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordSet {
    name: String,
    r#type: String,
    ttl: u32,
    /// As in a zone file: in quotes.
    #[serde(default)]
    pub(crate) rrdatas: Vec<String>,
    /// Instead of values: which of them to give to whom.
    #[serde(skip_serializing)]
    routing_policy: Option<IgnoredAny>,
}

#[derive(Serialize)]
struct Changes<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    deletions: Option<[&'a RecordSet; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additions: Option<[&'a RecordSet; 1]>,
}

#[derive(Deserialize)]
struct Change {
    id: String,
    /// `pending`, then `done`.
    status: String,
}

/// <https://cloud.google.com/apis/design/errors>, with the older list of reasons.
#[derive(Deserialize)]
struct Failure {
    error: Problem,
}

#[derive(Deserialize)]
struct Problem {
    message: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    reason: String,
}

impl Zone {
    pub(crate) fn is_private(&self) -> bool {
        self.visibility == "private"
    }
}

impl RecordSet {
    pub(crate) fn new(name: &str, ttl: u32, value: String) -> Self {
        Self { name: dns::absolute(name), r#type: "TXT".to_owned(), ttl, rrdatas: vec![value], routing_policy: None }
    }
}

impl Api {
    pub(crate) fn new(client: http::Client, project: &str) -> Self {
        Self { client, project: http::segment(project) }
    }

    /// Whether the token is good for the zone, or for finding zones.
    pub(crate) fn check(&self, zone: Option<&str>) -> Result<(), Error> {
        let path = zone.map_or_else(|| self.path(""), |zone| self.zone_path(zone, "rrsets"));
        send(self.client.get(&path).query("maxResults", "1"), ErrorKind::ZoneNotFound).map(drop)
    }

    /// The managed zones of this name: a public one and private ones can share it.
    pub(crate) fn zones(&self, name: &str) -> Result<Vec<Zone>, Error> {
        let mut zones = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let request = self.client.get(&self.path("")).query("dnsName", &dns::absolute(name));
            let request = page.iter().fold(request, |request, page| request.query("pageToken", page));
            let answer: Zones = send(request, ErrorKind::Rejected)?.json()?;
            zones.extend(answer.managed_zones);
            page = answer.next_page_token.filter(|page| !page.is_empty());
            if page.is_none() {
                return Ok(zones);
            }
        }
    }

    /// The TXT records at a name.
    pub(crate) fn txt(&self, zone: &str, name: &str) -> Result<Option<RecordSet>, Error> {
        let name = dns::absolute(name);
        let request = self.client.get(&self.zone_path(zone, "rrsets")).query("name", &name).query("type", "TXT");
        let found: RecordSets = send(request, ErrorKind::ZoneNotFound)?.json()?;
        let is_wanted = |set: &RecordSet| set.r#type == "TXT" && set.name.eq_ignore_ascii_case(&name);
        match found.rrsets.into_iter().find(is_wanted) {
            Some(set) if set.routing_policy.is_some() => {
                Err(Error::rejected(format!("the TXT records at {name} have a routing policy")))
            }
            set => Ok(set),
        }
    }

    /// Puts one record set in the place of another, unless that is not as it was read. The identifier of the change.
    pub(crate) fn change(&self, zone: &str, old: Option<&RecordSet>, new: Option<&RecordSet>) -> Result<String, Error> {
        let changes = Changes { deletions: old.map(|set| [set]), additions: new.map(|set| [set]) };
        let request = self.client.post(&self.zone_path(zone, "changes")).json(&changes);
        // Google says 404 of a set that was deleted since it was read.
        let change: Change = send(request, ErrorKind::Conflict)?.json()?;
        Ok(change.id)
    }

    /// Whether a change is on its way to all name servers.
    pub(crate) fn is_done(&self, zone: &str, change: &str) -> Result<bool, Error> {
        let path = self.zone_path(zone, &format!("changes/{}", http::segment(change)));
        let change: Change = send(self.client.get(&path), ErrorKind::Rejected)?.json()?;
        Ok(change.status == "done")
    }

    fn zone_path(&self, zone: &str, rest: &str) -> String {
        self.path(&format!("/{}/{rest}", http::segment(zone)))
    }

    fn path(&self, rest: &str) -> String {
        format!("dns/v1/projects/{}/managedZones{rest}", self.project)
    }
}

/// `missing` is what a 404 means here.
fn send(request: http::Request<'_>, missing: ErrorKind) -> Result<http::Response, Error> {
    let response = request.send_any()?;
    if response.is_success() {
        return Ok(response);
    }
    let Ok(Failure { error: problem }) = response.json::<Failure>() else { return Err(response.to_error()) };
    let error = response.to_error_with(&problem.message);
    let has = |reasons: [&str; 2]| problem.errors.iter().any(|detail| reasons.contains(&detail.reason.as_str()));
    Err(match response.status() {
        // Two that are no matter of credentials: too many requests, and too many records.
        403 if has(["rateLimitExceeded", "userRateLimitExceeded"]) => error.with_kind(ErrorKind::RateLimited),
        403 if has(["quotaExceeded", "dailyLimitExceeded"]) => error.with_kind(ErrorKind::Rejected),
        404 => error.with_kind(missing),
        _ => error,
    })
}
