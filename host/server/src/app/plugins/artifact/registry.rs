//! The three questions of a pull: who are you (`/v2/`), the manifest, the blob. See the OCI distribution specification,
//! and for tokens <https://distribution.github.io/distribution/spec/auth/token/>.
//!
//! A registry is a stranger: each of its answers is read up to a bound, and where it sends us is looked at before we go.
//! `oci_client::Client` does neither: it collects whole answers, and shows the user's password to any address that a
//! registry calls its token service, in clear too.

use acme_manager_plugin_runtime::PluginDigest;
use base64::Engine as _;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use oci_client::manifest::OCI_IMAGE_MEDIA_TYPE;
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use url::Url;

use super::{ArtifactError, CONNECTING, LONGEST_MANIFEST};
use crate::certificates::chain;
use crate::config::{Artifact, RegistryUser};

mod destination;

/// Honest ones have some KiB: a token must fit into a header.
const LONGEST_TOKEN: u64 = 64 << 10;
/// So much of a refusal is read, and so many characters of it are shown.
const LONGEST_REFUSAL: usize = 8 << 10;
const SHOWN: usize = 300;
/// Registries send to their storage, and that at times once more.
const REDIRECTS: usize = 5;

/// A registry that told how to prove who asks.
pub(super) struct Registry<'a> {
    artifact: &'a Artifact,
    user: Option<&'a RegistryUser>,
    base: Url,
    client: reqwest::Client,
    /// For the registry's own address alone.
    proof: Option<HeaderValue>,
}

