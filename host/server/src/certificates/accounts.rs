//! The CA accounts: made when absent, kept in the store, imported from the existing system's files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::error::CertificateError;
use super::intent::INTERNAL;
use super::request::Challenge;
use crate::acme::{AccountKey, AcmeError, Issuer, Session, StoredAccount, import};
use crate::names::{IssuerName, SecretPath};
use crate::storage::{Expect, Secret, Store, StoreError, Version, Versioned};
use crate::telemetry::Metrics;

/// An issuer with what the config says of its orders.
#[derive(Debug)]
pub struct ConfiguredIssuer {
    /// The CA; or why it cannot be used.
    pub issuer: Result<Issuer, AcmeError>,
    /// The challenge for requests that name none.
    pub default_challenge: Option<Challenge>,
    /// The profile for requests that name none.
    pub profile: Option<String>,
}

/// The accounts at all configured CAs.
#[derive(Debug)]
pub struct Accounts {
    issuers: BTreeMap<IssuerName, ConfiguredIssuer>,
    // One lock an issuer, so that a slow CA delays its own requests alone and an account is made once.
    sessions: BTreeMap<IssuerName, Mutex<Option<Session>>>,
    store: Arc<dyn Store>,
    prefix: String,
    import_root: Option<PathBuf>,
    metrics: Metrics,
}

impl Accounts {
    /// Accounts at `issuers`, kept in `store` below `prefix`; contacts nobody.
    #[must_use]
    pub fn new(
        issuers: BTreeMap<IssuerName, ConfiguredIssuer>,
        store: Arc<dyn Store>,
        prefix: &str,
        import_root: Option<PathBuf>,
        metrics: Metrics,
    ) -> Self {
        for (name, configured) in &issuers {
            metrics.issuer(name.as_str(), configured.issuer.is_ok());
        }
        let sessions = issuers.keys().map(|name| (name.clone(), Mutex::new(None))).collect();
        Self { issuers, sessions, store, prefix: prefix.to_owned(), import_root, metrics }
    }

    /// The names of all configured issuers.
    #[must_use]
    pub fn names(&self) -> Vec<IssuerName> {
        self.issuers.keys().cloned().collect()
    }

    /// What the config says of an issuer.
    #[must_use]
    pub fn configured(&self, name: &IssuerName) -> Option<&ConfiguredIssuer> {
        self.issuers.get(name)
    }

    /// A session with the account at `name`, which is made, imported or restored on first use.
    ///
    /// # Errors
    /// When the CA or the store does not do it.
    pub async fn session(&self, name: &IssuerName) -> Result<Session, CertificateError> {
        let unknown = || CertificateError::Invalid { field: "issuer", reason: format!("{name} is not configured") };
        let configured = self.issuers.get(name).ok_or_else(unknown)?;
        let mut session = self.sessions.get(name).ok_or_else(unknown)?.lock().await;
        if let Some(open) = session.as_ref() {
            return Ok(open.clone());
        }
        let blame = |source| CertificateError::Issuer { issuer: name.clone(), source };
        let opened = match &configured.issuer {
            Ok(issuer) => self.open(issuer).await,
            Err(error) => Err(blame(error.clone())),
        };
        self.metrics.issuer(name.as_str(), opened.is_ok());
        let open = opened.map_err(|error| match error {
            CertificateError::Ca(source) => blame(source),
            other => other,
        })?;
        *session = Some(open.clone());
        Ok(open)
    }

    /// A session with a new account in place of `lost`, which the CA does not know any more
    /// ([`AcmeError::account_lost`]). The key stays, except where an external account binding names it.
    ///
    /// # Errors
    /// When the CA or the store does not do it.
    pub async fn replace(&self, name: &IssuerName, lost: &Session) -> Result<Session, CertificateError> {
        let unknown = || CertificateError::Invalid { field: "issuer", reason: format!("{name} is not configured") };
        let configured = self.issuers.get(name).ok_or_else(unknown)?;
        let mut session = self.sessions.get(name).ok_or_else(unknown)?.lock().await;
        // Whoever else found out first has replaced it already.
        if let Some(open) = session.as_ref().filter(|open| open.account_url() != lost.account_url()) {
            return Ok(open.clone());
        }
        *session = None;
        let blame = |source| CertificateError::Issuer { issuer: name.clone(), source };
        let issuer = configured.issuer.as_ref().map_err(|error| blame(error.clone()))?;
        let path = self.account_path(issuer)?;
        let found = self.store.read(&path).await?;
        let replaced = match found.as_ref().and_then(|found| Some((found.version, stored_account(found)?))) {
            Some((version, stored)) => self.register_anew(issuer, &path, version, &stored).await,
            None => self.open(issuer).await,
        };
        self.metrics.issuer(name.as_str(), replaced.is_ok());
        let open = replaced.map_err(|error| match error {
            CertificateError::Ca(source) => blame(source),
            other => other,
        })?;
        *session = Some(open.clone());
        Ok(open)
    }

