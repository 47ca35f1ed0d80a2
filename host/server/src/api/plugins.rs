//! `GET /api/v1/plugins`

use std::collections::BTreeMap;

use acme_manager_api::{PluginCalls, PluginLimits, PluginState, PluginStatus};
use acme_manager_plugin_runtime::Plugin;
use axum::Json;
use axum::extract::State;

use super::ApiState;
use super::identify::KeyHolder;
use crate::challenges::providers::ProviderEntry;

/// List plugins
///
/// Every plugin that requests can name, bundled or configured: where it comes from, whether it can be used, its limits,
/// and what its calls came to since the server started.
#[utoipa::path(
    get,
    path = "/api/v1/plugins",
    operation_id = "listPlugins",
    tag = "plugins",
    security(("api_key" = [])),
    responses((status = 200, description = "All plugins, by name", body = Vec<PluginStatus>))
)]
pub(super) async fn list(State(state): State<ApiState>, _: KeyHolder) -> Json<Vec<PluginStatus>> {
    let mut totals = state.metrics.plugins().totals();
    let entries = state.certificates.providers().list();
    let status = |(name, entry): (&crate::names::ProviderName, &std::sync::Arc<ProviderEntry>)| {
        let operations = totals.remove(name.as_str()).unwrap_or_default();
        of_entry(name.as_str(), entry, operations)
    };
    Json(entries.iter().map(status).collect())
}

fn of_entry(name: &str, entry: &ProviderEntry, operations: BTreeMap<String, PluginCalls>) -> PluginStatus {
    let status = PluginStatus {
        name: name.to_owned(),
        origin: entry.origin().to_owned(),
        operations,
        ..PluginStatus::default()
    };
    match entry.peek() {
        None => status,
        Some(Err(reason)) => PluginStatus { state: PluginState::Unusable, reason, ..status },
        Some(Ok(usable)) => {
            let status =
                PluginStatus { state: PluginState::Usable, version: usable.description.version.clone(), ..status };
            usable.plugin.as_ref().map_or_else(|| status.clone(), |plugin| of_plugin(plugin, status.clone()))
        }
    }
}

fn of_plugin(plugin: &Plugin, mut status: PluginStatus) -> PluginStatus {
    let limits = plugin.limits();
    status.digest = plugin.digest().to_string();
    status.size_bytes = Some(plugin.size());
    status.limits = Some(PluginLimits {
        timeout_seconds: limits.timeout.as_secs_f64(),
        memory_mb: limits.memory_bytes as u64 >> 20,
        fuel: limits.fuel,
        max_concurrency: limits.max_concurrency as u64,
    });
    let suspension = plugin.suspension();
    status.breakages_in_a_row = suspension.breakages;
    if let Some(remaining) = suspension.remaining {
        status.state = PluginState::Suspended;
        status.suspended_seconds = Some(remaining.as_secs());
        status.reason = suspension.last.unwrap_or_default();
    }
    status
}
