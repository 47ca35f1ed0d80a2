//! The rules of certificates: who may do what with which, and in which order things happen.
//!
//! This is the only place that joins storage, the CAs, the challenges and the cluster. Reads are answered from the
//! registry, content from the store; everything that changes something takes the certificate's lock and a term.
//! An issuance runs in its own task: a client that goes away does not stop it, and a restart finishes it (see
//! `issuance`). Called by the API and by the workers.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use acme_manager_api::{Certificate, CertificateParams};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::challenges::dns01::Solver;
use crate::challenges::http01::Http01;
use crate::challenges::providers::Providers;
use crate::clock::{Clock, format_date};
use crate::cluster::{Command, Leadership, Registry};
use crate::durations::RenewalDays;
use crate::hooks::Hooks;
use crate::names::{CertificateId, IssuerName, Owner, SecretPath};
use crate::records::CertificateRecord;
use crate::storage::{Expect, Store, StoreError, Version, Versioned};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Operation, Outcome};
use crate::tokens::{Authorized, Create, Delete, Identity, Read, Update};

pub mod accounts;
mod csr;
mod error;
mod held;
mod intent;
mod issuance;
mod leaf;
pub mod renewal;
pub mod request;
mod revoke;
mod start;
mod stored;
mod wanted;

pub use accounts::{Accounts, ConfiguredIssuer};
pub use error::CertificateError;
pub(crate) use issuance::chain;

use csr::Csr;
use intent::{INTERNAL, Phase, Purpose, StoredIntent};
use leaf::Leaf;
use request::Request;
use wanted::needs_another;

/// What the config says of certificates in general.
#[derive(Debug, Clone)]
pub struct CertificateSettings {
    /// Where certificates are stored.
    pub prefix: String,
    /// The renewal window of certificates that have none of their own.
    pub renewal_days: RenewalDays,
    /// How long a request waits for its certificate; below the read timeout of clients and servers.
    pub request_budget: Duration,
}

/// Everything that the rules stand on.
pub struct Certificates {
    settings: CertificateSettings,
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    leadership: Leadership,
    accounts: Accounts,
    solver: Solver,
    http01: Arc<Http01>,
    hooks: Arc<Hooks>,
    clock: Clock,
    metrics: Metrics,
    tracker: TaskTracker,
    held: Arc<Mutex<HashSet<CertificateId>>>,
    nudge: Notify,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The neighbours of [`Certificates`], as `app` makes them.
#[derive(Clone)]
pub struct Neighbours {
    /// Where certificates and intents are kept.
    pub store: Arc<dyn Store>,
    /// What every node knows.
    pub registry: Arc<Registry>,
    /// Whether this node may act.
    pub leadership: Leadership,
    /// HTTP-01 answers.
    pub http01: Arc<Http01>,
    /// What is asked before orders.
    pub hooks: Arc<Hooks>,
    /// Time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
    /// Where issuances run; shutdown waits for it.
    pub tracker: TaskTracker,
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Neighbours").finish_non_exhaustive()
    }
}

impl Certificates {
    /// The rules over their neighbours; nothing is read yet.
    #[must_use]
    pub fn new(settings: CertificateSettings, accounts: Accounts, solver: Solver, with: Neighbours) -> Self {
        Self {
            settings,
            store: with.store,
            registry: with.registry,
            leadership: with.leadership,
            accounts,
            solver,
            http01: with.http01,
            hooks: with.hooks,
            clock: with.clock,
            metrics: with.metrics,
            tracker: with.tracker,
            held: Arc::default(),
            nudge: Notify::new(),
        }
    }

