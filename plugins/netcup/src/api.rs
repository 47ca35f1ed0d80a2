//! Sessions, and what netcup answers: the status is 200 throughout, `status` and `statuscode` say what happened.

use acme_manager_plugin::{Error, ErrorKind, auth::session, http};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// "The session id is not in a valid format.": also what a session that another login ended gets.
const BAD_SESSION: u32 = 4001;
/// "Validation Error.", whatever is wrong with a request; the long message tells.
const VALIDATION: u32 = 4013;
/// "Can not update (all) DNS records for zone." and "Can not get DNS records for zone."
const RECORDS_FAILED: [u32; 2] = [5028, 5029];

/// The limits are counted by the minute.
const LIMIT_SECONDS: u32 = 60;

/// The API with its credentials.
pub(crate) struct Api {
    client: http::Client,
    customer: String,
    key: String,
    password: String,
}

/// A login that is still to be ended.
pub(crate) struct Session<'a> {
    api: &'a Api,
    id: String,
}

/// An entry of a zone.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    /// Empty for a new record.
    #[serde(default)]
    id: String,
    hostname: String,
    r#type: String,
    priority: Option<String>,
    destination: String,
    #[serde(default)]
    deleterecord: bool,
}

#[derive(Serialize)]
struct Call<'a> {
    action: &'a str,
    param: Parameters<'a>,
}

#[derive(Serialize, Default)]
struct Parameters<'a> {
    customernumber: &'a str,
    apikey: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    apipassword: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apisessionid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domainname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dnsrecordset: Option<RecordSet<'a>>,
}

#[derive(Serialize)]
struct RecordSet<'a> {
    dnsrecords: &'a [Record],
}

#[derive(Deserialize)]
struct Message {
    status: String,
    statuscode: u32,
    #[serde(default)]
    longmessage: String,
    /// An object, or an empty text where there is nothing to tell.
    #[serde(default)]
    responsedata: Value,
}

#[derive(Deserialize)]
struct LoggedIn {
    apisessionid: String,
}

#[derive(Deserialize)]
struct Records {
    dnsrecords: Vec<Record>,
}

impl Record {
    pub(crate) fn new(hostname: &str, value: &str) -> Self {
        Self {
            id: String::new(),
            hostname: hostname.to_owned(),
            r#type: "TXT".to_owned(),
            priority: Some(String::new()),
            destination: value.to_owned(),
            deleterecord: false,
        }
    }

    /// Whether it is this TXT value.
    pub(crate) fn is(&self, hostname: &str, value: &str) -> bool {
        self.r#type == "TXT" && self.hostname.eq_ignore_ascii_case(hostname) && self.destination == value
    }

    pub(crate) fn deleted(self) -> Self {
        Self { deleterecord: true, ..self }
    }
}

impl Api {
    pub(crate) fn new(client: http::Client, customer: String, key: String, password: String) -> Self {
        Self { client, customer, key, password }
    }

    /// Logs in, works, and logs out whatever came of the work.
    pub(crate) fn with_session<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let login = Parameters { apipassword: Some(&self.password), ..self.parameters() };
        let id = self.call("login", login)?.data::<LoggedIn>()?.apisessionid;
        let logout = |session: &Session<'_>| session.call("logout", Parameters::default()).map(drop);
        session::within(Session { api: self, id }, work, logout)
    }

    fn parameters(&self) -> Parameters<'_> {
        Parameters { customernumber: &self.customer, apikey: &self.key, ..Parameters::default() }
    }

    fn call(&self, action: &str, param: Parameters<'_>) -> Result<Message, Error> {
        let message = self.answer(action, param)?;
        if message.is_success() { Ok(message) } else { Err(message.to_error(action)) }
    }

    fn answer(&self, action: &str, param: Parameters<'_>) -> Result<Message, Error> {
        self.client.post("").raw_query("JSON").json(&Call { action, param }).send()?.json()
    }
}

impl Session<'_> {
    /// All records of a zone, or nothing if the account has no such zone.
    pub(crate) fn records(&self, zone: &str) -> Result<Option<Vec<Record>>, Error> {
        const ACTION: &str = "infoDnsRecords";
        let message =
            self.api.answer(ACTION, self.parameters(Parameters { domainname: Some(zone), ..Parameters::default() }))?;
        if message.is_success() {
            return Ok(Some(message.data::<Records>()?.dnsrecords));
        }
        if message.is_empty_zone() {
            return Ok(Some(Vec::new()));
        }
        if message.is_unknown_zone() { Ok(None) } else { Err(message.to_error(ACTION)) }
    }

    /// Adds the records without an id and deletes those that are to be deleted; all others stay as they are.
    pub(crate) fn update(&self, zone: &str, records: &[Record]) -> Result<(), Error> {
        let dnsrecordset = Some(RecordSet { dnsrecords: records });
        self.call("updateDnsRecords", Parameters { domainname: Some(zone), dnsrecordset, ..Parameters::default() })
            .map(drop)
    }

    fn call(&self, action: &str, param: Parameters<'_>) -> Result<Message, Error> {
        self.api.call(action, self.parameters(param))
    }

    fn parameters<'b>(&'b self, param: Parameters<'b>) -> Parameters<'b> {
        Parameters { customernumber: &self.api.customer, apikey: &self.api.key, apisessionid: Some(&self.id), ..param }
    }
}

impl Message {
    fn is_success(&self) -> bool {
        // Beside "success" there are "started", "pending" and "warning".
        self.status != "error"
    }

    fn data<T: DeserializeOwned>(self) -> Result<T, Error> {
        serde_json::from_value(self.responsedata)
            .map_err(|error| Error::unavailable(format!("netcup reported a success with unexpected data: {error}")))
    }

    fn is_empty_zone(&self) -> bool {
        RECORDS_FAILED.contains(&self.statuscode) && self.longmessage.contains("not contain any DNS records")
    }

    /// Whether the zone is not in the account, or is a name that cannot be a zone at netcup.
    fn is_unknown_zone(&self) -> bool {
        (RECORDS_FAILED.contains(&self.statuscode) && self.longmessage.contains("could not be found"))
            || (self.statuscode == VALIDATION && self.longmessage.contains("field domainname"))
    }

    fn to_error(&self, action: &str) -> Error {
        let says = |text: &str| self.longmessage.contains(text);
        let is_login = action == "login";
        let too_much = self.statuscode == VALIDATION && (says("requests per minute") || says("Too many"));
        // The same words come back for wrong credentials.
        let hint = if too_much && is_login { ", or the credentials are wrong" } else { "" };
        let message = format!("{action} at netcup failed: {}{hint} ({})", self.longmessage.trim(), self.statuscode);
        match self.statuscode {
            _ if too_much => Error::rate_limited(message).retry_after(Some(LIMIT_SECONDS)),
            BAD_SESSION => Error::conflict(message),
            _ if self.is_unknown_zone() => Error::new(ErrorKind::ZoneNotFound, message),
            _ if is_login => Error::unauthorized(message),
            _ => Error::rejected(message),
        }
    }
}