impl<'a> Registry<'a> {
    pub(super) async fn connect(artifact: &'a Artifact, user: Option<&'a RegistryUser>) -> Result<Self, ArtifactError> {
        let failed = |reason| ArtifactError::Registry { artifact: artifact.to_string(), reason };
        let scheme = if artifact.is_loopback() { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{}/v2/", artifact.reference().resolve_registry()));
        let base = base.map_err(|error| failed(format!("its host is no address: {error}")))?;
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("acme-manager/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECTING)
            .read_timeout(CONNECTING);
        if artifact.is_loopback() {
            // What is plain must not leave the machine.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| failed(chain(&error)))?;
        let mut registry = Self { artifact, user, base, client, proof: None };
        registry.proof = registry.authenticate().await?;
        Ok(registry)
    }

    pub(super) async fn manifest(&self, digest: PluginDigest) -> Result<Bytes, ArtifactError> {
        let url = self.url("manifests", digest)?;
        let answer = self.get(url.clone(), self.proof.as_ref()).await?;
        self.read(&url, answer, "the manifest", LONGEST_MANIFEST).await
    }

    /// By its digest alone: addresses that a manifest names are not asked.
    pub(super) async fn blob(&self, digest: PluginDigest, size: u64) -> Result<Bytes, ArtifactError> {
        let url = self.url("blobs", digest)?;
        let answer = self.get(url.clone(), self.proof.as_ref()).await?;
        self.read(&url, answer, "the layer", size).await
    }

    fn url(&self, kind: &str, digest: PluginDigest) -> Result<Url, ArtifactError> {
        let repository = self.artifact.reference().repository();
        let url = self.base.join(&format!("{repository}/{kind}/sha256:{digest}"));
        url.map_err(|error| self.failed(format!("its name is none: {error}")))
    }

    /// What `Authorization` must say, if the registry wants to be told.
    async fn authenticate(&self) -> Result<Option<HeaderValue>, ArtifactError> {
        let answer = self.get(self.base.clone(), None).await?;
        if !answer.headers().contains_key(WWW_AUTHENTICATE) {
            return Ok(None);
        }
        if answer.url().origin() != self.base.origin() {
            return Err(self.astray(&self.base, answer.url(), "asks for a password of its own"));
        }
        match bearer(answer.headers()) {
            Some((realm, service)) => self.token(&realm, service.as_deref()).await.map(Some),
            None => self.basic().transpose(),
        }
    }

    /// Exchanges name and password, if there are any, for a token.
    async fn token(&self, realm: &str, service: Option<&str>) -> Result<HeaderValue, ArtifactError> {
        let mut url = Url::parse(realm)
            .map_err(|error| self.failed(format!("{} names a token service without an address: {error}", self.base)))?;
        self.check(&self.base, &url)?;
        let scope = format!("repository:{}:pull", self.artifact.reference().repository());
        url.query_pairs_mut().append_pair("scope", &scope).extend_pairs(service.map(|service| ("service", service)));
        let answer = self.get(url.clone(), self.basic().transpose()?.as_ref()).await?;
        let answer = self.read(&url, answer, "the token", LONGEST_TOKEN).await?;
        let answer: Option<Token> = serde_json::from_slice(&answer).ok();
        let token = answer.and_then(|answer| {
            let both = [answer.token, answer.access_token];
            both.into_iter().flatten().find(|token| !token.is_empty())
        });
        let proof = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        let mut proof = proof.ok_or_else(|| self.failed(format!("{} answers without a token", place(&url))))?;
        proof.set_sensitive(true);
        Ok(proof)
    }

    fn basic(&self) -> Option<Result<HeaderValue, ArtifactError>> {
        let user = self.user?;
        let both = format!("{}:{}", user.name, user.password.expose_secret());
        let both = base64::engine::general_purpose::STANDARD.encode(both);
        let header = HeaderValue::try_from(format!("Basic {both}"));
        Some(header.map_err(|_| self.failed("its name and password are too long".to_owned())).map(|mut header| {
            header.set_sensitive(true);
            header
        }))
    }

    /// Asks, and follows to where it is sent; the proof stays behind at the first change of scheme, host or port.
    async fn get(&self, mut url: Url, mut proof: Option<&HeaderValue>) -> Result<Response, ArtifactError> {
        for _ in 0..=REDIRECTS {
            let mut request = self.client.get(url.clone()).header(ACCEPT, OCI_IMAGE_MEDIA_TYPE);
            if let Some(proof) = proof {
                request = request.header(AUTHORIZATION, proof);
            }
            let answer = request.send().await.map_err(|error| self.broken(&url, error))?;
            let Some(next) = redirect(&answer) else { return Ok(answer) };
            self.check(&url, &next)?;
            if next.origin() != url.origin() {
                proof = None;
            }
            url = next;
        }
        Err(self.failed(format!("{} sends on more than {REDIRECTS} times", place(&self.base))))
    }

    /// Whether `from` may send us to `to`.
    fn check(&self, from: &Url, to: &Url) -> Result<(), ArtifactError> {
        destination::check(&self.base, to).map_err(|why| self.astray(from, to, why))
    }

    /// The content of an answer to `asked`, of at most `limit` bytes.
    async fn read(
        &self,
        asked: &Url,
        mut answer: Response,
        what: &'static str,
        limit: u64,
    ) -> Result<Bytes, ArtifactError> {
        if answer.status() != StatusCode::OK {
            return Err(self.refused(asked, answer).await);
        }
        let (mut content, limit) = (Vec::new(), usize::try_from(limit).unwrap_or(usize::MAX));
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(asked, error))? {
            if content.len() + chunk.len() > limit {
                let (artifact, from) = (self.artifact.to_string(), place(answer.url()));
                return Err(ArtifactError::Long { artifact, from, what, limit });
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content.into())
    }

    /// Why there is another status, in the words of who was asked: those of others are not for our log.
    async fn refused(&self, asked: &Url, mut answer: Response) -> ArtifactError {
        let mut reason = format!("{} answers {}", place(answer.url()), answer.status());
        if answer.url().origin() == asked.origin() {
            let mut said = Vec::new();
            while said.len() < LONGEST_REFUSAL
                && let Ok(Some(chunk)) = answer.chunk().await
            {
                said.extend_from_slice(&chunk[..chunk.len().min(LONGEST_REFUSAL - said.len())]);
            }
            let said = self.without_secrets(&words(&said));
            let said: String = said.chars().take(SHOWN).collect();
            reason = if said.is_empty() { reason } else { format!("{reason}: {said}") };
        }
        self.failed(reason)
    }

    fn without_secrets(&self, text: &str) -> String {
        let password = self.user.map(|user| user.password.expose_secret().to_owned());
        let basic = self.basic().and_then(Result::ok);
        let sent = [basic.as_ref(), self.proof.as_ref()].into_iter().flatten();
        let sent = sent.filter_map(|proof| Some(proof.to_str().ok()?.split_once(' ')?.1.to_owned()));
        let secrets = sent.chain(password).filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(&secret, "…"))
    }

    fn broken(&self, url: &Url, error: reqwest::Error) -> ArtifactError {
        self.failed(format!("{}: {}", place(url), chain(&error.without_url())))
    }

    fn failed(&self, reason: String) -> ArtifactError {
        ArtifactError::Registry { artifact: self.artifact.to_string(), reason }
    }

    fn astray(&self, from: &Url, to: &Url, why: &'static str) -> ArtifactError {
        ArtifactError::Astray { artifact: self.artifact.to_string(), from: place(from), to: place(to), why }
    }
}

/// What a token service answers: one of the two.
#[derive(serde::Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Realm and service of a challenge for tokens; whatever else is asked for is answered with name and password.
fn bearer(headers: &HeaderMap) -> Option<(String, Option<String>)> {
    let said = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut challenges = said.filter_map(|value| http_auth::parse_challenges(value).ok()).flatten();
    let challenge = challenges.find(|challenge| challenge.scheme.eq_ignore_ascii_case("Bearer"))?;
    let value = |name: &str| {
        let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    Some((value("realm")?, value("service")))
}

fn redirect(answer: &Response) -> Option<Url> {
    let follows = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let to = answer.headers().get(LOCATION).filter(|_| follows)?;
    answer.url().join(to.to_str().ok()?).ok()
}

/// An address for people, without what may be secret in it: queries of storage services are signed.
fn place(url: &Url) -> String {
    let path: String = url.path().chars().take(SHOWN).collect();
    format!("{}{path}", url.origin().ascii_serialization())
}

/// The messages of a refusal as the specification has it, else its text; in one line.
fn words(said: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(said).ok();
    let errors = parsed.as_ref().and_then(|parsed| parsed["errors"].as_array());
    let messages = errors.map(|errors| errors.iter().filter_map(|error| error["message"].as_str()).collect::<Vec<_>>());
    let text = messages.map_or_else(|| String::from_utf8_lossy(said).into_owned(), |messages| messages.join("; "));
    text.trim().chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests;
