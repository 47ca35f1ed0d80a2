//! A small HTTP/1.1 server, plain or with TLS, that remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

/// A CA and a server certificate for `name`.
pub(crate) struct Identity {
    pub(crate) root: CertificateDer<'static>,
    acceptor: TlsAcceptor,
}

impl Identity {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a configuration");
        Self { root: issuer.der().clone(), acceptor: Arc::new(config).into() }
    }
}

impl Server {
    pub(crate) async fn start(identity: Option<&Identity>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, acceptor) = (Arc::<Seen>::default(), identity.map(|own| own.acceptor.clone()));
        let mut tasks = JoinSet::new();
        let shared = seen.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let (seen, acceptor) = (shared.clone(), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => serve(stream, &seen).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen, _tasks: tasks }
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("no panic in here").clone()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Seen) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if matches!(stream.read_buf(&mut buffer).await, Err(_) | Ok(0)) {
                return;
            }
            // A TLS handshake for a server that speaks none.
            if buffer.first() == Some(&0x16) {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                return;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        while buffer.len() < end + length {
            if matches!(stream.read_buf(&mut buffer).await, Err(_) | Ok(0)) {
                return;
            }
        }
        buffer.drain(..end + length);
        seen.requests.lock().expect("no panic in here").push(head.clone());
        let path = head.split(' ').nth(1).unwrap_or_default();
        if answer(&mut stream, path, length).await.is_err() || path == "/close" {
            return;
        }
    }
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), path: &str, received: usize) -> std::io::Result<()> {
    let whole = |status: &str, headers: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
    };
    match path {
        "/redirect" => stream.write_all(whole("302 Found", "location: http://127.0.0.1:1/\r\n", "").as_bytes()).await,
        "/echo" => stream.write_all(whole("200 OK", "", &format!("received {received}")).as_bytes()).await,
        "/headers" => {
            stream.write_all(whole("200 OK", &format!("x: {}\r\n", "y".repeat(200_000)), "").as_bytes()).await
        }
        "/header" => stream.write_all(whole("200 OK", &format!("x: {}\r\n", "y".repeat(66_000)), "").as_bytes()).await,
        "/silent" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        "/drip" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx").await?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        "/big" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            for _ in 0..256 {
                stream.write_all(b"10000\r\n").await?;
                stream.write_all(&vec![b'x'; 0x10000]).await?;
                stream.write_all(b"\r\n").await?;
            }
            stream.write_all(b"0\r\n\r\n").await
        }
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            loop {
                stream.write_all(format!("1000\r\n{}\r\n", "endless!".repeat(512)).as_bytes()).await?;
            }
        }
        "/endless-header" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(b"x-more: and more\r\n").await?;
            }
        }
        "/continue" => loop {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        },
        // A byte now and then, so that no time-out between bytes meets it.
        "/loris" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        "/garbage" => stream.write_all(b"220 mail.example.com ESMTP\r\n\r\n").await,
        _ => stream.write_all(whole("200 OK", "", "hello").as_bytes()).await,
    }
}
