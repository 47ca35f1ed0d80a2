//! The finished request, for those who have to sign it.

use std::sync::Arc;

use super::Outgoing;
use super::encode::push_pair;
use crate::Error;

/// What signs each request of a client.
pub(super) type Signer = Arc<dyn Fn(&mut Unsigned<'_>) -> Result<(), Error> + Send + Sync>;

/// A request as it will be sent, but for what a [signer](super::Client::sign_with) adds.
pub struct Unsigned<'a>(pub(super) &'a mut Outgoing);

impl Unsigned<'_> {
    /// The method, in upper case.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// The whole URL.
    pub fn url(&self) -> String {
        let scheme = if self.0.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.0.authority, self.0.path_with_query)
    }

    /// The host, with its port if the base URL names one: what the header `Host` will hold, which is not among
    /// [`headers`](Self::headers).
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    /// The path, percent-encoded.
    pub fn path(&self) -> &str {
        self.split().0
    }

    /// The query, percent-encoded, without its question mark; may be empty.
    pub fn query(&self) -> &str {
        self.split().1
    }

    /// The headers, with their names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(present, _)| *present == name).map(|(_, value)| value)
    }

    /// The body; may be empty.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// Sends a header, in the place of one with the same name.
    pub fn set_header(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        self.0.headers.retain(|(present, _)| *present != name);
        self.0.headers.push((name, value.to_owned()));
    }

    /// Adds `name=value` to the query, percent-encoded, for vendors that want the signature there.
    pub fn push_query(&mut self, name: &str, value: &str) {
        let mut query = self.query().to_owned();
        push_pair(&mut query, name, value);
        self.0.path_with_query = format!("{}?{query}", self.path());
    }

    fn split(&self) -> (&str, &str) {
        self.0.path_with_query.split_once('?').unwrap_or((&self.0.path_with_query, ""))
    }
}
