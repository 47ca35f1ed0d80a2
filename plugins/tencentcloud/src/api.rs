//! The operations, and what the error codes mean for the host.
//!
//! Reference of the codes: <https://cloud.tencent.com/document/api/1427/56192>

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, http};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

const VERSION: &str = "2021-03-23";
/// The line that answers all who have no line of their own. Its name depends on the site's language, so the id is
/// sent too and has precedence.
const DEFAULT_LINE: &str = "默认";
const DEFAULT_LINE_ID: &str = "0";
/// The most that the API takes. At one name there are never as many.
const PAGE_SIZE: u32 = 3000;

/// The API with its credentials.
pub(crate) struct Api(http::Client);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<T> {
    response: Answer<T>,
}

/// Errors come with status 200.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Refused {
        #[serde(rename = "Error")]
        problem: Problem,
    },
    Done(T),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Problem {
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    record_id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records {
    record_list: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    record_id: u64,
    value: String,
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self(client.header("x-tc-version", VERSION))
    }

    /// Asks for one domain of the account; none at all is well too.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let none = ["ResourceNotFound.NoDataOfDomain"];
        self.call::<IgnoredAny>("DescribeDomainList", &json!({"Limit": 1}), &none).map(drop)
    }

    /// Adds the value and returns the number of its record, or nothing where there is an identical one.
    pub(crate) fn create(&self, zone: &str, record: &TxtRecord, ttl: u32) -> Result<Option<u64>, Error> {
        let new = json!({
            "Domain": zone,
            "SubDomain": dns::relative_to(&record.name, zone),
            "RecordType": "TXT",
            "RecordLine": DEFAULT_LINE,
            "RecordLineId": DEFAULT_LINE_ID,
            "Value": record.value,
            "TTL": ttl,
        });
        let created: Option<Created> = self.call("CreateRecord", &new, &["InvalidParameter.DomainRecordExist"])?;
        Ok(created.map(|created| created.record_id))
    }

    /// The numbers of the records that hold exactly this value. A record is listed some seconds after it was created.
    pub(crate) fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<u64>, Error> {
        let query = json!({
            "Domain": zone,
            "Subdomain": dns::relative_to(&record.name, zone),
            "RecordType": "TXT",
            "RecordLineId": DEFAULT_LINE_ID,
            "Limit": PAGE_SIZE,
        });
        let found: Option<Records> = self.call("DescribeRecordList", &query, &["ResourceNotFound.NoDataOfRecord"])?;
        let records = found.map(|found| found.record_list).unwrap_or_default();
        Ok(records.into_iter().filter(|found| found.value == record.value).map(|found| found.record_id).collect())
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, zone: &str, id: u64) -> Result<(), Error> {
        let gone = ["InvalidParameter.RecordIdInvalid", "ResourceNotFound.NoDataOfRecord"];
        self.call::<IgnoredAny>("DeleteRecord", &json!({"Domain": zone, "RecordId": id}), &gone).map(drop)
    }

    /// The answer, or nothing where it is an error with one of the `tolerated` codes.
    fn call<T: DeserializeOwned>(
        &self,
        action: &str,
        parameters: &Value,
        tolerated: &[&str],
    ) -> Result<Option<T>, Error> {
        let in_action = |error: Error| error.context(action);
        let response = self.0.post("").header("x-tc-action", action).json(parameters).send().map_err(in_action)?;
        let envelope: Envelope<T> = response.json().map_err(in_action)?;
        match envelope.response {
            Answer::Done(answer) => Ok(Some(answer)),
            Answer::Refused { problem } if tolerated.contains(&problem.code.as_str()) => Ok(None),
            Answer::Refused { problem } => {
                let text = format!("{action} was refused: {} ({})", problem.message, problem.code);
                Err(Error::new(kind(&problem.code), text))
            }
        }
    }
}

fn kind(code: &str) -> ErrorKind {
    let (family, _) = code.split_once('.').unwrap_or((code, ""));
    match (family, code) {
        ("AuthFailure" | "UnauthorizedOperation", _)
        | (_, "OperationDenied.AccessDenied" | "OperationDenied.NoPermissionToOperateDomain") => {
            ErrorKind::Unauthorized
        }
        ("RequestLimitExceeded", _) => ErrorKind::RateLimited,
        ("InternalError", _) | (_, "FailedOperation.UnknowError" | "InvalidParameter.OperateFailed") => {
            ErrorKind::Unavailable
        }
        // The second is the answer for what cannot be a zone, as `com`.
        (_, "InvalidParameterValue.DomainNotExists" | "InvalidParameter.DomainInvalid")
        | (_, "FailedOperation.NotDomainOwner" | "ResourceNotFound.NoDataOfDomain") => ErrorKind::ZoneNotFound,
        _ => ErrorKind::Rejected,
    }
}
