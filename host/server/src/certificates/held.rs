//! Who works on which certificate.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{CertificateError, Certificates};
use crate::names::CertificateId;

/// The lock on one certificate; released when dropped.
#[derive(Debug)]
pub(super) struct Held {
    id: CertificateId,
    held: Arc<Mutex<HashSet<CertificateId>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Certificates {
    /// Takes the lock on a certificate.
    ///
    /// # Errors
    /// [`CertificateError::Busy`] when somebody has it.
    pub(super) fn hold(&self, id: &CertificateId) -> Result<Held, CertificateError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.insert(id.clone()) {
            Ok(Held { id: id.clone(), held: self.held.clone() })
        } else {
            Err(CertificateError::Busy { id: id.clone() })
        }
    }
}
