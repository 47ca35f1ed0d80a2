//! The documented Prometheus series. Every name here has a line in the operators' guide.
//!
//! The current names of the existing system are the real series; the older names that its guide lists are kept as
//! aliases where they count the same thing.

use prometheus::{
    Encoder, GaugeVec, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, histogram_opts,
    opts,
};

use super::plugins::PluginMetrics;
use crate::names::CertificateId;

/// What was done to a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A first certificate.
    Create,
    /// A replaced one.
    Update,
    /// A revocation.
    Revoke,
    /// A renewal.
    Renew,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Revoke => "revoke",
            Self::Renew => "renew",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Success,
    /// Not done.
    Error,
}

/// All series of one server.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    managed: IntGaugeVec,
    operations: IntCounterVec,
    renewals: IntGaugeVec,
    guide_total: IntGaugeVec,
    guide_created: IntCounterVec,
    guide_revoked: IntCounterVec,
    guide_renewed: IntCounterVec,
    vault: IntCounterVec,
    guide_vault: IntCounterVec2,
    issuer_config_error: IntGaugeVec,
    config_error: IntGauge,
    node_role: IntGauge,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    http_in_flight: IntGauge,
    plugins: PluginMetrics,
    kv_keys: IntGaugeVec,
    build_info: GaugeVec,
}

/// The guide's six Vault counters: operation and status are part of the name.
type IntCounterVec2 = [(&'static str, &'static str, prometheus::IntCounter); 6];

const CERTIFICATE: &[&str] = &["issuer", "owner", "domain", "name"];

