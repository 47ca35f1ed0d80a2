//! Waiting until the world sees a value.
//!
//! Placements of one provider and zone are watched together, because they share name servers and patience. A value
//! is looked for at the provider, then at the authoritative servers, then at the resolvers: whoever asks a resolver
//! too early makes it remember that there is nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use hickory_resolver::proto::rr::Name;
use tokio::time::{Instant, sleep};

use super::super::providers::{Account, Providers};
use super::super::{ChallengeError, Invisible};
use super::lookup::{Dns, parse};
use super::persistence::BUDGET;
use super::servers::{self, NameServer};
use super::zone::{self, Caution};
use super::{Dns01Settings, Placement, Propagation};

/// The longest wait, whatever a plugin asks for: twice the slowest vendor known.
const MAX_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// The shortest pause between two looks, whatever a plugin asks for.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// See [`super::Solver::wait_visible`].
pub(super) async fn wait(
    dns: &Dns,
    settings: &Dns01Settings,
    providers: &Providers,
    placements: &[Placement],
) -> Result<(), ChallengeError> {
    if let Propagation::FixedWait(time) = settings.propagation
        && !placements.is_empty()
    {
        sleep(time).await;
        return Ok(());
    }
    let mut groups: BTreeMap<_, Vec<&Placement>> = BTreeMap::new();
    for placement in placements {
        groups.entry((&placement.provider, &placement.zone)).or_default().push(placement);
    }
    let mut watches = Vec::new();
    for ((provider, _), placements) in groups {
        let account = providers.account(provider).await?;
        let pending = placements.into_iter().map(Pending::new).collect::<Result<_, _>>()?;
        watches.push(Watch { dns, settings, account, servers: Vec::new(), pending }.run());
    }
    let mut invisible: Option<(Duration, Vec<Invisible>)> = None;
    for outcome in join_all(watches).await {
        match outcome {
            Ok(()) => {}
            Err(ChallengeError::NotVisible { waited, missing }) => {
                let (longest, all) = invisible.get_or_insert_default();
                *longest = waited.max(*longest);
                all.extend(missing);
            }
            Err(other) => return Err(other),
        }
    }
    invisible.map_or(Ok(()), |(waited, missing)| Err(ChallengeError::NotVisible { waited, missing }))
}

/// Placements of one provider in one zone.
struct Watch<'a> {
    dns: &'a Dns,
    settings: &'a Dns01Settings,
    account: Account,
    servers: Vec<NameServer>,
    pending: Vec<Pending<'a>>,
}

/// A value on its way, and how far it has come.
struct Pending<'a> {
    placement: &'a Placement,
    name: Name,
    stage: Stage,
    missing: Vec<Invisible>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Provider,
    Authoritative,
    Recursive,
    Visible,
}

impl<'a> Pending<'a> {
    fn new(placement: &'a Placement) -> Result<Self, ChallengeError> {
        let name = parse(&placement.fqdn)?;
        Ok(Self { placement, name, stage: Stage::Provider, missing: Vec::new() })
    }
}

impl Watch<'_> {
    async fn run(mut self) -> Result<(), ChallengeError> {
        let started = Instant::now();
        let description = &self.account.usable.description;
        let timeout = description.propagation_timeout.min(MAX_TIMEOUT);
        let interval = description.propagation_interval.max(MIN_INTERVAL);
        loop {
            let failure = self.look().await.err();
            let is_late = started.elapsed() + interval > timeout;
            match failure {
                None if self.pending.is_empty() => return Ok(()),
                None if is_late => {
                    let missing = self.pending.into_iter().flat_map(|pending| pending.missing).collect();
                    return Err(ChallengeError::NotVisible { waited: started.elapsed(), missing });
                }
                Some(error) if is_late || !error.retryable() => return Err(error),
                _ => sleep(interval).await,
            }
        }
    }

    /// One look at everything that is not visible yet.
    async fn look(&mut self) -> Result<(), ChallengeError> {
        if self.servers.is_empty() && matches!(self.settings.propagation, Propagation::Authoritative { .. }) {
            let placement = self.pending.first().map(|pending| pending.placement);
            let zone = match placement {
                Some(Placement { zone, fqdn, .. }) if zone.is_empty() => {
                    zone::find_zone(self.dns, fqdn, Caution::None).await?
                }
                Some(Placement { zone, .. }) => zone.clone(),
                None => return Ok(()),
            };
            self.servers = servers::find(self.dns, &parse(&zone)?, self.settings.authoritative_port).await?;
        }
        let mut pending = std::mem::take(&mut self.pending);
        let looks: Vec<_> = join_all(pending.iter_mut().map(|pending| self.advance(pending))).await;
        pending.retain(|pending| pending.stage != Stage::Visible);
        self.pending = pending;
        looks.into_iter().collect()
    }

    /// Takes one value as far as it goes now.
    async fn advance(&self, pending: &mut Pending<'_>) -> Result<(), ChallengeError> {
        while pending.stage != Stage::Visible {
            let (placement, name) = (pending.placement, &pending.name);
            pending.missing = match pending.stage {
                Stage::Provider => self.ask_provider(placement).await?,
                Stage::Authoritative => self.ask_servers(name, &placement.value).await,
                Stage::Recursive => self.ask_resolvers(name, &placement.value).await?,
                Stage::Visible => Vec::new(),
            };
            if !pending.missing.is_empty() {
                return Ok(());
            }
            pending.stage = self.after(pending.stage);
        }
        Ok(())
    }

    fn after(&self, stage: Stage) -> Stage {
        match (stage, self.settings.propagation) {
            (Stage::Provider, Propagation::Authoritative { .. }) => Stage::Authoritative,
            (Stage::Provider, Propagation::Recursive)
            | (Stage::Authoritative, Propagation::Authoritative { also_recursive: true }) => Stage::Recursive,
            _ => Stage::Visible,
        }
    }

    async fn ask_provider(&self, placement: &Placement) -> Result<Vec<Invisible>, ChallengeError> {
        if !self.account.usable.description.reports_ready {
            return Ok(Vec::new());
        }
        let provider = &self.account.usable.provider;
        let asked = match self.account.pace(Instant::now() + BUDGET).await {
            Ok(()) => provider.ready(&placement.record(), placement.handle()).await,
            Err(too_late) => Err(too_late),
        };
        let shown = match asked {
            Ok(true) => return Ok(Vec::new()),
            Ok(false) => "the change is not live yet".to_owned(),
            Err(failure) => {
                let error = ChallengeError::from_call(&self.account.name, "look for", &placement.fqdn, failure);
                match self.settings.propagation {
                    _ if error.retryable() => error.to_string(),
                    Propagation::None => return Err(error),
                    // The DNS itself tells better than a provider that cannot.
                    _ => {
                        tracing::warn!(provider = %self.account.name, %error, "asking the DNS instead");
                        return Ok(Vec::new());
                    }
                }
            }
        };
        let server = format!("the DNS provider {}", self.account.name);
        Ok(vec![Invisible { fqdn: placement.fqdn.clone(), server, shown }])
    }

    async fn ask_servers(&self, name: &Name, value: &str) -> Vec<Invisible> {
        let looks = self.servers.iter().map(|server| server.look(self.dns, name, value));
        servers::verdict(join_all(looks).await)
    }

    async fn ask_resolvers(&self, name: &Name, value: &str) -> Result<Vec<Invisible>, ChallengeError> {
        let resolvers = self.dns.resolvers()?;
        let looks = resolvers.into_iter().map(|resolver| servers::ask_resolver(self.dns, resolver, name, value));
        Ok(join_all(looks).await.into_iter().flatten().collect())
    }
}
