//! From an intent to a stored certificate.
//!
//! The steps, each of which may be the first after a restart:
//!
//! 1. take up the order that the intent names, or ask the hooks, place one and write its URL down;
//! 2. for every open challenge: plan, write down, place, write down the handle, wait until it is visible;
//! 3. tell the CA, wait until it is convinced, finalise, fetch the chain, check it;
//! 4. store the certificate with check-and-set, tell the registry;
//! 5. only then revoke what it replaces, if that was asked for;
//! 6. always: remove what was placed, then the intent.
//!
//! A failure never touches a certificate that works. It must never run twice at once for one certificate: the caller
//! holds the certificate's lock.

mod proof;

use acme_manager_api::Certificate;
use acme_manager_plugin_runtime::{ChallengeKind, ProposedOrder};
use secrecy::ExposeSecret;

use super::accounts::ConfiguredIssuer;
use super::csr::Csr;
use super::error::CertificateError;
use super::intent::{Phase, Purpose, Replaced, StoredIntent};
use super::leaf::Leaf;
use super::renewal::renewal_date;
use super::request::Challenge;
use super::{Certificates, stored};
use crate::acme::order::{IssuedChain, Order, State};
use crate::acme::{AcmeError, Session};
use crate::clock::format_date;
use crate::cluster::{Command, Term};
use crate::durations::RenewalDays;
use crate::names::{DomainName, IssuerName};
use crate::records::CertificateRecord;
use crate::storage::{Expect, Version};
use crate::telemetry::metrics::{Operation, Outcome};

/// Waits between attempts to finish an intent: 1 min, 10 min, 100 min, then daily.
const BACKOFF_MINUTES: [i64; 4] = [1, 10, 100, 24 * 60];

impl Certificates {
    /// Works an intent to its end. Returns the stored certificate, or nothing if only a cleanup was left.
    pub(super) async fn carry_out(&self, mut stored: StoredIntent) -> Result<Option<Certificate>, CertificateError> {
        stored.intent.attempts += 1;
        let issued = match stored.intent.phase {
            Phase::Issue => self.issue(&mut stored).await.map(Some),
            Phase::Cleanup => Ok(None),
        };
        let id = stored.intent.id.clone();
        self.count(&stored, issued.is_ok());
        match &issued {
            Ok(_) => stored.intent.phase = Phase::Cleanup,
            // The store may hold an order that is worth finishing; what is broken is neither CA nor plugin.
            Err(CertificateError::Store(error)) if error.retryable() => {
                tracing::error!(certificate = %id, %error, "the store failed; the order is kept and taken up again");
                self.remove_challenges(&mut stored).await;
                self.park(stored).await;
                return issued;
            }
            Err(error) => {
                tracing::warn!(certificate = %id, error = %chain(error), "issuance failed");
                stored.intent.phase = Phase::Cleanup;
            }
        }
        if self.remove_challenges(&mut stored).await {
            if let Err(error) = stored.remove().await {
                tracing::warn!(certificate = %id, %error, "the finished intent cannot be removed; it is looked at again");
            }
        } else {
            self.park(stored).await;
        }
        issued
    }

    async fn issue(&self, stored: &mut StoredIntent) -> Result<Certificate, CertificateError> {
        let issuer: IssuerName = stored.intent.params.issuer.parse()?;
        let names = names(stored)?;
        let csr = Csr::decode(&stored.intent.csr)?;
        let configured = self.configured(&issuer)?;
        let challenge = self.challenge_of(stored, &issuer, configured)?;
        self.leadership.term()?;
        let session = self.accounts.session(&issuer).await?;
        self.note_replaced(stored).await?;
        let profile = configured.profile.as_deref();
        let proposed = proposed(&issuer, &names, &challenge);
        let mut order = match self.order(stored, &session, &names, &proposed, profile).await {
            Err(CertificateError::Ca(error)) if error.account_lost() => {
                let session = self.accounts.replace(&issuer, &session).await?;
                // An order of the lost account cannot be read by the new one.
                stored.intent.order_url = None;
                self.order(stored, &session, &names, &proposed, profile).await?
            }
            placed => placed?,
        };
        if order.state() == State::Pending {
            self.prove(stored, &mut order, &challenge).await?;
        }
        let term = self.leadership.term()?;
        let chain = order.finish(&csr.der).await?;
        let leaf = Leaf::check(&chain.pem, stored.intent.params.bundle, &csr, &names)?;
        let certificate = self.save(term, stored, &leaf, &chain).await?;
        if let Some(old) = &stored.intent.replaced {
            let old = (old.issuer.clone(), Leaf::parse(&old.cert, false)?);
            self.revoke_replaced(stored, &old, &leaf).await;
        }
        Ok(certificate)
    }

