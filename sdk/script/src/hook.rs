//! What scripts of issuance hooks have of their own.

use serde::Deserialize;

use crate::{Call, Script, Step};

/// What is about to be ordered, as in the contract of hooks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposedOrder {
    /// All names of the certificate; lower case, ASCII.
    pub domains: Vec<String>,
    /// The issuer's name in the server's configuration.
    #[serde(default = "an_issuer")]
    pub issuer: String,
    /// How control of the names will be proved.
    #[serde(default)]
    pub challenge: Challenge,
}

/// How control of names is proved to a CA.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Challenge {
    /// DNS-01, the usual one.
    #[default]
    Dns,
    /// HTTP-01.
    Http,
}

fn an_issuer() -> String {
    "letsencrypt".to_owned()
}

/// The kind of a hook's error that says no.
pub(crate) const REFUSED: &str = "refused";
/// The kind of a hook's error that could not find out.
pub(crate) const FAILED: &str = "failed";

impl Script {
    /// Whether it is for an issuance hook: whether it calls `review`.
    #[must_use]
    pub fn is_of_a_hook(&self) -> bool {
        self.reviews().next().is_some()
    }

    /// What the script of every hook must show, and this one does not.
    #[must_use]
    pub fn missing_of_a_hook(&self) -> Vec<&'static str> {
        let is_refused = |step: &Step| step.error.as_ref().is_some_and(|error| error.kind == REFUSED);
        let shown = [
            (self.reviews().any(|step| step.error.is_none()), "an order that is allowed: a `review` without `error`"),
            (
                self.reviews().any(is_refused),
                "an order that is refused: a `review` with an `error` of the kind `refused`",
            ),
        ];
        shown.into_iter().filter_map(|(is_shown, what)| (!is_shown).then_some(what)).collect()
    }

    /// An order that is allowed after the API was asked; with it, an API in trouble is tried.
    #[must_use]
    pub fn sample_order(&self) -> Option<&ProposedOrder> {
        let allowed = self.reviews().filter(|step| step.error.is_none() && !step.exchanges.is_empty());
        allowed.filter_map(|step| step.order.as_ref()).next()
    }

    fn reviews(&self) -> impl Iterator<Item = &Step> {
        let steps = self.scenarios.iter().flat_map(|scenario| &scenario.steps);
        steps.filter(|step| step.call == Call::Review)
    }
}
