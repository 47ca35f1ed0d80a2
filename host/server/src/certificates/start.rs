//! From an accepted request to a run: the intent is written first, so that a restart finds it.

use std::sync::Arc;

use acme_manager_api::Certificate;
use tracing::Instrument;

use super::held::Held;
use super::intent::{Intent, Phase, Purpose, StoredIntent};
use super::request::Request;
use super::{CertificateError, Certificates, csr};
use crate::storage::StoreError;

impl Certificates {
    /// Writes the intent and runs it in a task of its own; waits for it as long as a request may take.
    pub(super) async fn start(
        self: &Arc<Self>,
        held: Held,
        request: Request,
        purpose: Purpose,
    ) -> Result<Certificate, CertificateError> {
        self.leadership.term()?;
        self.store.ping().await?;
        let stored = self.intent(request, purpose).await?;
        let this = self.clone();
        let work = async move {
            let _held = held;
            this.carry_out(stored).await
        };
        // The log of the work shows the id of the request that asked for it.
        let task = self.tracker.spawn(work.in_current_span());
        let budget = self.settings.request_budget;
        match tokio::time::timeout(budget, task).await {
            Ok(Ok(done)) => {
                done?.ok_or_else(|| CertificateError::Internal("the issuance ended without a result".to_owned()))
            }
            Ok(Err(_)) => Err(CertificateError::Internal("the issuance broke off; it is taken up again".to_owned())),
            Err(_) => Err(CertificateError::StillRunning { waited: budget }),
        }
    }

    pub(super) async fn intent(&self, request: Request, purpose: Purpose) -> Result<StoredIntent, CertificateError> {
        let (csr, key) = match request.csr {
            Some(csr) => (csr, None),
            None => {
                let made = csr::make(&request.names, request.key_type)?;
                (made.csr, Some(made.key))
            }
        };
        let mut params = request.params;
        params.csr.clone_from(&csr.encoded);
        let intent = Intent {
            id: request.id.clone(),
            purpose,
            phase: Phase::Issue,
            params,
            csr: csr.encoded,
            key,
            replaced: None,
            order_url: None,
            placements: Vec::new(),
            http_tokens: Vec::new(),
            attempts: 0,
            next_attempt: 0,
        };
        let mut stored = StoredIntent::new(self.store.clone(), &self.settings.prefix, intent)?;
        match stored.save().await {
            Ok(()) => Ok(stored),
            Err(StoreError::Conflict { .. }) => self.supersede(stored).await,
            Err(error) => Err(error.into()),
        }
    }

    /// An earlier run for the same certificate is parked. If all it has left is to remove TXT values, the new run
    /// takes that over; an order that waits for its next attempt is made due at once.
    pub(super) async fn supersede(&self, mut new: StoredIntent) -> Result<StoredIntent, CertificateError> {
        let busy = CertificateError::Busy { id: new.intent.id.clone() };
        let parked = StoredIntent::find(&self.store, &self.settings.prefix, &new.intent.id).await?;
        let Some(mut parked) = parked else { return Err(busy) };
        match parked.intent.phase {
            Phase::Cleanup => {
                new.replace(parked);
                new.save().await?;
                Ok(new)
            }
            Phase::Issue => {
                parked.intent.next_attempt = 0;
                parked.save().await?;
                self.nudge.notify_one();
                Err(busy)
            }
        }
    }
}