impl Metrics {
    /// Registers every series.
    ///
    /// # Panics
    /// Never: the names are constants that the tests register.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one statement a series, nothing to decide")]
    pub fn new() -> Self {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(opts!(name, help), labels).expect("a valid name");
            registry.register(Box::new(vec.clone())).expect("a name used once");
            vec
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntGaugeVec::new(opts!(name, help), labels).expect("a valid name");
            registry.register(Box::new(vec.clone())).expect("a name used once");
            vec
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("a valid name");
            registry.register(Box::new(gauge.clone())).expect("a name used once");
            gauge
        };
        let histograms = |name: &str, help: &str, labels: &[&str]| {
            let vec = HistogramVec::new(histogram_opts!(name, help), labels).expect("a valid name");
            registry.register(Box::new(vec.clone())).expect("a name used once");
            vec
        };
        let build_info = GaugeVec::new(
            Opts::new("acme_manager_server_build_info", "1, with the version as labels."),
            &["version", "revision", "branch", "goversion", "goos", "goarch", "tags"],
        )
        .expect("a valid name");
        registry.register(Box::new(build_info.clone())).expect("a name used once");
        let metrics = Self {
            managed: gauges("acme_manager_managed_certificates", "Certificates under management.", CERTIFICATE),
            operations: counters(
                "acme_manager_certificate_operations_total",
                "Finished certificate operations.",
                &["issuer", "owner", "domain", "name", "operation", "status"],
            ),
            renewals: gauges("acme_manager_certificate_renewals", "Renewals of a certificate so far.", CERTIFICATE),
            guide_total: gauges("acme_manager_certificate_total", "Older name: certificates by issuer.", &["issuer"]),
            guide_created: counters(
                "acme_manager_certificate_created",
                "Older name: certificates created.",
                &["issuer"],
            ),
            guide_revoked: counters(
                "acme_manager_certificate_revoke",
                "Older name: certificates revoked.",
                &["issuer"],
            ),
            guide_renewed: counters(
                "acme_manager_certificate_renewed",
                "Older name: certificates renewed.",
                &["issuer"],
            ),
            vault: counters(
                "acme_manager_vault_secret_operations_total",
                "Finished Vault operations.",
                &["secret_type", "operation", "status"],
            ),
            guide_vault: guide_vault_counters(&registry),
            issuer_config_error: gauges(
                "acme_manager_issuer_config_error",
                "1 when the issuer cannot be used.",
                &["issuer"],
            ),
            config_error: gauge("acme_manager_config_error", "1 when the last config reload failed."),
            node_role: gauge("acme_manager_node_role", "0 unknown, 1 leader, 2 follower."),
            http_requests: counters(
                "acme_manager_http_requests_total",
                "Answered requests.",
                &["method", "path", "status_code"],
            ),
            http_duration: histograms(
                "acme_manager_http_request_duration_seconds",
                "Time to answer.",
                &["method", "path"],
            ),
            http_in_flight: gauge("acme_manager_http_requests_in_flight", "Requests being answered."),
            plugins: PluginMetrics::new(&registry),
            kv_keys: gauges("acme_manager_kv_keys", "Records in the replicated metadata.", &["type"]),
            build_info,
            registry,
        };
        let os = std::env::consts::OS;
        metrics
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION"), "", "", "", os, std::env::consts::ARCH, ""])
            .set(1.0);
        #[cfg(target_os = "linux")]
        metrics
            .registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("registered once");
        metrics
    }

    /// Counts a finished operation on a certificate.
    pub fn certificate(&self, id: &CertificateId, issuer: &str, domain: &str, operation: Operation, outcome: Outcome) {
        let status = if outcome == Outcome::Success { "success" } else { "error" };
        let labels = labels(id, issuer, domain);
        self.operations
            .with_label_values(&[labels[0], labels[1], labels[2], labels[3], operation.as_str(), status])
            .inc();
        if outcome == Outcome::Success {
            match operation {
                Operation::Create => self.guide_created.with_label_values(&[issuer]).inc(),
                Operation::Revoke => self.guide_revoked.with_label_values(&[issuer]).inc(),
                Operation::Renew => self.guide_renewed.with_label_values(&[issuer]).inc(),
                Operation::Update => {}
            }
        }
    }

    /// A certificate came under management, with its renewals so far.
    pub fn managed(&self, id: &CertificateId, issuer: &str, domain: &str, renewals: i64) {
        let labels = labels(id, issuer, domain);
        let gauge = self.managed.with_label_values(&labels);
        if gauge.get() == 0 {
            gauge.set(1);
            self.guide_total.with_label_values(&[issuer]).inc();
        }
        self.renewals.with_label_values(&labels).set(renewals);
    }

    /// A certificate is no longer managed.
    pub fn unmanaged(&self, id: &CertificateId, issuer: &str, domain: &str) {
        let labels = labels(id, issuer, domain);
        if self.managed.remove_label_values(&labels).is_ok() {
            self.guide_total.with_label_values(&[issuer]).dec();
        }
        // A series that was never set need not be removed.
        let _ = self.renewals.remove_label_values(&labels);
    }

    /// Counts a finished Vault operation: `get`, `put` or `delete` on a `certificate`, `token` or other secret.
    pub fn vault(&self, secret_type: &str, operation: &str, success: bool) {
        let status = if success { "success" } else { "failed" };
        self.vault.with_label_values(&[secret_type, operation, status]).inc();
        for (of, with, counter) in &self.guide_vault {
            if *of == operation && *with == status {
                counter.inc();
            }
        }
    }

    /// Whether an issuer can be used.
    pub fn issuer(&self, issuer: &str, usable: bool) {
        self.issuer_config_error.with_label_values(&[issuer]).set(i64::from(!usable));
    }

    /// Whether the config in force is the one in the file.
    pub fn config(&self, good: bool) {
        self.config_error.set(i64::from(!good));
    }

    /// The role of this node.
    pub fn leader(&self, leads: bool) {
        self.node_role.set(if leads { 1 } else { 2 });
    }

    /// Counts a request that began; the guard counts its end.
    #[must_use]
    pub fn request(&self) -> InFlight {
        self.http_in_flight.inc();
        InFlight(self.http_in_flight.clone())
    }

    /// Counts an answered request under its route.
    pub fn answered(&self, method: &str, route: &str, status: u16, seconds: f64) {
        self.http_requests.with_label_values(&[method, route, &status.to_string()]).inc();
        self.http_duration.with_label_values(&[method, route]).observe(seconds);
    }

    /// The series of plugins.
    #[must_use]
    pub fn plugins(&self) -> &PluginMetrics {
        &self.plugins
    }

    /// How many records of a type the replicated metadata holds.
    pub fn records(&self, kind: &str, count: usize) {
        self.kv_keys.with_label_values(&[kind]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// All series in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut buffer = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut buffer) {
            Ok(()) => String::from_utf8_lossy(&buffer).into_owned(),
            Err(error) => {
                tracing::error!(%error, "cannot write the metrics");
                String::new()
            }
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A request under way; counted down when dropped.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn labels<'a>(id: &'a CertificateId, issuer: &'a str, domain: &'a str) -> [&'a str; 4] {
    use crate::names::CertificateKey;
    let name = match &id.key {
        CertificateKey::Named(name) => name.as_str(),
        CertificateKey::Pair { .. } => "",
    };
    [issuer, id.owner.as_str(), domain, name]
}

fn guide_vault_counters(registry: &Registry) -> IntCounterVec2 {
    let counter = |operation: &'static str, status: &'static str| {
        let name = format!("acme_manager_vault_{operation}_secret_{status}_total");
        let help = format!("Older name: Vault {operation} operations with status {status}.");
        let counter = prometheus::IntCounter::new(name, help).expect("a valid name");
        registry.register(Box::new(counter.clone())).expect("a name used once");
        (operation, status, counter)
    };
    [
        counter("get", "success"),
        counter("put", "success"),
        counter("delete", "success"),
        counter("get", "failed"),
        counter("put", "failed"),
        counter("delete", "failed"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_counted_once_under_both_names() {
        let metrics = Metrics::new();
        let id: CertificateId = CertificateId::new(
            "ops".parse().expect("owner"),
            "le".parse().expect("issuer"),
            "a.b".parse().expect("domain"),
            None,
        );
        metrics.managed(&id, "le", "a.b", 0);
        metrics.managed(&id, "le", "a.b", 3);
        let text = metrics.render();
        assert!(
            text.contains(r#"acme_manager_managed_certificates{domain="a.b",issuer="le",name="",owner="ops"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"acme_manager_certificate_total{issuer="le"} 1"#), "{text}");
        assert!(text.contains(r#"acme_manager_certificate_renewals{domain="a.b",issuer="le",name="",owner="ops"} 3"#));
        metrics.unmanaged(&id, "le", "a.b");
        assert!(!metrics.render().contains("acme_manager_managed_certificates{"));
    }

    #[test]
    fn vault_operations_count_under_both_names() {
        let metrics = Metrics::new();
        metrics.vault("token", "put", false);
        let text = metrics.render();
        assert!(text.contains(
            r#"acme_manager_vault_secret_operations_total{operation="put",secret_type="token",status="failed"} 1"#
        ));
        assert!(text.contains("acme_manager_vault_put_secret_failed_total 1"));
        assert!(text.contains("acme_manager_vault_get_secret_failed_total 0"));
    }
}
