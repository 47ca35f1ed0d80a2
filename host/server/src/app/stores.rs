//! Opens the store that the config names.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Storage;
use crate::storage::embedded::{EmbeddedSettings, EmbeddedStore};
use crate::storage::vault::{Operation, VaultObserver, VaultSettings, VaultStore};
use crate::storage::{Store, StoreError};
use crate::telemetry::Metrics;

/// One request to Vault; it answers in milliseconds when it is well.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Where in the store what lies.
pub(super) struct Prefixes {
    pub(super) certificates: String,
    pub(super) tokens: String,
}

/// Opens the store. Vault need not answer yet; the embedded file must be ours.
///
/// # Errors
/// When the settings cannot be used or the file cannot be opened.
pub(super) async fn open(storage: &Storage, metrics: &Metrics) -> Result<(Arc<dyn Store>, Prefixes), StoreError> {
    match storage {
        Storage::Vault(vault) => {
            let prefixes =
                Prefixes { certificates: vault.certificate_prefix.to_string(), tokens: vault.token_prefix.to_string() };
            let settings = VaultSettings {
                url: vault.url.to_string(),
                role_id: vault.role_id.clone(),
                secret_id: vault.secret_id.clone(),
                mount_path: vault.mount_path.clone(),
                secret_engine: vault.secret_engine.clone(),
                ca_file: vault.ca_file.clone(),
                retry_max: vault.retry.max,
                retry_wait_min: vault.retry.wait_min,
                retry_wait_max: vault.retry.wait_max,
                request_timeout: REQUEST_TIMEOUT,
            };
            let store = VaultStore::connect(settings, observer(metrics, &prefixes))?;
            tracing::info!(store = store.describe(), "certificates and tokens are kept in Vault");
            Ok((Arc::new(store), prefixes))
        }
        Storage::Embedded(embedded) => {
            let settings = EmbeddedSettings::with_key_file(embedded.path.clone(), &embedded.key_file)?;
            let store = EmbeddedStore::open(settings).await?;
            tracing::warn!(
                store = store.describe(),
                "storage.vault is not configured: certificates and tokens are kept in a file of this machine"
            );
            let prefixes = Prefixes { certificates: "certificates".to_owned(), tokens: "tokens".to_owned() };
            Ok((Arc::new(store), prefixes))
        }
    }
}

fn observer(metrics: &Metrics, prefixes: &Prefixes) -> VaultObserver {
    let (metrics, certificates, tokens) = (metrics.clone(), prefixes.certificates.clone(), prefixes.tokens.clone());
    Arc::new(move |operation, path, success| {
        let operation = match operation {
            Operation::Get => "get",
            Operation::Put => "put",
            Operation::Delete => "delete",
        };
        let secret_type = if path.below(&certificates).is_some() {
            "certificate"
        } else if path.below(&tokens).is_some() {
            "token"
        } else {
            "unknown"
        };
        metrics.vault(secret_type, operation, success);
    })
}
