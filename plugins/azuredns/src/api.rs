//! Zones and their TXT record sets in the Resource Manager.

use acme_manager_plugin::{Error, ErrorKind, dns, http};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const GRAPH: &str = "providers/Microsoft.ResourceGraph/resources";
const GRAPH_VERSION: &str = "2021-03-01";

/// The Resource Manager with a token.
pub(crate) struct Api {
    client: http::Client,
    kind: Kind,
}

/// Two services with all but the same API.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Public,
    Private,
}

/// Where a zone is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Zone {
    #[serde(rename = "subscriptionId")]
    pub(crate) subscription: String,
    pub(crate) resource_group: String,
    pub(crate) name: String,
}

/// All TXT values at a name.
#[derive(Deserialize)]
pub(crate) struct Set {
    /// The version that was read; nothing of a new set.
    etag: Option<String>,
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(alias = "TTL")]
    ttl: u32,
    #[serde(default, rename = "txtRecords", alias = "TXTRecords")]
    records: Vec<Txt>,
    /// The operator's notes.
    metadata: Option<Value>,
}

/// One value, in pieces of up to 255 characters.
#[derive(Deserialize, Serialize)]
struct Txt {
    value: Vec<String>,
}

#[derive(Deserialize)]
struct Found {
    data: Vec<Zone>,
}

/// The DNS services leave out the envelope at times.
#[derive(Deserialize)]
#[serde(untagged)]
enum Failure {
    Wrapped { error: Problem },
    Bare(Problem),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    message: String,
}

impl Kind {
    fn resource_type(self) -> &'static str {
        match self {
            Self::Public => "dnsZones",
            Self::Private => "privateDnsZones",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Public => "2018-05-01",
            Self::Private => "2020-06-01",
        }
    }
}

impl Zone {
    pub(crate) fn to_handle(&self) -> String {
        format!("{}/{}/{}", self.subscription, self.resource_group, self.name)
    }

    pub(crate) fn from_handle(handle: &str) -> Option<Self> {
        let mut parts = handle.split('/').map(str::to_owned);
        Some(Self { subscription: parts.next()?, resource_group: parts.next()?, name: parts.next()? })
    }
}

impl Set {
    pub(crate) fn new(value: &str, ttl: u32) -> Self {
        let mut set = Self { etag: None, properties: Properties { ttl, records: Vec::new(), metadata: None } };
        set.add(value);
        set
    }

    pub(crate) fn has(&self, value: &str) -> bool {
        self.properties.records.iter().any(|record| record.value.concat() == value)
    }

    pub(crate) fn add(&mut self, value: &str) {
        self.properties.records.push(Txt { value: vec![value.to_owned()] });
    }

    pub(crate) fn remove(&mut self, value: &str) {
        self.properties.records.retain(|record| record.value.concat() != value);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.properties.records.is_empty()
    }

    /// Makes a request conditional on the set being as it was read.
    fn guard<'a>(&self, request: http::Request<'a>) -> http::Request<'a> {
        match &self.etag {
            Some(etag) => request.header("if-match", etag),
            None => request.header("if-none-match", "*"),
        }
    }
}

impl Api {
    pub(crate) fn new(client: http::Client, kind: Kind) -> Self {
        Self { client, kind }
    }

