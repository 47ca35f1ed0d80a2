//! The section `issuer`: one certificate authority account per key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::section::{Notes, Section};
use super::{common, endpoint};
use crate::names::{IssuerName, ProviderName};

pub(super) const KEYS: &[&str] = &[
    "ca_dir_url",
    "contact",
    "eab",
    "kid",
    "hmac",
    "dns_challenge",
    "http_challenge",
    "http_challenge_config",
    "overall_request_limit",
    "certificate_timeout",
    "unregister",
    "ca_root_file",
    "profile",
];

/// One issuer: a directory of a CA and the account used there.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The ACME directory (RFC 8555 §7.1.1): HTTPS, or HTTP to the loopback.
    pub ca_dir_url: Url,
    /// E-mail address of the account, without `mailto:`.
    pub contact: Option<String>,
    /// External account binding (RFC 8555 §7.3.4), when the CA demands one.
    pub external_account: Option<ExternalAccount>,
    /// The challenge of requests that name none.
    pub challenge: Option<DefaultChallenge>,
    /// Settings of an HTTP challenge provider, as they are; no provider reads them.
    pub http_challenge_config: Option<SecretString>,
    /// Requests per second to this CA.
    pub overall_request_limit: u32,
    /// How long the CA may take to make the certificate after the challenges.
    pub certificate_timeout: Duration,
    /// Whether the account is to be deactivated at the CA.
    pub unregister: bool,
    /// PEM file with the roots that the directory's own certificate is checked against, instead of the public ones.
    pub ca_root_file: Option<PathBuf>,
    /// Certificate profile of requests that name none.
    pub profile: Option<String>,
}

/// The credentials of an external account.
#[derive(Debug, Clone)]
pub struct ExternalAccount {
    /// Key identifier.
    pub kid: String,
    /// Key, base64url.
    pub hmac: SecretString,
}

impl ExternalAccount {
    /// The bytes of the key.
    #[must_use]
    pub fn key(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(KEY_ENCODING.decode(self.hmac.expose_secret()).expect("decoded once when the config was read"))
    }
}

/// How an issuer proves control of a name unless the request says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultChallenge {
    /// DNS-01 through a provider.
    Dns(ProviderName),
    /// HTTP-01 through a provider.
    Http(ProviderName),
}

/// What CAs hand out: with or without padding, and not always with clean trailing bits.
const KEY_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The Go server's ACME library applies these where the config says nothing.
const REQUEST_LIMIT: u32 = 18;
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(30);

/// The one HTTP-01 provider: answers replicated among the nodes.
const HTTP_PROVIDER: &str = "kvring";

pub(super) fn read_all(root: &Section<'_>, notes: &Notes) -> BTreeMap<IssuerName, Issuer> {
    let mut issuers = BTreeMap::new();
    let all = root.child("issuer").filter(|all| !all.pairs().is_empty());
    let Some(all) = all else {
        root.warning("issuer", "none is configured: no certificate can be issued");
        return issuers;
    };
    for (key, node) in all.pairs() {
        let section = Section::new(&all.path_of(&key.name), node, notes);
        let issuer = read(&section);
        match key.name.parse::<IssuerName>() {
            Ok(name) => issuers.extend(issuer.map(|issuer| (name, issuer))),
            Err(error) => all.mistake(&key.name, error.to_string()),
        }
    }
    issuers
}

fn read(section: &Section<'_>) -> Option<Issuer> {
    section.only(KEYS, &[("common", common::KEYS)]);
    // Everything is read before the first way out, so that all mistakes are noted.
    let ca_dir_url = endpoint::read(section, "ca_dir_url", endpoint::PlainHttp::Loopback);
    let limit = section.count("overall_request_limit", "requests per second", 0..=1_000).filter(|limit| *limit > 0);
    let contact = read_contact(section);
    let external_account = read_external_account(section);
    let challenge = read_challenge(section);
    let certificate_timeout = section.seconds("certificate_timeout", 24 * 60 * 60);
    let http_challenge_config = section.optional_secret("http_challenge_config");
    let http_challenge_config = http_challenge_config.filter(|text| !text.expose_secret().is_empty());
    let unregister = section.flag("unregister").unwrap_or(false);
    let ca_root_file = section.file("ca_root_file");
    let profile = section.text("profile");
    if http_challenge_config.is_some() {
        section.warning("http_challenge_config", "has no effect: HTTP answers are kept by the servers themselves");
    }
    Some(Issuer {
        ca_dir_url: ca_dir_url?,
        contact,
        external_account,
        challenge,
        http_challenge_config,
        overall_request_limit: limit.unwrap_or(REQUEST_LIMIT),
        certificate_timeout: certificate_timeout.unwrap_or(CERTIFICATE_TIMEOUT),
        unregister,
        ca_root_file,
        profile,
    })
}

fn read_contact(section: &Section<'_>) -> Option<String> {
    let text = section.optional_text("contact")?;
    let address = text.strip_prefix("mailto:").unwrap_or(&text);
    let fine = address.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !address.contains([' ', ',', ';', '<', '>'])
    });
    if !fine {
        section.mistake("contact", format!("expected one e-mail address, got {text:?}"));
        return None;
    }
    Some(address.to_owned())
}

fn read_external_account(section: &Section<'_>) -> Option<ExternalAccount> {
    let kid = section.optional_text("kid");
    let hmac = section.optional_secret("hmac").filter(|hmac| !hmac.expose_secret().is_empty());
    let enabled = section.flag("eab").unwrap_or(false);
    if !enabled {
        for key in ["kid", "hmac"] {
            if section.optional_secret(key).is_some_and(|value| !value.expose_secret().is_empty()) {
                section.warning(key, "has no effect without `eab: true`");
            }
        }
    }
    if let Some(hmac) = &hmac
        && KEY_ENCODING.decode(hmac.expose_secret()).map(Zeroizing::new).is_err()
    {
        section.mistake("hmac", "expected base64url (letters, digits, `-` and `_`), as the CA hands it out");
        return None;
    }
    if enabled {
        for (key, given) in [("kid", kid.is_some()), ("hmac", hmac.is_some())] {
            if !given {
                section.mistake(key, "required, because `eab` is true");
            }
        }
    }
    if enabled { Some(ExternalAccount { kid: kid?, hmac: hmac? }) } else { None }
}

fn read_challenge(section: &Section<'_>) -> Option<DefaultChallenge> {
    let dns = section.parsed::<ProviderName>("dns_challenge");
    let http = section.parsed::<ProviderName>("http_challenge");
    if let Some(http) = &http
        && http.as_str() != HTTP_PROVIDER
    {
        section.warning("http_challenge", format!("only `{HTTP_PROVIDER}` can answer, requests will be refused"));
    }
    match (dns, http) {
        (Some(_), Some(_)) => {
            section.mistake("http_challenge", "only one of `dns_challenge` and `http_challenge` may be given");
            None
        }
        (Some(dns), None) => Some(DefaultChallenge::Dns(dns)),
        (None, Some(http)) => Some(DefaultChallenge::Http(http)),
        (None, None) => None,
    }
}
