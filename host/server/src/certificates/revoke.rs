//! Revocation at the CA.

use super::leaf::Leaf;
use super::{CertificateError, Certificates, stored};
use crate::names::{IssuerName, SecretPath};

impl Certificates {
    pub(super) async fn revoke_stored(&self, path: &SecretPath) -> Result<(), CertificateError> {
        let Some(found) = self.store.read(path).await? else { return Ok(()) };
        let certificate = stored::from_secret(&found.secret);
        let leaf = Leaf::parse(&certificate.cert, false)?;
        self.revoke_leaf(&certificate.metadata.issuer.parse()?, &leaf, false).await
    }

    /// Revokes at the CA; a certificate past its end needs no revocation.
    pub(super) async fn revoke_leaf(
        &self,
        issuer: &IssuerName,
        leaf: &Leaf,
        superseded: bool,
    ) -> Result<(), CertificateError> {
        if leaf.not_after <= self.clock.now() {
            return Ok(());
        }
        self.leadership.term()?;
        let session = self.accounts.session(issuer).await?;
        match session.revoke(&leaf.der.clone().into(), superseded).await {
            Err(error) if error.account_lost() => {
                let session = self.accounts.replace(issuer, &session).await?;
                Ok(session.revoke(&leaf.der.clone().into(), superseded).await?)
            }
            done => Ok(done?),
        }
    }
}
