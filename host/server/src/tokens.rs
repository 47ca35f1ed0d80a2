//! Who may do what: API keys, bearer tokens, scopes.
//!
//! Tokens are kept in the store as hashes and in the registry for look-ups, so that a request costs no store access.
//! A caller of the rules proves its right with an [`Authorized`] value, which only [`authorize`] makes. Every refused
//! credential gets the same answer, whatever was wrong with it. Called by the API; must never log a credential.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};
use sha1::Digest;
use subtle::ConstantTimeEq;

use acme_manager_api::{TokenCreated, TokenInfo, TokenParams};

use crate::clock::{Clock, format_date};
use crate::cluster::{Command, Leadership, NotLeader, Registry, Term};
use crate::durations::{go_duration, prometheus_duration};
use crate::names::{NameError, Owner, SecretPath, TokenId};
use crate::records::{Scope, TokenRecord};
use crate::storage::{Expect, Store, StoreError, Version};

mod rights;
mod stored;

pub use rights::{Authorized, Create, Delete, Read, Right, Update, authorize};

/// Bytes of a token's secret: 256 bits cannot be guessed, so a fast hash suffices to store it.
const SECRET_BYTES: usize = 32;
/// A longer header is no credential of ours.
const MAX_CREDENTIAL: usize = 512;

/// The credential was missing or wrong. There is one answer for every reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("missing or invalid credential")]
pub struct Unauthorized;

/// The token lacks a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks the scope {:?}", needed.as_str())]
pub struct Forbidden {
    /// Which one.
    pub needed: Scope,
}

/// Why a token was not made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A field of the request is missing or wrong.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No such token.
    #[error("there is no token {id}")]
    NotFound {
        /// Which id.
        id: TokenId,
    },
    /// Another node must do it.
    #[error(transparent)]
    NotLeader(#[from] NotLeader),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NameError> for TokenError {
    fn from(error: NameError) -> Self {
        Self::Invalid { field: error.what, reason: error.reason.to_owned() }
    }
}

/// Somebody who showed a valid bearer token.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The token.
    pub token: Arc<TokenRecord>,
}

impl Identity {
    /// Whose certificates the token is about.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.token.owner
    }
}

/// Somebody who showed the API key. Made by [`Tokens::admin`] alone.
#[derive(Debug)]
pub struct Admin(());

/// The tokens of the installation.
#[derive(Debug)]
pub struct Tokens {
    settings: TokenSettings,
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    leadership: Leadership,
    clock: Clock,
    /// Held while tokens change: the store's check-and-set guards one path, and a token that gets another user moves.
    /// What could not be removed from its former place is removed with the next change of the same token.
    changing: tokio::sync::Mutex<BTreeMap<TokenId, SecretPath>>,
}

/// What the config says of tokens.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// Hash of the API key: SHA-256 (32 bytes), or SHA-1 (20 bytes) from older installations; absent refuses every key.
    pub api_key_hash: Option<Vec<u8>>,
    /// Where tokens are stored.
    pub prefix: String,
}

impl Tokens {
    /// Tokens kept in `store`; nothing is read yet.
    #[must_use]
    pub fn new(
        settings: TokenSettings,
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        leadership: Leadership,
        clock: Clock,
    ) -> Self {
        Self { settings, store, registry, leadership, clock, changing: tokio::sync::Mutex::default() }
    }

