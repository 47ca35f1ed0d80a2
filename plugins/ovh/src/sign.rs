//! Requests signed with an application key.
//!
//! Reference: <https://docs.ovh.com/gb/en/customer/first-steps-with-ovh-api/>

use acme_manager_plugin::{auth, http};

/// An application, and what its user allows it.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) consumer: String,
}

impl Signer {
    /// Signs a request; `time` is the API's own, in seconds since 1970-01-01.
    pub(crate) fn sign(&self, request: &mut http::Unsigned<'_>, time: u64) {
        let Self { key, secret, consumer } = self;
        let time = time.to_string();
        let (start, end) = (format!("{secret}+{consumer}+{}+{}+", request.method(), request.url()), format!("+{time}"));
        let digest = auth::sha1([start.as_bytes(), request.body(), end.as_bytes()].concat());
        request.set_header("x-ovh-application", key);
        request.set_header("x-ovh-consumer", consumer);
        request.set_header("x-ovh-timestamp", &time);
        request.set_header("x-ovh-signature", &format!("$1${}", auth::hex(digest)));
    }
}