    fn account_path(&self, issuer: &Issuer) -> Result<SecretPath, CertificateError> {
        Ok(SecretPath::new(&self.prefix, &format!("{INTERNAL}/accounts/{}", issuer.name()))?)
    }

    async fn register_anew(
        &self,
        issuer: &Issuer,
        path: &SecretPath,
        version: Version,
        lost: &StoredAccount,
    ) -> Result<Session, CertificateError> {
        let (session, stored) = issuer.register(&issuer.key_of(lost)?).await?;
        tracing::warn!(
            issuer = %issuer.name(), account = session.account_url(),
            "the CA does not know the account any more; it was registered anew"
        );
        self.save(path, account_secret(&stored), Some(version)).await?;
        Ok(session)
    }

    async fn open(&self, issuer: &Issuer) -> Result<Session, CertificateError> {
        let path = self.account_path(issuer)?;
        let found = self.store.read(&path).await?;
        if let Some((version, stored)) = found.as_ref().and_then(|found| Some((found.version, stored_account(found)?)))
        {
            let (session, changed) = match issuer.restore(&stored).await {
                Err(error) if error.account_lost() => return self.register_anew(issuer, &path, version, &stored).await,
                restored => restored?,
            };
            if let Some(changed) = changed {
                self.save(&path, account_secret(&changed), Some(version)).await?;
            }
            return Ok(session);
        }
        let (key, version) = self.key(issuer, &path, found).await?;
        let (session, stored) = issuer.register(&key).await?;
        tracing::info!(issuer = %issuer.name(), account = session.account_url(), "CA account ready");
        self.save(&path, account_secret(&stored), Some(version)).await?;
        Ok(session)
    }

    /// The key for a new account, stored before the CA sees it.
    async fn key(
        &self,
        issuer: &Issuer,
        path: &SecretPath,
        found: Option<Versioned>,
    ) -> Result<(AccountKey, Version), CertificateError> {
        if let Some(found) = found
            && let Some(key) = stored_key(&found)
        {
            return Ok((key, found.version));
        }
        let imported = match &self.import_root {
            Some(root) => import::account_key(root, issuer.name()).await?,
            None => None,
        };
        let key = match imported {
            Some(key) => {
                tracing::info!(issuer = %issuer.name(), "account key imported from rootpath_account");
                key
            }
            None => AccountKey::generate()?,
        };
        let mut fields = Map::new();
        fields.insert("account_key".to_owned(), json!(BASE64_STANDARD.encode(key.secret_der())));
        let version = self.save(path, Secret(fields), None).await?;
        Ok((key, version))
    }

    async fn save(&self, path: &SecretPath, secret: Secret, over: Option<Version>) -> Result<Version, StoreError> {
        self.store.write(path, &secret, over.map_or(Expect::Absent, Expect::Version)).await
    }
}

fn account_secret(account: &StoredAccount) -> Secret {
    let mut fields = Map::new();
    fields.insert("credentials".to_owned(), json!(account.credentials.expose_secret()));
    fields.insert("contact".to_owned(), json!(account.contact));
    Secret(fields)
}

fn stored_account(found: &Versioned) -> Option<StoredAccount> {
    let fields = &found.secret.0;
    Some(StoredAccount {
        credentials: fields.get("credentials")?.as_str()?.to_owned().into(),
        contact: fields.get("contact").and_then(Value::as_str).map(str::to_owned),
    })
}

fn stored_key(found: &Versioned) -> Option<AccountKey> {
    let encoded = found.secret.0.get("account_key")?.as_str()?;
    BASE64_STANDARD.decode(encoded).ok().map(AccountKey::from)
}
