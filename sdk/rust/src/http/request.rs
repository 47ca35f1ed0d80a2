//! Building one request and judging its answer.

use serde::Serialize;

use super::encode::{basic_credentials, push_pair};
use super::{Client, Outgoing, Response, Unsigned, is_visible_ascii};
use crate::Error;

/// One request under construction; nothing happens before [`send`](Self::send).
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    client: &'a Client,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Result<Vec<u8>, Error>,
    accepted: Vec<u16>,
}

impl<'a> Request<'a> {
    pub(super) fn new(client: &'a Client, method: &str, path: &str) -> Self {
        Self {
            client,
            method: method.to_owned(),
            path: path.trim_start_matches('/').to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Ok(Vec::new()),
            accepted: Vec::new(),
        }
    }

    /// Adds `name=value` to the query, percent-encoded.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        push_pair(&mut self.query, name, value);
        self
    }

    /// Adds a finished query string, as [`query_string`](super::query_string) or a vendor's own crate makes it.
    pub fn raw_query(mut self, query: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(query);
        self
    }

    /// Sends a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Sends `Authorization: Basic …` (RFC 7617).
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.header("authorization", &basic_credentials(user, password))
    }

    /// Sends a value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.body = serde_json::to_vec(value).map_err(|error| Error::other(format!("cannot write JSON: {error}")));
        self.header("content-type", "application/json")
    }

    /// Sends names and values as a form.
    pub fn form<'b>(self, pairs: impl IntoIterator<Item = (&'b str, &'b str)>) -> Self {
        let form = super::query_string(pairs);
        self.body("application/x-www-form-urlencoded", form)
    }

    /// Sends any body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Ok(body.into());
        self.header("content-type", content_type)
    }

    /// Takes this status for a success too, for example 404 when something is removed.
    pub fn accept(mut self, status: u16) -> Self {
        self.accepted.push(status);
        self
    }

    /// Sends the request and returns the answer if its status is 2xx or [accepted](Self::accept).
    ///
    /// # Errors
    /// Any other status as an error of the fitting kind, with `Retry-After` and the start of the body, or what the
    /// client's [judge](Client::judge_with) makes of it; a broken connection as
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable); a host that the operator did not grant as
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub fn send(self) -> Result<Response, Error> {
        let (client, accepted) = (self.client, self.accepted.clone());
        let response = self.send_any()?;
        if !accepted.contains(&response.status()) {
            client.judge(&response)?;
        }
        Ok(response)
    }

    /// Sends the request and returns the answer whatever its status is.
    ///
    /// # Errors
    /// When there is no answer; see [`send`](Self::send).
    pub fn send_any(self) -> Result<Response, Error> {
        let outgoing = self.finish()?;
        // Without the query: some vendors want their secrets there.
        let path = outgoing.path_with_query.split('?').next().unwrap_or_default();
        let what = format!("{} {}{path}", outgoing.method, outgoing.authority);
        let raw = exchange(outgoing).map_err(|error| error.context(&what))?;
        Ok(Response::new(what, raw))
    }

    fn finish(self) -> Result<Outgoing, Error> {
        let base = &self.client.base;
        let body = self.body?;
        let mut path_with_query = base.path.clone();
        if !self.path.is_empty() || path_with_query.is_empty() {
            path_with_query.push('/');
            path_with_query.push_str(&self.path);
        }
        if !self.query.is_empty() {
            path_with_query.push('?');
            path_with_query.push_str(&self.query);
        }
        if !is_visible_ascii(&path_with_query) {
            return Err(Error::other(format!("the path {:?} must be percent-encoded", self.path)));
        }
        let mut headers = self.client.headers.clone();
        headers.retain(|(name, _)| !self.headers.iter().any(|(own, _)| own == name));
        headers.extend(self.headers);
        for name in ["accept", "user-agent"] {
            if !headers.iter().any(|(present, _)| present == name) {
                headers.push((name.to_owned(), default_header(name)));
            }
        }
        if !body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            headers.push(("content-length".to_owned(), body.len().to_string()));
        }
        let mut outgoing = Outgoing {
            method: self.method,
            tls: base.tls,
            authority: base.authority.clone(),
            path_with_query,
            headers,
            body,
            max_body: self.client.max_body,
        };
        if let Some(sign) = &self.client.signer {
            sign(&mut Unsigned(&mut outgoing))?;
        }
        if let Some((name, _)) = outgoing.headers.iter().find(|(_, value)| !is_header_value(value)) {
            // A line break at the end of a pasted token is the common cause; the value itself may be a secret.
            return Err(Error::config(format!("the header {name} would hold control characters")));
        }
        Ok(outgoing)
    }
}

/// An answer as the transport has it: status, headers with names in lower case, body.
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

fn default_header(name: &str) -> String {
    match name {
        "accept" => "application/json".to_owned(),
        _ => concat!("acme-manager-plugin/", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// RFC 9110 §5.5, without the obsolete bytes beyond ASCII.
fn is_header_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(target_family = "wasm")]
fn exchange(outgoing: Outgoing) -> Result<RawResponse, Error> {
    super::wasi::exchange(outgoing)
}

#[cfg(not(target_family = "wasm"))]
fn exchange(outgoing: Outgoing) -> Result<RawResponse, Error> {
    crate::testing::exchange(&outgoing)
}
