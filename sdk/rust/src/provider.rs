//! The trait that authors implement, and the bridge from it to the component's exports.

use std::marker::PhantomData;

use crate::bindings::acme_manager::dns::types as wit;
use crate::bindings::exports::acme_manager::dns::provider::Guest;
use crate::{Description, Error, TxtRecord};

/// A DNS-01 provider.
pub trait Provider: Sized {
    /// Says what the provider is: its name, environment, hosts and defaults. Works with an empty environment and
    /// without the network.
    fn describe() -> Description;

    /// Reads the configuration with [`env`](crate::env). Called before each of the methods below; fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when something is missing.
    ///
    /// # Errors
    /// When the environment is incomplete or contradictory.
    fn from_env() -> Result<Self, Error>;

    /// Looks whether the credentials work, with read-only requests. The default is content with
    /// [`from_env`](Self::from_env).
    ///
    /// # Errors
    /// When the provider could not work as it is configured.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Creates the TXT value and leaves all others at the name alone; a value that is already there is a success.
    /// Returns what [`cleanup`](Self::cleanup) needs to find it again: at most 4096 bytes, no secrets, may be empty.
    ///
    /// # Errors
    /// When the value could not be created.
    fn present(&self, record: &TxtRecord) -> Result<String, Error>;

    /// Removes exactly this value; a value that is not there is a success. `handle` is what
    /// [`present`](Self::present) returned, or empty when the host lost it: then find the value by name.
    ///
    /// # Errors
    /// When the value may still be there.
    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error>;

    /// Whether the change is live on all of the vendor's name servers. Called only if the description says
    /// [`reports_ready`](Description::reports_ready).
    ///
    /// # Errors
    /// When the vendor cannot be asked.
    fn ready(&self, record: &TxtRecord, handle: &str) -> Result<bool, Error> {
        let _ = (record, handle);
        Ok(true)
    }
}

/// Exports a [`Provider`] as the component's interface. Use it once in a `cdylib` crate.
#[macro_export]
macro_rules! export_provider {
    ($provider:ty) => {
        const _: () = $crate::require_provider::<$provider>();

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the exports' calling convention")]
        mod acme_manager_export {
            use super::*;
            type Exported = $crate::Component<$provider>;
            $crate::bindings::export_component!(Exported with_types_in $crate::bindings);
        }
    };
}

#[doc(hidden)]
pub const fn require_provider<P: Provider>() {}

/// The component that stands for the provider `P`.
#[doc(hidden)]
pub struct Component<P>(PhantomData<P>);

impl<P: Provider + 'static> Guest for Component<P> {
    fn describe() -> wit::Description {
        P::describe().into_wit()
    }

    fn check() -> Result<(), wit::Error> {
        with_provider(P::check)
    }

    fn present(record: TxtRecord) -> Result<String, wit::Error> {
        with_provider(|provider: &P| provider.present(&record))
    }

    fn cleanup(record: TxtRecord, handle: String) -> Result<(), wit::Error> {
        with_provider(|provider: &P| provider.cleanup(&record, &handle))
    }

    fn ready(record: TxtRecord, handle: String) -> Result<bool, wit::Error> {
        with_provider(|provider: &P| provider.ready(&record, &handle))
    }
}

fn with_provider<P: Provider, T>(call: impl FnOnce(&P) -> Result<T, Error>) -> Result<T, wit::Error> {
    P::from_env().and_then(|provider| call(&provider)).map_err(Error::into_wit)
}
