//! The series of plugins, and the same figures for the API.
//!
//! The label `plugin` takes the names in the config and of the bundled plugins, `operation` the six functions of the
//! contract, `class` the error classes: none of them grows with the work.

mod news;

use std::collections::BTreeMap;

use acme_manager_api::PluginCalls;
use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec, Registry, histogram_opts, opts};

pub use news::{Check, News, PluginNews};

/// What one finished call was and cost.
#[derive(Debug, Clone, Copy)]
pub struct PluginCall<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// The function of the contract.
    pub operation: &'a str,
    /// How it ended.
    pub outcome: &'a str,
    /// The class of its error, if any.
    pub error: Option<&'a str>,
    /// How long it ran.
    pub seconds: f64,
    /// What it used up.
    pub costs: PluginCosts,
    /// Whether the plugin is suspended now.
    pub is_suspended: bool,
}

/// What a call used up.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "as in `PluginCalls`")]
pub struct PluginCosts {
    pub fuel: u64,
    pub peak_memory_bytes: u64,
    pub host_calls: u64,
    pub requests: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub denials: u64,
    pub dropped_log_lines: u64,
}

/// All series of plugins.
#[derive(Clone)]
pub struct PluginMetrics {
    calls: IntCounterVec,
    errors: IntCounterVec,
    duration: HistogramVec,
    peak_memory: IntGaugeVec,
    suspended: IntGaugeVec,
    info: IntGaugeVec,
    sums: [(Sum, IntCounterVec); Sum::ALL.len()],
    news: PluginNews,
}

/// What is summed up over all calls.
#[derive(Debug, Clone, Copy)]
enum Sum {
    Fuel,
    HostCalls,
    Requests,
    SentBytes,
    ReceivedBytes,
    Denials,
    DroppedLogLines,
}

impl Sum {
    const ALL: [Self; 7] = [
        Self::Fuel,
        Self::HostCalls,
        Self::Requests,
        Self::SentBytes,
        Self::ReceivedBytes,
        Self::Denials,
        Self::DroppedLogLines,
    ];

    fn series(self) -> (&'static str, &'static str) {
        match self {
            Self::Fuel => ("acme_manager_plugin_fuel_total", "Fuel that plugin calls used."),
            Self::HostCalls => (
                "acme_manager_plugin_host_calls_total",
                "Calls of the contract's own functions, requests and messages.",
            ),
            Self::Requests => (
                "acme_manager_plugin_requests_total",
                "HTTP requests and DNS messages that plugins sent or were refused.",
            ),
            Self::SentBytes => {
                ("acme_manager_plugin_sent_bytes_total", "Bytes of requests and DNS messages of plugins.")
            }
            Self::ReceivedBytes => ("acme_manager_plugin_received_bytes_total", "Bytes of the answers to plugins."),
            Self::Denials => ("acme_manager_plugin_denials_total", "What plugins were refused for want of a grant."),
            Self::DroppedLogLines => {
                ("acme_manager_plugin_dropped_log_lines_total", "Log lines of plugins beyond their limit.")
            }
        }
    }

    fn of(self, costs: &PluginCosts) -> u64 {
        match self {
            Self::Fuel => costs.fuel,
            Self::HostCalls => costs.host_calls,
            Self::Requests => costs.requests,
            Self::SentBytes => costs.sent_bytes,
            Self::ReceivedBytes => costs.received_bytes,
            Self::Denials => costs.denials,
            Self::DroppedLogLines => costs.dropped_log_lines,
        }
    }

    fn place(self, totals: &mut PluginCalls) -> &mut u64 {
        match self {
            Self::Fuel => &mut totals.fuel,
            Self::HostCalls => &mut totals.host_calls,
            Self::Requests => &mut totals.requests,
            Self::SentBytes => &mut totals.sent_bytes,
            Self::ReceivedBytes => &mut totals.received_bytes,
            Self::Denials => &mut totals.denials,
            Self::DroppedLogLines => &mut totals.dropped_log_lines,
        }
    }
}

impl PluginMetrics {
    /// Registers the series.
    pub(super) fn new(registry: &Registry) -> Self {
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
        let (name, help) = ("acme_manager_plugin_call_duration_seconds", "Time of a plugin call.");
        let duration = HistogramVec::new(histogram_opts!(name, help), &["plugin", "operation"]).expect("a valid name");
        registry.register(Box::new(duration.clone())).expect("a name used once");
        Self {
            calls: counters(
                "acme_manager_plugin_calls_total",
                "Finished plugin calls.",
                &["plugin", "operation", "outcome"],
            ),
            errors: counters(
                "acme_manager_plugin_errors_total",
                "Plugin calls that ended with an error, by its class.",
                &["plugin", "operation", "class"],
            ),
            duration,
            peak_memory: gauges(
                "acme_manager_plugin_peak_memory_bytes",
                "The most linear memory that one plugin call held.",
                &["plugin", "operation"],
            ),
            suspended: gauges(
                "acme_manager_plugin_suspended",
                "1 after a plugin was suspended because its calls broke, until one of them gets an answer.",
                &["plugin"],
            ),
            info: gauges(
                "acme_manager_plugin_info",
                "1 for every loaded plugin, with its version and digest.",
                &["plugin", "version", "digest"],
            ),
            sums: Sum::ALL.map(|sum| {
                let (name, help) = sum.series();
                (sum, counters(name, help, &["plugin", "operation"]))
            }),
            news: PluginNews::default(),
        }
    }