    /// Reads all stored certificates into the registry and says how many there are. A secret that is no certificate
    /// is left alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn restore(&self) -> Result<usize, CertificateError> {
        use futures::stream::{self, StreamExt, TryStreamExt};
        /// Reads at once: enough to hide the round trip, too few to trouble a store.
        const PARALLEL: usize = 16;
        let term = self.leadership.term()?;
        let paths = self.store.list(&self.settings.prefix).await?;
        let found: Vec<(SecretPath, Option<Versioned>)> = stream::iter(paths)
            .filter(|path| {
                let place = path.below(&self.settings.prefix).unwrap_or_default();
                futures::future::ready(!place.starts_with(INTERNAL))
            })
            .map(|path| async move {
                let found = self.store.read(&path).await?;
                Ok::<_, StoreError>((path, found))
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let mut count = 0;
        for (path, found) in found {
            let Some(found) = found else { continue };
            match stored::record(path.below(&self.settings.prefix).unwrap_or_default(), &found) {
                Ok(record) => {
                    self.publish(term, record).await?;
                    count += 1;
                }
                Err(reason) => tracing::warn!(%path, reason, "a stored secret is not a certificate"),
            }
        }
        Ok(count)
    }

    /// The certificates of whoever shows a token. Needs no scope, as in the existing system.
    #[must_use]
    pub fn list(&self, identity: &Identity) -> Vec<Arc<CertificateRecord>> {
        self.registry.certificates_of(identity.owner())
    }

    /// What is known of one certificate.
    ///
    /// # Errors
    /// When there is none.
    pub fn metadata(
        &self,
        identity: &Identity,
        id: &CertificateId,
    ) -> Result<Arc<CertificateRecord>, CertificateError> {
        let own = id.owner == *identity.owner();
        self.registry.certificate(id).filter(|_| own).ok_or_else(|| CertificateError::NotFound { id: id.clone() })
    }

    /// One certificate with its content.
    ///
    /// # Errors
    /// When there is none, or the store cannot be read.
    pub async fn read(&self, right: &Authorized<Read>, id: &CertificateId) -> Result<Certificate, CertificateError> {
        let known = self.known(right.owner(), id)?;
        let found = self.store.read(&self.path(&known.id)?).await?;
        let certificate = found.map(|found| stored::from_secret(&found.secret)).filter(|found| !found.cert.is_empty());
        certificate.ok_or_else(|| CertificateError::NotFound { id: id.clone() })
    }

    /// Orders a first certificate.
    ///
    /// # Errors
    /// When the request is wrong, the certificate exists, or CA, plugin or store do not do it.
    pub async fn create(
        self: &Arc<Self>,
        right: &Authorized<Create>,
        params: CertificateParams,
    ) -> Result<Certificate, CertificateError> {
        let request = request::parse(right.owner(), params, &self.accounts.names())?;
        self.check_challenge(&request).await?;
        if self.registry.certificate(&request.id).is_some() {
            return Err(CertificateError::Exists { id: request.id });
        }
        let held = self.hold(&request.id)?;
        // Somebody else may have been quicker while this one waited for nothing at all; look again under the lock.
        if self.registry.certificate(&request.id).is_some() {
            return Err(CertificateError::Exists { id: request.id });
        }
        self.start(held, request, Purpose::Create).await
    }

    /// Changes a certificate: orders another if the change asks for it, else stores the changed settings.
    ///
    /// # Errors
    /// When the request is wrong, there is no such certificate, or CA, plugin or store do not do it.
    pub async fn update(
        self: &Arc<Self>,
        right: &Authorized<Update>,
        params: CertificateParams,
    ) -> Result<Certificate, CertificateError> {
        let mut request = request::parse(right.owner(), params, &self.accounts.names())?;
        self.check_challenge(&request).await?;
        let known = self.known(right.owner(), &request.id)?;
        let held = self.hold(&request.id)?;
        if request.csr.is_none() && !known.server_key {
            // The owner keeps its key: what it sent before still stands, if it fits the names.
            request.csr = Some(Csr::parse(&known.metadata.csr, &request.names)?);
        }
        if needs_another(&request, &known) {
            let revoke = request.params.revoke;
            return self.start(held, request, Purpose::Update { revoke }).await;
        }
        self.change_settings(&request, &known).await
    }

    /// Removes a certificate, revoking it first if asked to.
    ///
    /// # Errors
    /// When there is none, or CA or store do not do it; nothing is removed then.
    pub async fn delete(
        &self,
        right: &Authorized<Delete>,
        id: &CertificateId,
        revoke: bool,
    ) -> Result<(), CertificateError> {
        let known = self.known(right.owner(), id)?;
        let _held = self.hold(id)?;
        let term = self.leadership.term()?;
        let path = self.path(id)?;
        // An order for the same certificate that waits for its next attempt would bring it back.
        if let Some(mut parked) = StoredIntent::find(&self.store, &self.settings.prefix, id).await?
            && parked.intent.phase == Phase::Issue
        {
            parked.intent.phase = Phase::Cleanup;
            parked.save().await?;
        }
        if revoke {
            self.store.ping().await?;
            let revoked = self.revoke_stored(&path).await;
            let outcome = if revoked.is_ok() { Outcome::Success } else { Outcome::Error };
            self.metrics.certificate(id, &known.metadata.issuer, &known.metadata.domain, Operation::Revoke, outcome);
            revoked?;
        }
        self.store.delete(&path, Version(known.version)).await?;
        self.registry.apply(term, Command::RemoveCertificate(id.clone())).await?;
        self.metrics.unmanaged(id, &known.metadata.issuer, &known.metadata.domain);
        tracing::info!(certificate = %id, revoked = revoke, token = %right.token(), "certificate deleted");
        Ok(())
    }

    /// Takes up every intent that is due and not being worked on, and says how many there were.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn resume(self: &Arc<Self>) -> Result<usize, CertificateError> {
        self.leadership.term()?;
        let now = self.clock.now_millis();
        let mut begun = 0;
        for stored in StoredIntent::all(&self.store, &self.settings.prefix).await? {
            if stored.intent.next_attempt > now {
                continue;
            }
            let Ok(held) = self.hold(&stored.intent.id) else { continue };
            let this = self.clone();
            begun += 1;
            self.tracker.spawn(async move {
                let _held = held;
                // Errors are logged where they happen; the intent says what is left.
                let _ = this.carry_out(stored).await;
            });
        }
        Ok(begun)
    }

