//! Speaks RFC 8555 with certificate authorities, through `instant-acme`.
//!
//! An [`Issuer`] is one configured CA: it registers or restores the account and hands out [`Session`]s, with which
//! orders are placed, resumed and finished ([`order`]). It keeps nothing: account keys and order URLs are stored by
//! `certificates`, the only caller. Nothing here knows what a plugin or a store is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, Key, NewAccount};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use url::Url;

use crate::names::IssuerName;

mod error;
mod http;
pub mod import;
pub mod order;

pub use error::{AcmeError, Stage};
pub use http::Retries;

/// One configured CA.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// Its key in the config.
    pub name: IssuerName,
    /// The directory (RFC 8555 §7.1.1).
    pub directory: Url,
    /// E-mail address of the account, without `mailto:`.
    pub contact: Option<String>,
    /// External account binding (RFC 8555 §7.3.4).
    pub external_account: Option<ExternalAccount>,
    /// Roots to trust besides the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// How long to wait for the CA to issue after finalisation.
    pub certificate_timeout: Duration,
    /// How failed requests are repeated.
    pub retries: Retries,
}

/// What a CA hands out so that a new account belongs to an existing customer.
#[derive(Debug, Clone)]
pub struct ExternalAccount {
    /// Key identifier.
    pub kid: String,
    key: Arc<SecretBox<Vec<u8>>>,
}

impl ExternalAccount {
    /// From the key identifier and the decoded MAC key.
    #[must_use]
    pub fn new(kid: String, key: Vec<u8>) -> Self {
        Self { kid, key: Arc::new(SecretBox::new(Box::new(key))) }
    }
}

/// An account as it is stored: a JSON text that holds its private key.
#[derive(Debug, Clone)]
pub struct StoredAccount {
    /// `instant-acme`'s own form: account URL, key, directory URL.
    pub credentials: SecretString,
    /// The contact that the CA was last told.
    pub contact: Option<String>,
}

/// A private account key that is not registered yet, in PKCS#8.
#[derive(Clone)]
pub struct AccountKey(Arc<PrivatePkcs8KeyDer<'static>>);

impl AccountKey {
    /// A new P-256 key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, AcmeError> {
        let (_, der) = Key::generate_pkcs8().map_err(|e| AcmeError::from_client(Stage::Account, e))?;
        Ok(Self(der.into()))
    }

    fn from_der(der: PrivatePkcs8KeyDer<'static>) -> Self {
        Self(der.into())
    }

    /// The key in PKCS#8, for the store.
    #[must_use]
    pub fn secret_der(&self) -> &[u8] {
        self.0.secret_pkcs8_der()
    }

    fn pair(&self) -> Result<(Key, PrivateKeyDer<'static>), AcmeError> {
        let der = PrivatePkcs8KeyDer::from(self.0.secret_pkcs8_der().to_vec());
        let key = Key::from_pkcs8_der(der.clone_key()).map_err(|e| AcmeError::from_client(Stage::Account, e))?;
        Ok((key, PrivateKeyDer::Pkcs8(der)))
    }
}

impl From<Vec<u8>> for AccountKey {
    fn from(der: Vec<u8>) -> Self {
        Self::from_der(PrivatePkcs8KeyDer::from(der))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey")
    }
}

/// One CA that this server may order from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Issuer {
    settings: Arc<IssuerSettings>,
    http: http::AcmeHttp,
}

/// A CA account ready for orders. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    account: Account,
    certificate_timeout: Duration,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("account", &self.account.id()).finish_non_exhaustive()
    }
}

impl Session {
    /// The account's URL at the CA.
    #[must_use]
    pub fn account_url(&self) -> &str {
        self.account.id()
    }
}

impl Issuer {
    /// Prepares the connection; contacts nobody.
    ///
    /// # Errors
    /// When the TLS settings cannot be used.
    pub fn new(settings: IssuerSettings) -> Result<Self, AcmeError> {
        let http = http::AcmeHttp::new(&settings)?;
        Ok(Self { settings: settings.into(), http })
    }

