//! Outbound HTTP of plugins: the one place where a guest reaches the network.
//!
//! The order is fixed: count → grant for scheme, host and port → connection slot → the body, whole and bounded → resolve once → refuse
//! addresses that are not granted → connect to the very address that was checked → TLS by name → HTTP/1.1. Redirects
//! are answers like any other: the guest that follows one sends a new request and is checked again.

mod body;
mod connect;
mod pool;
mod traffic;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use rustls_pki_types::CertificateDer;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

pub use self::connect::{LookUp, Resolver};
pub(crate) use self::traffic::{Obstacle, Traffic};
use self::{
    body::{ResponseBody, collect},
    pool::{Origin, Pool, Sender},
};
use crate::{
    grants::{Grants, Reach, Scheme, parse_host},
    guest_log::escape,
    limits::Limits,
    recording::Mark,
    redact::Redactor,
};

/// No address of an API takes longer to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A call that holds all connections and asks for one more waits for itself; it must not do so until its deadline.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);
const REUSE_WAIT: Duration = Duration::from_millis(50);
/// Look-ups of one plugin at a time: name servers that do not answer hold a thread each, and the process has some
/// hundred for everybody.
const MAX_LOOKUPS: usize = 4;
/// What libraries say of a failed request.
const MAX_REASON_BYTES: usize = 512;
/// Different refusals that are reported per plugin; a guest that makes up names must not fill memory or log.
const MAX_REPORTS: usize = 64;

/// The network as one plugin may use it; shared by all its calls.
pub(crate) struct Network {
    pub(crate) plugin: Arc<str>,
    pub(crate) grants: Grants,
    pub(crate) resolver: Resolver,
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    pub(crate) redactor: Arc<Redactor>,
    limits: Limits,
    tls: OnceLock<tokio_rustls::TlsConnector>,
    pool: Arc<Pool>,
    connections: Arc<Semaphore>,
    /// Look-ups of names that are under way.
    pub(crate) lookups: Arc<Semaphore>,
    reported: Mutex<HashSet<String>>,
}

/// The network during one call.
pub(crate) struct Outbound {
    pub(crate) network: Arc<Network>,
    pub(crate) deadline: Instant,
    pub(crate) requests: u32,
    traffic: Arc<Traffic>,
}

/// A request that may be sent as far as its URL goes.
struct Target {
    origin: Origin,
    reach: Reach,
}

/// What the guest's options and the call's deadline leave of time.
struct Times {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

/// Gives up a connection slot and, if it is whole, the connection when the response has been read.
struct Lease {
    pool: Arc<Pool>,
    origin: Origin,
    sender: Sender,
    _slot: OwnedSemaphorePermit,
}

impl Network {
    pub(crate) fn new(
        plugin: Arc<str>,
        grants: Grants,
        resolver: Resolver,
        extra_roots: Vec<CertificateDer<'static>>,
        redactor: Arc<Redactor>,
        limits: &Limits,
    ) -> Self {
        Self {
            plugin,
            grants,
            resolver,
            extra_roots,
            redactor,
            limits: limits.clone(),
            tls: OnceLock::new(),
            pool: Arc::default(),
            connections: Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            reported: Mutex::default(),
        }
    }

    /// Writes `advice` into the log, once for each different one, and returns it fit for people to read.
    pub(crate) fn report(&self, advice: String) -> String {
        let advice = escape(&self.redactor.redact(&advice));
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() < MAX_REPORTS && reported.insert(advice.clone()) {
            tracing::warn!(target: "plugin", plugin = &*self.plugin, "request refused: {advice}");
        }
        advice
    }

