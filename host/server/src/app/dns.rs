//! From the `ACME_MANAGER_DNS_*` variables to the solver's settings: resolver names become addresses.

use anyhow::Context;

use crate::challenges::dns01::{Dns01Settings, Propagation};
use crate::config;

/// The solver's settings.
///
/// # Errors
/// When a resolver given by name has no address.
pub async fn settings(from: &config::DnsSettings) -> anyhow::Result<Dns01Settings> {
    let mut resolvers = Vec::new();
    for resolver in &from.resolvers {
        let mut addresses = tokio::net::lookup_host((resolver.host.as_str(), resolver.port))
            .await
            .with_context(|| format!("ACME_MANAGER_DNS_RESOLVERS: {resolver} has no address"))?;
        resolvers
            .push(addresses.next().with_context(|| format!("ACME_MANAGER_DNS_RESOLVERS: {resolver} has no address"))?);
    }
    let propagation = match from.propagation {
        config::Propagation::Authoritative => Propagation::Authoritative { also_recursive: false },
        config::Propagation::AuthoritativeAndRecursive => Propagation::Authoritative { also_recursive: true },
        config::Propagation::Recursive => Propagation::Recursive,
        config::Propagation::Wait(wait) => Propagation::FixedWait(wait),
        config::Propagation::None => Propagation::None,
    };
    Ok(Dns01Settings {
        resolvers,
        query_timeout: from.timeout,
        propagation,
        follow_cname: from.follow_cname,
        ..Dns01Settings::default()
    })
}
