//! Who leads, and the metadata that every node holds.
//!
//! Certificates and tokens live in a state machine, [`Registry`]: it changes only by [`Command`]s applied in one
//! order. Today the one node applies them itself; with a cluster the same commands go through a replicated log.
//! Every write to the store and every request to a CA takes a [`Term`], which only the leader can get; a node that
//! lost the lead gets none. Called by the rules alone; knows nothing of storage, ACME or HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::names::{CertificateId, Owner, TokenId};
use crate::records::{CertificateRecord, TokenRecord};

/// Proof of leadership at the moment it was taken, with the number that fences older leaders off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(u64);

/// This node does not lead, so it may neither write nor order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this node is not the leader")]
pub struct NotLeader;

/// Whether this node leads.
#[derive(Debug, Clone)]
pub struct Leadership {
    term: watch::Receiver<Option<Term>>,
    // A single node keeps its own lead for as long as it lives.
    _held: Option<Arc<watch::Sender<Option<Term>>>>,
}

impl Leadership {
    /// The leadership of a node that is alone: it always leads, in term 1.
    #[must_use]
    pub fn alone() -> Self {
        let (sender, term) = watch::channel(Some(Term(1)));
        Self { term, _held: Some(Arc::new(sender)) }
    }

    /// A leadership that the sender decides.
    #[must_use]
    pub fn decided_by(term: watch::Receiver<Option<Term>>) -> Self {
        Self { term, _held: None }
    }

    /// The current term. Take it again after every wait: it may have ended meanwhile.
    ///
    /// # Errors
    /// When another node leads or none.
    pub fn term(&self) -> Result<Term, NotLeader> {
        (*self.term.borrow()).ok_or(NotLeader)
    }
}

/// One change of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A certificate is as given, whatever it was before.
    PutCertificate(Arc<CertificateRecord>),
    /// A certificate is gone.
    RemoveCertificate(CertificateId),
    /// A token is as given.
    PutToken(Arc<TokenRecord>),
    /// A token is gone.
    RemoveToken(TokenId),
}

/// The metadata of all certificates and tokens.
#[derive(Debug, Default)]
pub struct Registry {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    // By owner first, so that a listing costs what the owner has and not what the installation has.
    certificates: BTreeMap<Owner, BTreeMap<CertificateId, Arc<CertificateRecord>>>,
    tokens: BTreeMap<TokenId, Arc<TokenRecord>>,
}

impl Registry {
    /// Applies a change in the order of the calls.
    ///
    /// # Errors
    /// When the term ended; nothing was changed.
    #[expect(clippy::unused_async, reason = "a replicated log answers after a round trip")]
    pub async fn apply(&self, _term: Term, command: Command) -> Result<(), NotLeader> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match command {
            Command::PutCertificate(record) => {
                state.certificates.entry(record.id.owner.clone()).or_default().insert(record.id.clone(), record);
            }
            Command::RemoveCertificate(id) => {
                if let Some(of_owner) = state.certificates.get_mut(&id.owner) {
                    of_owner.remove(&id);
                    if of_owner.is_empty() {
                        state.certificates.remove(&id.owner);
                    }
                }
            }
            Command::PutToken(record) => {
                state.tokens.insert(record.id, record);
            }
            Command::RemoveToken(id) => {
                state.tokens.remove(&id);
            }
        }
        Ok(())
    }

    /// One certificate.
    #[must_use]
    pub fn certificate(&self, id: &CertificateId) -> Option<Arc<CertificateRecord>> {
        self.read(|state| state.certificates.get(&id.owner)?.get(id).cloned())
    }

    /// All certificates of an owner, in the order of their ids.
    #[must_use]
    pub fn certificates_of(&self, owner: &Owner) -> Vec<Arc<CertificateRecord>> {
        self.read(|state| state.certificates.get(owner).map(|all| all.values().cloned().collect()).unwrap_or_default())
    }

    /// One token.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
        self.read(|state| state.tokens.get(&id).cloned())
    }

    /// How many certificates and tokens there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.read(|state| (state.certificates.values().map(BTreeMap::len).sum(), state.tokens.len()))
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}
