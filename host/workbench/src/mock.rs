//! A vendor's API that is played: one listener on loopback that answers for every host of a script, with TLS where the
//! client begins with it and plainly where it does not.

mod identity;
mod name_server;
mod recorded;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use acme_manager_plugin_runtime::{PluginSettings, RecordedExchange, Resolver};
use acme_manager_plugin_script::{Answer, Exchange, Sent};
use anyhow::Context as _;
use bytes::Bytes;
use futures::stream;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use url::Url;

use identity::Identity;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// What stands where a secret was.
pub(crate) const GAP: &str = "[redacted]";
/// Beyond any time that a component under test is given.
const TOO_LATE: Duration = Duration::from_secs(3600);
/// A piece of the body that does not end.
const PIECE: usize = 64 << 10;
/// What is remembered of requests that were not expected.
const MAX_SURPLUS: usize = 8;

type Body = UnsyncBoxBody<Bytes, Broken>;

/// The server ends the connection in the middle.
#[derive(Debug, thiserror::Error)]
#[error("the connection is meant to break here")]
struct Broken;

/// The listener. It ends when this is dropped.
pub(crate) struct Mock {
    /// Where each host is: web servers share one address, each name server has its own.
    places: BTreeMap<String, Vec<SocketAddr>>,
    identity: Identity,
    play: Arc<Mutex<Play>>,
    _tasks: JoinSet<()>,
}

/// How the API behaves.
pub(crate) enum Role {
    /// These, one after the other.
    Exchanges(VecDeque<Exchange>),
    /// What was recorded, one after the other.
    Recorded(VecDeque<RecordedExchange>),
    /// Always the same.
    Always(Answer),
    /// Accepts every request and answers none.
    Late,
    /// A body without an end.
    Endless,
}

/// What happened so far.
struct Play {
    role: Role,
    /// The first request that was not as it should be.
    difference: Option<String>,
    surplus: Vec<String>,
    /// Why connections failed.
    broken: Option<String>,
    /// What was otherwise than recorded and may not matter.
    remarks: Vec<String>,
}

/// How a conversation went, as the API saw it.
pub(crate) struct Review {
    /// What was wrong with a request, or which request too many came.
    pub(crate) difference: Option<String>,
    /// Expected requests that did not come.
    pub(crate) left: Vec<String>,
    /// Why a TLS handshake failed.
    pub(crate) broken: Option<String>,
    /// How requests differed from what was recorded, where they came at the right time to the right place.
    pub(crate) remarks: Vec<String>,
}

impl Mock {
    /// Plays all `hosts` and, for DNS messages, `name_servers`.
    pub(crate) async fn start(hosts: BTreeSet<String>, name_servers: BTreeSet<String>) -> anyhow::Result<Self> {
        let identity = Identity::new(&hosts).context("no certificate for the mock")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port on loopback for the mock")?;
        let address = listener.local_addr()?;
        let play = Arc::new(Mutex::new(Play::new(Role::Late)));
        let (shared, acceptor) = (play.clone(), identity.acceptor.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(connection(stream, acceptor.clone(), shared.clone()));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        let mut places: BTreeMap<_, _> = hosts.into_iter().map(|host| (host, vec![address])).collect();
        for name in name_servers {
            let place = name_server::start(&name, play.clone(), &mut tasks).await;
            places.insert(name, vec![place.context("no port on loopback for the mock of a name server")?]);
        }
        Ok(Self { places, identity, play, _tasks: tasks })
    }

    /// Lets a component find the mock behind every name, and trust it.
    pub(crate) fn lead_here(&self, settings: &mut PluginSettings) {
        settings.resolver = Resolver::Fixed(self.places.clone());
        settings.extra_roots = vec![self.identity.root.clone()];
        settings.grants.cidrs = vec![ipnet::IpNet::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST))];
    }

    /// Begins a conversation.
    pub(crate) fn play(&self, role: Role) {
        *lock(&self.play) = Play::new(role);
    }

    /// Ends a conversation.
    pub(crate) fn review(&self) -> Review {
        let mut play = lock(&self.play);
        let left = match &play.role {
            Role::Exchanges(left) => {
                left.iter().map(|one| format!("{} {}", one.request.method, one.request.url)).collect()
            }
            Role::Recorded(left) => left.iter().map(|one| format!("{} {}", one.method, one.url)).collect(),
            Role::Always(_) | Role::Late | Role::Endless => Vec::new(),
        };
        let surplus = (!play.surplus.is_empty()).then(|| format!("a request too many: {}", play.surplus.join(", ")));
        let remarks = std::mem::take(&mut play.remarks);
        Review { difference: play.difference.take().or(surplus), left, broken: play.broken.take(), remarks }
    }
}

impl Play {
    fn new(role: Role) -> Self {
        Self { role, difference: None, surplus: Vec::new(), broken: None, remarks: Vec::new() }
    }
}