    /// Resolves when a parked intent became due.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// How many certificates and how many tokens there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.registry.counts()
    }

    /// The names of the configured issuers.
    #[must_use]
    pub fn issuers(&self) -> Vec<IssuerName> {
        self.accounts.names()
    }

    /// Whether the store can be used.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    async fn change_settings(
        &self,
        request: &Request,
        known: &CertificateRecord,
    ) -> Result<Certificate, CertificateError> {
        let term = self.leadership.term()?;
        let path = self.path(&known.id)?;
        let gone = || CertificateError::NotFound { id: known.id.clone() };
        let found = self.store.read(&path).await?.ok_or_else(gone)?;
        let mut certificate = stored::from_secret(&found.secret);
        let leaf = Leaf::parse(&certificate.cert, false)?;
        let params = &request.params;
        let metadata = &mut certificate.metadata;
        if metadata.renewal_days != params.renewal_days {
            metadata.renewal_days.clone_from(&params.renewal_days);
            metadata.renewal_date = format_date(self.renewal_date(&leaf, &params.renewal_days));
        }
        metadata.labels.clone_from(&params.labels);
        metadata.updated_at = self.clock.now_millis();
        let version = self.store.write(&path, &stored::to_secret(&certificate), Expect::Version(found.version)).await?;
        let metadata = certificate.metadata.clone();
        let record = stored::new_record(known.id.clone(), metadata, known.server_key, version);
        self.publish(term, record).await?;
        Ok(certificate)
    }

    /// The certificate as recorded, if it is the owner's.
    fn known(&self, owner: &Owner, id: &CertificateId) -> Result<Arc<CertificateRecord>, CertificateError> {
        let found = self.registry.certificate(id).filter(|_| id.owner == *owner);
        found.ok_or_else(|| CertificateError::NotFound { id: id.clone() })
    }

    fn path(&self, id: &CertificateId) -> Result<SecretPath, CertificateError> {
        Ok(SecretPath::new(&self.settings.prefix, &id.to_string())?)
    }

    /// What is asked before orders.
    #[must_use]
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// The DNS providers that requests can name.
    #[must_use]
    pub fn providers(&self) -> &Providers {
        self.solver.providers()
    }
}