    /// The order that the intent names if the CA still has it in a usable state, else a new one.
    async fn order(
        &self,
        stored: &mut StoredIntent,
        session: &Session,
        names: &[DomainName],
        proposed: &ProposedOrder,
        default_profile: Option<&str>,
    ) -> Result<Order, CertificateError> {
        if let Some(url) = stored.intent.order_url.clone() {
            let found = match session.resume(&url).await {
                Ok(mut order) => (order.state() != State::Invalid).then_some(order),
                Err(AcmeError::OrderLost { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            if let Some(order) = found {
                tracing::info!(certificate = %stored.intent.id, order = url, "order taken up again");
                return Ok(order);
            }
            tracing::info!(certificate = %stored.intent.id, order = url, "the order is lost; placing another");
            stored.intent.order_url = None;
        }
        let requested = stored.intent.params.profile.clone();
        let profile = if requested.is_empty() { default_profile } else { Some(requested.as_str()) };
        stored.save().await?;
        self.hooks.review(proposed).await?;
        self.leadership.term()?;
        let order = session.place(names, profile).await?;
        stored.intent.order_url = Some(order.url().to_owned());
        stored.save().await?;
        Ok(order)
    }

    /// Stores the certificate and tells the registry.
    async fn save(
        &self,
        term: Term,
        stored: &StoredIntent,
        leaf: &Leaf,
        chain: &IssuedChain,
    ) -> Result<Certificate, CertificateError> {
        let intent = &stored.intent;
        let old = self.registry.certificate(&intent.id);
        if let Some(known) = &old
            && known.metadata.serial == leaf.serial
            && let Some(found) = self.store.read(&self.path(&intent.id)?).await?
        {
            // An earlier attempt died between storing and removing its intent.
            return Ok(stored::from_secret(&found.secret));
        }
        let renewals = old.as_ref().map_or(0, |record| record.metadata.renewal_count);
        let renewals = if intent.purpose == Purpose::Renew { renewals + 1 } else { renewals };
        let mut metadata = super::stored::metadata_of(&intent.id.owner, &intent.params);
        metadata.csr.clone_from(&intent.csr);
        metadata.expires = format_date(leaf.not_after);
        metadata.fingerprint = leaf.fingerprint();
        metadata.encryption.clone_from(&leaf.encryption);
        metadata.serial.clone_from(&leaf.serial);
        metadata.renewal_date = format_date(self.renewal_date(leaf, &intent.params.renewal_days));
        metadata.renewal_count = renewals;
        metadata.updated_at = self.clock.now_millis();
        let certificate = Certificate {
            metadata,
            cert: leaf.cert.clone(),
            ca_issuer: leaf.ca_issuer.clone(),
            url: chain.url.clone(),
            key: intent.key.as_ref().map(|key| key.expose_secret().to_owned()).unwrap_or_default(),
        };
        let path = self.path(&intent.id)?;
        let expect = old.as_ref().map_or(Expect::Absent, |record| Expect::Version(Version(record.version)));
        let version = self.store.write(&path, &stored::to_secret(&certificate), expect).await?;
        let server_key = intent.key.is_some();
        let record = stored::new_record(intent.id.clone(), certificate.metadata.clone(), server_key, version);
        if let Some(old) = old {
            self.metrics.unmanaged(&old.id, &old.metadata.issuer, &old.metadata.domain);
        }
        self.publish(term, record).await?;
        tracing::info!(certificate = %intent.id, serial = leaf.serial, expires = certificate.metadata.expires, "certificate stored");
        Ok(certificate)
    }

    pub(super) async fn publish(&self, term: Term, record: CertificateRecord) -> Result<(), CertificateError> {
        let metadata = &record.metadata;
        self.metrics.managed(&record.id, &metadata.issuer, &metadata.domain, metadata.renewal_count);
        self.registry.apply(term, Command::PutCertificate(record.into())).await?;
        Ok(())
    }

    pub(super) fn renewal_date(&self, leaf: &Leaf, renewal_days: &str) -> time::OffsetDateTime {
        let days = renewal_days.parse::<RenewalDays>().unwrap_or(self.settings.renewal_days);
        renewal_date(self.clock.now(), leaf.not_before, leaf.not_after, days, rand::random::<f64>())
    }

    /// Notes the certificate that is to be revoked, while it still is the stored one: a run that is taken up again
    /// finds the new one there. Written down with the order.
    async fn note_replaced(&self, stored: &mut StoredIntent) -> Result<(), CertificateError> {
        let first = stored.intent.order_url.is_none() && stored.intent.replaced.is_none();
        if !first || stored.intent.purpose != (Purpose::Update { revoke: true }) {
            return Ok(());
        }
        if let Some(found) = self.store.read(&self.path(&stored.intent.id)?).await? {
            let old = stored::from_secret(&found.secret);
            stored.intent.replaced = Some(Replaced { issuer: old.metadata.issuer.parse()?, cert: old.cert });
        }
        Ok(())
    }

    /// Best effort, as in the existing system: the new certificate is stored and stays whatever the CA says.
    async fn revoke_replaced(&self, stored: &StoredIntent, old: &(IssuerName, Leaf), new: &Leaf) {
        let (id, domain, (issuer, leaf)) = (&stored.intent.id, &stored.intent.params.domain, old);
        if leaf.serial == new.serial {
            return;
        }
        let revoked = self.revoke_leaf(issuer, leaf, true).await;
        let outcome = if revoked.is_ok() { Outcome::Success } else { Outcome::Error };
        self.metrics.certificate(id, issuer.as_str(), domain, Operation::Revoke, outcome);
        if let Err(error) = revoked {
            tracing::warn!(certificate = %id, serial = leaf.serial, error = %chain(&error), "the replaced certificate is not revoked");
        }
    }

    /// Keeps an intent for later.
    async fn park(&self, mut stored: StoredIntent) {
        let step = usize::try_from(stored.intent.attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let minutes = BACKOFF_MINUTES[step.min(BACKOFF_MINUTES.len() - 1)];
        stored.intent.next_attempt = self.clock.now_millis() + minutes * 60_000;
        if let Err(error) = stored.save().await {
            // What was written before still says what to do; the next look at the intents finds it.
            tracing::warn!(certificate = %stored.intent.id, %error, "the intent's next attempt cannot be noted");
        }
    }

    fn count(&self, stored: &StoredIntent, success: bool) {
        let operation = match (stored.intent.phase, stored.intent.purpose) {
            (Phase::Cleanup, _) => return,
            (Phase::Issue, Purpose::Create) => Operation::Create,
            (Phase::Issue, Purpose::Update { .. }) => Operation::Update,
            (Phase::Issue, Purpose::Renew) => Operation::Renew,
        };
        let params = &stored.intent.params;
        let outcome = if success { Outcome::Success } else { Outcome::Error };
        self.metrics.certificate(&stored.intent.id, &params.issuer, &params.domain, operation, outcome);
    }

    fn configured(&self, issuer: &IssuerName) -> Result<&ConfiguredIssuer, CertificateError> {
        self.accounts.configured(issuer).ok_or_else(|| CertificateError::Invalid {
            field: "issuer",
            reason: format!("{issuer} is no longer configured"),
        })
    }

    fn challenge_of(
        &self,
        stored: &StoredIntent,
        issuer: &IssuerName,
        configured: &ConfiguredIssuer,
    ) -> Result<Challenge, CertificateError> {
        let params = &stored.intent.params;
        super::wanted::wanted_challenge(params, configured.default_challenge.as_ref())?
            .ok_or_else(|| CertificateError::NoChallenge { issuer: issuer.clone() })
    }
}

fn names(stored: &StoredIntent) -> Result<Vec<DomainName>, CertificateError> {
    super::request::names(&stored.intent.params.domain.parse()?, &stored.intent.params.san)
}

/// What hooks are asked about.
fn proposed(issuer: &IssuerName, names: &[DomainName], challenge: &Challenge) -> ProposedOrder {
    let challenge = match challenge {
        Challenge::Dns(_) => ChallengeKind::Dns,
        Challenge::Http(_) => ChallengeKind::Http,
    };
    let domains = names.iter().map(ToString::to_string).collect();
    ProposedOrder { domains, issuer: issuer.to_string(), challenge }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
