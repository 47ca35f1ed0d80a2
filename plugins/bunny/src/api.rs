//! The requests and what bunny.net answers.

use acme_manager_plugin::{Error, TxtRecord, dns, http};
use serde::{Deserialize, Serialize};

/// The number that stands for TXT among the record types.
const TXT: u32 = 3;
/// Each zone of a page comes with all of its records.
const ZONES_PER_PAGE: &str = "100";
const MAX_BODY: usize = 16 * 1024 * 1024;

/// The API with its credentials.
pub(crate) struct Api(http::Client);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Zones {
    items: Option<Vec<Zone>>,
    #[serde(default)]
    has_more_items: bool,
}

/// A zone with its records.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Zone {
    pub(crate) id: u64,
    domain: Option<String>,
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    id: u64,
    r#type: u32,
    name: Option<String>,
    value: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NewRecord<'a> {
    r#type: u32,
    name: &'a str,
    value: &'a str,
    ttl: u32,
}

impl Zone {
    /// The numbers of the TXT records that hold exactly this value.
    pub(crate) fn find(&self, record: &TxtRecord) -> impl Iterator<Item = u64> {
        let name = self.relative(record);
        let is_wanted = move |found: &&Record| {
            found.r#type == TXT
                && found.name.as_deref().unwrap_or_default() == name
                && found.value.as_ref() == Some(&record.value)
        };
        self.records.iter().flatten().filter(is_wanted).map(|found| found.id)
    }

    fn name(&self) -> &str {
        self.domain.as_deref().unwrap_or_default()
    }

    /// The name within the zone; the zone itself has the empty one.
    fn relative<'a>(&self, record: &'a TxtRecord) -> &'a str {
        match dns::relative_to(&record.name, self.name()) {
            "@" => "",
            name => name,
        }
    }
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self(client.max_body(MAX_BODY))
    }

    /// Whether the key may list zones; five is the smallest page.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0.get("dnszone").query("page", "1").query("perPage", "5").send().map(drop)
    }

    /// The zone that holds a record.
    pub(crate) fn zone(&self, record: &TxtRecord) -> Result<Zone, Error> {
        for name in dns::zone_candidates(record) {
            if let Some(zone) = self.zone_named(name)? {
                return Ok(zone);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// The search also finds zones whose names only contain this one, so there may be pages of them.
    fn zone_named(&self, name: &str) -> Result<Option<Zone>, Error> {
        let mut page = 1_u32;
        loop {
            let request = self.0.get("dnszone").query("search", name).query("page", &page.to_string());
            let zones: Zones = request.query("perPage", ZONES_PER_PAGE).send()?.json()?;
            let items = zones.items.unwrap_or_default();
            let is_last = items.is_empty() || !zones.has_more_items;
            let found = items.into_iter().find(|zone| zone.name() == name);
            if found.is_some() || is_last {
                return Ok(found);
            }
            page += 1;
        }
    }

    /// Adds a TXT record and returns its number.
    pub(crate) fn create(&self, zone: &Zone, record: &TxtRecord, ttl: u32) -> Result<u64, Error> {
        let new = NewRecord { r#type: TXT, name: zone.relative(record), value: &record.value, ttl };
        let created: Record = self.0.put(&format!("dnszone/{}/records", zone.id)).json(&new).send()?.json()?;
        Ok(created.id)
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        let path = format!("dnszone/{}/records/{}", http::segment(zone), http::segment(id));
        self.0.delete(&path).accept(404).send().map(drop)
    }
}