    /// The issuer's key in the config.
    #[must_use]
    pub fn name(&self) -> &IssuerName {
        &self.settings.name
    }

    /// The contact in the config.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        self.settings.contact.as_deref()
    }

    /// Finds the account that `key` belongs to, or makes one. The key must be stored before, so that a crash after
    /// the CA said yes loses nothing. With an external account binding the CA gets a key of the client's own making,
    /// since a binding names the key; `key` is then not used.
    ///
    /// # Errors
    /// When the CA cannot be reached or refuses.
    pub async fn register(&self, key: &AccountKey) -> Result<(Session, StoredAccount), AcmeError> {
        let contact = self.settings.contact.as_ref().map(|mail| format!("mailto:{mail}"));
        let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        let directory = self.settings.directory.to_string();
        let made = match &self.settings.external_account {
            Some(external) => {
                let binding = ExternalAccountKey::new(external.kid.clone(), external.key.expose_secret());
                let new = NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
                builder.create(&new, directory, Some(&binding)).await
            }
            None => builder.create_from_key(key.pair()?, directory).await,
        };
        let (account, credentials) = made.map_err(|e| AcmeError::from_client(Stage::Account, e))?;
        if self.settings.external_account.is_none() && !contacts.is_empty() {
            account.update_contacts(&contacts).await.map_err(|e| AcmeError::from_client(Stage::Account, e))?;
        }
        Ok((self.session(account), self.stored(&credentials)?))
    }

    /// Opens a session with a stored account and tells the CA about a changed contact.
    ///
    /// # Errors
    /// When the CA cannot be reached, or what was stored is not an account.
    pub async fn restore(&self, stored: &StoredAccount) -> Result<(Session, Option<StoredAccount>), AcmeError> {
        let text = stored.credentials.expose_secret();
        let credentials: AccountCredentials =
            serde_json::from_str(text).map_err(|_| AcmeError::StoredAccount { issuer: self.settings.name.clone() })?;
        let again = serde_json::from_str::<AccountCredentials>(text)
            .map_err(|_| AcmeError::StoredAccount { issuer: self.settings.name.clone() })?;
        // The directory in the config wins: a CA may move it.
        let account = Account::builder_with_http(Box::new(self.http.clone()))
            .from_parts(
                account_url(text).unwrap_or_default(),
                again.private_key().clone_key(),
                self.settings.directory.to_string(),
            )
            .await
            .map_err(|e| AcmeError::from_client(Stage::Directory, e))?;
        let mut changed = None;
        if stored.contact != self.settings.contact {
            let contact = self.settings.contact.as_ref().map(|mail| format!("mailto:{mail}"));
            let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
            account.update_contacts(&contacts).await.map_err(|e| AcmeError::from_client(Stage::Account, e))?;
            changed = Some(self.stored(&credentials)?);
        }
        Ok((self.session(account), changed))
    }

    /// The key of a stored account, to register it anew at a CA that lost it.
    ///
    /// # Errors
    /// When what was stored is not an account.
    pub fn key_of(&self, stored: &StoredAccount) -> Result<AccountKey, AcmeError> {
        let credentials: AccountCredentials = serde_json::from_str(stored.credentials.expose_secret())
            .map_err(|_| AcmeError::StoredAccount { issuer: self.settings.name.clone() })?;
        Ok(AccountKey::from_der(credentials.private_key().clone_key()))
    }

    fn session(&self, account: Account) -> Session {
        Session { account, certificate_timeout: self.settings.certificate_timeout }
    }

    fn stored(&self, credentials: &AccountCredentials) -> Result<StoredAccount, AcmeError> {
        let text = serde_json::to_string(credentials)
            .map_err(|_| AcmeError::StoredAccount { issuer: self.settings.name.clone() })?;
        Ok(StoredAccount { credentials: text.into(), contact: self.settings.contact.clone() })
    }
}

/// The account URL in the stored JSON.
fn account_url(credentials: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(credentials).ok()?;
    Some(value.get("id")?.as_str()?.to_owned())
}
