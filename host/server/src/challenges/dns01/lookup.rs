//! Single DNS questions, to a recursive resolver or straight to an authoritative server.
//!
//! Nothing is cached: a negative answer that is remembered hides the very record that is waited for.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::DnsRequestSender;
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::super::ChallengeError;

/// The most questions under way at once: an order of a hundred names must not flood the resolver, nor use up the
/// process's sockets.
const IN_FLIGHT: usize = 64;

/// Asks questions.
#[derive(Debug)]
pub(super) struct Dns {
    resolvers: Vec<SocketAddr>,
    timeout: Duration,
    in_flight: Semaphore,
}

/// Whom a question is put to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A resolver that finds the answer elsewhere.
    Recursive,
    /// A server that knows the answer itself.
    Authoritative,
}

/// Why one server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    #[error("no answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    #[error("not reachable from here ({0})")]
    NoRoute(io::Error),
    #[error("connection failed ({0})")]
    Connection(io::Error),
    #[error("answered {0}")]
    Code(ResponseCode),
    #[error("broken answer ({0})")]
    Malformed(String),
}

impl Dns {
    pub(super) fn new(resolvers: Vec<SocketAddr>, timeout: Duration) -> Self {
        Self { resolvers, timeout, in_flight: Semaphore::new(IN_FLIGHT) }
    }

    /// The resolvers in use. The system's are read each time, because they change with the network.
    pub(super) fn resolvers(&self) -> Result<Vec<SocketAddr>, ChallengeError> {
        if !self.resolvers.is_empty() {
            return Ok(self.resolvers.clone());
        }
        let (config, _) =
            read_system_conf().map_err(|error| ChallengeError::NoResolvers { detail: error.to_string() })?;
        Ok(config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)).collect())
    }

    /// Asks the resolvers in their order until one answers, be it that there is no such name.
    pub(super) async fn resolve(&self, name: &Name, record_type: RecordType) -> Result<Message, ChallengeError> {
        let mut failures = Vec::new();
        for resolver in self.resolvers()? {
            match self.ask(resolver, name, record_type, Role::Recursive).await {
                Ok(message) => return Ok(message),
                Err(error) => failures.push(format!("{resolver}: {error}")),
            }
        }
        Err(ChallengeError::Lookup {
            name: display(name),
            record_type: record_type.to_string(),
            detail: failures.join("; "),
        })
    }

    /// Asks one server. "No such name" is an answer; other response codes are errors.
    pub(super) async fn ask(
        &self,
        server: SocketAddr,
        name: &Name,
        record_type: RecordType,
        role: Role,
    ) -> Result<Message, QueryError> {
        let _permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
        let mut options = DnsRequestOptions::default();
        options.recursion_desired = role == Role::Recursive;
        let request = DnsRequest::from_query(Query::query(name.clone(), record_type), options);
        let mut answer = self.over_udp(server, request.clone()).await?;
        if answer.truncation {
            // RFC 7766 §5: a truncated answer is no answer.
            answer = tokio::time::timeout(self.timeout, over_tcp(server, &request))
                .await
                .map_err(|_| QueryError::Silent(self.timeout))??;
        }
        match answer.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
            code => Err(QueryError::Code(code)),
        }
    }

    /// A fresh socket and port per question, retransmission, and the checks against forged answers come with the
    /// stream.
    async fn over_udp(&self, server: SocketAddr, request: DnsRequest) -> Result<Message, QueryError> {
        let mut stream =
            UdpClientStream::builder(server, TokioRuntimeProvider::new()).with_timeout(Some(self.timeout)).build();
        match stream.send_message(request).next().await {
            Some(Ok(response)) => Ok(response.into_message()),
            Some(Err(NetError::Timeout)) | None => Err(QueryError::Silent(self.timeout)),
            Some(Err(NetError::Io(error))) => Err(io::Error::new(error.kind(), error.to_string()).into()),
            Some(Err(error)) => Err(QueryError::Malformed(error.to_string())),
        }
    }
}

impl From<io::Error> for QueryError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{AddrNotAvailable, NetworkUnreachable, Unsupported};
        match error.kind() {
            // What the kernel says on a host without the address family, before anything is sent.
            AddrNotAvailable | NetworkUnreachable | Unsupported => Self::NoRoute(error),
            _ => Self::Connection(error),
        }
    }
}

/// The name of a TXT record as the DNS library wants it.
pub(super) fn parse(fqdn: &str) -> Result<Name, ChallengeError> {
    Name::from_ascii(format!("{fqdn}.")).map_err(|error| ChallengeError::Lookup {
        name: fqdn.to_owned(),
        record_type: RecordType::TXT.to_string(),
        detail: error.to_string(),
    })
}

/// A DNS name in the form that plugins and people get: lower case, no final dot. Only what a host name or a
/// challenge label can hold is let through, because the text ends up in URLs of vendors' APIs.
pub(super) fn host_name(name: &Name) -> Option<String> {
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.iter().all(|label| label.iter().all(good)).then(|| display(&name.to_lowercase()))
}

/// The escaped form without the final dot.
pub(super) fn display(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// One question over one connection (RFC 1035 §4.2.2).
async fn over_tcp(server: SocketAddr, request: &Message) -> Result<Message, QueryError> {
    let malformed = |error: &dyn std::fmt::Display| QueryError::Malformed(error.to_string());
    let question = request.to_vec().map_err(|error| malformed(&error))?;
    let length = u16::try_from(question.len()).map_err(|error| malformed(&error))?;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[&length.to_be_bytes(), question.as_slice()].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    let answer = Message::from_vec(&answer).map_err(|error| malformed(&error))?;
    if answer.id != request.id || answer.queries != request.queries {
        return Err(QueryError::Malformed("it belongs to another question".to_owned()));
    }
    Ok(answer)
}
