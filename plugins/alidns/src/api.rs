//! The operations, and what the error codes mean for the host.
//!
//! Reference of the codes: <https://help.aliyun.com/document_detail/2355841.html>

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, http};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

const VERSION: &str = "2015-01-09";
/// The most that the API takes.
const PAGE_SIZE: usize = 100;

/// The API with its credentials.
pub(crate) struct Api {
    client: http::Client,
    line: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    domain_records: Records,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records {
    record: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    record_id: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Added {
    record_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Problem {
    code: String,
    #[serde(default)]
    message: String,
}

impl Api {
    pub(crate) fn new(client: http::Client, line: String) -> Self {
        Self { client: client.header("x-acs-version", VERSION), line }
    }

    /// Asks for the smallest page of the account's zones.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.call::<IgnoredAny>("DescribeDomains", &[("PageSize", "1")], &[]).map(drop)
    }

    /// Adds the value and returns the id of its record, or nothing where there is an identical one.
    pub(crate) fn add(&self, zone: &str, record: &TxtRecord, ttl: u32) -> Result<Option<String>, Error> {
        let name = dns::relative_to(&record.name, zone);
        let ttl = ttl.to_string();
        let parameters = [
            ("DomainName", zone),
            ("RR", name),
            ("Type", "TXT"),
            ("Value", &record.value),
            ("TTL", &ttl),
            ("Line", &self.line),
        ];
        let added: Option<Added> = self.call("AddDomainRecord", &parameters, &["DomainRecordDuplicate"])?;
        Ok(added.map(|added| added.record_id))
    }

    /// The ids of the records that hold exactly this value.
    pub(crate) fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<String>, Error> {
        let size = PAGE_SIZE.to_string();
        let mut ids = Vec::new();
        let mut number = 1_u32;
        loop {
            let parameters = [
                ("SubDomain", record.name.as_str()),
                ("DomainName", zone),
                ("Type", "TXT"),
                ("Line", &self.line),
                ("PageSize", &size),
                ("PageNumber", &number.to_string()),
            ];
            let page: Option<Page> = self.call("DescribeSubDomainRecords", &parameters, &[])?;
            let records = page.map(|page| page.domain_records.record).unwrap_or_default();
            let is_last = records.len() < PAGE_SIZE;
            ids.extend(records.into_iter().filter(|found| found.value == record.value).map(|found| found.record_id));
            if is_last {
                return Ok(ids);
            }
            number += 1;
        }
    }

    /// Deletes a record, if it is there. One that is not counts as somebody else's.
    pub(crate) fn delete(&self, id: &str) -> Result<(), Error> {
        let gone = ["DomainRecordNotBelongToUser", "InvalidRR.NoExist"];
        self.call::<IgnoredAny>("DeleteDomainRecord", &[("RecordId", id)], &gone).map(drop)
    }

    /// The answer, or nothing where it is an error with one of the `tolerated` codes.
    fn call<T: DeserializeOwned>(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
        tolerated: &[&str],
    ) -> Result<Option<T>, Error> {
        let request = self.client.post("").header("x-acs-action", action);
        let request = parameters.iter().fold(request, |request, (name, value)| request.query(name, value));
        let response = request.send_any()?;
        if response.is_success() {
            return response.json().map(Some);
        }
        let Ok(problem) = response.json::<Problem>() else {
            // The error page of a proxy.
            return Err(response.to_error().context(action));
        };
        if tolerated.contains(&problem.code.as_str()) {
            return Ok(None);
        }
        let error = response.to_error_with(&format!("{} ({})", problem.message, problem.code)).context(action);
        Err(match kind(&problem.code) {
            Some(kind) => error.with_kind(kind),
            None => error,
        })
    }
}

/// The kind, where the status alone would mislead: almost all of these come with status 400.
fn kind(code: &str) -> Option<ErrorKind> {
    let (family, _) = code.split_once('.').unwrap_or((code, ""));
    let kind = match (family, code) {
        ("Throttling", _) => ErrorKind::RateLimited,
        // Also for a name that cannot be a zone, as `com`, and for a zone of another account.
        ("InvalidDomainName" | "IncorrectDomainUser", _) => ErrorKind::ZoneNotFound,
        ("InvalidAccessKeyId" | "InvalidSecurityToken" | "IncompleteSignature" | "SignatureDoesNotMatch", _)
        // The other codes of this family are about the zone.
        | (_, "Forbidden" | "Forbidden.RAM" | "Forbidden.AuthType" | "Forbidden.RiskControl") => {
            ErrorKind::Unauthorized
        }
        ("LastOperationNotFinished", _) | (_, "RecordForbidden.DNSChange") => ErrorKind::Conflict,
        ("InternalError" | "ServiceUnavailable", _) => ErrorKind::Unavailable,
        _ => return None,
    };
    Some(kind)
}