    async fn exchange(
        self: Arc<Self>,
        request: Request<WasiBody>,
        target: Target,
        times: Times,
        traffic: Arc<Traffic>,
    ) -> Result<Response<WasiBody>, Error> {
        let slot = timeout(CONNECTION_WAIT, self.connections.clone().acquire_owned()).await;
        let Ok(Ok(slot)) = slot else {
            self.note(&target.origin, "too many open connections: finish reading responses before sending requests");
            traffic.meet(format!("more than {} open connections", self.limits.max_connections));
            return Err(Error::ConnectionLimitReached);
        };
        // Only with a slot in hand: the bodies that wait to be sent are host memory.
        let (request, place) = self.prepare(request, &target.origin, &traffic).await?;
        let sent = self.send(request, &target, &times, &traffic).await;
        let (response, sender) = sent.inspect_err(|error| traffic.failed(place, error))?;
        traffic.answered(place, &response);
        traffic.add_received(size_of_fields(response.headers()));
        let lease = Lease { pool: self.pool.clone(), origin: target.origin, sender, _slot: slot };
        Ok(response.map(|incoming| {
            ResponseBody::new(incoming, self.limits.response_body_bytes, times.between_bytes, lease, (traffic, place))
                .boxed_unsync()
        }))
    }

    /// Reads the guest's body and makes the request ours: framing, host and form of the URL are never the guest's.
    async fn prepare(
        &self,
        request: Request<WasiBody>,
        origin: &Origin,
        traffic: &Traffic,
    ) -> Result<(Request<Full<Bytes>>, Option<Mark>), Error> {
        let (mut parts, body) = request.into_parts();
        let limit = self.limits.request_body_bytes;
        let body = collect(body, limit).await.inspect_err(|error| {
            if matches!(error, Error::HttpRequestBodySize(_)) {
                traffic.exceed("a request body", limit);
            }
        })?;
        // Content-Length and what else frames the message is made by us from the body as it is: a guest that could
        // choose it could smuggle a second request onto a pooled connection.
        let declared = parts.headers.remove(header::CONTENT_LENGTH);
        let declared = declared.map(|value| value.to_str().ok().and_then(|text| text.parse::<usize>().ok()));
        if declared.is_some_and(|length| length != Some(body.len())) {
            return Err(Error::HttpRequestBodySize(Some(body.len() as u64)));
        }
        for name in [
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::TE,
            header::TRAILER,
            header::EXPECT,
            header::UPGRADE,
        ] {
            parts.headers.remove(name);
        }
        let host = HeaderValue::from_str(&origin.host_header()).map_err(|_| Error::HttpRequestUriInvalid)?;
        parts.headers.insert(header::HOST, host);
        parts.uri = match parts.uri.into_parts().path_and_query {
            Some(path) => http::Uri::from(path),
            None => http::Uri::from_static("/"),
        };
        parts.version = http::Version::HTTP_11;
        let size = size_of_fields(&parts.headers) + parts.uri.to_string().len();
        if size > self.limits.header_bytes {
            traffic.exceed("a request header", self.limits.header_bytes);
            return Err(Error::HttpRequestHeaderSectionSize(u32::try_from(size).ok()));
        }
        traffic.add_sent(size + body.len());
        let request = Request::from_parts(parts, Full::new(body.clone()));
        let place = traffic.sending(origin, &request, &body);
        Ok((request, place))
    }

    async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        target: &Target,
        times: &Times,
        traffic: &Traffic,
    ) -> Result<(Response<hyper::body::Incoming>, Sender), Error> {
        let until = Instant::now() + times.first_byte;
        while let Some(mut sender) = self.pool.take(&target.origin) {
            // A connection whose response was read a moment ago may still be tidying up.
            if !matches!(timeout(REUSE_WAIT, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            match timeout_at(until, sender.try_send_request(request)).await {
                Err(_) => return Err(Error::HttpResponseTimeout),
                Ok(Ok(response)) => return self.bounded(response, traffic).map(|response| (response, sender)),
                // The server closed the idle connection before anything was written: nothing happened yet.
                Ok(Err(mut error)) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(self.broken(&target.origin, error.into_error(), traffic)),
                },
            }
        }
        let mut sender = connect::connect(self, target, times, traffic).await?;
        match timeout(times.first_byte, sender.send_request(request)).await {
            Err(_) => Err(Error::HttpResponseTimeout),
            Ok(Ok(response)) => self.bounded(response, traffic).map(|response| (response, sender)),
            Ok(Err(error)) => Err(self.broken(&target.origin, error, traffic)),
        }
    }

    /// What arrives at once can be more than the library means to hold.
    fn bounded<B>(&self, response: Response<B>, traffic: &Traffic) -> Result<Response<B>, Error> {
        match size_of_fields(response.headers()) > self.limits.header_bytes {
            true => Err(self.header_too_large(traffic)),
            false => Ok(response),
        }
    }

    fn header_too_large(&self, traffic: &Traffic) -> Error {
        traffic.exceed("a response header", self.limits.header_bytes);
        Error::HttpResponseHeaderSectionSize(u32::try_from(self.limits.header_bytes).ok())
    }

    fn broken(&self, origin: &Origin, error: hyper::Error, traffic: &Traffic) -> Error {
        self.note(origin, &error.to_string());
        if error.is_parse_too_large() {
            return self.header_too_large(traffic);
        }
        if error.is_parse() { Error::HttpProtocolError } else { Error::ConnectionTerminated }
    }

    /// The guest only gets a code; the reason is for whoever reads the log.
    fn note(&self, origin: &Origin, reason: &str) {
        let reason = escape(&self.redactor.redact_start(reason, MAX_REASON_BYTES));
        let origin = escape(&self.redactor.redact(&origin.to_string()));
        tracing::info!(target: "plugin", plugin = &*self.plugin, origin, "request failed: {reason}");
    }
}

impl Outbound {
    pub(crate) fn new(network: Arc<Network>, deadline: Instant, traffic: Traffic) -> Self {
        Self { network, deadline, requests: 0, traffic: Arc::new(traffic) }
    }

