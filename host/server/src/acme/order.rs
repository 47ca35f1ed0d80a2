//! One order at a CA, from placing it to the certificate (RFC 8555 §7.4).
//!
//! Every step may be the first after a restart: [`Session::resume`] takes up an order by its URL in whatever state
//! it is, and each method looks at the state before it acts.

use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, ChallengeStatus, ChallengeType, Identifier, NewOrder, OrderStatus, RetryPolicy,
    RevocationReason, RevocationRequest,
};
use rustls_pki_types::CertificateDer;

use super::error::problem_kind;
use super::{AcmeError, Session, Stage};
use crate::names::DomainName;

/// How long a CA may take to look at challenges; public CAs are done within seconds.
const VALIDATION_TIMEOUT: Duration = Duration::from_secs(120);
const FIRST_POLL: Duration = Duration::from_millis(100);
const POLL_GROWTH: f32 = 1.6;
const LONGEST_POLL: Duration = Duration::from_secs(5);

/// The type of challenge wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 8555 §8.4.
    Dns01,
    /// RFC 8555 §8.3.
    Http01,
}

impl Kind {
    fn wanted(self) -> ChallengeType {
        match self {
            Self::Dns01 => ChallengeType::Dns01,
            Self::Http01 => ChallengeType::Http01,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Dns01 => "dns-01",
            Self::Http01 => "http-01",
        }
    }
}

/// A challenge that is still to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The name to prove, without `*.`.
    pub name: String,
    /// The challenge's token.
    pub token: String,
    /// What HTTP-01 answers.
    pub key_authorization: String,
    /// What the TXT record of DNS-01 holds.
    pub dns_value: String,
}

/// What the CA issued.
#[derive(Debug, Clone)]
pub struct IssuedChain {
    /// Leaf and chain in PEM.
    pub pem: String,
    /// Where the CA keeps it.
    pub url: String,
}

/// What an order is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Challenges.
    Pending,
    /// The certificate request.
    Ready,
    /// The CA.
    Processing,
    /// Nothing: the certificate is there.
    Valid,
    /// Nothing: it is lost.
    Invalid,
}

/// An order at the CA.
pub struct Order {
    inner: instant_acme::Order,
    certificate_timeout: Duration,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("url", &self.inner.url()).finish_non_exhaustive()
    }
}

impl Session {
    /// Places an order (RFC 8555 §7.4).
    ///
    /// # Errors
    /// When the CA cannot be reached or refuses.
    pub async fn place(&self, names: &[DomainName], profile: Option<&str>) -> Result<Order, AcmeError> {
        let identifiers: Vec<Identifier> = names
            .iter()
            .map(|name| match name.ip() {
                Some(ip) => Identifier::Ip(ip),
                None => Identifier::Dns(name.as_str().to_ascii_lowercase()),
            })
            .collect();
        let mut new = NewOrder::new(&identifiers);
        if let Some(profile) = profile {
            new = new.profile(profile);
        }
        let inner = self.account.new_order(&new).await.map_err(|e| AcmeError::from_client(Stage::Order, e))?;
        tracing::info!(order = inner.url(), "order placed");
        Ok(Order { inner, certificate_timeout: self.certificate_timeout })
    }

    /// Takes up an order that was placed before.
    ///
    /// # Errors
    /// When the CA cannot be reached, or no longer knows the order.
    pub async fn resume(&self, url: &str) -> Result<Order, AcmeError> {
        let found = self.account.order(url.to_owned()).await;
        let inner = found.map_err(|e| match AcmeError::from_client(Stage::Order, e) {
            AcmeError::Problem { kind, detail, .. } if matches!(kind.as_str(), "malformed" | "unauthorized") => {
                AcmeError::OrderLost { state: "not known any more", reason: detail }
            }
            other => other,
        })?;
        Ok(Order { inner, certificate_timeout: self.certificate_timeout })
    }

