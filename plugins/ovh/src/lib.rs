//! The `ovh` DNS-01 provider: DNS zones at OVHcloud.
//!
//! Changes are prepared in the zone, and a refresh brings them to the name servers.
//! Reference: <https://eu.api.ovh.com/console/?section=%2Fdomain&branch=v1#get-/domain/zone/-zoneName-/record>

mod api;
mod login;
mod sign;

use acme_manager_plugin::{Description, Error, ErrorKind, Provider, TxtRecord, dns, env, export_provider};

use api::Api;
use login::Login;

const PREFIX: &str = "OVH_";
const DEFAULT_TTL: u32 = 120;
/// The API takes nothing shorter.
const MIN_TTL: u32 = 60;

struct Ovh {
    login: Login,
    ttl: u32,
}

impl Provider for Ovh {
    fn describe() -> Description {
        let description = Description::new("ovh", env!("CARGO_PKG_VERSION")).homepage("https://eu.api.ovh.com/");
        let description = Login::keys().into_iter().fold(description, Description::key);
        login::hosts().fold(description, Description::host).times(PREFIX, DEFAULT_TTL, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        Ok(Self { login: Login::from_env()?, ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api()?.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let api = self.api()?;
        let (zone, mut found) = find(&api, record)?;
        let id = match found.pop() {
            None => api.create(zone, record, dns::ttl_or(record, self.ttl).max(MIN_TTL))?,
            id => id,
        };
        // Also for a value that is there: the call that created it may have ended before this.
        api.refresh(zone)?;
        Ok(id.map(|id| format!("{zone}/{id}")).unwrap_or_default())
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let api = self.api()?;
        if let Some((zone, id)) = handle.split_once('/') {
            api.delete(zone, id)?;
            return api.refresh(zone);
        }
        let (zone, found) = match find(&api, record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            found => found?,
        };
        found.iter().try_for_each(|id| api.delete(zone, &id.to_string()))?;
        api.refresh(zone)
    }
}

impl Ovh {
    fn api(&self) -> Result<Api, Error> {
        self.login.client().map(Api::new)
    }
}

/// The zone that holds the record, and the numbers of the records that hold exactly its value.
fn find<'a>(api: &Api, record: &'a TxtRecord) -> Result<(&'a str, Vec<u64>), Error> {
    let mut missing = Error::zone_not_found(&record.name);
    for zone in dns::zone_candidates(record) {
        match api.find(zone, record) {
            Ok(Some(found)) => return Ok((zone, found)),
            Ok(None) => {}
            // Credentials that are limited to some zones may not ask for others.
            Err(error) if error.kind() == ErrorKind::Unauthorized => missing = error,
            Err(error) => return Err(error),
        }
    }
    Err(missing)
}

export_provider!(Ovh);

#[cfg(test)]
mod tests;
