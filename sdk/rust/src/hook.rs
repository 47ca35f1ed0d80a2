//! Write an issuance hook: a policy that the host asks before it orders a certificate.
//!
//! It takes the feature `issuance-hook`:
//!
//! ```toml
//! acme-manager-plugin = { path = "acme-manager-sdk/sdk/rust", features = ["issuance-hook"] }
//! ```
//!
//! ```
//! use acme_manager_plugin::hook::{Hook, HookDescription, Objection, Order};
//! use acme_manager_plugin::{Error, Key, env, export_hook};
//!
//! struct OnlyOurs {
//!     suffix: String,
//! }
//!
//! impl Hook for OnlyOurs {
//!     fn describe() -> HookDescription {
//!         HookDescription::new("only-ours", env!("CARGO_PKG_VERSION"))
//!             .key(Key::new("SUFFIX").required().help("What all names must end with"))
//!     }
//!
//!     fn from_env() -> Result<Self, Error> {
//!         Ok(Self { suffix: env::required("SUFFIX")? })
//!     }
//!
//!     fn review(&self, order: &Order) -> Result<(), Objection> {
//!         match order.domains.iter().find(|name| !name.ends_with(&self.suffix)) {
//!             Some(foreign) => Err(Objection::refused(format!("{foreign} is not below {}", self.suffix))),
//!             None => Ok(()),
//!         }
//!     }
//! }
//!
//! export_hook!(OnlyOurs);
//! ```

#[doc(hidden)]
pub mod bindings;

use std::marker::PhantomData;

use crate::{Error, ErrorKind, Key};
use bindings::acme_manager::issuance::types as wit;
use bindings::exports::acme_manager::issuance::hook::Guest;

pub use bindings::acme_manager::issuance::types::{Challenge, Order};

/// A policy that is asked before orders.
pub trait Hook: Sized {
    /// Says what the hook is. Works with an empty environment and without the network.
    fn describe() -> HookDescription;

    /// Reads the configuration with [`env`](crate::env); called before each review.
    ///
    /// # Errors
    /// When the environment is incomplete or contradictory: then no order is placed.
    fn from_env() -> Result<Self, Error>;

    /// Allows the order, or says why not.
    ///
    /// # Errors
    /// When the order must not be placed.
    fn review(&self, order: &Order) -> Result<(), Objection>;
}

/// What a hook says of itself, starting from [`HookDescription::new`].
#[derive(Debug, Clone)]
pub struct HookDescription(wit::Description);

impl HookDescription {
    /// A hook with its name (lower-case letters, digits and `-`) and its version, commonly
    /// `env!("CARGO_PKG_VERSION")`.
    pub fn new(name: &str, version: &str) -> Self {
        Self(wit::Description {
            name: name.to_owned(),
            version: version.to_owned(),
            homepage: String::new(),
            environment: Vec::new(),
            hosts: Vec::new(),
        })
    }

    /// Where the documentation is.
    #[must_use]
    pub fn homepage(mut self, url: &str) -> Self {
        url.clone_into(&mut self.0.homepage);
        self
    }

    /// A host that the hook talks to: `name`, `name:port` or `*.suffix`, meaning HTTPS.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.0.hosts.push(host.to_owned());
        self
    }

    /// An environment variable that the hook reads.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.0.environment.push(key.into_wit());
        self
    }

    /// The record as it crosses to the host, for tests to look at.
    pub fn into_wit(self) -> wit::Description {
        self.0
    }
}

/// Why an order must not be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// The policy says no, and would say no again.
    Refused(String),
    /// It could not be found out.
    Failed(String),
}

impl Objection {
    /// The policy says no: one sentence for whoever asked for the certificate.
    pub fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }

    /// It could not be found out: one sentence on what was tried and what came back.
    pub fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed(sentence.into())
    }

    fn into_wit(self) -> wit::Objection {
        match self {
            Self::Refused(sentence) => wit::Objection::Refused(sentence),
            Self::Failed(sentence) => wit::Objection::Failed(sentence),
        }
    }
}

/// What went wrong on the way leaves the question open, whatever its kind. The contract has no kinds for hooks, so the
/// kind's word comes first: `config: SUFFIX is not set`.
impl From<Error> for Objection {
    fn from(error: Error) -> Self {
        match error.kind() {
            // The first is what the host calls a hook that failed; the second says nothing.
            ErrorKind::Unavailable | ErrorKind::Other => Self::failed(error.message()),
            _ => Self::failed(format!("{}: {error}", error.kind_name())),
        }
    }
}

/// Exports a [`Hook`] as the component's interface. Use it once in a `cdylib` crate.
#[macro_export]
macro_rules! export_hook {
    ($hook:ty) => {
        const _: () = $crate::hook::require_hook::<$hook>();

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the exports' calling convention")]
        mod acme_manager_export {
            use super::*;
            type Exported = $crate::hook::Component<$hook>;
            $crate::hook::bindings::export_hook_component!(Exported with_types_in $crate::hook::bindings);
        }
    };
}

#[doc(hidden)]
pub const fn require_hook<H: Hook>() {}

/// The component that stands for the hook `H`.
#[doc(hidden)]
pub struct Component<H>(PhantomData<H>);

impl<H: Hook + 'static> Guest for Component<H> {
    fn describe() -> wit::Description {
        H::describe().into_wit()
    }

    fn review(order: Order) -> Result<(), wit::Objection> {
        let hook = H::from_env().map_err(Objection::from);
        hook.and_then(|hook| hook.review(&order)).map_err(Objection::into_wit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env;

    struct Picky;

    impl Hook for Picky {
        fn describe() -> HookDescription {
            HookDescription::new("picky", "1.2.3").host("policy.example.com").key(Key::new("PICKY").required())
        }

        fn from_env() -> Result<Self, Error> {
            env::required("PICKY_NEVER_SET").map(|_| Self)
        }

        fn review(&self, _: &Order) -> Result<(), Objection> {
            Ok(())
        }
    }

    #[test]
    fn an_incomplete_environment_is_no_consent() {
        let order = Order { domains: vec!["example.com".into()], issuer: "test".into(), challenge: Challenge::Dns };
        let Err(wit::Objection::Failed(text)) = Component::<Picky>::review(order) else { panic!("it must not allow") };
        assert_eq!(text, "config: PICKY_NEVER_SET is not set");
    }

    #[test]
    fn a_failure_says_its_kind_where_that_says_something() {
        let text = |error: Error| match Objection::from(error) {
            Objection::Failed(text) => text,
            Objection::Refused(text) => panic!("a failure is no answer: {text}"),
        };
        assert_eq!(text(Error::unauthorized("the token is old")), "unauthorized: the token is old");
        assert_eq!(text(Error::rejected("no such list")), "rejected: no such list");
        assert_eq!(text(Error::unavailable("no answer")), "no answer");
        assert_eq!(text(Error::other("odd")), "odd");
    }

    #[test]
    fn the_description_crosses_as_it_was_built() {
        let description = Component::<Picky>::describe();
        assert_eq!((description.name.as_str(), description.version.as_str()), ("picky", "1.2.3"));
        assert_eq!(description.hosts, ["policy.example.com"]);
        assert!(description.environment[0].required);
    }
}
