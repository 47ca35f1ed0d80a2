//! Issuance hooks: policies that are asked before an order is placed.

use serde::{Deserialize, Serialize};

use crate::{
    bindings::issuance,
    description::{self, About, EnvironmentKey},
    error::{CallError, ErrorKind},
    plugin::{Introduction, Loaded, Sandbox},
    recording::Asked,
    report::Function,
    state::State,
    world::World,
};

/// An issuance hook.
pub type Hook = Loaded<HookDescription>;

/// What is about to be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposedOrder {
    /// All names of the certificate, the common name first; lower case, ASCII.
    pub domains: Vec<String>,
    /// The issuer's name in the config.
    pub issuer: String,
    /// How control of the names will be proved.
    pub challenge: ChallengeKind,
}

/// How control of names is proved to a CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChallengeKind {
    /// DNS-01.
    Dns,
    /// HTTP-01.
    Http,
}

/// What a hook says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookDescription {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Where its documentation is.
    pub homepage: String,
    /// Every environment variable it reads.
    pub environment: Vec<EnvironmentKey>,
    /// The hosts it talks to, in the grammar of [`HostGrant`](crate::HostGrant).
    pub hosts: Vec<String>,
}

impl Hook {
    /// Asks whether the order is allowed. The hook's own "no" is [`CallError::Refused`]: of the kind
    /// [`ErrorKind::Rejected`] when it refuses, [`ErrorKind::Unavailable`] when it could not find out.
    ///
    /// # Errors
    /// When the order is not allowed, for whatever reason.
    pub async fn review(&self, order: &ProposedOrder) -> Result<(), CallError> {
        let sandbox = &self.0.sandbox;
        let accept = |(answer,): (Result<(), issuance::Objection>,), state: &State| {
            answer.map_err(|objection| {
                let (kind, text) = match objection {
                    issuance::Objection::Refused(text) => (ErrorKind::Rejected, text),
                    issuance::Objection::Failed(text) => (ErrorKind::Unavailable, text),
                };
                sandbox.refused(kind, &text, None, state)
            })
        };
        let asked = Asked { order: Some(order), ..Function::Review.into() };
        sandbox.call(asked, (issuance::Order::from(order),), accept).await
    }
}

impl Introduction for HookDescription {
    const WORLD: World = World::IssuanceHook;

    async fn ask(sandbox: &Sandbox) -> Result<Self, CallError> {
        let accept =
            |(raw,): (issuance::Description,), _: &State| Self::accept(raw).map_err(|e| sandbox.bad_return(&e));
        sandbox.call(Function::Describe, (), accept).await
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn environment(&self) -> &[EnvironmentKey] {
        &self.environment
    }

    fn map_texts(mut self, f: impl Fn(&str) -> String) -> Self {
        description::map_texts(&f, [&mut self.version, &mut self.homepage], &mut self.hosts, &mut self.environment);
        self
    }
}

impl HookDescription {
    /// The part that descriptions of all worlds have.
    #[must_use]
    pub fn about(&self) -> About<'_> {
        let Self { name, version, homepage, environment, hosts } = self;
        About { name, version, homepage, environment, hosts }
    }

    fn accept(raw: issuance::Description) -> Result<Self, String> {
        let issuance::Description { name, version, homepage, environment, hosts } = raw;
        let environment = description::accept(&name, [&version, &homepage], environment, &hosts)?;
        Ok(Self { name, version, homepage, environment, hosts })
    }
}

impl From<&ProposedOrder> for issuance::Order {
    fn from(order: &ProposedOrder) -> Self {
        let challenge = match order.challenge {
            ChallengeKind::Dns => issuance::Challenge::Dns,
            ChallengeKind::Http => issuance::Challenge::Http,
        };
        Self { domains: order.domains.clone(), issuer: order.issuer.clone(), challenge }
    }
}
