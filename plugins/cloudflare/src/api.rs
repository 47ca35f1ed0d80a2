//! The requests and what Cloudflare answers.

use acme_manager_plugin::{Error, ErrorKind, dns, http};
use cloudflare::endpoints::dns::dns::{
    CreateDnsRecord, CreateDnsRecordParams, DeleteDnsRecord, DnsContent, ListDnsRecords, ListDnsRecordsParams,
};
use cloudflare::endpoints::zones::zone::{ListZones, ListZonesParams};
use cloudflare::framework::endpoint::RequestBody;
use cloudflare::framework::endpoint::spec::EndpointSpec;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// The most that the API allows for records; for zones it is 50.
const RECORDS_PER_PAGE: u32 = 100;
/// A name with more than a thousand records is not a challenge name.
const MAX_PAGES: u32 = 10;

/// "An A, AAAA, or CNAME record with that host already exists" has 81053, an identical record these.
const IDENTICAL_RECORD: [u32; 2] = [81057, 81058];
/// "Record does not exist."
const NO_SUCH_RECORD: u32 = 81044;
/// Malformed credentials, which come with status 400.
const BAD_CREDENTIALS: [u32; 3] = [6003, 6103, 6111];

/// The API with its credentials.
pub(crate) struct Api {
    zones: http::Client,
    records: http::Client,
}

/// Where a record is.
pub(crate) struct RecordPlace {
    zone: String,
    record: String,
}

#[derive(Deserialize)]
struct Envelope<T> {
    /// Not there after a deletion, as documented; then the status counts alone.
    success: Option<bool>,
    #[serde(default)]
    errors: Vec<Problem>,
    result: Option<T>,
    result_info: Option<Page>,
}

#[derive(Deserialize)]
struct Problem {
    code: u32,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    total_pages: u32,
}

#[derive(Deserialize)]
struct Zone {
    id: String,
    name: String,
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    r#type: String,
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

/// An answer that is not a success, with Cloudflare's own codes.
struct Failure {
    codes: Vec<u32>,
    error: Error,
}

impl RecordPlace {
    pub(crate) fn to_handle(&self) -> String {
        format!("{}/{}", self.zone, self.record)
    }

    pub(crate) fn from_handle(handle: &str) -> Option<Self> {
        let (zone, record) = handle.split_once('/')?;
        // The crate puts both into a path as they are.
        let is_identifier = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let place = Self { zone: zone.to_owned(), record: record.to_owned() };
        (is_identifier(zone) && is_identifier(record)).then_some(place)
    }
}

impl Api {
    /// `zones` may list zones, `records` may edit records.
    pub(crate) fn new(zones: http::Client, records: http::Client) -> Self {
        Self { zones, records }
    }

    /// Whether the credentials are good for listing zones.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let request = ListZones { params: ListZonesParams { per_page: Some(5), ..ListZonesParams::default() } };
        call::<_, Vec<Zone>>(&self.zones, &request).map(drop).map_err(|failure| failure.error)
    }

    /// The identifier of the zone of this name. Where several accounts have it, the one that is in use.
    pub(crate) fn zone(&self, name: &str) -> Result<Option<String>, Error> {
        let params = ListZonesParams { name: Some(name.to_owned()), per_page: Some(50), ..ListZonesParams::default() };
        let envelope = call::<_, Vec<Zone>>(&self.zones, &ListZones { params }).map_err(|failure| failure.error)?;
        let mut zones = envelope.result.unwrap_or_default();
        zones.retain(|zone| zone.name.eq_ignore_ascii_case(name));
        let in_use = zones.iter().position(|zone| zone.status == "active").unwrap_or(0);
        Ok(zones.into_iter().nth(in_use).map(|zone| zone.id))
    }

