//! Rights as values: what asks for an [`Authorized<Read>`](Authorized) cannot be called without the check.

use std::marker::PhantomData;

use super::{Forbidden, Identity};
use crate::names::{Owner, TokenId};
use crate::records::Scope;

/// A right that a token can give.
pub trait Right {
    /// The scope that gives it.
    const SCOPE: Scope;
}

macro_rules! right {
    ($(#[$doc:meta] $name:ident),*) => {
        $(
            #[$doc]
            #[derive(Debug)]
            pub struct $name;

            impl Right for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )*
    };
}

right!(
    /// The right to order a first certificate.
    Create,
    /// The right to read certificates.
    Read,
    /// The right to replace certificates and change their settings.
    Update,
    /// The right to delete and revoke certificates.
    Delete
);

/// Proof that a token has the right `R`.
#[derive(Debug, Clone)]
pub struct Authorized<R> {
    identity: Identity,
    right: PhantomData<R>,
}

impl<R> Authorized<R> {
    /// Whose certificates the right is about.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        self.identity.owner()
    }

    /// Which token was used, for the audit log.
    #[must_use]
    pub fn token(&self) -> TokenId {
        self.identity.token.id
    }
}

/// Checks that the token gives the right `R`.
///
/// # Errors
/// When its scope does not hold it.
pub fn authorize<R: Right>(identity: &Identity) -> Result<Authorized<R>, Forbidden> {
    if identity.token.scope.contains(&R::SCOPE) {
        Ok(Authorized { identity: identity.clone(), right: PhantomData })
    } else {
        Err(Forbidden { needed: R::SCOPE })
    }
}