    /// Revokes a certificate (RFC 8555 §7.6). One that was revoked already counts as done.
    ///
    /// # Errors
    /// When the CA cannot be reached or refuses.
    pub async fn revoke(&self, leaf: &CertificateDer<'_>, superseded: bool) -> Result<(), AcmeError> {
        let reason = if superseded { Some(RevocationReason::Superseded) } else { None };
        let request = RevocationRequest { certificate: leaf, reason };
        match self.account.revoke(&request).await.map_err(|e| AcmeError::from_client(Stage::Revocation, e)) {
            Err(AcmeError::Problem { kind, .. }) if kind == "alreadyRevoked" => Ok(()),
            other => other,
        }
    }
}

impl Order {
    /// The order's URL: what has to be stored to resume it.
    #[must_use]
    pub fn url(&self) -> &str {
        self.inner.url()
    }

    /// What it is waiting for, as of the last answer.
    pub fn state(&mut self) -> State {
        match self.inner.state().status {
            OrderStatus::Pending => State::Pending,
            OrderStatus::Ready => State::Ready,
            OrderStatus::Processing => State::Processing,
            OrderStatus::Valid => State::Valid,
            OrderStatus::Invalid => State::Invalid,
        }
    }

    /// The challenges that are still to be answered. Names that the CA takes as proven have none.
    ///
    /// # Errors
    /// When the CA cannot be reached, offers no challenge of `kind`, or already refused a name.
    pub async fn challenges(&mut self, kind: Kind) -> Result<Vec<Challenge>, AcmeError> {
        let mut open = Vec::new();
        let mut authorizations = self.inner.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|e| AcmeError::from_client(Stage::Authorization, e))?;
            match authorization.status {
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Valid => continue,
                _ => return Err(refused_name(&authorization)),
            }
            let name = base_name(&authorization);
            let offered: Vec<String> = authorization.challenges.iter().map(|c| type_name(&c.r#type)).collect();
            let Some(challenge) = authorization.challenge(kind.wanted()) else {
                return Err(AcmeError::NoChallenge { name, challenge: kind.as_str(), offered: offered.join(", ") });
            };
            let key_authorization = challenge.key_authorization();
            open.push(Challenge {
                name,
                token: challenge.token.clone(),
                dns_value: key_authorization.dns_value(),
                key_authorization: key_authorization.as_str().to_owned(),
            });
        }
        Ok(open)
    }

