//! What tells one config from another without keeping it: settings may be secret.

use std::collections::BTreeMap;
use std::fmt::Debug;

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::app::plugins::{Component, Plan};
use crate::config::{self, ApiKeyHash, Common, Config, Environment, FileContent, Storage};

/// What is read at the start alone, by the name that the operator knows.
pub type Sections = BTreeMap<String, [u8; 32]>;

/// Everything in config and environment that a running server does not take up.
#[must_use]
pub fn sections(config: &Config, environment: &Environment) -> Sections {
    let mut sections = of_common(&config.common);
    for (name, issuer) in &config.issuers {
        let secrets = [
            issuer.external_account.as_ref().map(|account| account.hmac.expose_secret()),
            issuer.http_challenge_config.as_ref().map(|config| config.expose_secret()),
        ];
        sections.insert(format!("issuer.{name}"), hash(issuer, secrets.into_iter().flatten()));
    }
    let secret = match &config.storage {
        Storage::Vault(vault) => Some(vault.secret_id.expose_secret()),
        Storage::Embedded(_) => None,
    };
    sections.insert("storage".to_owned(), hash(&config.storage, secret));
    let variables = hash(&(environment.dns_settings(), environment.ca_settings()), None);
    sections.insert("the variables ACME_MANAGER_DNS_* and LEGO_*".to_owned(), variables);
    sections
}

fn of_common(common: &Common) -> Sections {
    // Whoever adds a key decides here whether a running server takes it up.
    let Common {
        api_key_hash,
        renewal_days,
        cert_timeout,
        rootpath_account,
        rootpath_certificate,
        plugins: _,
        http_client_retry,
        http_client_retry_status_codes,
        http_client_debug,
        rate_limit,
        plugin_max_concurrency,
    } = common;
    let key = api_key_hash.as_ref().map(|hash| match hash {
        ApiKeyHash::Sha256(bytes) => hex::encode(bytes),
        ApiKeyHash::Sha1(bytes) => hex::encode(bytes),
    });
    let parts: [(&str, &dyn Debug); 9] = [
        ("cert_days_renewal", renewal_days),
        ("cert_timeout", cert_timeout),
        ("rootpath_account", rootpath_account),
        ("rootpath_certificate", rootpath_certificate),
        ("http_client_retry_*", http_client_retry),
        ("http_client_retry_status_code", http_client_retry_status_codes),
        ("http_client_debug", http_client_debug),
        ("rate_limit_*", rate_limit),
        ("plugin_max_concurrency", plugin_max_concurrency),
    ];
    let parts = parts.into_iter().map(|(name, value)| (format!("common.{name}"), hash(value, None)));
    parts.chain([("common.api_key_hash".to_owned(), hash(&(), key.as_deref()))]).collect()
}

/// `Debug` shows everything but the values of secrets, which are given beside it.
fn hash<'s>(shown: &dyn Debug, secrets: impl IntoIterator<Item = &'s str>) -> [u8; 32] {
    let mut parts = Parts::default();
    parts.add(format!("{shown:?}").as_bytes());
    secrets.into_iter().for_each(|secret| parts.add(secret.as_bytes()));
    parts.0.finalize().into()
}

/// A digest of parts, each with its length, so that no two lists of parts look alike.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes.len().to_be_bytes());
        self.0.update(bytes);
    }
}

/// Of all settings of a plugin.
pub(super) fn fingerprint(plan: &Plan) -> [u8; 32] {
    let mut parts = Parts::default();
    let mut part = |bytes: &[u8]| parts.add(bytes);
    // `Debug` shows everything but the values of secrets, which follow. What the file was found to be is no setting.
    let settings = plan.entry.clone().map(|entry| config::Plugin { content: FileContent::Unseen, ..entry });
    part(format!("{settings:?}").as_bytes());
    for (name, value) in plan.entry.iter().flat_map(|entry| &entry.env) {
        part(name.as_bytes());
        part(value.expose_secret().as_bytes());
    }
    for user in plan.entry.iter().filter_map(|entry| entry.registry_user.as_ref()) {
        part(user.password.expose_secret().as_bytes());
    }
    // Only a bundled plugin takes anything from the environment; what, it says when it is loaded.
    if matches!(plan.component, Component::Bundled { .. }) {
        for name in plan.environment.names() {
            part(name.as_bytes());
            part(plan.environment.get(name).map(|value| value.expose_secret().as_bytes()).unwrap_or_default());
        }
    }
    parts.0.finalize().into()
}
