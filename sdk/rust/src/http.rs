//! HTTP to the vendor's API, over `wasi:http`.
//!
//! The host sends a request only to hosts that the operator granted, follows no redirects, and checks certificates
//! itself. Requests end with the call's own deadline at the latest.

mod encode;
mod pages;
mod request;
mod response;
mod unsigned;
#[cfg(target_family = "wasm")]
mod wasi;

use std::fmt;
use std::sync::Arc;

pub use encode::{query_string, segment};
pub use pages::pages;
#[cfg(not(target_family = "wasm"))]
pub(crate) use request::RawResponse;
pub use request::Request;
pub use response::Response;
pub use unsigned::Unsigned;

use crate::Error;
use encode::basic_credentials;

/// The most that is read of an answer's body, unless [`Client::max_body`] says otherwise. A page of a hundred DNS
/// records takes less than 100 KiB.
const DEFAULT_MAX_BODY: usize = 4 * 1024 * 1024;

/// One API: a base URL and the headers that every request carries.
#[derive(Clone)]
pub struct Client {
    base: Origin,
    headers: Vec<(String, String)>,
    max_body: usize,
    signer: Option<unsigned::Signer>,
    judge: Option<response::Judge>,
}

/// What a URL says about where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    pub(crate) authority: String,
    /// Starts with a slash, or is empty; never ends with one.
    pub(crate) path: String,
}

/// A request, ready to be sent.
#[cfg_attr(not(target_family = "wasm"), derive(Debug))]
pub(crate) struct Outgoing {
    pub(crate) method: String,
    pub(crate) tls: bool,
    pub(crate) authority: String,
    pub(crate) path_with_query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) max_body: usize,
}

impl Client {
    /// An API below `base_url`, for example `https://api.example.com/v1`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when it is not a URL with `http` or `https`, or has a query,
    /// a fragment or credentials.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        let base = Origin::parse(base_url)?;
        Ok(Self { base, headers: Vec::new(), max_body: DEFAULT_MAX_BODY, signer: None, judge: None })
    }

    /// Sends `Authorization: Bearer <token>` (RFC 6750 §2.1).
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends `Authorization: Basic …` (RFC 7617).
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.header("authorization", &basic_credentials(user, password))
    }

    /// Sends a header with every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Reads at most so many bytes of an answer's body.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Shows every request to `signer` when it is finished otherwise, for a signature in a header or the query. An
    /// error of the signer ends the request before it is sent.
    ///
    /// ```
    /// use acme_manager_plugin::http::Client;
    /// use acme_manager_plugin::testing::MockApi;
    ///
    /// # let api = MockApi::new();
    /// # api.expect("GET", "https://api.example.com/zones").header("x-signed", "GET /zones").answer(200, "");
    /// let client = Client::new("https://api.example.com").unwrap().sign_with(|request| {
    ///     let signed = format!("{} {}", request.method(), request.path());
    ///     request.set_header("x-signed", &signed);
    ///     Ok(())
    /// });
    /// client.get("zones").send().unwrap();
    /// ```
    #[must_use]
    pub fn sign_with(
        mut self,
        signer: impl Fn(&mut Unsigned<'_>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Asks `judge` whether an answer is a success, for vendors whose errors say more than their status does or come
    /// with that of a success. [`Request::send`] returns what it makes of an answer, unless the status is one that
    /// the request [accepts](Request::accept); [`Request::send_any`] does not ask.
    ///
    /// ```
    /// use acme_manager_plugin::http::{Client, Response};
    /// use acme_manager_plugin::testing::MockApi;
    /// use acme_manager_plugin::{Error, ErrorKind};
    ///
    /// fn judge(response: &Response) -> Result<(), Error> {
    ///     if response.is_success() {
    ///         return Ok(());
    ///     }
    ///     let error = response.to_error();
    ///     // The page of a proxy has no code.
    ///     Err(match response.json_at::<String>("/error/code").unwrap_or_default().as_str() {
    ///         "locked" => error.with_kind(ErrorKind::Conflict),
    ///         _ => error,
    ///     })
    /// }
    ///
    /// # let api = MockApi::new();
    /// # api.expect("GET", "https://api.example.com/zones").answer(423, r#"{"error": {"code": "locked"}}"#);
    /// let client = Client::new("https://api.example.com").unwrap().judge_with(judge);
    /// assert_eq!(client.get("zones").send().err().unwrap().kind(), ErrorKind::Conflict);
    /// ```
    #[must_use]
    pub fn judge_with(mut self, judge: impl Fn(&Response) -> Result<(), Error> + Send + Sync + 'static) -> Self {
        self.judge = Some(Arc::new(judge));
        self
    }

    /// A GET request for a path below the base URL. Parts of it that come from elsewhere go through [`segment`].
    pub fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    /// A PUT request.
    pub fn put(&self, path: &str) -> Request<'_> {
        self.request("PUT", path)
    }

    /// A PATCH request.
    pub fn patch(&self, path: &str) -> Request<'_> {
        self.request("PATCH", path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }

    /// A request with any method.
    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request::new(self, method, path)
    }

    fn judge(&self, response: &Response) -> Result<(), Error> {
        match &self.judge {
            Some(judge) => judge(response),
            None if response.is_success() => Ok(()),
            None => Err(response.to_error()),
        }
    }
}

/// Headers carry credentials, so only the address is shown.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Origin {
    fn parse(url: &str) -> Result<Self, Error> {
        let invalid = |why: &str| Error::config(format!("the API address is not a base URL: {why}"));
        let url = url.trim();
        let (tls, rest) = match (strip_scheme(url, "https://"), strip_scheme(url, "http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(invalid("it must start with https:// or http://")),
        };
        if rest.contains(['?', '#']) {
            return Err(invalid("it must have no query and no fragment"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() || authority.contains(['@', '\\']) || !is_visible_ascii(authority) {
            return Err(invalid("the host is missing or not plain ASCII, or there are credentials before it"));
        }
        if !is_visible_ascii(path) {
            return Err(invalid("the path must be percent-encoded"));
        }
        Ok(Self { tls, authority: authority.to_owned(), path: path.trim_end_matches('/').to_owned() })
    }
}

fn strip_scheme<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = url.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn is_visible_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