    /// Tells the CA that these challenges are answered (RFC 8555 §7.5.1). Those it already looks at are left alone.
    ///
    /// # Errors
    /// When the CA cannot be reached or refuses.
    pub async fn submit(&mut self, kind: Kind, answered: &[Challenge]) -> Result<(), AcmeError> {
        let mut authorizations = self.inner.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|e| AcmeError::from_client(Stage::Authorization, e))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            if let Some(mut challenge) = authorization.challenge(kind.wanted())
                && challenge.status == ChallengeStatus::Pending
                && answered.iter().any(|known| known.token == challenge.token)
            {
                challenge.set_ready().await.map_err(|e| AcmeError::from_client(Stage::Authorization, e))?;
            }
        }
        Ok(())
    }

    /// Waits until the CA has taken these challenges as proof.
    ///
    /// # Errors
    /// When a name was not proven (with the CA's reason), or the CA is not done in time.
    pub async fn wait_validated(&mut self, kind: Kind, answered: &[Challenge]) -> Result<(), AcmeError> {
        let begun = tokio::time::Instant::now();
        let mut wait = FIRST_POLL;
        loop {
            tokio::time::sleep(wait).await;
            if !self.still_open(kind, answered).await? {
                // The authorizations are settled; the order follows them (RFC 8555 §7.1.6).
                self.inner.refresh().await.map_err(|e| AcmeError::from_client(Stage::Order, e))?;
                return Ok(());
            }
            if begun.elapsed() > VALIDATION_TIMEOUT {
                return Err(AcmeError::Timeout { stage: Stage::Authorization, seconds: begun.elapsed().as_secs() });
            }
            wait = wait.mul_f32(POLL_GROWTH).min(LONGEST_POLL);
        }
    }

    async fn still_open(&mut self, kind: Kind, answered: &[Challenge]) -> Result<bool, AcmeError> {
        let mut authorizations = self.inner.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|e| AcmeError::from_client(Stage::Authorization, e))?;
            let ours = |c: &instant_acme::Challenge| {
                c.r#type == kind.wanted() && answered.iter().any(|known| known.token == c.token)
            };
            if authorization.status != AuthorizationStatus::Pending || !authorization.challenges.iter().any(ours) {
                continue;
            }
            authorization.refresh().await.map_err(|e| AcmeError::from_client(Stage::Authorization, e))?;
            match authorization.status {
                AuthorizationStatus::Pending => return Ok(true),
                AuthorizationStatus::Valid => {}
                _ => return Err(refused_name(&authorization)),
            }
        }
        Ok(false)
    }

    /// Sends the certificate request if it was not sent yet, and waits for the certificate.
    ///
    /// # Errors
    /// When the CA refuses the request, or is not done in time.
    pub async fn finish(&mut self, csr_der: &[u8]) -> Result<IssuedChain, AcmeError> {
        if self.state() == State::Pending {
            // All names are proven, the order did not hear of it yet.
            match self.inner.poll_ready(&policy(VALIDATION_TIMEOUT)).await {
                Ok(_) => {}
                Err(instant_acme::Error::Timeout(_)) => {
                    let seconds = VALIDATION_TIMEOUT.as_secs();
                    return Err(AcmeError::Timeout { stage: Stage::Order, seconds });
                }
                Err(e) => return Err(AcmeError::from_client(Stage::Order, e)),
            }
        }
        if self.state() == State::Ready {
            self.inner.finalize_csr(csr_der).await.map_err(|e| AcmeError::from_client(Stage::Finalize, e))?;
        }
        if self.state() == State::Invalid {
            return Err(self.why_invalid().await);
        }
        let issued = if self.state() == State::Valid {
            self.inner.certificate().await.map(Option::unwrap_or_default)
        } else {
            self.inner.poll_certificate(&policy(self.certificate_timeout)).await
        };
        let pem = issued.map_err(|e| match e {
            instant_acme::Error::Timeout(_) => {
                AcmeError::Timeout { stage: Stage::Certificate, seconds: self.certificate_timeout.as_secs() }
            }
            other => AcmeError::from_client(Stage::Certificate, other),
        })?;
        let url = self.inner.state().certificate.clone().unwrap_or_default();
        Ok(IssuedChain { pem, url })
    }

    /// The reason that the CA gives for an invalid order: that of the first refused name, else the order's own.
    async fn why_invalid(&mut self) -> AcmeError {
        let own = self.inner.state().error.clone();
        let mut authorizations = self.inner.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let Ok(mut authorization) = authorization else { break };
            // The stored state is older than the CA's verdict.
            if authorization.refresh().await.is_ok() && authorization.status == AuthorizationStatus::Invalid {
                return refused_name(&authorization);
            }
        }
        match own {
            Some(problem) => AcmeError::from_problem(Stage::Order, &problem),
            None => AcmeError::OrderLost { state: "invalid", reason: "the CA gives no reason".to_owned() },
        }
    }
}

fn policy(timeout: Duration) -> RetryPolicy {
    RetryPolicy::new().initial_delay(FIRST_POLL).backoff(POLL_GROWTH).timeout(timeout)
}

fn refused_name(authorization: &instant_acme::AuthorizationHandle<'_>) -> AcmeError {
    let name = base_name(authorization);
    let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
    match problem {
        Some(problem) => AcmeError::Validation {
            name,
            kind: problem_kind(problem),
            detail: problem.detail.clone().unwrap_or_else(|| "no reason given".to_owned()),
        },
        None => AcmeError::OrderLost {
            state: "invalid",
            reason: format!("the authorization of {name} is {:?}", authorization.status),
        },
    }
}

fn base_name(authorization: &instant_acme::AuthorizationHandle<'_>) -> String {
    match authorization.identifier().identifier {
        Identifier::Dns(name) => name.clone(),
        Identifier::Ip(ip) => ip.to_string(),
        _ => "an identifier of another type".to_owned(),
    }
}

fn type_name(kind: &ChallengeType) -> String {
    match kind {
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        other => format!("{other:?}"),
    }
}