    /// Counts a finished call.
    pub fn called(&self, call: &PluginCall<'_>) {
        let of = [call.plugin, call.operation];
        self.calls.with_label_values(&[call.plugin, call.operation, call.outcome]).inc();
        if let Some(class) = call.error {
            self.errors.with_label_values(&[call.plugin, call.operation, class]).inc();
        }
        self.duration.with_label_values(&of).observe(call.seconds);
        for (sum, counter) in &self.sums {
            counter.with_label_values(&of).inc_by(sum.of(&call.costs));
        }
        let peak = self.peak_memory.with_label_values(&of);
        // Two calls at once may write the smaller of two peaks; the next one puts it right.
        peak.set(peak.get().max(i64::try_from(call.costs.peak_memory_bytes).unwrap_or(i64::MAX)));
        self.suspended.with_label_values(&[call.plugin]).set(i64::from(call.is_suspended));
    }

    /// What there is to know that is no figure.
    #[must_use]
    pub fn news(&self) -> &PluginNews {
        &self.news
    }

    /// A plugin was loaded, in place of any other version of it.
    pub fn loaded(&self, plugin: &str, version: &str, digest: &str) {
        self.forget_info(plugin);
        self.info.with_label_values(&[plugin, version, digest]).set(1);
        self.suspended.with_label_values(&[plugin]).set(0);
        self.news.loaded(plugin);
    }

    /// A plugin is no longer there. What its calls came to stays: counters never go back.
    pub fn removed(&self, plugin: &str) {
        self.forget_info(plugin);
        // A series that was never set need not be removed.
        let _ = self.suspended.remove_label_values(&[plugin]);
        self.news.removed(plugin);
    }

    fn forget_info(&self, plugin: &str) {
        for metric in metrics(&self.info) {
            if label(&metric, "plugin") == plugin {
                let values = [plugin, label(&metric, "version"), label(&metric, "digest")];
                let _ = self.info.remove_label_values(&values);
            }
        }
    }

    /// What all calls came to, by plugin and operation.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<String, BTreeMap<String, PluginCalls>> {
        let mut totals: BTreeMap<String, BTreeMap<String, PluginCalls>> = BTreeMap::new();
        let mut add = |metric: &Metric, put: &dyn Fn(&mut PluginCalls)| {
            let of = totals.entry(label(metric, "plugin").to_owned()).or_default();
            put(of.entry(label(metric, "operation").to_owned()).or_default());
        };
        for metric in metrics(&self.calls) {
            add(&metric, &|calls| calls.calls += whole(metric.get_counter().get_value()));
        }
        for metric in metrics(&self.errors) {
            let (class, count) = (label(&metric, "class"), whole(metric.get_counter().get_value()));
            add(&metric, &|calls| *calls.errors.entry(class.to_owned()).or_default() += count);
        }
        for metric in metrics(&self.duration) {
            add(&metric, &|calls| calls.seconds = metric.get_histogram().get_sample_sum());
        }
        for metric in metrics(&self.peak_memory) {
            add(&metric, &|calls| calls.peak_memory_bytes = whole(metric.get_gauge().get_value()));
        }
        for (sum, counters) in &self.sums {
            for metric in metrics(counters) {
                add(&metric, &|calls| *sum.place(calls) = whole(metric.get_counter().get_value()));
            }
        }
        totals
    }
}

fn metrics(of: &impl Collector) -> Vec<Metric> {
    of.collect().into_iter().flat_map(|family: MetricFamily| family.get_metric().to_vec()).collect()
}

fn label<'a>(metric: &'a Metric, name: &str) -> &'a str {
    metric.get_label().iter().find(|pair| pair.name() == name).map_or("", |pair| pair.value())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, which fits in 53 bits")]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(outcome: &'static str, error: Option<&'static str>, peak: u64) -> PluginCall<'static> {
        PluginCall {
            plugin: "pdns",
            operation: "present",
            outcome,
            error,
            seconds: 0.5,
            costs: PluginCosts { fuel: 1000, peak_memory_bytes: peak, denials: 1, ..PluginCosts::default() },
            is_suspended: outcome == "broken",
        }
    }

    #[test]
    fn the_api_gets_what_the_series_hold() {
        let registry = Registry::new();
        let metrics = PluginMetrics::new(&registry);
        metrics.called(&call("ok", None, 200));
        metrics.called(&call("refused", Some("unauthorized"), 100));
        metrics.called(&call("broken", Some("panicked"), 100));
        let totals = metrics.totals();
        let present = &totals["pdns"]["present"];
        assert_eq!((present.calls, present.fuel, present.denials, present.peak_memory_bytes), (3, 3000, 3, 200));
        assert_eq!(present.errors, BTreeMap::from([("unauthorized".to_owned(), 1), ("panicked".to_owned(), 1)]));
        assert!((present.seconds - 1.5).abs() < 1e-9);
        assert_eq!(metrics.suspended.with_label_values(&["pdns"]).get(), 1);
    }

    #[test]
    fn a_plugin_has_one_version_and_none_once_removed() {
        let registry = Registry::new();
        let metrics = PluginMetrics::new(&registry);
        metrics.loaded("pdns", "1.0.0", "aa");
        metrics.loaded("pdns", "1.1.0", "bb");
        metrics.loaded("ovh", "1.0.0", "cc");
        let found = super::metrics(&metrics.info);
        let versions: Vec<&str> = found.iter().map(|metric| label(metric, "version")).collect();
        assert_eq!(versions.len(), 2);
        assert!(versions.contains(&"1.1.0"));
        metrics.removed("pdns");
        metrics.removed("ovh");
        assert!(super::metrics(&metrics.info).is_empty());
    }
}
