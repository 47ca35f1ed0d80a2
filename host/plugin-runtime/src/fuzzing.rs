//! Ways in for the fuzz targets in `tests/fuzz`: the readers of what strangers write, without an engine around them.

use std::{net::IpAddr, sync::Arc};

use wasmtime_wasi::cli::StdoutStream as _;

use crate::{
    bindings::{host::Level, types},
    description::Description,
    dns,
    grants::{DnsServer, Grants, Reach, Scheme, parse_host},
    guest_log::{GuestLog, GuestStream, Stream},
    limits::Limits,
    plugin::Introduction as _,
    redact::Redactor,
};

/// A guest's description as it comes.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the contract documents them")]
pub struct RawDescription {
    pub name: String,
    pub version: String,
    pub homepage: String,
    pub environment: Vec<RawKey>,
    pub hosts: Vec<String>,
}

/// An environment key as it comes.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the contract documents them")]
pub struct RawKey {
    pub name: String,
    pub aliases: Vec<String>,
    pub secret: bool,
    pub default: Option<String>,
    pub help: String,
}

/// What the host makes of a description, in an environment with this secret.
///
/// # Errors
/// When it is refused; in words.
pub fn describe(raw: RawDescription, secret: &str) -> Result<Description, String> {
    let key = |RawKey { name, aliases, secret, default, help }| types::EnvironmentKey {
        name,
        aliases,
        required: false,
        secret,
        endpoint: false,
        default,
        help,
    };
    let description = Description::accept(types::Description {
        name: raw.name,
        version: raw.version,
        homepage: raw.homepage,
        environment: raw.environment.into_iter().map(key).collect(),
        hosts: raw.hosts,
        default_ttl: 0,
        propagation_timeout: 0,
        propagation_interval: 0,
        multiple_values: true,
        reports_ready: false,
    })?;
    let redactor = Redactor::new([secret]);
    Ok(description.map_texts(|text| redactor.redact(text).into_owned()))
}

/// Whether `grants` permit a request to the host, written as in a URL, and if so whether wherever its name leads.
/// `None` for what is no host.
pub fn permits(grants: &Grants, is_https: bool, host: &str, port: u16) -> Option<Option<bool>> {
    let scheme = if is_https { Scheme::Https } else { Scheme::Http };
    let host = parse_host(host)?;
    Some(grants.permit(scheme, &host, port).map(|reach| reach == Reach::Anywhere))
}

/// Why a connection to `address` is refused, if it is.
pub fn prohibits(grants: &Grants, address: IpAddr, anywhere: bool) -> Option<&'static str> {
    grants.prohibits(address, if anywhere { Reach::Anywhere } else { Reach::Public })
}

/// A guest's name server as the host writes it. `None` for what is none.
pub fn name_server(text: &str) -> Option<String> {
    DnsServer::parse(text).ok().map(|server| server.to_string())
}

/// Whether the host sends `request`, and if so whether it takes `arrival` for the reply to it.
pub fn is_reply(request: &[u8], arrival: &[u8]) -> Option<bool> {
    dns::is_reply(request, arrival)
}

/// The log of one call.
pub struct Log(Arc<GuestLog>);

impl Log {
    /// A log that hides this secret.
    pub fn new(limits: &Limits, secret: &str) -> Self {
        Self(Arc::new(GuestLog::new("fuzzed".into(), "present", Arc::new(Redactor::new([secret])), limits)))
    }

    /// `host.log`.
    pub fn message(&self, message: &str) {
        self.0.message(Level::Info, message);
    }

    /// Standard output or error.
    pub fn print(&self, is_error: bool, bytes: &[u8]) {
        let stream = if is_error { Stream::Err } else { Stream::Out };
        let written = GuestStream { log: self.0.clone(), stream }.p2_stream().write(bytes.to_vec().into());
        debug_assert!(written.is_ok(), "a guest's stream takes everything");
    }

    /// The end of the call: how many lines were dropped, and the last line on standard error.
    pub fn finish(&self) -> (u64, Option<String>) {
        self.0.finish();
        (self.0.dropped_lines(), self.0.last_words())
    }
}
