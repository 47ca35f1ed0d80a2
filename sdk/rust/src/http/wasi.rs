//! The transport inside a component: `wasi:http` 0.2.

use std::time::Duration;

use super::Outgoing;
use super::request::RawResponse;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use crate::bindings::wasi::io::poll;
use crate::bindings::wasi::io::streams::StreamError;
use crate::{Error, host};

/// No name resolution and handshake of a healthy API takes longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Kept back from the call's time, so that an error of ours still reaches the host.
const MARGIN: Duration = Duration::from_millis(250);

/// The most that one blocking write may take (`wasi:io`, `blocking-write-and-flush`).
const WRITE_CHUNK: usize = 4096;

const READ_CHUNK: u64 = 64 * 1024;

pub(super) fn exchange(outgoing: Outgoing) -> Result<RawResponse, Error> {
    let future = start(&outgoing)?;
    let response = wait(&future)?;
    let status = response.status();
    let headers = response.headers().entries();
    let headers = headers.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()));
    let headers = headers.collect();
    let body = read(&response, outgoing.max_body)?;
    Ok(RawResponse { status, headers, body })
}

fn start(outgoing: &Outgoing) -> Result<FutureIncomingResponse, Error> {
    let invalid = |what: &str| Error::other(format!("the host does not take the {what}"));
    let fields = Fields::new();
    for (name, value) in &outgoing.headers {
        fields.append(name, value.as_bytes()).map_err(|_| invalid(&format!("header {name}")))?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_method(&method(&outgoing.method)).map_err(|()| invalid("method"))?;
    let scheme = if outgoing.tls { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(|()| invalid("scheme"))?;
    request.set_authority(Some(&outgoing.authority)).map_err(|()| invalid("authority"))?;
    request.set_path_with_query(Some(&outgoing.path_with_query)).map_err(|()| invalid("path"))?;
    let body = request.body().map_err(|()| invalid("body"))?;
    let future = outgoing_handler::handle(request, Some(options())).map_err(|code| failure(&code))?;
    write(body, &outgoing.body)?;
    Ok(future)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "PATCH" => Method::Patch,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

/// A host that cannot set one of the limits still has its own.
fn options() -> RequestOptions {
    let left = time_left();
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(Some(nanoseconds(left.min(CONNECT_TIMEOUT))));
    let _ = options.set_first_byte_timeout(Some(nanoseconds(left)));
    let _ = options.set_between_bytes_timeout(Some(nanoseconds(left)));
    options
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), Error> {
    if !bytes.is_empty() {
        let stream = body.write().map_err(|()| Error::other("the host gives no stream for the request's body"))?;
        for chunk in bytes.chunks(WRITE_CHUNK) {
            if stream.blocking_write_and_flush(chunk).is_err() {
                // The peer may answer before it read everything; the answer or its failure says more.
                return Ok(());
            }
        }
    }
    OutgoingBody::finish(body, None).map_err(|code| failure(&code))
}

fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, Error> {
    let answer = future.subscribe();
    let deadline = monotonic_clock::subscribe_duration(nanoseconds(time_left()));
    loop {
        if let Some(result) = future.get() {
            let result = result.map_err(|()| Error::other("the answer was taken twice"))?;
            return result.map_err(|code| failure(&code));
        }
        if deadline.ready() {
            return Err(Error::unavailable("no answer within the time of this call"));
        }
        poll::poll(&[&answer, &deadline]);
    }
}

fn read(response: &IncomingResponse, limit: usize) -> Result<Vec<u8>, Error> {
    let body: IncomingBody = response.consume().map_err(|()| Error::other("the answer has no body to read"))?;
    let stream = body.stream().map_err(|()| Error::other("the answer's body cannot be read"))?;
    let ready = stream.subscribe();
    let deadline = monotonic_clock::subscribe_duration(nanoseconds(time_left()));
    let mut bytes = Vec::new();
    loop {
        match stream.read(READ_CHUNK) {
            Ok(chunk) if chunk.is_empty() => {
                if deadline.ready() {
                    return Err(Error::unavailable("the answer did not end within the time of this call"));
                }
                poll::poll(&[&ready, &deadline]);
            }
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(Error::unavailable("the connection broke before the answer's end"));
            }
        }
        if bytes.len() > limit {
            return Err(Error::other(format!("the answer is larger than {limit} bytes")));
        }
    }
}

fn time_left() -> Duration {
    host::remaining().saturating_sub(MARGIN)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn failure(code: &ErrorCode) -> Error {
    match code {
        ErrorCode::HttpRequestDenied => {
            Error::config("the host does not let this plugin talk to that server: grant it with allowed_hosts")
        }
        ErrorCode::DestinationIpProhibited => {
            Error::config("the server has an address that this plugin may not use: grant it with allowed_cidrs")
        }
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            Error::unavailable("the server's name does not resolve")
        }
        ErrorCode::ConnectionRefused => Error::unavailable("the server refused the connection"),
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            Error::unavailable("the server closed the connection")
        }
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Error::unavailable("the server did not answer in time"),
        ErrorCode::TlsCertificateError => Error::unavailable("the server's certificate is not trusted"),
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            Error::unavailable("no TLS connection to the server")
        }
        ErrorCode::ConnectionLimitReached => Error::unavailable("too many requests of this plugin are under way"),
        ErrorCode::HttpResponseBodySize(_) | ErrorCode::HttpResponseHeaderSectionSize(_) => {
            Error::other("the answer is larger than the host allows")
        }
        ErrorCode::InternalError(Some(detail)) => Error::unavailable(format!("the request failed: {detail}")),
        ErrorCode::InternalError(None) => Error::unavailable("the request failed"),
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            Error::unavailable("the server cannot be reached")
        }
        ErrorCode::ConfigurationError => Error::config("the host's HTTP configuration does not allow this request"),
        ErrorCode::HttpProtocolError => Error::unavailable("the server does not speak HTTP as it should"),
        _ => Error::other("the host could not carry out the request"),
    }
}
