//! The listener: plain or TLS, with limits, until a signal.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use acme_manager_plugin_runtime::read_regular_file;
use anyhow::Context;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{LARGEST_PEM_FILE, certificates_in};
use crate::config::ServerFlags;

/// A bound socket and how to talk on it.
pub(super) struct Listener {
    socket: TcpListener,
    tls: Option<RustlsConfig>,
    header_timeout: Duration,
}

impl Listener {
    /// Binds the address and reads the TLS files.
    ///
    /// # Errors
    /// When the address is taken or not ours, or the files do not make a TLS server.
    pub(super) fn bind(flags: &ServerFlags) -> anyhow::Result<Self> {
        let tls = tls(flags)?;
        let mut last = None;
        for candidate in flags.listen_address.candidates() {
            match TcpListener::bind(&candidate) {
                Ok(socket) => {
                    socket.set_nonblocking(true)?;
                    return Ok(Self { socket, tls, header_timeout: flags.http_read_header_timeout });
                }
                Err(error) => last = Some(error),
            }
        }
        let address = &flags.listen_address;
        Err(last.map_or_else(|| anyhow::anyhow!("no address"), Into::into))
            .with_context(|| format!("cannot listen on {address} (-server.listen-address)"))
    }

    /// Answers requests until a signal or `stop`, then lets those under way finish within `patience`. A signal cancels
    /// `stop` too, so that everything else begins to end at the same time.
    ///
    /// # Errors
    /// When the socket breaks.
    pub(super) async fn serve(
        self,
        router: axum::Router,
        stop: CancellationToken,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let address = self.socket.local_addr()?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        tracing::info!(%address, url = format!("{scheme}://{address}"), "listening");
        let handle = Handle::new();
        let stopping = handle.clone();
        let watch = async move {
            tokio::select! {
                () = signal() => tracing::info!("signal received, stopping"),
                () = stop.cancelled() => {}
            }
            stop.cancel();
            stopping.graceful_shutdown(Some(patience));
            std::future::pending::<()>().await;
        };
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let header_timeout = self.header_timeout;
        let serving = async {
            match self.tls {
                Some(tls) => {
                    let mut server = axum_server::from_tcp_rustls(self.socket, tls)?.handle(handle);
                    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
                    server.serve(service).await
                }
                None => {
                    let mut server = axum_server::from_tcp(self.socket)?.handle(handle);
                    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
                    server.serve(service).await
                }
            }
        };
        tokio::select! {
            served = serving => served.context("the listener broke"),
            () = watch => Ok(()),
        }
    }
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "cannot listen for signals");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}

fn tls(flags: &ServerFlags) -> anyhow::Result<Option<RustlsConfig>> {
    let (certificate, key) = match (&flags.tls_cert_file, &flags.tls_key_file) {
        (None, None) if flags.tls_client_ca_file.is_some() => {
            anyhow::bail!("-server.tls-client-ca-file needs -server.tls-cert-file and -server.tls-key-file")
        }
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => anyhow::bail!("-server.tls-cert-file and -server.tls-key-file go together: one is missing"),
    };
    let chain: Vec<CertificateDer<'static>> = certificates_in(certificate)?;
    let pem = Zeroizing::new(read_regular_file(key, LARGEST_PEM_FILE).context("cannot read the key")?);
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|e| anyhow::anyhow!("{} holds no private key in PEM: {e}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match &flags.tls_client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for root in certificates_in(file)? {
                roots.add(root)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .with_context(|| format!("{} and its key do not make a TLS server", certificate.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(config))))
}
