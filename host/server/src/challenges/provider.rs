//! The seam between solving challenges and running plugins.

use acme_manager_plugin_runtime::{CallError, Description, Plugin, TxtRecord};
use async_trait::async_trait;

/// Something that puts TXT values into a zone: a plugin, or the in-memory zone of the tests.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What the provider says of itself.
    ///
    /// # Errors
    /// When the plugin breaks; it cannot refuse this.
    async fn describe(&self) -> Result<Description, CallError>;

    /// Whether the environment is complete and the credentials work; changes nothing.
    ///
    /// # Errors
    /// What the provider found wrong, or how the plugin broke.
    async fn check(&self) -> Result<(), CallError>;

    /// Creates the value, leaves others at the name alone, and returns the handle for `cleanup` and `ready`.
    ///
    /// # Errors
    /// The provider's refusal, or how the plugin broke; the value may be there all the same.
    async fn present(&self, record: &TxtRecord) -> Result<String, CallError>;

    /// Removes exactly this value. A value that is not there is a success; `handle` may be empty.
    ///
    /// # Errors
    /// The provider's refusal, or how the plugin broke.
    async fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), CallError>;

    /// Whether the change is live on all name servers of the vendor.
    ///
    /// # Errors
    /// The provider's refusal, or how the plugin broke.
    async fn ready(&self, record: &TxtRecord, handle: &str) -> Result<bool, CallError>;
}

#[async_trait]
impl Provider for Plugin {
    async fn describe(&self) -> Result<Description, CallError> {
        Self::describe(self).await
    }

    async fn check(&self) -> Result<(), CallError> {
        Self::check(self).await
    }

    async fn present(&self, record: &TxtRecord) -> Result<String, CallError> {
        Self::present(self, record).await
    }

    async fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), CallError> {
        Self::cleanup(self, record, handle).await
    }

    async fn ready(&self, record: &TxtRecord, handle: &str) -> Result<bool, CallError> {
        Self::ready(self, record, handle).await
    }
}