    /// Whether the token is good for looking for zones. What cannot be seen is not listed, so there is no error then.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.query(&["take 1".to_owned()]).map(drop)
    }

    /// Whether there is such a zone.
    pub(crate) fn exists(&self, zone: &Zone) -> Result<bool, Error> {
        match self.send(self.client.get(&self.path(zone))) {
            // Of a missing group or subscription Azure's own words tell more.
            Err(Refusal { code, .. }) if code == "ResourceNotFound" => Ok(false),
            result => result.map(|_| true).map_err(|refusal| refusal.error),
        }
    }

    /// The zone with the first of these names that has one, among all that can be seen.
    pub(crate) fn find(
        &self,
        names: &[&str],
        subscription: Option<&str>,
        resource_group: Option<&str>,
    ) -> Result<Option<Zone>, Error> {
        let quoted: Vec<String> = names.iter().map(|name| dns::quoted(name)).collect();
        let mut stages = vec![format!("where name in~ ({})", quoted.join(", "))];
        stages.extend(subscription.map(|id| format!("where subscriptionId =~ {}", dns::quoted(id))));
        stages.extend(resource_group.map(|group| format!("where resourceGroup =~ {}", dns::quoted(group))));
        let found = self.query(&stages)?;
        let Some(name) = names.iter().find(|name| found.iter().any(|zone| zone.name.eq_ignore_ascii_case(name))) else {
            return Ok(None);
        };
        let mut zones = found.into_iter().filter(|zone| zone.name.eq_ignore_ascii_case(name));
        match (zones.next(), zones.next()) {
            (Some(_), Some(_)) => Err(Error::config(format!(
                "there are several zones {name}: set {} and {}",
                super::SUBSCRIPTION,
                super::RESOURCE_GROUP
            ))),
            // Azure keeps the case in which the zone was created.
            (zone, _) => Ok(zone.map(|zone| Zone { name: (*name).to_owned(), ..zone })),
        }
    }

    /// The TXT records at a name within the zone.
    pub(crate) fn txt(&self, zone: &Zone, name: &str) -> Result<Option<Set>, Error> {
        match self.send(self.client.get(&self.set_path(zone, name))) {
            Ok(response) => response.json().map(Some),
            // Without its zone there is no set either; writing one tells.
            Err(Refusal { error, .. }) if error.kind() == ErrorKind::ZoneNotFound => Ok(None),
            Err(Refusal { error, .. }) => Err(error),
        }
    }

    /// Writes a record set, unless it is not as it was read.
    pub(crate) fn put(&self, zone: &Zone, name: &str, set: &Set) -> Result<(), Error> {
        let (ttl, records) = match self.kind {
            Kind::Public => ("TTL", "TXTRecords"),
            Kind::Private => ("ttl", "txtRecords"),
        };
        let mut properties = json!({ (ttl): set.properties.ttl, (records): set.properties.records });
        if let Some(metadata) = &set.properties.metadata {
            properties["metadata"] = metadata.clone();
        }
        let request = self.client.put(&self.set_path(zone, name)).json(&json!({ "properties": properties }));
        self.send(set.guard(request)).map(drop).map_err(|refusal| refusal.error)
    }

    /// Deletes a record set, unless it is not as it was read.
    pub(crate) fn delete(&self, zone: &Zone, name: &str, set: &Set) -> Result<(), Error> {
        let request = self.client.delete(&self.set_path(zone, name));
        self.send(set.guard(request)).map(drop).map_err(|refusal| refusal.error)
    }

    /// Asks the Resource Graph for zones.
    fn query(&self, stages: &[String]) -> Result<Vec<Zone>, Error> {
        let kind = self.kind.resource_type().to_ascii_lowercase();
        let query = format!(
            "resources | where type =~ \"microsoft.network/{kind}\" | {} | project subscriptionId, resourceGroup, name",
            stages.join(" | ")
        );
        let request = self.client.post(GRAPH).query("api-version", GRAPH_VERSION);
        let request = request.json(&json!({ "query": query, "options": { "resultFormat": "objectArray" } }));
        let found: Found = send(request).map_err(|refusal| refusal.error)?.json()?;
        Ok(found.data)
    }

    fn send(&self, request: http::Request<'_>) -> Result<http::Response, Refusal> {
        send(request.query("api-version", self.kind.version()))
    }

    fn path(&self, zone: &Zone) -> String {
        format!(
            "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/{}/{}",
            http::segment(&zone.subscription),
            http::segment(&zone.resource_group),
            self.kind.resource_type(),
            http::segment(&zone.name)
        )
    }

    fn set_path(&self, zone: &Zone, name: &str) -> String {
        format!("{}/TXT/{}", self.path(zone), http::segment(name))
    }
}

/// An error with Azure's code for it, where there is one.
struct Refusal {
    code: String,
    error: Error,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { code: String::new(), error }
    }
}

fn send(request: http::Request<'_>) -> Result<http::Response, Refusal> {
    let response = request.send_any()?;
    if response.is_success() {
        return Ok(response);
    }
    let Ok(Failure::Wrapped { error: problem } | Failure::Bare(problem)) = response.json() else {
        return Err(response.to_error().into());
    };
    let error = response.to_error_with(&format!("{}: {}", problem.code, problem.message));
    let error = match (response.status(), problem.code.as_str()) {
        (404, _) => error.with_kind(ErrorKind::ZoneNotFound),
        // A lock stays until the operator removes it.
        (409, "ScopeLocked") => error.with_kind(ErrorKind::Rejected),
        _ => error,
    };
    Err(Refusal { code: problem.code, error })
}
