//! The written intention to issue a certificate: what a restart needs to finish the same order.
//!
//! An intent is written with check-and-set before each effect outside of the store, and removed at the very end. It
//! lies below the certificate prefix under a name that no owner can have, so that a store policy for the prefix
//! covers it. It may hold a private key that the server made, never a credential.

use std::sync::Arc;

use acme_manager_api::CertificateParams;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::CertificateError;
use crate::challenges::dns01::Placement;
use crate::names::{CertificateId, IssuerName, SecretPath};
use crate::storage::{Expect, Secret, Store, StoreError, Version};

/// Below the certificate prefix: everything that is ours and not a certificate.
pub(super) const INTERNAL: &str = ".acme-manager";

/// Why a certificate is being issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// There was none.
    Create,
    /// An owner asked for another.
    Update {
        /// Whether the replaced one is to be revoked once the new one is stored.
        revoke: bool,
    },
    /// It is due.
    Renew,
}

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Everything up to the stored certificate.
    Issue,
    /// Only the removal of what was placed.
    Cleanup,
}

/// A certificate that another one replaces.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Replaced {
    /// Who issued it.
    pub(crate) issuer: IssuerName,
    /// The leaf in PEM.
    pub(crate) cert: String,
}

/// The stored part of an intent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// For which certificate.
    pub(crate) id: CertificateId,
    /// Why.
    pub(crate) purpose: Purpose,
    /// What is still to be done.
    pub(crate) phase: Phase,
    /// The request.
    pub(crate) params: CertificateParams,
    /// The certificate request, base64 of PEM.
    pub(crate) csr: String,
    /// The key, if the server made it.
    #[serde(skip)]
    pub(crate) key: Option<SecretString>,
    /// The certificate that is to be revoked once the new one is stored, noted before anything replaces it.
    #[serde(default)]
    pub(crate) replaced: Option<Replaced>,
    /// The order at the CA, once it is known.
    pub(crate) order_url: Option<String>,
    /// TXT values that are or may be in the DNS.
    pub(crate) placements: Vec<Placement>,
    /// Tokens of HTTP-01 answers that are published.
    pub(crate) http_tokens: Vec<String>,
    /// How often this was begun.
    pub(crate) attempts: u32,
    /// When it is to be tried again, in milliseconds since 1970.
    pub(crate) next_attempt: i64,
}

/// An intent together with its place in the store.
#[derive(Debug)]
pub(crate) struct StoredIntent {
    /// The intent; changed freely and written by [`StoredIntent::save`].
    pub(crate) intent: Intent,
    store: Arc<dyn Store>,
    path: SecretPath,
    version: Option<Version>,
}

impl StoredIntent {
    /// Prepares an intent below `prefix`; nothing is written yet.
    ///
    /// # Errors
    /// When the path would not be one.
    pub(crate) fn new(store: Arc<dyn Store>, prefix: &str, intent: Intent) -> Result<Self, CertificateError> {
        let path = path(prefix, &intent.id)?;
        Ok(Self { intent, store, path, version: None })
    }

    /// The stored intent for a certificate, if there is one.
    ///
    /// # Errors
    /// When the store cannot be read, or holds something else there.
    pub(crate) async fn find(
        store: &Arc<dyn Store>,
        prefix: &str,
        id: &CertificateId,
    ) -> Result<Option<Self>, CertificateError> {
        let path = path(prefix, id)?;
        let Some(found) = store.read(&path).await? else { return Ok(None) };
        let intent = from_secret(&found.secret)
            .map_err(|error| CertificateError::Internal(format!("the intent at {path} cannot be read: {error}")))?;
        Ok(Some(Self { intent, store: store.clone(), path, version: Some(found.version) }))
    }

    /// Stands in for an older intent of the same certificate: what that placed is removed with this one.
    pub(crate) fn replace(&mut self, old: Self) {
        self.intent.placements.extend(old.intent.placements);
        self.version = old.version;
    }

    /// Writes the current state, if nobody else wrote since it was read.
    ///
    /// # Errors
    /// When the store does not take it; `Conflict` when somebody else works on the same certificate.
    pub(crate) async fn save(&mut self) -> Result<(), StoreError> {
        let expect = self.version.map_or(Expect::Absent, Expect::Version);
        self.version = Some(self.store.write(&self.path, &to_secret(&self.intent), expect).await?);
        Ok(())
    }

    /// Removes the intent with all its versions, since one may hold a key.
    ///
    /// # Errors
    /// When the store does not do it.
    pub(crate) async fn remove(self) -> Result<(), StoreError> {
        self.store.destroy(&self.path).await
    }

    /// All intents below `prefix`. One that cannot be read is logged and left alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn all(store: &Arc<dyn Store>, prefix: &str) -> Result<Vec<Self>, StoreError> {
        let mut intents = Vec::new();
        for path in store.list(&format!("{prefix}/{INTERNAL}/intents")).await? {
            let Some(found) = store.read(&path).await? else { continue };
            match from_secret(&found.secret) {
                Ok(intent) => {
                    intents.push(Self { intent, store: store.clone(), path, version: Some(found.version) });
                }
                Err(error) => tracing::error!(%path, %error, "a stored intent cannot be read"),
            }
        }
        Ok(intents)
    }
}

fn path(prefix: &str, id: &CertificateId) -> Result<SecretPath, CertificateError> {
    Ok(SecretPath::new(prefix, &format!("{INTERNAL}/intents/{id}"))?)
}

fn to_secret(intent: &Intent) -> Secret {
    let fields = match serde_json::to_value(intent) {
        Ok(Value::Object(fields)) => fields,
        _ => unreachable!("a struct of maps, lists and texts becomes a JSON object"),
    };
    let mut secret = Secret(fields);
    if let Some(key) = &intent.key {
        secret.0.insert("key".to_owned(), Value::String(key.expose_secret().to_owned()));
    }
    secret
}

fn from_secret(secret: &Secret) -> Result<Intent, serde_json::Error> {
    let mut intent: Intent = serde_json::from_value(Value::Object(secret.0.clone()))?;
    intent.key = secret.0.get("key").and_then(Value::as_str).map(|key| key.to_owned().into());
    Ok(intent)
}
