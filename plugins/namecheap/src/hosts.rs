//! A domain's host records, and when they must not be written.

use acme_manager_plugin::Error;
use serde::Deserialize;

/// All that `getHosts` says of a domain.
#[derive(Deserialize, Clone)]
pub(crate) struct Hosts {
    #[serde(rename = "@Domain")]
    pub(crate) domain: String,
    /// How mail is handled: `MX`, `MXE`, `FWD`, `OX`, `GMAIL` or `NONE`. Written back, for it decides what becomes of
    /// the mail records.
    #[serde(rename = "@EmailType", default)]
    pub(crate) email_type: String,
    #[serde(rename = "@IsUsingOurDNS")]
    pub(crate) is_using_our_dns: bool,
    // The reference writes it with a capital letter, the server without.
    #[serde(rename = "host", alias = "Host", default)]
    pub(crate) hosts: Vec<Host>,
}

/// One host record.
#[derive(Deserialize, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    #[serde(rename = "@Name")]
    pub(crate) name: String,
    #[serde(rename = "@Type")]
    pub(crate) r#type: String,
    #[serde(rename = "@Address")]
    pub(crate) address: String,
    #[serde(rename = "@MXPref")]
    pub(crate) mx_pref: String,
    #[serde(rename = "@TTL")]
    pub(crate) ttl: String,
    #[serde(rename = "@IsActive", default = "yes")]
    is_active: bool,
    #[serde(rename = "@IsDDNSEnabled", default)]
    is_ddns_enabled: bool,
}

fn yes() -> bool {
    true
}

impl Hosts {
    /// Whether `setHosts` can write these without changing them.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        let refused =
            |why: String| Err(Error::rejected(format!("the host records of {} are left alone: {why}", self.domain)));
        if let Some(host) = self.hosts.iter().find(|host| !host.is_active) {
            return refused(format!("{} is inactive, and Namecheap's API would activate it", host.in_words()));
        }
        if let Some(host) = self.hosts.iter().find(|host| host.is_mail() && self.email_type.is_empty()) {
            return refused(format!("Namecheap named no EmailType, without which {} would be lost", host.in_words()));
        }
        if let Some(host) = self.hosts.iter().find(|host| host.is_ddns_enabled) {
            let host = host.in_words();
            acme_manager_plugin::host::warn(&format!("Namecheap's API cannot say that {host} is for dynamic DNS"));
        }
        Ok(())
    }

    /// Compares what was read with what was written before; `is_own` is for the record of the challenge.
    pub(crate) fn holds(&self, written: &Self, is_own: impl Fn(&Host) -> bool) -> Result<(), Error> {
        let mut left: Vec<&Host> = self.hosts.iter().collect();
        let mut lost = Vec::new();
        for host in &written.hosts {
            match left.iter().position(|other| other.is_same(host)) {
                Some(place) => drop(left.swap_remove(place)),
                None => lost.push(host),
            }
        }
        // Other challenges come and go, and whoever wants one looks after it.
        let foreign = lost.iter().filter(|host| !is_own(host) && !host.is_challenge());
        let foreign: Vec<String> = foreign.map(|host| host.in_words()).collect();
        if !foreign.is_empty() {
            return Err(Error::other(format!(
                "after the change {} lacks records that were there before: {}",
                self.domain,
                foreign.join(", ")
            )));
        }
        if self.email_type != written.email_type {
            return Err(Error::other(format!(
                "the change turned the EmailType of {} from {:?} into {:?}",
                self.domain, written.email_type, self.email_type
            )));
        }
        if lost.into_iter().any(&is_own) || left.into_iter().any(is_own) {
            return Err(Error::conflict(format!(
                "somebody else changed the host records of {} meanwhile",
                self.domain
            )));
        }
        Ok(())
    }
}

impl Host {
    /// A new TXT record.
    pub(crate) fn txt(name: &str, value: &str, ttl: u32) -> Self {
        Self {
            name: name.to_owned(),
            r#type: "TXT".to_owned(),
            address: value.to_owned(),
            // Needed for all types; this is what Namecheap gives those without a meaning for it.
            mx_pref: "10".to_owned(),
            ttl: ttl.to_string(),
            is_active: true,
            is_ddns_enabled: false,
        }
    }

    /// Whether it is this TXT value.
    pub(crate) fn is_txt(&self, name: &str, value: &str) -> bool {
        self.r#type == "TXT" && self.name.eq_ignore_ascii_case(name) && self.address == value
    }

    fn is_challenge(&self) -> bool {
        const LABEL: &str = "_acme-challenge";
        let label = self.name.split('.').next().unwrap_or_default();
        self.r#type == "TXT" && label.eq_ignore_ascii_case(LABEL)
    }

    fn is_mail(&self) -> bool {
        matches!(self.r#type.as_str(), "MX" | "MXE")
    }

    /// Whether it is the same record, but for its TTL and spellings that mean the same.
    fn is_same(&self, other: &Self) -> bool {
        self.r#type == other.r#type
            && self.name.eq_ignore_ascii_case(&other.name)
            && self.address.trim_end_matches('.') == other.address.trim_end_matches('.')
    }

    fn in_words(&self) -> String {
        format!("{} {}", self.r#type, self.name)
    }
}
