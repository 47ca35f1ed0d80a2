//! Steps 2 and 6: what proves control of the names is written down, placed, waited for, and removed again.

use acme_manager_plugin_runtime::ErrorKind;

use super::super::Certificates;
use super::super::error::CertificateError;
use super::super::intent::StoredIntent;
use super::super::request::Challenge;
use super::chain;
use crate::acme::order::{Challenge as CaChallenge, Kind, Order};
use crate::challenges::ChallengeError;
use crate::challenges::dns01::Placement;
use crate::names::{DomainName, ProviderName};

impl Certificates {
    pub(super) async fn prove(
        &self,
        stored: &mut StoredIntent,
        order: &mut Order,
        challenge: &Challenge,
    ) -> Result<(), CertificateError> {
        match challenge {
            Challenge::Dns(provider) => self.prove_by_dns(stored, order, provider).await,
            Challenge::Http(_) => self.prove_by_http(stored, order).await,
        }
    }

    async fn prove_by_dns(
        &self,
        stored: &mut StoredIntent,
        order: &mut Order,
        provider: &ProviderName,
    ) -> Result<(), CertificateError> {
        let open = order.challenges(Kind::Dns01).await?;
        let mut planned = Vec::new();
        for challenge in &open {
            let domain: DomainName = challenge.name.parse()?;
            planned.push(self.solver.plan(provider, &domain, &challenge.dns_value).await?);
        }
        for round in self.solver.rounds(planned).await? {
            let of_round: Vec<CaChallenge> =
                open.iter().filter(|c| round.iter().any(|p| p.value == c.dns_value)).cloned().collect();
            self.prove_round(stored, order, round, &of_round).await?;
        }
        Ok(())
    }

    async fn prove_round(
        &self,
        stored: &mut StoredIntent,
        order: &mut Order,
        mut round: Vec<Placement>,
        challenges: &[CaChallenge],
    ) -> Result<(), CertificateError> {
        // A value that an earlier attempt placed is placed again under the same note: providers take a repetition.
        let values: Vec<String> = round.iter().map(|placement| placement.value.clone()).collect();
        stored.intent.placements.retain(|known| !values.contains(&known.value));
        stored.intent.placements.extend(round.iter().cloned());
        stored.save().await?;
        self.leadership.term()?;
        let mut turns = Vec::new();
        for placement in &mut round {
            match self.solver.place(placement).await {
                Ok(turn) => turns.push(turn),
                Err(error) => {
                    // A plugin without its configuration has asked nobody for anything, and could not remove it either:
                    // the certificate must not stay busy with a removal that cannot succeed.
                    let unconfigured = matches!(error, ChallengeError::Refused { kind: ErrorKind::Config, .. });
                    if unconfigured && stored.intent.attempts == 1 {
                        let tried = |known: &Placement| values.contains(&known.value) && known.handle.is_none();
                        stored.intent.placements.retain(|known| !tried(known));
                    }
                    return Err(error.into());
                }
            }
            for known in &mut stored.intent.placements {
                if known.value == placement.value {
                    known.handle.clone_from(&placement.handle);
                }
            }
        }
        stored.save().await?;
        self.solver.wait_visible(&round).await?;
        order.submit(Kind::Dns01, challenges).await?;
        order.wait_validated(Kind::Dns01, challenges).await?;
        // A provider with one value a name must be rid of this one before the next round.
        for (placement, turn) in round.iter().zip(turns) {
            if turn.is_some() {
                self.solver.remove(placement, turn).await?;
                stored.intent.placements.retain(|known| known.value != placement.value);
            }
        }
        Ok(())
    }

    async fn prove_by_http(&self, stored: &mut StoredIntent, order: &mut Order) -> Result<(), CertificateError> {
        let open = order.challenges(Kind::Http01).await?;
        stored.intent.http_tokens = open.iter().map(|challenge| challenge.token.clone()).collect();
        stored.save().await?;
        for challenge in &open {
            self.http01.publish(&challenge.token, &challenge.key_authorization)?;
        }
        order.submit(Kind::Http01, &open).await?;
        order.wait_validated(Kind::Http01, &open).await?;
        Ok(())
    }

    /// Removes what was placed. Says whether nothing is left.
    pub(super) async fn remove_challenges(&self, stored: &mut StoredIntent) -> bool {
        for token in stored.intent.http_tokens.drain(..) {
            self.http01.withdraw(&token);
        }
        let mut left = Vec::new();
        for placement in std::mem::take(&mut stored.intent.placements) {
            match self.solver.remove(&placement, None).await {
                Ok(()) => {}
                Err(ChallengeError::UnknownProvider { .. }) => {
                    tracing::error!(fqdn = placement.fqdn, provider = %placement.provider,
                        "a TXT value stays: its DNS provider is no longer configured");
                }
                Err(error) => {
                    tracing::warn!(fqdn = placement.fqdn, error = %chain(&error), "a TXT value cannot be removed; trying again later");
                    left.push(placement);
                }
            }
        }
        stored.intent.placements = left;
        stored.intent.placements.is_empty()
    }
}
