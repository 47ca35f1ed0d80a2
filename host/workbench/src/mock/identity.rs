//! A CA of its own for every run, and a certificate for all hosts that are played.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

pub(super) struct Identity {
    pub(super) root: CertificateDer<'static>,
    pub(super) acceptor: TlsAcceptor,
}

impl Identity {
    pub(super) fn new(hosts: &BTreeSet<String>) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = hosts.iter().map(|host| host.trim_matches(['[', ']']).to_owned());
        let certificate = CertificateParams::new(names.collect::<Vec<_>>())?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .context("the certificate and its key")?;
        Ok(Self { root: issuer.der().clone(), acceptor: Arc::new(config).into() })
    }
}
