//! Zones and record sets.

use acme_manager_plugin::{Error, ErrorKind, dns, http};
use serde::{Deserialize, Serialize};

/// Designate with a token.
pub(crate) struct Api {
    client: http::Client,
    address: String,
    /// The address is from the catalogue, so the operator may not have granted it.
    found: bool,
}

#[derive(Deserialize)]
pub(crate) struct Zone {
    pub(crate) id: String,
    name: String,
}

/// All values of one type at a name.
#[derive(Deserialize)]
pub(crate) struct Set {
    pub(crate) id: String,
    pub(crate) name: String,
    r#type: String,
    ttl: Option<u32>,
    description: Option<String>,
    pub(crate) records: Vec<String>,
    /// `PENDING` until all name servers have the change, then `ACTIVE`, or `ERROR`.
    pub(crate) status: String,
    #[serde(default)]
    action: Option<String>,
}

#[derive(Deserialize)]
struct Zones {
    zones: Vec<Zone>,
}

#[derive(Deserialize)]
struct Sets {
    recordsets: Vec<Set>,
}

#[derive(Serialize)]
struct NewSet<'a> {
    name: &'a str,
    r#type: &'a str,
    ttl: u32,
    records: [String; 1],
}

#[derive(Serialize)]
struct Change<'a> {
    // As they were, so that the result does not depend on what a server makes of their absence.
    ttl: Option<u32>,
    description: Option<&'a str>,
    records: &'a [String],
}

impl Set {
    /// Whether it is to vanish from the name servers.
    pub(crate) fn is_going(&self) -> bool {
        self.action.as_deref() == Some("DELETE") || self.status == "PENDING_DELETE"
    }
}

impl Api {
    /// Designate at this address, which may or may not end with the version.
    pub(crate) fn new(address: &str, token: &str, found: bool) -> Result<Self, Error> {
        let address = address.trim_end_matches('/');
        let address = address.strip_suffix("/v2").unwrap_or(address);
        let client = http::Client::new(&format!("{address}/v2"))?.header("x-auth-token", token);
        Ok(Self { client, address: address.to_owned(), found })
    }

    /// Whether the token is good for reading zones.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.send(self.client.get("zones").query("limit", "1")).map(drop)
    }

    /// The zone of this name.
    pub(crate) fn zone(&self, name: &str) -> Result<Option<Zone>, Error> {
        let name = dns::absolute(name);
        let zones: Zones = self.send(self.client.get("zones").query("name", &name))?.json()?;
        Ok(zones.zones.into_iter().find(|zone| zone.name.eq_ignore_ascii_case(&name)))
    }

    /// The TXT records at a name. Nothing, too, when the zone is gone.
    pub(crate) fn set_named(&self, zone: &str, name: &str) -> Result<Option<Set>, Error> {
        let name = dns::absolute(name);
        let request = self.client.get(&sets(zone)).query("name", &name).query("type", "TXT").accept(404);
        let response = self.send(request)?;
        if !response.is_success() {
            return Ok(None);
        }
        let found: Sets = response.json()?;
        Ok(found.recordsets.into_iter().find(|set| set.r#type == "TXT" && set.name.eq_ignore_ascii_case(&name)))
    }

    pub(crate) fn set(&self, zone: &str, set: &str) -> Result<Set, Error> {
        self.send(self.client.get(&path(zone, set)))?.json()
    }

    pub(crate) fn create(&self, zone: &str, name: &str, value: &str, ttl: u32) -> Result<Set, Error> {
        let new = NewSet { name: &dns::absolute(name), r#type: "TXT", ttl, records: [dns::quoted(value)] };
        self.send(self.client.post(&sets(zone)).json(&new))?.json()
    }

    pub(crate) fn update(&self, zone: &str, set: &Set) -> Result<(), Error> {
        let change = Change { ttl: set.ttl, description: set.description.as_deref(), records: &set.records };
        self.send(self.client.put(&path(zone, &set.id)).json(&change)).map(drop)
    }

    pub(crate) fn delete(&self, zone: &str, set: &Set) -> Result<(), Error> {
        self.send(self.client.delete(&path(zone, &set.id)).accept(404)).map(drop)
    }

    fn send(&self, request: http::Request<'_>) -> Result<http::Response, Error> {
        request.send().map_err(|error| match error.kind() {
            ErrorKind::Config if self.found => error.context(&format!(
                "the catalogue's address of Designate has to be granted by setting {}={}",
                super::ENDPOINT,
                self.address
            )),
            _ => error,
        })
    }
}

fn sets(zone: &str) -> String {
    format!("zones/{}/recordsets", http::segment(zone))
}

fn path(zone: &str, set: &str) -> String {
    format!("{}/{}", sets(zone), http::segment(set))
}
