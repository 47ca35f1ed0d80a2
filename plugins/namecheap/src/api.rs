//! The requests and what Namecheap answers: the status is 200 as a rule, errors have numbers in the XML.

use std::net::Ipv4Addr;

use acme_manager_plugin::{Error, ErrorKind, http};
use serde::Deserialize;

use crate::hosts::Hosts;

const PAGE_SIZE: &str = "100";
/// More domains than ten thousand are not looked through.
const MAX_PAGES: u32 = 100;

/// The limits are 20 requests a minute, 700 an hour and 8000 a day.
const LIMIT_SECONDS: u32 = 60;

/// The API with its credentials.
pub(crate) struct Api {
    client: http::Client,
    user: String,
    key: String,
    address: String,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "@Status")]
    status: String,
    #[serde(rename = "Errors", default)]
    errors: Problems,
    #[serde(rename = "CommandResponse")]
    response: Option<Response>,
}

#[derive(Deserialize, Default)]
struct Problems {
    #[serde(rename = "Error", default)]
    list: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "@Number", default)]
    number: String,
    #[serde(rename = "$text", default)]
    text: String,
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "DomainDNSGetHostsResult")]
    hosts: Option<Hosts>,
    #[serde(rename = "DomainDNSSetHostsResult")]
    written: Option<Written>,
    #[serde(rename = "DomainGetListResult")]
    list: Option<List>,
    #[serde(rename = "Paging")]
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "@IsSuccess")]
    is_success: bool,
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "Domain", default)]
    domains: Vec<Domain>,
}

#[derive(Deserialize)]
struct Domain {
    #[serde(rename = "@Name")]
    name: String,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(rename = "TotalItems")]
    total: usize,
}

impl Api {
    pub(crate) fn new(client: http::Client, user: String, key: String, address: Ipv4Addr) -> Self {
        Self { client: client.header("accept", "text/xml"), user, key, address: address.to_string() }
    }

    /// Whether the credentials and the whitelisted address are good for reading.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.call("namecheap.domains.getList", &[("PageSize", "10")]).map(drop)
    }

    /// The domains of the account.
    pub(crate) fn domains(&self) -> Result<Vec<String>, Error> {
        const COMMAND: &str = "namecheap.domains.getList";
        let mut domains = Vec::new();
        for page in 1..=MAX_PAGES {
            let response = self.call(COMMAND, &[("Page", &page.to_string()), ("PageSize", PAGE_SIZE)])?;
            let (Some(list), Some(paging)) = (response.list, response.paging) else { return Err(incomplete(COMMAND)) };
            let is_last = list.domains.is_empty();
            domains.extend(list.domains.into_iter().map(|domain| domain.name));
            if is_last || domains.len() >= paging.total {
                break;
            }
        }
        Ok(domains)
    }

    /// All host records of a domain.
    pub(crate) fn read(&self, domain: &str) -> Result<Hosts, Error> {
        const COMMAND: &str = "namecheap.domains.dns.getHosts";
        let (sld, tld) = split(domain)?;
        let hosts = self.call(COMMAND, &[("SLD", sld), ("TLD", tld)])?.hosts.ok_or_else(|| incomplete(COMMAND))?;
        if !hosts.domain.eq_ignore_ascii_case(domain) {
            return Err(Error::unavailable(format!("asked for {domain}, Namecheap answered for {}", hosts.domain)));
        }
        if !hosts.is_using_our_dns {
            return Err(Error::rejected(format!("{domain} does not use Namecheap's name servers")));
        }
        Ok(hosts)
    }

    /// Replaces all host records of a domain.
    pub(crate) fn write(&self, domain: &str, wanted: &Hosts) -> Result<(), Error> {
        const COMMAND: &str = "namecheap.domains.dns.setHosts";
        let (sld, tld) = split(domain)?;
        let mut fields = vec![("SLD".to_owned(), sld), ("TLD".to_owned(), tld)];
        if !wanted.email_type.is_empty() {
            fields.push(("EmailType".to_owned(), &wanted.email_type));
        }
        for (number, host) in (1..).zip(&wanted.hosts) {
            fields.push((format!("HostName{number}"), &host.name));
            fields.push((format!("RecordType{number}"), &host.r#type));
            fields.push((format!("Address{number}"), &host.address));
            fields.push((format!("MXPref{number}"), &host.mx_pref));
            fields.push((format!("TTL{number}"), &host.ttl));
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        match self.call(COMMAND, &fields)?.written {
            Some(Written { is_success: true }) => Ok(()),
            Some(_) => Err(Error::rejected(format!("Namecheap did not write the host records of {domain}"))),
            None => Err(incomplete(COMMAND)),
        }
    }

    /// Sends a command as a form, for the API key has no place in a URL.
    fn call(&self, command: &str, fields: &[(&str, &str)]) -> Result<Response, Error> {
        let global = [
            ("ApiUser", self.user.as_str()),
            ("ApiKey", &self.key),
            ("UserName", &self.user),
            ("ClientIp", &self.address),
            ("Command", command),
        ];
        let response = self.client.post("").form(global.into_iter().chain(fields.iter().copied())).send_any()?;
        if response.status() == 405 {
            // Namecheap's own clients take this for the limit.
            let message = format!("Namecheap answered {command} with 405: too many requests");
            return Err(Error::rate_limited(message).retry_after(Some(LIMIT_SECONDS)));
        }
        if !response.is_success() {
            return Err(response.to_error());
        }
        let envelope: Envelope = quick_xml::de::from_str(&response.text()).map_err(|error| {
            Error::unavailable(format!("Namecheap answered {command} with unexpected XML: {error}"))
        })?;
        if !envelope.errors.list.is_empty() || envelope.status != "OK" {
            return Err(failure(command, &envelope.errors.list));
        }
        envelope.response.ok_or_else(|| incomplete(command))
    }
}

/// A registered domain is a label below its suffix, whatever that is: `example` and `co.uk`.
fn split(domain: &str) -> Result<(&str, &str), Error> {
    domain.split_once('.').ok_or_else(|| Error::zone_not_found(domain))
}

fn incomplete(command: &str) -> Error {
    Error::unavailable(format!("Namecheap's answer to {command} is incomplete"))
}

/// Reference: <https://www.namecheap.com/support/api/global-parameters/> and the pages of the methods.
fn failure(command: &str, problems: &[Problem]) -> Error {
    let each: Vec<String> = problems.iter().map(|problem| format!("{} ({})", problem.text, problem.number)).collect();
    let message = format!("{command} failed: {}", each.join("; "));
    let number = problems.first().and_then(|problem| problem.number.parse::<u32>().ok()).unwrap_or_default();
    let kind = match number {
        // "Too many requests": not in the reference.
        500_000 => return Error::rate_limited(message).retry_after(Some(LIMIT_SECONDS)),
        // "Domain not found", "Domain is not associated with your account", the same of a partner.
        2_019_166 | 2_016_166 | 3_016_166 => ErrorKind::ZoneNotFound,
        // Unknown errors of the API and of the systems behind it.
        1_050_900 | 3_031_510 | 3_050_900 | 4_022_288 | 4_023_330 | 5_019_169 | 5_050_169 | 5_050_900 => {
            ErrorKind::Unavailable
        }
        // The user, the key, the address: all numbers that begin so are about them. The last is "Access denied".
        1_010_000..=1_039_999 | 4_011_103 => ErrorKind::Unauthorized,
        _ => ErrorKind::Rejected,
    };
    Error::new(kind, message)
}
