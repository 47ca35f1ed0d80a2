//! The accounts: what acme-dns answered to each registration, by the domain that it was made for.

use std::collections::BTreeMap;

use acme_manager_plugin::{Error, ErrorKind};
use serde::Deserialize;

/// Accounts by domain, the form of lego's account file.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Accounts(BTreeMap<String, Account>);

/// An account at acme-dns; it may update one name. Old files of lego write the names with capital letters.
#[derive(Clone, Deserialize)]
pub(crate) struct Account {
    #[serde(alias = "FullDomain")]
    fulldomain: String,
    #[serde(alias = "SubDomain")]
    pub(crate) subdomain: String,
    #[serde(alias = "Username")]
    pub(crate) username: String,
    #[serde(alias = "Password")]
    pub(crate) password: String,
}

impl Accounts {
    /// Reads accounts; the error says where they are wrong.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| {
            // Only the place: serde's own words may repeat a part of the text, and so a password.
            format!("not JSON of the form {{domain: account}}, at line {}, column {}", error.line(), error.column())
        })
    }

    /// The account that may update a name.
    pub(crate) fn of(&self, name: &str) -> Result<&Account, Error> {
        if let Some(account) = self.0.values().find(|account| is_same(&account.fulldomain, name)) {
            return Ok(account);
        }
        let domain = name.strip_prefix("_acme-challenge.").unwrap_or(name);
        let message = match self.0.iter().find(|(key, _)| is_same(key, domain)) {
            Some((_, account)) => format!("{name} has to be a CNAME to {}, and is none", account.fulldomain),
            None => format!("no acme-dns account has the fulldomain {name}, to which the challenge name leads"),
        };
        Err(Error::new(ErrorKind::ZoneNotFound, message))
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a.trim_end_matches('.').eq_ignore_ascii_case(b)
}
