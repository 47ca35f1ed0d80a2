//! The `oraclecloud` DNS-01 provider: public zones of Oracle Cloud Infrastructure, with an API signing key.
//!
//! A record set is patched: the value is added or removed alone, also if others change the set at the same time.
//! Reference: <https://docs.oracle.com/en-us/iaas/api/#/en/dns/20180115/RRSet/PatchRRSet>

mod signature;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord};
use acme_manager_plugin::{dns, env, export_provider, host, http, time};
use serde::{Deserialize, Serialize};

use signature::Signer;

const REGION: &str = "OCI_REGION";
const COMPARTMENT: &str = "OCI_COMPARTMENT_OCID";
const BASE_URL: &str = "OCI_API_URL";
const PREFIX: &str = "OCI_";

struct OracleCloud {
    api: http::Client,
    compartment: String,
    ttl: u32,
}

#[derive(Serialize)]
struct Patch<'a> {
    items: [Operation<'a>; 1],
}

#[derive(Serialize)]
#[serde(tag = "operation", rename_all = "UPPERCASE")]
enum Operation<'a> {
    Add { domain: &'a str, rtype: &'a str, rdata: String, ttl: u32 },
    Remove { domain: &'a str, rtype: &'a str, rdata: String },
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    message: String,
}

impl Provider for OracleCloud {
    fn describe() -> Description {
        let description = Description::new("oraclecloud", env!("CARGO_PKG_VERSION"))
            .homepage("https://docs.oracle.com/en-us/iaas/Content/DNS/home.htm")
            // One host for each region.
            .host("*.oci.oraclecloud.com");
        Signer::keys()
            .into_iter()
            .fold(description, Description::key)
            .key(Key::new(REGION).alias("TF_VAR_region").help("Region, for example eu-frankfurt-1"))
            .key(Key::new(COMPARTMENT).required().help("OCID of the compartment that holds the zones"))
            .key(Key::new(BASE_URL).endpoint().help("Address of the DNS API; default: that of the region"))
            .times(PREFIX, 120, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let signer = Signer::from_env()?;
        let base = match (env::optional(BASE_URL), env::optional(REGION)) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(region)) => format!("https://dns.{region}.oci.oraclecloud.com"),
            (None, None) => return Err(Error::config(format!("{REGION} is not set"))),
        };
        let api = http::Client::new(&format!("{base}/20180115"))?;
        Ok(Self {
            api: api.sign_with(move |request| signer.sign(request, &time::now().http_date())),
            compartment: env::required(COMPARTMENT)?,
            ttl: env::ttl(PREFIX, 120)?,
        })
    }

    fn check(&self) -> Result<(), Error> {
        let request = self.api.get("zones").query("compartmentId", &self.compartment).query("limit", "1");
        // Oracle does not say whether the compartment is missing or a right to it.
        send(request, ErrorKind::Unauthorized)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let (domain, rdata) = (record.name.as_str(), dns::quoted(&record.value));
        let add = Operation::Add { domain, rtype: "TXT", rdata, ttl: dns::ttl_or(record, self.ttl) };
        self.patch(record, dns::zone_candidates(record), add)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let zones = if handle.is_empty() { dns::zone_candidates(record) } else { vec![handle] };
        let (domain, rdata) = (record.name.as_str(), dns::quoted(&record.value));
        match self.patch(record, zones, Operation::Remove { domain, rtype: "TXT", rdata }) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => {
                host::warn(&format!("nothing is removed: {error}"));
                Ok(())
            }
            result => result.map(drop),
        }
    }
}

impl OracleCloud {
    /// Patches the record's set in the first of these zones that is there, and returns its name. Adding what is there
    /// and removing what is not are successes.
    fn patch(&self, record: &TxtRecord, zones: Vec<&str>, operation: Operation<'_>) -> Result<String, Error> {
        let patch = Patch { items: [operation] };
        for zone in zones {
            let path = format!("zones/{}/records/{}/TXT", http::segment(zone), http::segment(&record.name));
            match send(self.api.patch(&path).json(&patch), ErrorKind::ZoneNotFound) {
                Err(error) if error.kind() == ErrorKind::ZoneNotFound => {}
                result => return result.map(|()| zone.to_owned()),
            }
        }
        let message = format!("the account has no zone that holds {}, or no right to change it", record.name);
        Err(Error::new(ErrorKind::ZoneNotFound, message))
    }
}

/// `missing` is what a 404 means here.
fn send(request: http::Request<'_>, missing: ErrorKind) -> Result<(), Error> {
    let response = request.send_any()?;
    if response.is_success() {
        return Ok(());
    }
    let error = match response.json::<Problem>() {
        Ok(problem) => response.to_error_with(&format!("{}: {}", problem.code, problem.message)),
        Err(_) => response.to_error(),
    };
    Err(if response.status() == 404 { error.with_kind(missing) } else { error })
}

export_provider!(OracleCloud);

#[cfg(test)]
mod tests;
