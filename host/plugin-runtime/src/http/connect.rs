//! From a granted origin to a connection: one resolution, whose addresses are checked and then used.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;
use url::Host;
use wasmtime_wasi_http::Error;

use super::{
    Network, Target, Times,
    pool::{Origin, Sender},
    traffic::Traffic,
};
use crate::grants::Scheme;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// No address gets less than this, however many there are, unless the whole time is shorter.
const MIN_ATTEMPT: Duration = Duration::from_millis(250);

/// How names become addresses.
#[derive(Debug, Clone, Default)]
pub enum Resolver {
    /// The way the machine does it.
    #[default]
    System,
    /// Only these names exist, and they lead where the map says, port included. For trying a plugin against a server
    /// that plays the vendor. The addresses are subject to the grants like any others.
    Fixed(BTreeMap<String, Vec<SocketAddr>>),
    /// Asks a function, for a name that is known to it or not; the addresses are subject to the grants like any others.
    By(LookUp),
}

/// What leads from a name to addresses, ports included.
#[derive(Clone)]
pub struct LookUp(Arc<AddressesOf>);

type AddressesOf = dyn Fn(&str) -> Vec<SocketAddr> + Send + Sync;

impl LookUp {
    /// The function must not block.
    pub fn new(look_up: impl Fn(&str) -> Vec<SocketAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }
}

impl fmt::Debug for LookUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookUp")
    }
}

impl Resolver {
    /// The look-up runs in a thread that nobody can end before the name servers answer, so each holds one of `lookups`
    /// until then, whatever becomes of who asked.
    pub(crate) async fn resolve(
        &self,
        lookups: &Arc<Semaphore>,
        host: &Host<String>,
        port: u16,
    ) -> io::Result<Vec<SocketAddr>> {
        let name = match (self, host) {
            (Self::Fixed(map), host) => {
                return map.get(&host.to_string()).cloned().ok_or(io::ErrorKind::NotFound.into());
            }
            (Self::By(LookUp(look_up)), host) => return Ok(look_up(&host.to_string())),
            (Self::System, Host::Ipv4(address)) => return Ok(vec![(*address, port).into()]),
            (Self::System, Host::Ipv6(address)) => return Ok(vec![(*address, port).into()]),
            (Self::System, Host::Domain(name)) => name,
        };
        let permit = lookups.clone().acquire_owned().await.map_err(io::Error::other)?;
        let name = name.clone();
        let found = spawn_blocking(move || {
            let _permit = permit;
            (name.as_str(), port).to_socket_addrs().map(Iterator::collect)
        });
        found.await.map_err(io::Error::other)?
    }
}

pub(super) async fn connect(
    network: &Network,
    target: &Target,
    times: &Times,
    traffic: &Traffic,
) -> Result<Sender, Error> {
    let started = Instant::now();
    let addresses = addresses(network, target, times, traffic).await?;
    let left = times.connect.saturating_sub(started.elapsed());
    let stream = open(network, &target.origin, &addresses, left).await?;
    let left = times.connect.saturating_sub(started.elapsed()).max(MIN_ATTEMPT);
    let shake = async {
        match target.origin.scheme {
            Scheme::Http => handshake(network, stream).await,
            Scheme::Https => handshake(network, encrypt(network, &target.origin, stream).await?).await,
        }
    };
    timeout(left, shake).await.unwrap_or(Err(Error::ConnectionTimeout))
}

/// The addresses that may be connected to.
async fn addresses(
    network: &Network,
    target: &Target,
    times: &Times,
    traffic: &Traffic,
) -> Result<Vec<SocketAddr>, Error> {
    let Target { origin, reach } = target;
    let resolved =
        match timeout(times.connect, network.resolver.resolve(&network.lookups, &origin.host, origin.port)).await {
            Err(_) => return Err(Error::DnsTimeout),
            Ok(Err(error)) => {
                network.note(origin, &format!("the name does not resolve: {error}"));
                return Err(Error::DnsError { rcode: None, info_code: None });
            }
            Ok(Ok(resolved)) => resolved,
        };
    let mut prohibited = None;
    let mut allowed = Vec::new();
    for address in resolved {
        match network.grants.prohibits(address.ip(), *reach) {
            None => allowed.push(address),
            Some(reason) => prohibited = Some((address.ip(), reason)),
        }
    }
    match (allowed.is_empty(), prohibited) {
        (false, _) => {
            allowed.truncate(MAX_ADDRESSES);
            Ok(allowed)
        }
        (true, None) => Err(Error::DestinationNotFound),
        (true, Some((address, reason))) => {
            let advice = network.report(advice(origin, address, reason));
            traffic.deny(advice);
            Err(Error::DestinationIpProhibited)
        }
    }
}

fn advice(origin: &Origin, address: IpAddr, reason: &str) -> String {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    format!(
        "{} leads to {address}, which is no public address ({reason}); \
         `allowed_cidrs: [\"{address}/{bits}\"]` would allow it",
        origin.as_grant()
    )
}

async fn open(
    network: &Network,
    origin: &Origin,
    addresses: &[SocketAddr],
    left: Duration,
) -> Result<TcpStream, Error> {
    let end = Instant::now() + left;
    let mut last = Error::ConnectionTimeout;
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = (left / (addresses.len() - tried) as u32).max(MIN_ATTEMPT.min(left));
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are written whole; waiting for more to send would only add latency.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => {
                network.note(origin, &format!("{address}: {error}"));
                last = match error.kind() {
                    io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                    io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                        Error::DestinationIpUnroutable
                    }
                    _ => Error::DestinationUnavailable,
                };
            }
            Err(_) => {
                network.note(origin, &format!("{address}: no answer"));
                last = Error::ConnectionTimeout;
            }
        }
    }
    Err(last)
}

async fn encrypt(
    network: &Network,
    origin: &Origin,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
    let name = match &origin.host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?,
        Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
    };
    let connector = network.tls.get_or_init(|| connector(network));
    connector.connect(name, stream).await.map_err(|error| {
        network.note(origin, &format!("TLS: {error}"));
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
            _ => Error::TlsProtocolError,
        }
    })
}

fn connector(network: &Network) -> TlsConnector {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let (_, ignored) = roots.add_parsable_certificates(network.extra_roots.iter().cloned());
    if ignored > 0 {
        tracing::warn!(target: "plugin", plugin = &*network.plugin, ignored, "CA certificates that cannot be read");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn handshake(
    network: &Network,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Sender, Error> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(network.limits.header_bytes.max(8192))
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Error::from)?;
    network.pool.drive(async move {
        // Errors reach whoever waits for the response; an idle connection that ends is no news.
        let _ = connection.await;
    });
    Ok(sender)
}
