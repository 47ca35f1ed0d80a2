//! `GET /api/v1/plugins`

use std::collections::BTreeMap;

use acme_manager_api::{PluginCalls, PluginKind, PluginLimits, PluginState, PluginStatus};
use acme_manager_plugin_runtime::Loaded;
use axum::Json;
use axum::extract::State;

use super::ApiState;
use super::identify::KeyHolder;
use crate::challenges::providers::{ProviderEntry, UsableProvider};
use crate::hooks::{HookEntry, UsableHook};
use crate::names::ProviderName;
use crate::telemetry::plugins::News;

/// List plugins
///
/// Every DNS provider that requests can name and every issuance hook, bundled or configured: where it comes from,
/// whether it can be used, whether it runs with the settings in the config, what its own check of its environment said,
/// its limits, and what its calls came to since the server started.
#[utoipa::path(
    get,
    path = "/api/v1/plugins",
    operation_id = "listPlugins",
    tag = "plugins",
    security(("api_key" = [])),
    responses((status = 200, description = "All plugins, by name", body = Vec<PluginStatus>))
)]
pub(super) async fn list(State(state): State<ApiState>, _: KeyHolder) -> Json<Vec<PluginStatus>> {
    let totals = state.metrics.plugins().totals();
    let counted = |name: &ProviderName, status: PluginStatus| {
        let operations: BTreeMap<String, PluginCalls> = totals.get(name.as_str()).cloned().unwrap_or_default();
        let News { check, refused_update } = state.metrics.plugins().news().of(name.as_str());
        PluginStatus { name: name.as_str().to_owned(), check, refused_update, operations, ..status }
    };
    let (providers, hooks) = (state.certificates.providers().list(), state.certificates.hooks().list());
    let providers = providers.iter().map(|(name, entry)| counted(name, of_provider(entry)));
    let hooks = hooks.iter().map(|(name, entry)| counted(name, of_hook(entry)));
    let mut all: Vec<PluginStatus> = providers.chain(hooks).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Json(all)
}

fn of_provider(entry: &ProviderEntry) -> PluginStatus {
    let blank = PluginStatus { origin: entry.origin().to_owned(), ..PluginStatus::default() };
    of_state(entry.peek(), blank, |UsableProvider { plugin, description, .. }, mut status| {
        status.version.clone_from(&description.version);
        plugin.map_or_else(|| status.clone(), |plugin| of_plugin(&plugin, status.clone()))
    })
}

fn of_hook(entry: &HookEntry) -> PluginStatus {
    let (origin, kind) = (entry.origin().to_owned(), PluginKind::IssuanceHook);
    let blank = PluginStatus { origin, kind, ..PluginStatus::default() };
    of_state(entry.peek(), blank, |UsableHook { plugin, .. }, mut status| {
        let Some(hook) = plugin else { return status };
        status.version.clone_from(&hook.description().version);
        of_plugin(&hook, status)
    })
}

fn of_state<T>(
    known: Option<Result<T, String>>,
    status: PluginStatus,
    usable: impl FnOnce(T, PluginStatus) -> PluginStatus,
) -> PluginStatus {
    match known {
        None => status,
        Some(Err(reason)) => PluginStatus { state: PluginState::Unusable, reason, ..status },
        Some(Ok(loaded)) => usable(loaded, PluginStatus { state: PluginState::Usable, ..status }),
    }
}

fn of_plugin<D>(plugin: &Loaded<D>, mut status: PluginStatus) -> PluginStatus {
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