    /// Reads all stored tokens into the registry and says how many there are. One that cannot be read is logged and
    /// left alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn restore(&self) -> Result<usize, TokenError> {
        let term = self.leadership.term()?;
        let mut newest: BTreeMap<TokenId, TokenRecord> = BTreeMap::new();
        let mut outdated = Vec::new();
        for path in self.store.list(&self.settings.prefix).await? {
            let Some(stored) = self.store.read(&path).await? else { continue };
            match stored::from_secret(&stored.secret, stored.version) {
                Ok(record) => match newest.get(&record.id) {
                    Some(known) if known.updated_at >= record.updated_at => outdated.push(path),
                    _ => {
                        if let Some(known) = newest.insert(record.id, record) {
                            outdated.push(self.path(&known.owner, known.id)?);
                        }
                    }
                },
                Err(reason) => tracing::warn!(%path, reason, "a stored token cannot be used"),
            }
        }
        for path in outdated {
            // A token that got another user, and a crash before its former place was cleared.
            tracing::info!(%path, "removing the former version of a token");
            self.store.destroy(&path).await?;
        }
        let count = newest.len();
        for record in newest.into_values() {
            self.registry.apply(term, Command::PutToken(Arc::new(record))).await?;
        }
        Ok(count)
    }

    /// Whose bearer token this is, given the value of the `Authorization` header.
    ///
    /// # Errors
    /// When it is missing, malformed, unknown, wrong or expired.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Identity, Unauthorized> {
        let encoded = authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Unauthorized)?;
        if encoded.len() > MAX_CREDENTIAL {
            return Err(Unauthorized);
        }
        let decoded = BASE64_STANDARD.decode(encoded.trim()).map_err(|_| Unauthorized)?;
        let credential = zeroize::Zeroizing::new(String::from_utf8(decoded).map_err(|_| Unauthorized)?);
        let (id, secret) = credential.split_once(':').ok_or(Unauthorized)?;
        let token = id.parse().ok().and_then(|id| self.registry.token(id)).ok_or(Unauthorized)?;
        let hash = hex::encode(sha2::Sha256::digest(secret.as_bytes()));
        let same: bool = hash.as_bytes().ct_eq(token.hash.as_bytes()).into();
        let expired = token.expires.is_some_and(|end| end <= self.clock.now());
        if same && !expired { Ok(Identity { token }) } else { Err(Unauthorized) }
    }

    /// Checks the value of the `X-API-Key` header.
    ///
    /// # Errors
    /// When it is missing or wrong, or no key is configured.
    pub fn admin(&self, api_key: Option<&str>) -> Result<Admin, Unauthorized> {
        let key = api_key.filter(|key| !key.is_empty() && key.len() <= MAX_CREDENTIAL).ok_or(Unauthorized)?;
        let expected = self.settings.api_key_hash.as_deref().ok_or(Unauthorized)?;
        let hash = match expected.len() {
            32 => sha2::Sha256::digest(key.as_bytes()).to_vec(),
            20 => sha1::Sha1::digest(key.as_bytes()).to_vec(),
            _ => return Err(Unauthorized),
        };
        let same: bool = hash.ct_eq(expected).into();
        if same { Ok(Admin(())) } else { Err(Unauthorized) }
    }

    /// Makes a token. The answer holds the credential, which is shown only there.
    ///
    /// # Errors
    /// When a field is wrong or the store does not take it.
    pub async fn create(&self, _admin: &Admin, params: &TokenParams) -> Result<TokenCreated, TokenError> {
        let term = self.leadership.term()?;
        let (record, secret) = self.issue(TokenId::random(), params)?;
        self.save(term, record, &secret, Expect::Absent).await
    }

    /// Replaces a token: new secret, new fields, same id.
    ///
    /// # Errors
    /// When there is no such token, a field is wrong, or the store does not take it.
    pub async fn replace(&self, _admin: &Admin, params: &TokenParams) -> Result<TokenCreated, TokenError> {
        let term = self.leadership.term()?;
        let id: TokenId = params.id.parse()?;
        let mut changing = self.changing.lock().await;
        self.clear_former(&mut changing, id).await?;
        let old = self.registry.token(id).ok_or(TokenError::NotFound { id })?;
        let (record, secret) = self.issue(id, params)?;
        if record.owner == old.owner {
            return self.save(term, record, &secret, Expect::Version(Version(old.version))).await;
        }
        // The path holds the user name: write the new place, then remove the old, so that the old secret can never
        // come back.
        let made = self.save(term, record, &secret, Expect::Absent).await?;
        changing.insert(id, self.path(&old.owner, id)?);
        self.clear_former(&mut changing, id).await?;
        Ok(made)
    }

    /// A token by its id.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, _admin: &Admin, id: TokenId) -> Result<TokenInfo, TokenError> {
        self.registry.token(id).map(|record| info(&record)).ok_or(TokenError::NotFound { id })
    }

    /// Removes a token and all that was stored of it.
    ///
    /// # Errors
    /// When there is none, or the store does not do it.
    pub async fn delete(&self, _admin: &Admin, id: TokenId) -> Result<(), TokenError> {
        let term = self.leadership.term()?;
        let mut changing = self.changing.lock().await;
        self.clear_former(&mut changing, id).await?;
        let record = self.registry.token(id).ok_or(TokenError::NotFound { id })?;
        self.store.destroy(&self.path(&record.owner, id)?).await?;
        self.registry.apply(term, Command::RemoveToken(id)).await?;
        tracing::info!(token = %id, owner = %record.owner, "token deleted");
        Ok(())
    }

    async fn clear_former(&self, former: &mut BTreeMap<TokenId, SecretPath>, id: TokenId) -> Result<(), StoreError> {
        if let Some(path) = former.get(&id) {
            self.store.destroy(path).await?;
            former.remove(&id);
        }
        Ok(())
    }

    fn issue(&self, id: TokenId, params: &TokenParams) -> Result<(TokenRecord, SecretString), TokenError> {
        let invalid = |field, reason: &str| TokenError::Invalid { field, reason: reason.to_owned() };
        if params.username.is_empty() {
            return Err(invalid("username", "required"));
        }
        let expires = match params.duration.as_str() {
            "" => None,
            text => {
                let length = prometheus_duration(text).map_err(|e| invalid("duration", &e.to_string()))?;
                Some(self.clock.now().checked_add(time::Duration::try_from(length).unwrap_or(time::Duration::MAX)))
                    .ok_or(())
                    .and_then(|end| end.ok_or(()))
                    .map(Some)
                    .map_err(|()| invalid("duration", "is beyond the calendar"))?
            }
        };
        if !params.rate_limit_window.is_empty() {
            go_duration(&params.rate_limit_window).map_err(|e| invalid("rate_limit_window", &e.to_string()))?;
        }
        if params.rate_limit_max_requests < 0 {
            return Err(invalid("rate_limit_max_requests", "must not be negative"));
        }
        let mut bytes = zeroize::Zeroizing::new([0_u8; SECRET_BYTES]);
        rand::rngs::OsRng
            .try_fill_bytes(bytes.as_mut())
            .map_err(|e| invalid("token", &format!("no randomness: {e}")))?;
        let secret = BASE64_URL_SAFE_NO_PAD.encode(bytes.as_ref());
        let record = TokenRecord {
            id,
            owner: params.username.parse()?,
            scope: scopes(&params.scope)?,
            hash: hex::encode(sha2::Sha256::digest(secret.as_bytes())),
            expires,
            duration: params.duration.clone(),
            rate_limit_window: params.rate_limit_window.clone(),
            rate_limit_max_requests: params.rate_limit_max_requests,
            updated_at: self.clock.now_millis(),
            version: 0,
        };
        Ok((record, secret.into()))
    }

    async fn save(
        &self,
        term: Term,
        mut record: TokenRecord,
        secret: &SecretString,
        expect: Expect,
    ) -> Result<TokenCreated, TokenError> {
        let path = self.path(&record.owner, record.id)?;
        record.version = self.store.write(&path, &stored::to_secret(&record), expect).await?.0;
        let info = info(&record);
        let created = TokenCreated {
            id: record.id.to_string(),
            token: BASE64_STANDARD.encode(format!("{}:{}", record.id, secret.expose_secret())),
            token_hash: info.token_hash,
            scope: info.scope,
            username: info.username,
            expires: info.expires,
            duration: info.duration,
            rate_limit_window: info.rate_limit_window,
            rate_limit_max_requests: info.rate_limit_max_requests,
        };
        tracing::info!(token = %record.id, owner = %record.owner, "token stored");
        self.registry.apply(term, Command::PutToken(Arc::new(record))).await?;
        Ok(created)
    }

    fn path(&self, owner: &Owner, id: TokenId) -> Result<SecretPath, NameError> {
        SecretPath::new(&self.settings.prefix, &format!("{owner}/{id}"))
    }
}

/// What the API shows of a token.
#[must_use]
pub fn info(record: &TokenRecord) -> TokenInfo {
    TokenInfo {
        token_hash: record.hash.clone(),
        scope: record.scope.iter().map(|scope| scope.as_str().to_owned()).collect(),
        username: record.owner.to_string(),
        expires: record.expires.map_or_else(|| "Never".to_owned(), format_date),
        duration: record.duration.clone(),
        updated_at: record.updated_at,
        rate_limit_window: record.rate_limit_window.clone(),
        rate_limit_max_requests: record.rate_limit_max_requests,
    }
}

fn scopes(words: &[String]) -> Result<Vec<Scope>, TokenError> {
    if words.is_empty() {
        return Err(TokenError::Invalid { field: "scope", reason: "required".to_owned() });
    }
    let mut scopes = Vec::new();
    for word in words {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
        let scope = known.ok_or_else(|| TokenError::Invalid {
            field: "scope",
            reason: format!("{word:?} is not known: use create, read, update, delete"),
        })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests;
