//! DNS-01 (RFC 8555 §8.4): a TXT value at `_acme-challenge.<domain>`, put there by a provider plugin.
//!
//! The work is cut into steps so that the caller can write down each one before it happens: `plan` finds the place
//! and changes nothing, `place` and `remove` change the zone, `wait_visible` only looks. Values are removed one by
//! one and by their text, never a whole record set, so that the apex and the wildcard of a domain, which share a
//! name, do not take each other's value away.

mod lookup;
mod persistence;
mod propagation;
mod servers;
mod zone;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acme_manager_plugin_runtime::TxtRecord;
use serde::{Deserialize, Serialize};

use super::ChallengeError;
use super::providers::{NameGuard, Providers};
use crate::names::{DomainName, ProviderName};
use lookup::Dns;
use zone::Caution;

/// The longest wait for a name that another order is using: the slowest vendors take an hour to publish a value.
const TURN_PATIENCE: Duration = Duration::from_secs(60 * 60);

/// The longest name in text form without the final dot (RFC 1035 §3.1).
const MAX_NAME_LEN: usize = 253;

/// How DNS-01 challenges are looked up and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns01Settings {
    /// The recursive resolvers to ask, in this order; empty means those of the system.
    pub resolvers: Vec<SocketAddr>,
    /// How long one query may take.
    pub query_timeout: Duration,
    /// When a value counts as visible.
    pub propagation: Propagation,
    /// Whether CNAME records at the challenge's name are followed.
    pub follow_cname: bool,
    /// The port of authoritative servers.
    pub authoritative_port: u16,
}

impl Default for Dns01Settings {
    fn default() -> Self {
        Self {
            resolvers: Vec::new(),
            query_timeout: Duration::from_secs(10),
            propagation: Propagation::Authoritative { also_recursive: false },
            follow_cname: true,
            authoritative_port: 53,
        }
    }
}

/// When a value counts as visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// When every authoritative server of the zone shows it.
    Authoritative {
        /// And, after that, every recursive resolver.
        also_recursive: bool,
    },
    /// When every recursive resolver shows it.
    Recursive,
    /// After this time, whatever the DNS shows.
    FixedWait(Duration),
    /// As soon as the provider reports the change live, or at once if it does not report that.
    None,
}

/// Where one challenge value goes. Stored while an order is under way, so that the value can be removed after a
/// restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The provider that holds the zone.
    pub provider: ProviderName,
    /// The name of the TXT record, lower case, without the final dot, CNAME records followed.
    pub fqdn: String,
    /// The zone that holds it, in the same form; empty when it could not be looked up.
    pub zone: String,
    /// The text of the TXT record.
    pub value: String,
    /// The time to live in seconds.
    pub ttl: u32,
    /// What the provider returned when it placed the value; absent before that.
    pub handle: Option<String>,
}

impl Placement {
    fn record(&self) -> TxtRecord {
        TxtRecord { zone: self.zone.clone(), name: self.fqdn.clone(), value: self.value.clone(), ttl: self.ttl }
    }

    fn handle(&self) -> &str {
        self.handle.as_deref().unwrap_or_default()
    }
}

/// Solves DNS-01 challenges.
pub struct Solver {
    settings: Dns01Settings,
    providers: Arc<Providers>,
    dns: Dns,
}

impl Solver {
    /// A solver over these providers.
    #[must_use]
    pub fn new(settings: Dns01Settings, providers: Arc<Providers>) -> Self {
        let dns = Dns::new(settings.resolvers.clone(), settings.query_timeout);
        Self { settings, providers, dns }
    }

    /// The providers that requests can name.
    #[must_use]
    pub fn providers(&self) -> &Arc<Providers> {
        &self.providers
    }

    /// Finds where `value`, the digest of the key authorization, goes for `domain`. Changes nothing.
    ///
    /// # Errors
    /// When DNS-01 cannot prove the domain, the provider cannot be used, or the place cannot be found.
    pub async fn plan(
        &self,
        provider: &ProviderName,
        domain: &DomainName,
        value: &str,
    ) -> Result<Placement, ChallengeError> {
        if let Some(address) = domain.ip() {
            return Err(ChallengeError::IpAddress { address });
        }
        let description = self.providers.require(provider).await?;
        // RFC 8555 §8.4: the wildcard's challenge is that of its base domain.
        let fqdn = format!("_acme-challenge.{}", domain.base().to_ascii_lowercase());
        if fqdn.len() > MAX_NAME_LEN {
            return Err(ChallengeError::NameTooLong { domain: domain.clone() });
        }
        let caution = self.caution();
        let fqdn = match self.settings.follow_cname {
            true => zone::follow_aliases(&self.dns, &fqdn, caution).await?,
            false => fqdn,
        };
        let zone = match zone::find_zone(&self.dns, &fqdn, caution).await {
            Ok(zone) => zone,
            Err(error) if self.needs_zone() => return Err(error),
            Err(error) => {
                tracing::warn!(%fqdn, %error, "the zone cannot be looked up; the DNS provider has to find it");
                String::new()
            }
        };
        let ttl = description.default_ttl;
        Ok(Placement { provider: provider.clone(), fqdn, zone, value: value.to_owned(), ttl, handle: None })
    }

