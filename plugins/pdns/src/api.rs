//! The requests, in the form of API version 1 and in the one before PowerDNS 4.0.

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, host, http};
use serde::{Deserialize, Serialize};

/// A server whose API version is known.
pub(crate) struct Api<'a> {
    client: &'a http::Client,
    server_name: &'a str,
    version: u32,
}

/// A zone with the record sets that the server sent.
#[derive(Deserialize)]
pub(crate) struct Zone {
    /// With a final dot, but for servers before 4.0.
    pub(crate) name: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    rrsets: Vec<RecordSet>,
    /// Before 4.0: records without sets.
    #[serde(default)]
    records: Vec<FlatRecord>,
}

#[derive(Deserialize)]
struct RecordSet {
    name: String,
    r#type: String,
    #[serde(default)]
    records: Vec<Entry>,
}

#[derive(Deserialize)]
struct FlatRecord {
    name: String,
    r#type: String,
    content: String,
    #[serde(default)]
    disabled: bool,
}

/// One value of a set.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    /// As in a zone file: TXT values are quoted.
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) disabled: bool,
}

/// The body of a change, with one set in it.
#[derive(Serialize)]
struct Changes<'a> {
    rrsets: [SetChange<'a>; 1],
}

#[derive(Serialize)]
struct SetChange<'a> {
    name: &'a str,
    r#type: &'a str,
    ttl: u32,
    changetype: &'a str,
    records: Vec<NewRecord<'a>>,
}

/// A value; the optional fields are for servers before 4.0.
#[derive(Serialize)]
struct NewRecord<'a> {
    content: &'a str,
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
}

/// What to do with a set.
pub(crate) enum Change {
    Replace(Vec<Entry>),
    Delete,
}

impl Zone {
    /// The TXT values at a name.
    pub(crate) fn entries(&self, name: &str) -> Vec<Entry> {
        let is_wanted = |kind: &str, candidate: &str| {
            kind == "TXT" && candidate.trim_end_matches('.').eq_ignore_ascii_case(name.trim_end_matches('.'))
        };
        let sets = self.rrsets.iter().filter(|set| is_wanted(&set.r#type, &set.name));
        let flat = self.records.iter().filter(|record| is_wanted(&record.r#type, &record.name));
        let flat = flat.map(|record| Entry { content: record.content.clone(), disabled: record.disabled });
        sets.flat_map(|set| set.records.iter().cloned()).chain(flat).collect()
    }

    /// Whether the server sends notifications to secondaries; `Primary` is what newer versions call `Master`.
    pub(crate) fn notifies(&self) -> bool {
        self.kind.eq_ignore_ascii_case("master") || self.kind.eq_ignore_ascii_case("primary")
    }
}

impl<'a> Api<'a> {
    /// Asks the server for its API version unless that is given.
    pub(crate) fn connect(client: &'a http::Client, server_name: &'a str, version: Option<u32>) -> Result<Self, Error> {
        let version = match version {
            Some(version) => version,
            None => newest_version(client)?,
        };
        Ok(Self { client, server_name, version })
    }

    /// Whether the server and the API key are as configured.
    pub(crate) fn server(&self) -> Result<(), Error> {
        self.client.get(&self.path("")).send().map(drop)
    }

    /// The zone that holds a record.
    pub(crate) fn zone(&self, record: &TxtRecord) -> Result<Zone, Error> {
        for candidate in dns::zone_candidates(record) {
            match self.zone_named(candidate, record) {
                Err(error) if error.kind() == ErrorKind::ZoneNotFound => {}
                result => return result,
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// The zone of this name, with the TXT set of the record.
    pub(crate) fn zone_named(&self, zone: &str, record: &TxtRecord) -> Result<Zone, Error> {
        let request = self.client.get(&self.zone_path(zone));
        let request = request.query("rrset_name", &dns::absolute(&record.name)).query("rrset_type", "TXT");
        let response = request.send_any()?;
        match response.status() {
            200 => response.json(),
            404 => Err(Error::zone_not_found(&record.name)),
            // Versions up to 4.x say so with "Could not find domain".
            422 if response.text().contains("Could not find domain") => Err(Error::zone_not_found(&record.name)),
            _ => Err(response.to_error()),
        }
    }

    /// Changes the TXT set at a name.
    pub(crate) fn write(&self, zone: &str, name: &str, ttl: u32, change: Change) -> Result<(), Error> {
        let name = if self.version == 0 { name.to_owned() } else { dns::absolute(name) };
        let (changetype, entries) = match change {
            Change::Replace(entries) => ("REPLACE", entries),
            Change::Delete => ("DELETE", Vec::new()),
        };
        let is_flat = self.version == 0;
        let records = entries.iter().map(|entry| NewRecord {
            content: &entry.content,
            disabled: entry.disabled,
            name: is_flat.then_some(name.as_str()),
            r#type: is_flat.then_some("TXT"),
            ttl: is_flat.then_some(ttl),
        });
        let set = SetChange { name: &name, r#type: "TXT", ttl, changetype, records: records.collect() };
        self.client.patch(&self.zone_path(zone)).json(&Changes { rrsets: [set] }).send().map(drop)
    }

    /// Tells the secondaries; there was no such call before version 1.
    pub(crate) fn notify(&self, zone: &str) -> Result<(), Error> {
        if self.version == 0 {
            return Ok(());
        }
        self.client.put(&format!("{}/notify", self.zone_path(zone))).send().map(drop)
    }

    fn zone_path(&self, zone: &str) -> String {
        let zone = if self.version == 0 { zone.trim_end_matches('.').to_owned() } else { dns::absolute(zone) };
        // The API's own encoding of zone ids: a slash, as in classless reverse zones, is `=2F`.
        let id = http::segment(&zone).replace("%2F", "=2F");
        self.path(&format!("/zones/{id}"))
    }

    fn path(&self, rest: &str) -> String {
        let server = http::segment(self.server_name);
        match self.version {
            0 => format!("servers/{server}{rest}"),
            version => format!("api/v{version}/servers/{server}{rest}"),
        }
    }
}

fn newest_version(client: &http::Client) -> Result<u32, Error> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    match client.get("api").send().and_then(|response| response.json::<Vec<Version>>()) {
        Ok(versions) => Ok(versions.iter().map(|entry| entry.version).max().unwrap_or(0)),
        Err(error) if error.kind() == ErrorKind::Unauthorized => Err(error),
        // Proxies often let through nothing but /api/v1.
        Err(error) => {
            host::debug(&format!("the API's version is unknown, taking 1: {error}"));
            Ok(1)
        }
    }
}
