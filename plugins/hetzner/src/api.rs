//! The requests and what Hetzner answers.

use acme_manager_plugin::{Error, http};
use serde::{Deserialize, Serialize};

/// The API with its credentials.
pub(crate) struct Api {
    client: http::Client,
}

#[derive(Deserialize)]
struct RecordSets {
    rrsets: Vec<RecordSet>,
}

#[derive(Deserialize)]
struct RecordSet {
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    value: String,
}

#[derive(Serialize)]
struct Change<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    records: [NewRecord<'a>; 1],
}

#[derive(Serialize)]
struct NewRecord<'a> {
    value: &'a str,
}

#[derive(Deserialize)]
struct Started {
    action: Action,
}

/// What goes on behind an accepted change.
#[derive(Deserialize)]
struct Action {
    id: u64,
    status: String,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Failure {
    error: Problem,
}

#[derive(Deserialize, Default)]
struct Problem {
    code: String,
    message: String,
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self { client }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        send(self.client.get("zones").query("per_page", "1"), &[]).map(drop)
    }

    /// The TXT values at a name; nothing if there is no such zone. Asked for as a list, for then a 404 means the zone.
    pub(crate) fn values(&self, zone: &str, name: &str) -> Result<Option<Vec<String>>, Error> {
        let request = self.client.get(&format!("zones/{}/rrsets", http::segment(zone)));
        let response = send(request.query("name", name).query("type", "TXT"), &[404])?;
        if !response.is_success() {
            return Ok(None);
        }
        let sets: RecordSets = response.json()?;
        Ok(Some(sets.rrsets.into_iter().flat_map(|set| set.records).map(|record| record.value).collect()))
    }

    /// Adds a value and returns the action that does it; nothing if the value is there.
    pub(crate) fn add(&self, zone: &str, name: &str, value: &str, ttl: Option<u32>) -> Result<Option<u64>, Error> {
        let change = Change { ttl, records: [NewRecord { value }] };
        let response = send(self.client.post(&action(zone, name, "add_records")).json(&change), &[422])?;
        if !response.is_success() {
            // An addition that is under way is not yet in the list.
            let is_there =
                response.json().is_ok_and(|failure: Failure| failure.error.message.contains("duplicate value"));
            return if is_there { Ok(None) } else { Err(refusal(&response)) };
        }
        let Started { action } = response.json()?;
        action.is_done()?;
        Ok(Some(action.id))
    }

    /// Removes a value; with the last of them its set goes as well.
    pub(crate) fn remove(&self, zone: &str, name: &str, value: &str) -> Result<(), Error> {
        let change = Change { ttl: None, records: [NewRecord { value }] };
        let response = send(self.client.post(&action(zone, name, "remove_records")).json(&change), &[404])?;
        if response.is_success() {
            response.json::<Started>()?.action.is_done()?;
        }
        Ok(())
    }

    /// Whether an action came to its end.
    pub(crate) fn is_done(&self, action: &str) -> Result<bool, Error> {
        let response = send(self.client.get(&format!("actions/{}", http::segment(action))), &[])?;
        response.json::<Started>()?.action.is_done()
    }
}

impl Action {
    fn is_done(&self) -> Result<bool, Error> {
        match (self.status.as_str(), &self.error) {
            ("error", Some(Problem { code, message })) => {
                Err(Error::rejected(format!("the action {} failed: {message} ({code})", self.id)))
            }
            ("error", None) => Err(Error::rejected(format!("the action {} failed", self.id))),
            (status, _) => Ok(status == "success"),
        }
    }
}

fn action(zone: &str, name: &str, action: &str) -> String {
    format!("zones/{}/rrsets/{}/TXT/actions/{action}", http::segment(zone), http::segment(name))
}

fn send(request: http::Request<'_>, accepted: &[u16]) -> Result<http::Response, Error> {
    let response = request.send_any()?;
    if response.is_success() || accepted.contains(&response.status()) { Ok(response) } else { Err(refusal(&response)) }
}

fn refusal(response: &http::Response) -> Error {
    let error = response.to_error();
    let problem = response.json().map(|failure: Failure| failure.error).unwrap_or_default();
    match problem.code.as_str() {
        // Another action is under way.
        "locked" | "conflict" => Error::conflict(error.message()),
        "resource_limit_exceeded" => Error::rejected(error.message()),
        _ => error,
    }
}