fn lock(play: &Mutex<Play>) -> MutexGuard<'_, Play> {
    play.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host of a URL as grants and resolution spell it; nothing where a pattern leaves it open.
pub(crate) fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.host().map(|host| host.to_string()).filter(|host| !host.contains('*'))
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, play: Arc<Mutex<Play>>) {
    // The times that are shown must not hold the waiting of small packets for each other.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    if !matches!(stream.peek(&mut first).await, Ok(1)) {
        return;
    }
    if first[0] != HANDSHAKE {
        return serve(stream, "http", play).await;
    }
    match acceptor.accept(stream).await {
        Ok(stream) => serve(stream, "https", play).await,
        Err(error) => {
            lock(&play).broken.get_or_insert_with(|| error.to_string());
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, scheme: &'static str, play: Arc<Mutex<Play>>) {
    let service = service_fn(move |request| {
        let play = play.clone();
        async move { answer(request, scheme, &play).await }
    });
    // A client that goes away in the middle is part of some scenarios.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, scheme: &str, play: &Mutex<Play>) -> Result<Response<Body>, Broken> {
    let (parts, body) = request.into_parts();
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let host = headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.as_str()).unwrap_or_default();
    let url = format!("{scheme}://{host}{}", parts.uri);
    let Ok(body) = body.collect().await else {
        return Ok(plain(StatusCode::BAD_REQUEST, "the body broke off"));
    };
    let body = body.to_bytes();
    let sent = Sent { method: parts.method.as_str(), url: &url, headers: &headers, body: &body };
    let next = match &mut *lock(play) {
        Play { role: Role::Always(answer), .. } => Some(answer.clone()),
        Play { role: Role::Exchanges(left), difference, surplus, .. } => match next(left, &sent, difference, surplus) {
            Some(answer) => Some(answer),
            None => return Ok(plain(StatusCode::NOT_IMPLEMENTED, "the script has no answer to this request")),
        },
        Play { role: Role::Recorded(left), difference, surplus, remarks, .. } => {
            match recorded::next(left, &sent, difference, surplus, remarks) {
                Some(exchange) => match recorded::answer(&exchange) {
                    recorded::Next::Answer(response) => return Ok(response),
                    recorded::Next::Break => return Err(Broken),
                    recorded::Next::Silence => None,
                },
                None => return Ok(plain(StatusCode::NOT_IMPLEMENTED, "nothing was recorded for this request")),
            }
        }
        Play { role: Role::Endless, .. } => return Ok(endless()),
        Play { role: Role::Late, .. } => None,
    };
    Ok(match next {
        Some(answer) => scripted(&answer),
        None => {
            tokio::time::sleep(TOO_LATE).await;
            plain(StatusCode::OK, "{}")
        }
    })
}

/// The script's answer, if the request is the one that comes next. After a difference nothing is as expected.
fn next(
    left: &mut VecDeque<Exchange>,
    sent: &Sent<'_>,
    difference: &mut Option<String>,
    surplus: &mut Vec<String>,
) -> Option<Answer> {
    let exchange = following(left, sent, difference.as_ref(), surplus)?;
    *difference = exchange.request.difference(sent);
    difference.is_none().then_some(exchange.response)
}

/// What comes next, whatever it is; a request for which nothing is left is remembered.
fn following<T>(
    left: &mut VecDeque<T>,
    sent: &Sent<'_>,
    difference: Option<&String>,
    surplus: &mut Vec<String>,
) -> Option<T> {
    if difference.is_some() {
        return None;
    }
    let next = left.pop_front();
    if next.is_none() && surplus.len() < MAX_SURPLUS {
        surplus.push(format!("{} {}", sent.method, sent.url));
    }
    next
}

fn scripted(answer: &Answer) -> Response<Body> {
    respond(answer.status, &answer.headers, whole(answer.bytes()))
}

fn respond<'a>(status: u16, headers: impl IntoIterator<Item = (&'a String, &'a String)>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let Ok(status) = StatusCode::from_u16(status) else {
        return plain(StatusCode::NOT_IMPLEMENTED, "the script's status is none of HTTP");
    };
    *response.status_mut() = status;
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else { continue };
        // Framing follows from the body.
        if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING && name != header::CONNECTION {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(whole(text.into()));
    *response.status_mut() = status;
    response
}

fn endless() -> Response<Body> {
    // Blanks before a JSON document mean nothing, so that nobody can give up early.
    let piece = Bytes::from(vec![b' '; PIECE]);
    let pieces = stream::repeat_with(move || Ok::<_, Broken>(Frame::data(piece.clone())));
    let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_spelled_as_the_runtime_spells_them() {
        for (url, expected) in [
            ("https://API.example.com/x", Some("api.example.com")),
            ("http://10.0.0.5:9001/*", Some("10.0.0.5")),
            ("https://[::1]:8443", Some("[::1]")),
            ("https://*/x", None),
            ("nonsense", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