    /// What was done so far.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub(crate) fn deny(&self, advice: String) {
        let advice = self.network.report(advice);
        self.traffic.deny(advice);
    }

    /// Counts one more request or message, and says whether the call may send it.
    pub(crate) fn count(&mut self) -> bool {
        self.requests = self.requests.saturating_add(1);
        let limit = self.network.limits.max_requests;
        if self.requests > limit {
            self.traffic.meet(format!("more than {limit} requests and messages in one call"));
        }
        self.requests <= limit
    }

    /// Checks what can be checked without the network.
    fn admit(&mut self, request: &Request<WasiBody>) -> Result<Target, Error> {
        if !self.count() {
            return Err(Error::ConnectionLimitReached);
        }
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let uri = request.uri();
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            _ => return Err(Error::HttpProtocolError),
        };
        let authority = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or(Error::HttpRequestUriInvalid)?;
        let host = parse_host(authority.host()).ok_or(Error::HttpRequestUriInvalid)?;
        let port = match authority.port() {
            None => scheme.default_port(),
            Some(port) if port.as_u16() == 0 => return Err(Error::HttpRequestUriInvalid),
            Some(port) => port.as_u16(),
        };
        match self.network.grants.permit(scheme, &host, port) {
            Some(reach) => Ok(Target { origin: Origin { scheme, host, port }, reach }),
            None => {
                let grant = Origin { scheme, host, port }.as_grant();
                self.deny(format!("it may not talk to {grant}; `allowed_hosts: [\"{grant}\"]` would allow it"));
                Err(Error::HttpRequestDenied)
            }
        }
    }

    /// The guest's own time-outs, but never beyond the end of the call and never zero, at which timers panic.
    fn times(&self, options: Option<RequestOptions>) -> Times {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let options = options.unwrap_or_default();
        let clamp = |wanted: Option<Duration>| wanted.unwrap_or(left).min(left).max(Duration::from_millis(1));
        Times {
            connect: clamp(options.connect_timeout).min(CONNECT_TIMEOUT),
            first_byte: clamp(options.first_byte_timeout),
            between_bytes: clamp(options.between_bytes_timeout),
        }
    }
}

type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Done), Error>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>, _: Done) -> Sending {
        let target = match self.admit(&request) {
            Ok(target) => target,
            Err(error) => return Box::new(async { Err(error) }),
        };
        let (network, times, traffic) = (self.network.clone(), self.times(options), self.traffic.clone());
        Box::new(async move {
            let response = network.exchange(request, target, times, traffic).await?;
            let done: Done = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }

    fn set_host_header(&mut self) -> bool {
        false
    }
}

/// A header section as HTTP/1.1 writes it, its first line apart.
fn size_of_fields(fields: &http::HeaderMap) -> usize {
    fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

impl Lease {
    /// Puts the connection back. Only for a response that was read to its end.
    fn release(self) {
        self.pool.put(self.origin, self.sender);
    }
}
