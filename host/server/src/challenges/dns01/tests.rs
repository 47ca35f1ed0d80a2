//! The solver against a real DNS server on loopback and a provider that keeps its zone in memory.

mod fake;
mod nameserver;
mod place;
mod plan;
mod visible;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::super::providers::{ProviderEntry, Providers, UsableProvider};
use super::{Dns01Settings, Placement, Propagation, Solver};
use crate::names::{DomainName, ProviderName};
use fake::Fake;
use nameserver::{NameServer, Zones};

const VALUE: &str = "n2GJ4hZ0ZzYIDbYv8xuxyWoyCI_oGcQg1pqZQ5rqLOM";

fn provider() -> ProviderName {
    "fake".parse().expect("name")
}

fn domain(name: &str) -> DomainName {
    name.parse().expect("domain")
}

/// A provider set with one usable provider called `fake`.
fn providers(fake: &Arc<Fake>) -> Arc<Providers> {
    let usable = UsableProvider {
        plugin: None,
        provider: Arc::<Fake>::clone(fake),
        description: Arc::new(fake.description()),
        calls_per_second: None,
        account: None,
    };
    Arc::new(Providers::new(BTreeMap::from([(provider(), ProviderEntry::usable(usable))])))
}

fn solver(resolvers: &[SocketAddr], propagation: Propagation, fake: &Arc<Fake>) -> Solver {
    let settings = Dns01Settings {
        resolvers: resolvers.to_vec(),
        query_timeout: Duration::from_millis(700),
        propagation,
        authoritative_port: resolvers.first().map_or(53, SocketAddr::port),
        ..Dns01Settings::default()
    };
    Solver::new(settings, providers(fake))
}

/// A placement that `plan` could have made, for tests that need no DNS.
fn placement(fqdn: &str, value: &str) -> Placement {
    Placement {
        provider: provider(),
        fqdn: fqdn.to_owned(),
        zone: "example.com".to_owned(),
        value: value.to_owned(),
        ttl: 60,
        handle: None,
    }
}

/// `example.com` on one server that is its own resolver.
async fn example() -> (Arc<Zones>, NameServer) {
    let zones = Arc::new(Zones::default());
    zones.zone("com").zone("example.com").ns("example.com", "ns1.example.com").a("ns1.example.com", [127, 0, 0, 1]);
    let server = NameServer::start([127, 0, 0, 1], 0, Arc::clone(&zones)).await;
    (zones, server)
}