    /// Creates a TXT record; nothing if there is an identical one.
    pub(crate) fn create(&self, zone: &str, name: &str, value: &str, ttl: u32) -> Result<Option<RecordPlace>, Error> {
        let content = DnsContent::TXT { content: dns::quoted(value) };
        let params = CreateDnsRecordParams { ttl: Some(ttl), priority: None, proxied: None, name, content };
        match call::<_, Created>(&self.records, &CreateDnsRecord { zone_identifier: zone, params }) {
            Ok(Envelope { result: Some(created), .. }) => {
                Ok(Some(RecordPlace { zone: zone.to_owned(), record: created.id }))
            }
            Ok(_) => Err(Error::unavailable("Cloudflare reported a success without the new record")),
            Err(failure) if failure.has(&IDENTICAL_RECORD) => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    /// The TXT records at a name with this value.
    pub(crate) fn find(&self, zone: &str, name: &str, value: &str) -> Result<Vec<RecordPlace>, Error> {
        let mut places = Vec::new();
        for page in 1..=MAX_PAGES {
            let params = ListDnsRecordsParams {
                name: Some(name.to_owned()),
                page: Some(page),
                per_page: Some(RECORDS_PER_PAGE),
                ..ListDnsRecordsParams::default()
            };
            let request = ListDnsRecords { zone_identifier: zone, params };
            let envelope = call::<_, Vec<Record>>(&self.records, &request).map_err(|failure| failure.error)?;
            let records = envelope.result.unwrap_or_default().into_iter();
            let matching = records.filter(|record| record.r#type == "TXT" && is_value(&record.content, value));
            places.extend(matching.map(|record| RecordPlace { zone: zone.to_owned(), record: record.id }));
            if envelope.result_info.is_none_or(|info| info.total_pages <= page) {
                break;
            }
        }
        Ok(places)
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, place: &RecordPlace) -> Result<(), Error> {
        let request = DeleteDnsRecord { zone_identifier: &place.zone, identifier: &place.record };
        match call::<_, IgnoredAny>(&self.records, &request) {
            Err(failure) if !failure.has(&[NO_SUCH_RECORD]) => Err(failure.error),
            _ => Ok(()),
        }
    }
}

impl Failure {
    fn has(&self, codes: &[u32]) -> bool {
        self.codes.iter().any(|code| codes.contains(code))
    }
}

/// Sends one of the crate's requests.
fn call<E: EndpointSpec, T: DeserializeOwned>(client: &http::Client, endpoint: &E) -> Result<Envelope<T>, Failure> {
    let mut request = client.request(endpoint.method().as_str(), &endpoint.path());
    if let Some(query) = endpoint.query().filter(|query| !query.is_empty()) {
        request = request.raw_query(&query);
    }
    if let Some(RequestBody::Json(body)) = endpoint.body() {
        request = request.body("application/json", body);
    }
    let without_codes = |error| Failure { codes: Vec::new(), error };
    let response = request.send_any().map_err(without_codes)?;
    if !response.is_success() {
        // The envelope, or the error page of a proxy.
        let problems = response.json::<Envelope<IgnoredAny>>().map(|envelope| envelope.errors).unwrap_or_default();
        if problems.is_empty() {
            return Err(without_codes(response.to_error()));
        }
        return Err(failure(&problems, response.to_error_with(&in_words(&problems))));
    }
    let envelope: Envelope<T> = response.json().map_err(without_codes)?;
    if envelope.success == Some(false) {
        return Err(failure(&envelope.errors, Error::rejected(in_words(&envelope.errors))));
    }
    Ok(envelope)
}

fn failure(problems: &[Problem], error: Error) -> Failure {
    let failure = Failure { codes: problems.iter().map(|problem| problem.code).collect(), error };
    if failure.has(&BAD_CREDENTIALS) {
        let error = Error::new(ErrorKind::Unauthorized, failure.error.message());
        return Failure { error, ..failure };
    }
    failure
}

fn in_words(problems: &[Problem]) -> String {
    let each: Vec<String> = problems.iter().map(|problem| format!("{} ({})", problem.message, problem.code)).collect();
    each.join("; ")
}

/// Older records come back without quotes, whatever they were created with.
fn is_value(content: &str, value: &str) -> bool {
    content == value || content == dns::quoted(value)
}