    /// Splits placements into rounds that are placed, proven and removed one after the other, because a provider
    /// that cannot hold two values at one name must not be asked to. Within a round names are sorted: whoever
    /// places them in this order cannot wait for another order that waits for it.
    ///
    /// # Errors
    /// When a provider is no longer there.
    pub async fn rounds(&self, placements: Vec<Placement>) -> Result<Vec<Vec<Placement>>, ChallengeError> {
        let mut rounds: Vec<Vec<Placement>> = Vec::new();
        let mut seen: BTreeMap<(ProviderName, String), usize> = BTreeMap::new();
        for placement in placements {
            let mut round = 0;
            if !self.providers.require(&placement.provider).await?.multiple_values {
                let times = seen.entry((placement.provider.clone(), placement.fqdn.clone())).or_default();
                round = *times;
                *times += 1;
            }
            if rounds.len() <= round {
                rounds.resize_with(round + 1, Vec::new);
            }
            rounds[round].push(placement);
        }
        for round in &mut rounds {
            round.sort_by(|a, b| (&a.provider, &a.fqdn).cmp(&(&b.provider, &b.fqdn)));
        }
        Ok(rounds)
    }

    /// Has the provider create the value and notes its handle in the placement. Waits for the turn at the name
    /// first. When the provider cannot hold two values at a name, the turn is returned and must be kept until
    /// [`Solver::remove`] takes it back.
    ///
    /// After an error the value may be there all the same: remove it.
    ///
    /// # Errors
    /// When the provider cannot be used, refuses or breaks, retries included, or the turn does not come.
    pub async fn place(&self, placement: &mut Placement) -> Result<Option<NameGuard>, ChallengeError> {
        let account = self.providers.account(&placement.provider).await?;
        let turn = self.turn(placement).await?;
        let record = placement.record();
        let provider = &account.usable.provider;
        let handle = persistence::persist(&account, "create", &record.name, || provider.present(&record)).await?;
        tracing::info!(provider = %account.name, fqdn = %record.name, zone = %record.zone, "TXT value placed");
        placement.handle = Some(handle);
        Ok((!account.usable.description.multiple_values).then_some(turn))
    }

    /// Waits until the settings' condition holds for all placements at once, no longer than their providers ask for.
    ///
    /// # Errors
    /// [`ChallengeError::NotVisible`] with every server that did not show a value, or why nobody could be asked.
    pub async fn wait_visible(&self, placements: &[Placement]) -> Result<(), ChallengeError> {
        propagation::wait(&self.dns, &self.settings, &self.providers, placements).await
    }

    /// Has the provider remove exactly this value. May be called at any time and again: before the value was
    /// placed, after a restart, without a handle. `turn` is what [`Solver::place`] returned, if it is still held.
    ///
    /// # Errors
    /// When the provider cannot be used, refuses or breaks, retries included, or the turn does not come.
    pub async fn remove(&self, placement: &Placement, turn: Option<NameGuard>) -> Result<(), ChallengeError> {
        let account = self.providers.account(&placement.provider).await?;
        let _turn = match turn {
            Some(turn) if turn.fqdn() == placement.fqdn => turn,
            _ => self.turn(placement).await?,
        };
        let (record, handle) = (placement.record(), placement.handle());
        let provider = &account.usable.provider;
        persistence::persist(&account, "remove", &record.name, || provider.cleanup(&record, handle)).await?;
        tracing::info!(provider = %account.name, fqdn = %record.name, zone = %record.zone, "TXT value removed");
        Ok(())
    }

    async fn turn(&self, placement: &Placement) -> Result<NameGuard, ChallengeError> {
        let account = self.providers.account(&placement.provider).await?;
        account.turns.take(&placement.fqdn, TURN_PATIENCE).await.ok_or_else(|| ChallengeError::Busy {
            provider: placement.provider.clone(),
            fqdn: placement.fqdn.clone(),
            waited: TURN_PATIENCE,
        })
    }

    fn caution(&self) -> Caution {
        match self.settings.propagation {
            Propagation::Authoritative { also_recursive: true } => {
                Caution::KeepFromResolvers { port: self.settings.authoritative_port }
            }
            // `Recursive` is for where the authoritative servers cannot be reached: they are left alone here as well.
            Propagation::Authoritative { .. }
            | Propagation::Recursive
            | Propagation::FixedWait(_)
            | Propagation::None => Caution::None,
        }
    }

    /// Whether the propagation check asks the zone's own servers. Where it does not, the DNS seen from here may be
    /// closed or another one, and the provider knows its zones itself.
    fn needs_zone(&self) -> bool {
        match self.settings.propagation {
            Propagation::Authoritative { .. } | Propagation::Recursive => true,
            Propagation::FixedWait(_) | Propagation::None => false,
        }
    }
}

#[cfg(test)]
mod tests;
