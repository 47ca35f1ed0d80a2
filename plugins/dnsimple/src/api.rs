//! The requests and what `DNSimple` answers.

use acme_manager_plugin::{Error, TxtRecord, dns, http};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The most that the API allows.
const PER_PAGE: &str = "100";

/// The API with its credentials.
pub(crate) struct Api(http::Client);

/// Where a record is.
pub(crate) struct Place<'a> {
    pub(crate) account: u64,
    pub(crate) zone: &'a str,
    pub(crate) id: u64,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    pagination: Pagination,
}

#[derive(Deserialize)]
struct Pagination {
    total_pages: u32,
}

#[derive(Deserialize)]
struct Identity {
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    id: u64,
}

#[derive(Deserialize)]
struct Zone {
    name: String,
}

#[derive(Deserialize)]
struct Record {
    id: u64,
    name: String,
    r#type: String,
    content: String,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    name: &'a str,
    r#type: &'a str,
    content: &'a str,
    ttl: u32,
}

impl<'a> Place<'a> {
    pub(crate) fn to_handle(&self) -> String {
        format!("{}/{}/{}", self.account, self.zone, self.id)
    }

    pub(crate) fn from_handle(handle: &'a str) -> Option<Self> {
        let (account, rest) = handle.split_once('/')?;
        let (zone, id) = rest.split_once('/')?;
        Some(Self { account: account.parse().ok()?, zone, id: id.parse().ok()? })
    }
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self(client)
    }

    /// The number of the account that the token belongs to; it is part of every path.
    pub(crate) fn account(&self) -> Result<u64, Error> {
        let identity: Answer<Identity> = send(self.0.get("v2/whoami"))?.json()?;
        let account = identity.data.account.map(|account| account.id);
        account.ok_or_else(|| Error::config("the token belongs to a user, not to an account; create an account token"))
    }

    /// The name of the zone that holds a record. Zones are listed, for a token with rights on single zones sees
    /// those in the list, and cannot ask for others.
    pub(crate) fn zone(&self, account: u64, record: &TxtRecord) -> Result<String, Error> {
        for name in dns::zone_candidates(record) {
            let zones = self.list::<Zone>(&format!("v2/{account}/zones"), &[("name_like", name)])?;
            if zones.iter().any(|zone| zone.name == name) {
                return Ok(name.to_owned());
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// The numbers of the TXT records that hold exactly this value. It comes back in quotes, but for old records.
    pub(crate) fn find(&self, account: u64, zone: &str, record: &TxtRecord) -> Result<Vec<u64>, Error> {
        let name = relative(record, zone);
        let mut records: Vec<Record> = self.list(&records(account, zone), &[("name", name), ("type", "TXT")])?;
        let quoted = dns::quoted(&record.value);
        records.retain(|found| found.r#type == "TXT" && found.name == name);
        records.retain(|found| found.content == quoted || found.content == record.value);
        Ok(records.into_iter().map(|found| found.id).collect())
    }

    /// Adds a TXT record and returns its number.
    pub(crate) fn create(&self, account: u64, zone: &str, record: &TxtRecord, ttl: u32) -> Result<u64, Error> {
        let content = dns::quoted(&record.value);
        let new = NewRecord { name: relative(record, zone), r#type: "TXT", content: &content, ttl };
        let created: Answer<Record> = send(self.0.post(&records(account, zone)).json(&new))?.json()?;
        Ok(created.data.id)
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, place: &Place<'_>) -> Result<(), Error> {
        let path = format!("{}/{}", records(place.account, place.zone), place.id);
        send(self.0.delete(&path).accept(404)).map(drop)
    }

    fn list<T: DeserializeOwned>(&self, path: &str, filters: &[(&str, &str)]) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut page = 1_u32;
        loop {
            let request = filters.iter().fold(self.0.get(path), |request, (name, value)| request.query(name, value));
            let request = request.query("per_page", PER_PAGE).query("page", &page.to_string());
            let answer: Page<T> = send(request)?.json()?;
            all.extend(answer.data);
            if page >= answer.pagination.total_pages {
                return Ok(all);
            }
            page += 1;
        }
    }
}

/// Here 412 says that the account's plan lacks a feature, which is no conflict: trying again does not help.
fn send(request: http::Request<'_>) -> Result<http::Response, Error> {
    let response = request.accept(412).send()?;
    if response.status() == 412 {
        return Err(Error::rejected(response.to_error().message()));
    }
    Ok(response)
}

fn records(account: u64, zone: &str) -> String {
    format!("v2/{account}/zones/{}/records", http::segment(zone))
}

/// The name within the zone; the zone itself has the empty one.
fn relative<'a>(record: &'a TxtRecord, zone: &str) -> &'a str {
    match dns::relative_to(&record.name, zone) {
        "@" => "",
        name => name,
    }
}
