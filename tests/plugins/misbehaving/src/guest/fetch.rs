//! One HTTP exchange over `wasi:http`, with everything about it open to abuse.

use std::time::Duration;

use wasip2::{
    http::{
        outgoing_handler,
        types::{Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme},
    },
    io::streams::StreamError,
};

use super::{Error, ErrorKind, error};

#[derive(Default)]
pub(super) struct Options {
    pub(super) body: Option<usize>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) first_byte: Option<Duration>,
}

/// Sends a request and leaves the body of its response unread.
pub(super) fn open(url: &str) -> Result<IncomingResponse, Error> {
    send(url, &Options::default())
}

fn wrong((): ()) -> Error {
    error(ErrorKind::Other, "no URL")
}

fn send(url: &str, options: &Options) -> Result<IncomingResponse, Error> {
    let fields = Fields::new();
    for (name, value) in &options.headers {
        fields.append(name, value.as_bytes()).map_err(|problem| unavailable("header", problem))?;
    }
    let request = OutgoingRequest::new(fields);
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    request.set_scheme(Some(&if scheme == "http" { Scheme::Http } else { Scheme::Https })).map_err(wrong)?;
    request.set_authority(Some(authority)).map_err(wrong)?;
    request.set_path_with_query(Some(path)).map_err(wrong)?;
    if options.body.is_some() {
        request.set_method(&Method::Post).map_err(wrong)?;
    }
    let body = request.body().map_err(wrong)?;
    let timeouts = RequestOptions::new();
    if let Some(time) = options.first_byte {
        timeouts.set_first_byte_timeout(Some(time.as_nanos() as u64)).map_err(wrong)?;
        timeouts.set_between_bytes_timeout(Some(time.as_nanos() as u64)).map_err(wrong)?;
    }
    let pending = outgoing_handler::handle(request, Some(timeouts)).map_err(|problem| unavailable("send", problem))?;
    let written = write(&body, options.body.unwrap_or(0));
    let finished = OutgoingBody::finish(body, None).map_err(|problem| unavailable("finish", problem));
    pending.subscribe().block();
    let response = match pending.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(problem))) => return Err(unavailable("response", problem)),
        _ => return Err(error(ErrorKind::Other, "no response")),
    };
    // What the host said of the request tells more than that it stopped reading the body.
    written.and(finished)?;
    Ok(response)
}

/// Sends the request and returns the status, the length and the beginning of the body.
pub(super) fn get(url: &str, options: &Options) -> Result<String, Error> {
    let response = send(url, options)?;
    let status = response.status();
    let body = response.consume().map_err(wrong)?;
    let stream = body.stream().map_err(wrong)?;
    let (mut length, mut start) = (0, Vec::new());
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(bytes) => {
                length += bytes.len();
                start.extend_from_slice(&bytes[..bytes.len().min(64 - start.len().min(64))]);
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(problem)) => {
                return Err(unavailable("body", problem.to_debug_string()));
            }
        }
    }
    Ok(format!("{status} {length} {}", String::from_utf8_lossy(&start)))
}

fn write(body: &OutgoingBody, length: usize) -> Result<(), Error> {
    let stream = body.write().map_err(|()| error(ErrorKind::Other, "no body"))?;
    let mut left = length;
    while left > 0 {
        let chunk = left.min(4096);
        stream.blocking_write_and_flush(&vec![b'x'; chunk]).map_err(|problem| unavailable("write", problem))?;
        left -= chunk;
    }
    Ok(())
}

fn unavailable(step: &str, problem: impl std::fmt::Debug) -> Error {
    error(ErrorKind::Unavailable, &format!("{step}: {problem:?}"))
}
